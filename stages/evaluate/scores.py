"""Scores checkpoints: each one's loss and accuracy on the validation and on the test images."""

import math

import pandas as pd
from torch import nn

from mnist.checkpoint import load
from mnist.data import Examples
from mnist.inference import Score, evaluate
from mnist.paths import checkpoint_path
from mnist.trained import EpochRecord
from pipeline.errors import UserError
from pipeline.progress import Progress


def score_checkpoints(trained: list[EpochRecord], validation: Examples, test: Examples) -> pd.DataFrame:
    """Return a row per epoch: loss and accuracy on both sets of examples, which are on the device to compute on.

    Raises:
        UserError: a checkpoint is not the one whose sha256 is recorded for its epoch, or gives no finite numbers.
    """
    rows = []
    progress = Progress("checkpoint", len(trained))
    for record in trained:
        network, _ = load(checkpoint_path(record.epoch), record.checkpoint_sha256)
        network.to(test.labels.device)
        on_validation, on_test = (_evaluate(network, examples, record.epoch) for examples in (validation, test))
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


def _evaluate(network: nn.Module, examples: Examples, epoch: int) -> Score:
    """The score of a network whose weights are finite; what it makes of them may not be.

    Where the loss is finite, so is every probability.
    """
    score = evaluate(network, examples)
    if len(examples) and not math.isfinite(score.loss):
        raise UserError(
            f"{checkpoint_path(epoch)} gives a loss of {score.loss:.4g}, as its weights grew beyond all bounds: lower "
            "optimizer.learning_rate or optimizer.weight_decay of the recipe, and train it anew with `dvc repro`"
        )
    return score
