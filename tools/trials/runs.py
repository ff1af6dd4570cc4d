"""Reads what finished trials gave: from their experiments' refs in git, and from DVC's cache."""

import io
import json
from dataclasses import dataclass

import pandas as pd
from dvc.repo import Repo

from mnist.paths import CHECKPOINTS_CSV, EVALUATE_JSON, PREDICTIONS_CSV, TRAIN_CSV
from tools.store.git import git, show
from tools.store.objects import Store
from tools.store.project import Project
from tools.trials.experiment import Experiment, read_outputs
from tools.trials.finished import finished_trials
from tools.trials.trial import Trial


@dataclass(frozen=True)
class Run:
    """A finished trial; `revision` is its experiment's commit.

    `metrics` is metrics/evaluate.json, `curves` metrics/train.csv, `checkpoints` metrics/checkpoints.csv, `predictions`
    data/predictions.csv (index, label, prediction, confidence). `seconds` is the wall time of its train stage, where
    all epochs were trained in one go, on `machine`.
    """

    trial: Trial
    revision: str
    metrics: dict[str, float]
    curves: pd.DataFrame
    checkpoints: pd.DataFrame
    predictions: pd.DataFrame
    seconds: float | None
    machine: str | None


def read_runs(commit: str | None = None) -> list[Run]:
    """Every finished trial of a commit, of the present one if none is named; sorted by what they are."""
    experiments = finished_trials(git("rev-parse", commit or "HEAD"))
    experiments.sort(key=lambda experiment: (experiment.trial.recipe, experiment.trial.settings, experiment.trial.seed))
    with Repo() as repo:
        cache = Project(repo).cache
        return [_read_run(experiment, cache) for experiment in experiments]


def _read_run(experiment: Experiment, cache: Store) -> Run:
    revision = experiment.revision
    metrics, curves, checkpoints = (show(revision, path) for path in (EVALUATE_JSON, TRAIN_CSV, CHECKPOINTS_CSV))
    predictions = cache.read(read_outputs(revision)[PREDICTIONS_CSV.as_posix()])
    return Run(
        trial=experiment.trial,
        revision=revision,
        metrics=json.loads(metrics),
        curves=pd.read_csv(io.BytesIO(curves)),
        checkpoints=pd.read_csv(io.BytesIO(checkpoints)),
        predictions=pd.read_csv(io.BytesIO(predictions)),
        seconds=experiment.seconds,
        machine=experiment.machine,
    )
