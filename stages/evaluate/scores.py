"""Scores checkpoints: each one's loss and accuracy on the validation and on the test images."""

import pandas as pd

from mnist.checkpoint import load
from mnist.data import Examples
from mnist.inference import evaluate
from mnist.paths import checkpoint_path
from mnist.trained import EpochRecord
from pipeline.progress import Progress


def score_checkpoints(trained: list[EpochRecord], validation: Examples, test: Examples) -> pd.DataFrame:
    """Return a row per epoch: loss and accuracy on both sets of examples, which are on the device to compute on.

    Raises:
        UserError: a checkpoint is not the one whose sha256 is recorded for its epoch.
    """
    rows = []
    progress = Progress("checkpoint", len(trained))
    for record in trained:
        network, _ = load(checkpoint_path(record.epoch), record.checkpoint_sha256)
        network.to(test.labels.device)
        on_validation, on_test = evaluate(network, validation), evaluate(network, test)
        rows.append(
            {
                "epoch": record.epoch,
                "validation_loss": on_validation.loss,
                "validation_accuracy": on_validation.accuracy,
                "test_loss": on_test.loss,
                "test_accuracy": on_test.accuracy,
            }
        )
        progress.advance(validation_accuracy=on_validation.accuracy, test_accuracy=on_test.accuracy)
    return pd.DataFrame(rows)
