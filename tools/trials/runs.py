"""Reads what finished trials gave: from their experiments' refs in git, and from DVC's cache."""

from dataclasses import dataclass

import pandas as pd

from tools.trials.trial import Trial


@dataclass(frozen=True)
class Run:
    """A finished trial; `revision` is its experiment's commit.

    `metrics` is metrics/evaluate.json, `curves` metrics/train.csv, `checkpoints` metrics/checkpoints.csv, `predictions`
    data/predictions.csv (index, label, prediction, confidence). `seconds` is the wall time of its train stage, where
    that ran in one go on `machine`.
    """

    trial: Trial
    revision: str
    metrics: dict[str, float]
    curves: pd.DataFrame
    checkpoints: pd.DataFrame
    predictions: pd.DataFrame
    seconds: float | None
    machine: str | None
