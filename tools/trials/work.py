"""What a worker does: it runs one trial as DVC's own experiment, in a clone, and delivers it."""

import os
import platform
from dataclasses import dataclass
from pathlib import Path

from dvc.repo import Repo

from pipeline.errors import UserError
from tools.store.git import environment, git
from tools.store.project import Project
from tools.trials.clone import Clone, claim
from tools.trials.exchange import send_experiment, send_outputs
from tools.trials.experiment import Experiment, commit_experiment, ref_of
from tools.trials.finished import problem_of
from tools.trials.log import Log
from tools.trials.place import my_place
from tools.trials.process import start
from tools.trials.trial import Trial
from tools.trials.versions import refuse_other_versions


@dataclass(frozen=True)
class Outcome:
    """A trial that is done; `reproduced` is the machine that had made it before, with the same bytes."""

    experiment: Experiment
    has_trained: bool
    reproduced: str | None


def run_trial(trial: Trial) -> Outcome:
    """Run a trial; raise UserError with the reason if it fails, or if it was made before with other results."""
    place = my_place()
    with claim(place.clones, place.num_clones, trial.name) as clone:
        clone.prepare(place.project, place.destination(), trial.commit)
        refuse_other_versions(clone.folder)
        log = _run_experiment(trial, clone)
        tree = git("rev-parse", f"{ref_of(trial)}^{{tree}}", folder=clone.folder)
        experiment = commit_experiment(trial, tree, platform.node(), log.seconds, clone.folder)
        with Repo(str(place.project)) as repo:
            if problem := problem_of(experiment.revision, Project(repo).cache, clone.folder):
                raise UserError(f"{problem}, though DVC saw no error: is the disk full?")
        if place.git_remote:
            send_outputs(experiment, place.project, clone.folder)
        return Outcome(experiment, log.has_trained, send_experiment(experiment, clone.folder, place.destination()))


def _run_experiment(trial: Trial, clone: Clone) -> Log:
    settings = [part for override in trial.overrides for part in ("-S", override)]
    # But for torchrun's variables: each trial is one process.
    inherited = {name: value for name, value in environment().items() if not name.startswith("PET_")}
    own = {"PYTHONUNBUFFERED": "1"}  # Lines come when they are printed: their times are noted.
    if folder := os.environ.get("MNIST_DIR"):
        own["MNIST_DIR"] = str(Path(folder).resolve())
    log = Log()
    command = ["dvc", "exp", "run", "--name", trial.name, *settings]
    with start(command, clone.folder, inherited | own, clone.lock) as process:
        for line in process.stdout or ():
            log.add(line.rstrip())
    if process.returncode != 0:
        raise UserError(log.reason())
    return log
