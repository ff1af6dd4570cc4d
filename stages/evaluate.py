"""Scores every checkpoint, chooses the best one by its validation accuracy, and says how good that one is.

Reads params.yaml (data), pyproject.toml (the pinned versions), data/raw, data/checkpoints and metrics/train.csv;
writes metrics/evaluate.json, metrics/checkpoints.csv, metrics/confusion.csv, data/predictions.csv and
data/model.safetensors. The test images choose nothing.
"""

from pathlib import Path

import pandas as pd
from torch import Tensor

from mnist.checkpoint import checkpoint_name, load
from mnist.data import DataParams, list_test_files, list_training_files, load_test, load_training
from mnist.dataset import RAW_DATA
from mnist.determinism import make_deterministic
from mnist.environment import numerics_versions
from mnist.files import write_file
from mnist.idx import NUM_CLASSES
from mnist.inference import evaluate, predict
from mnist.memory import keep_freed_memory
from mnist.progress import Progress
from mnist.stage import stage
from mnist.statistics import wilson_interval
from mnist.tables import write_csv, write_json

CHECKPOINTS = Path("data/checkpoints")
TRAIN_CSV = Path("metrics/train.csv")
EVALUATE_JSON = Path("metrics/evaluate.json")
CHECKPOINTS_CSV = Path("metrics/checkpoints.csv")
CONFUSION_CSV = Path("metrics/confusion.csv")
PREDICTIONS_CSV = Path("data/predictions.csv")
MODEL = Path("data/model.safetensors")


def main() -> None:
    with stage("evaluate") as inputs:
        data_params: DataParams = inputs.param("data", DataParams)
        numerics_versions()
        inputs.files([TRAIN_CSV])
        trained = pd.read_csv(TRAIN_CSV)
        paths = {epoch: CHECKPOINTS / checkpoint_name(epoch) for epoch in trained["epoch"]}
        raw_files = [
            *list_training_files(RAW_DATA, data_params.dataset),
            *list_test_files(RAW_DATA, data_params.dataset),
        ]
        inputs.files([*paths.values(), *raw_files])
        keep_freed_memory()
        device = make_deterministic(load(next(iter(paths.values())))[1].threads)
        validation = load_training(RAW_DATA, data_params)[1].to(device)
        test = load_test(RAW_DATA, data_params).to(device)

        rows = []
        progress = Progress("checkpoint", len(trained))
        for epoch, sha256 in zip(trained["epoch"], trained["sha256"], strict=True):
            network = load(paths[epoch], sha256)[0].to(device)
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
        checkpoints = pd.DataFrame(rows)
        best_epoch = choose_best(checkpoints)
        best_network = load(paths[best_epoch])[0].to(device)
        predictions = predictions_table(predict(best_network, test.images), test.labels.cpu())

        inputs.verify_unchanged()
        numerics_versions()  # Again: DVC records the pins as they are now.
        write_json(EVALUATE_JSON, summarize(checkpoints, best_epoch, predictions))
        write_csv(CHECKPOINTS_CSV, checkpoints)
        write_csv(CONFUSION_CSV, confusion_table(predictions))
        write_csv(PREDICTIONS_CSV, predictions)
        write_file(MODEL, paths[best_epoch].read_bytes())


def choose_best(checkpoints: pd.DataFrame) -> int:
    """Return the epoch of the highest validation accuracy (ties: lower loss, then earlier); without one, the last."""
    if checkpoints["validation_accuracy"].isna().all():
        return int(checkpoints["epoch"].iloc[-1])
    order = ["validation_accuracy", "validation_loss", "epoch"]
    return int(checkpoints.sort_values(order, ascending=[False, True, True])["epoch"].iloc[0])


def predictions_table(logits: Tensor, labels: Tensor) -> pd.DataFrame:
    """Return a row per test image, in the data set's order; `confidence` is the probability of the prediction."""
    confidences, predictions = logits.double().softmax(dim=1).max(dim=1)
    return pd.DataFrame(
        {
            "index": range(len(labels)),
            "label": labels.numpy(),
            "prediction": predictions.numpy(),
            "confidence": confidences.numpy(),
        }
    )


def confusion_table(predictions: pd.DataFrame) -> pd.DataFrame:
    """Return a row per label and prediction, also where none occurred: how many images have that pair."""
    pairs = pd.MultiIndex.from_product([range(NUM_CLASSES)] * 2, names=["label", "prediction"])
    return predictions.groupby(["label", "prediction"]).size().reindex(pairs, fill_value=0).reset_index(name="count")


def summarize(checkpoints: pd.DataFrame, best_epoch: int, predictions: pd.DataFrame) -> dict[str, float]:
    """Return the headline numbers; those of validation are absent without validation images."""
    best = checkpoints.set_index("epoch").loc[best_epoch]
    num_right = int((predictions["label"] == predictions["prediction"]).sum())
    low, high = wilson_interval(num_right, len(predictions))
    summary = {
        "best_epoch": best_epoch,
        "validation_accuracy": best["validation_accuracy"],
        "validation_loss": best["validation_loss"],
        "test_accuracy": best["test_accuracy"],
        "test_accuracy_low": low,
        "test_accuracy_high": high,
        "test_loss": best["test_loss"],
        "test_errors": len(predictions) - num_right,
        "last_test_accuracy": checkpoints["test_accuracy"].iloc[-1],
    }
    return {name: value for name, value in summary.items() if not pd.isna(value)}


if __name__ == "__main__":
    main()
