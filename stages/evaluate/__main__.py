"""Scores every checkpoint, chooses the best one by its validation accuracy, and says how good that one is.

Reads params.yaml (recipe, recipes.<recipe>, device, data), pyproject.toml (the pinned versions), data/checksums.txt,
data/raw, data/checkpoints and metrics/train.csv; writes metrics/evaluate.json, metrics/checkpoints.csv,
metrics/classes.csv, metrics/confusion.csv, data/predictions.csv and data/model.safetensors. The test images choose
nothing.
"""

from pipeline.start import DEPS  # isort: skip

from typing import Any

from mnist.checkpoint import load
from mnist.data import DataParams, load_test, load_training
from mnist.determinism import Device, make_deterministic
from mnist.inference import predict
from mnist.memory import keep_freed_memory
from mnist.paths import (
    CHECKPOINTS_CSV,
    CLASSES_CSV,
    CONFUSION_CSV,
    EVALUATE_JSON,
    MODEL,
    PREDICTIONS_CSV,
    RAW_DATA,
    checkpoint_path,
)
from mnist.trained import read_trained
from pipeline.files import write_file
from pipeline.stage import stage
from pipeline.tables import write_csv, write_json
from stages.evaluate.origin import check_origin
from stages.evaluate.results import choose_best, classes_table, confusion_table, predictions_table, summarize
from stages.evaluate.scores import score_checkpoints


def main() -> None:
    with stage(DEPS) as inputs:
        data_params: DataParams = inputs.param("data", DataParams)
        recipe: dict[str, Any] = inputs.param(f"recipes.{inputs.param('recipe', str)}", dict[str, Any])
        device_name: Device = inputs.param("device", Device)
        inputs.versions("records", "numerics")
        trained = read_trained()
        keep_freed_memory()
        _, description = load(checkpoint_path(trained[0].epoch), trained[0].checkpoint_sha256)
        check_origin(trained, description, recipe, data_params, device_name)
        device = make_deterministic(description.threads, device_name)  # As in training: results depend on it.
        validation = load_training(RAW_DATA, data_params)[1].to(device)
        test = load_test(RAW_DATA, data_params).to(device)

        checkpoints = score_checkpoints(trained, validation, test)
        best = checkpoint_path(choose_best(checkpoints))
        network, description = load(best)
        predictions = predictions_table(predict(network.to(device), test.images), test.labels.cpu())

        inputs.verify_unchanged()
        write_json(EVALUATE_JSON, summarize(checkpoints, description.epoch, predictions))
        write_csv(CHECKPOINTS_CSV, checkpoints)
        write_csv(CLASSES_CSV, classes_table(predictions))
        write_csv(CONFUSION_CSV, confusion_table(predictions))
        write_csv(PREDICTIONS_CSV, predictions)
        write_file(MODEL, best.read_bytes())


if __name__ == "__main__":
    main()
