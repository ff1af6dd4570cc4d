"""What a worker does: it runs one trial as DVC's own experiment, in a clone, and delivers it."""

import os
import platform
from dataclasses import dataclass
from pathlib import Path

from dvc.repo import Repo

from pipeline.errors import UserError
from tools.store.project import Project
from tools.trials.clone import Clone, claim
from tools.trials.experiment import Experiment, commit_experiment, first_difference, read_experiments, ref_of
from tools.trials.finished import problem_of
from tools.trials.git import git
from tools.trials.log import Log
from tools.trials.process import start
from tools.trials.trial import Trial


@dataclass(frozen=True)
class Place:
    """Where a machine runs trials: its project, the folder of its clones, and how many of them there are."""

    project: Path
    clones: Path
    num_clones: int


@dataclass(frozen=True)
class Outcome:
    """A trial that is done; `reproduced` is the machine that had made it before, with the same bytes."""

    experiment: Experiment
    has_trained: bool
    reproduced: str | None


def run_trial(trial: Trial, place: Place) -> Outcome:
    """Run a trial; raise UserError with the reason if it fails, or if it was made before with other results."""
    with claim(place.clones, place.num_clones, trial.name) as clone:
        clone.prepare(place.project, str(place.project), trial.commit)
        log = _run_experiment(trial, clone)
        tree = git("rev-parse", f"{ref_of(trial)}^{{tree}}", folder=clone.folder)
        experiment = commit_experiment(trial, tree, platform.node(), log.seconds, clone.folder)
        with Repo(str(place.project)) as repo:
            if problem := problem_of(experiment.revision, Project(repo).cache, clone.folder):
                raise UserError(f"{problem}, though DVC saw no error: is the disk full?")
        return Outcome(experiment, log.has_trained, _deliver(experiment, clone.folder, str(place.project)))


def _run_experiment(trial: Trial, clone: Clone) -> Log:
    settings = [part for override in trial.overrides for part in ("-S", override)]
    own = {"PYTHONUNBUFFERED": "1"}  # Lines come when they are printed: their times are noted.
    if folder := os.environ.get("MNIST_DIR"):
        own["MNIST_DIR"] = str(Path(folder).resolve())
    log = Log()
    command = ["dvc", "exp", "run", "--name", trial.name, *settings]
    with start(command, clone.folder, os.environ | own, clone.lock) as process:
        for line in process.stdout or ():
            log.add(line.rstrip())
    if process.returncode != 0:
        raise UserError(log.reason())
    return log


def _deliver(experiment: Experiment, folder: Path, destination: str) -> str | None:
    """Bring the experiment to a git repository; return the machine that brought an equal one before, if one did."""
    trial, ref = experiment.trial, ref_of(experiment.trial)
    git("update-ref", ref, experiment.revision, folder=folder)
    try:
        git("push", "--quiet", "--no-verify", destination, f"{experiment.revision}:{ref}", folder=folder)
        return None
    except UserError:
        if not git("ls-remote", destination, ref, folder=folder):
            raise
    git("fetch", "--quiet", destination, f"+{ref}:{ref}", folder=folder)
    machine = next((each.machine for each in read_experiments(trial.commit, folder) if each.trial == trial), "unknown")
    if difference := first_difference(experiment.revision, ref, folder):
        raise UserError(
            f"{difference} is not the same on {experiment.machine} as on {machine}, where the trial was run before: "
            f"find out why; `dvc exp remove {trial.name}` forgets the earlier result"
        )
    return machine
