"""Scores every checkpoint, chooses the best one by its validation accuracy, and says how good that one is.

Reads params.yaml (data), pyproject.toml (the pinned versions), data/raw, data/checkpoints and metrics/train.csv;
writes metrics/evaluate.json, metrics/checkpoints.csv, metrics/classes.csv, metrics/confusion.csv,
data/predictions.csv and data/model.safetensors. The test images choose nothing.
"""

from pathlib import Path

import pandas as pd

from mnist.checkpoint import load
from mnist.data import DataParams, Examples, list_files, load_test, load_training
from mnist.dataset import RAW_DATA
from mnist.determinism import make_deterministic
from mnist.environment import pinned_versions
from mnist.errors import UserError
from mnist.files import write_file
from mnist.inference import evaluate, predict
from mnist.memory import keep_freed_memory
from mnist.paths import CHECKPOINTS, TRAIN_CSV, checkpoint_name
from mnist.progress import Progress
from mnist.results import choose_best, classes_table, confusion_table, predictions_table, summarize
from mnist.stage import stage
from mnist.tables import write_csv, write_json

EVALUATE_JSON = Path("metrics/evaluate.json")
CHECKPOINTS_CSV = Path("metrics/checkpoints.csv")
CLASSES_CSV = Path("metrics/classes.csv")
CONFUSION_CSV = Path("metrics/confusion.csv")
PREDICTIONS_CSV = Path("data/predictions.csv")
MODEL = Path("data/model.safetensors")
DEPENDENCY_GROUPS = ("records", "numerics")


def main() -> None:
    with stage("evaluate") as inputs:
        data_params: DataParams = inputs.param("data", DataParams)
        pinned_versions(*DEPENDENCY_GROUPS)
        inputs.files([TRAIN_CSV])
        trained = read_trained()
        paths = {epoch: CHECKPOINTS / checkpoint_name(epoch) for epoch in trained["epoch"]}
        inputs.files([*paths.values(), *list_files(RAW_DATA, data_params.dataset)])
        keep_freed_memory()
        device = make_deterministic(load(next(iter(paths.values())))[1].threads)
        validation = load_training(RAW_DATA, data_params)[1].to(device)
        test = load_test(RAW_DATA, data_params).to(device)

        sha256s = dict(zip(trained["epoch"], trained["sha256"], strict=True))
        checkpoints = score_checkpoints(paths, sha256s, validation, test)
        best_epoch = choose_best(checkpoints)
        best_network = load(paths[best_epoch])[0].to(device)
        predictions = predictions_table(predict(best_network, test.images), test.labels.cpu())

        inputs.verify_unchanged()
        pinned_versions(*DEPENDENCY_GROUPS)  # Again: DVC records the pins as they are now.
        write_json(EVALUATE_JSON, summarize(checkpoints, best_epoch, predictions))
        write_csv(CHECKPOINTS_CSV, checkpoints)
        write_csv(CLASSES_CSV, classes_table(predictions))
        write_csv(CONFUSION_CSV, confusion_table(predictions))
        write_csv(PREDICTIONS_CSV, predictions)
        write_file(MODEL, paths[best_epoch].read_bytes())


def read_trained() -> pd.DataFrame:
    """Return what train says of its epochs: a row for each, with epoch and sha256.

    Raises:
        UserError: metrics/train.csv is no such table.
    """
    try:
        trained = pd.read_csv(TRAIN_CSV)[["epoch", "sha256"]].astype({"epoch": int})
    except (KeyError, ValueError):
        trained = pd.DataFrame()
    if trained.empty:
        raise UserError(f"{TRAIN_CSV} is no table of epochs: `git checkout HEAD {TRAIN_CSV}` restores it")
    return trained


def score_checkpoints(
    paths: dict[int, Path], sha256s: dict[int, str], validation: Examples, test: Examples
) -> pd.DataFrame:
    """Return a row per epoch: loss and accuracy on both sets of examples, which are on the device to compute on.

    Raises:
        UserError: a checkpoint is not the one with its epoch's sha256.
    """
    rows = []
    progress = Progress("checkpoint", len(paths))
    for epoch, path in paths.items():
        network = load(path, sha256s[epoch])[0].to(test.labels.device)
        on_validation = evaluate(network, validation)
        on_test = evaluate(network, test)
        rows.append(
            {
                "epoch": epoch,
                "validation_loss": on_validation.loss,
                "validation_accuracy": on_validation.accuracy,
                "test_loss": on_test.loss,
                "test_accuracy": on_test.accuracy,
            }
        )
        progress.advance(validation_accuracy=on_validation.accuracy, test_accuracy=on_test.accuracy)
    return pd.DataFrame(rows)


if __name__ == "__main__":
    main()
