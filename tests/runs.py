"""Finished runs of a sweep that nobody trained, for tests of what may be concluded from them."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tools.trials.runs import Run
from tools.trials.trial import Trial

COMMIT = "0123456789abcdef0123456789abcdef01234567"
NUM_EPOCHS = 3


def make_runs(
    recipe: str,
    accuracies: Sequence[float],
    labels: NDArray[np.integer],
    settings: tuple[str, ...] = (),
    validation: Sequence[float] | None = None,
    commit: str = COMMIT,
) -> list[Run]:
    """Return a run for each test accuracy, with the seeds 0, 1, ...; its first images are wrong, named 1 too high."""
    runs = []
    for seed, accuracy in enumerate(accuracies):
        num_errors = round((1 - accuracy) * len(labels))
        predictions = np.where(np.arange(len(labels)) < num_errors, (labels + 1) % 10, labels)
        metrics = {"test_accuracy": accuracy, "test_errors": num_errors}
        if validation is not None:
            metrics["validation_accuracy"] = validation[seed]
        runs.append(
            Run(
                trial=Trial(commit, recipe, seed, settings),
                revision=f"{seed:040x}",
                metrics=metrics,
                curves=pd.DataFrame(),
                checkpoints=_checkpoints(accuracy, None if validation is None else validation[seed]),
                predictions=pd.DataFrame(
                    {"index": range(len(labels)), "label": labels, "prediction": predictions, "confidence": 0.9}
                ),
                seconds=10.0 + seed,
                machine="here",
            )
        )
    return runs


def _checkpoints(test_accuracy: float, validation_accuracy: float | None) -> pd.DataFrame:
    rises = np.linspace(0.9, 1, NUM_EPOCHS)
    return pd.DataFrame(
        {
            "epoch": range(1, NUM_EPOCHS + 1),
            "validation_loss": 0.1,
            "validation_accuracy": np.nan if validation_accuracy is None else validation_accuracy * rises,
            "test_loss": 0.1,
            "test_accuracy": test_accuracy * rises,
        }
    )
