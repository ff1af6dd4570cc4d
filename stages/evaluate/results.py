"""What the scores of all checkpoints and the predictions of the best one amount to: tables and headline numbers."""

import numpy as np
import pandas as pd
from torch import Tensor

from mnist.idx import NUM_CLASSES
from stages.evaluate.statistics import calibration_error, wilson_interval


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


def classes_table(predictions: pd.DataFrame) -> pd.DataFrame:
    """Return a row per class: its number of images, precision and recall.

    Precision is the fraction of right ones among the predictions of the class, recall among its images; without any, 0.
    """
    counts = confusion_table(predictions)["count"].to_numpy().reshape(NUM_CLASSES, NUM_CLASSES)
    num_right, num_images, num_predictions = counts.diagonal(), counts.sum(axis=1), counts.sum(axis=0)
    return pd.DataFrame(
        {
            "label": range(NUM_CLASSES),
            "num_images": num_images,
            "precision": num_right / np.maximum(num_predictions, 1),
            "recall": num_right / np.maximum(num_images, 1),
        }
    )


def confusion_table(predictions: pd.DataFrame) -> pd.DataFrame:
    """Return a row per label and prediction, also where none occurred: how many images have that pair."""
    pairs = pd.MultiIndex.from_product([range(NUM_CLASSES)] * 2, names=["label", "prediction"])
    return predictions.groupby(["label", "prediction"]).size().reindex(pairs, fill_value=0).reset_index(name="count")


def summarize(checkpoints: pd.DataFrame, best_epoch: int, predictions: pd.DataFrame) -> dict[str, float]:
    """Return the headline numbers; those of validation are absent without validation images."""
    best = checkpoints.set_index("epoch").loc[best_epoch]
    is_right = (predictions["label"] == predictions["prediction"]).to_numpy()
    num_right = int(is_right.sum())
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
        "test_calibration_error": calibration_error(predictions["confidence"].to_numpy(), is_right),
        "last_test_accuracy": checkpoints["test_accuracy"].iloc[-1],
    }
    return {name: value for name, value in summary.items() if not pd.isna(value)}
