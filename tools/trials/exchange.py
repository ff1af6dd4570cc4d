"""Brings finished trials to where they count: experiments through git, their outputs through a DVC remote."""

from collections.abc import Iterable
from pathlib import Path

from dvc.repo import Repo

from pipeline.errors import UserError
from tools.store.fetch import Fetcher
from tools.store.git import git
from tools.store.project import Project
from tools.store.remote import open_remote
from tools.store.send import Sender
from tools.trials.experiment import (
    FETCHED,
    Experiment,
    cached_outputs,
    read_experiments,
    ref_of,
    refs_of,
    refuse_difference,
)
from tools.trials.finished import problem_of
from tools.trials.trial import Trial


def send_experiment(experiment: Experiment, folder: Path, destination: str) -> str | None:
    """Bring an experiment of a clone to another repository, and look that it is there.

    Returns the machine that brought an equal one before, if one did; raises UserError if that one is not equal.
    """
    ref = ref_of(experiment.trial)
    failure = ""
    try:  # DVC's own push says "diverged" where an equal experiment is, or says nothing, and ends with 0 either way.
        git("push", "--quiet", "--no-verify", destination, f"{experiment.revision}:{ref}", folder=folder)
    except UserError as error:
        failure = str(error)
    there = git("ls-remote", destination, ref, folder=folder)
    if not there:
        raise UserError(failure or f"git push: {destination} has no {ref} afterwards")
    if there.startswith(experiment.revision):
        return None
    git("fetch", "--quiet", "--no-tags", destination, f"+{ref}:{ref}", folder=folder)
    before = [each for each in read_experiments(ref, folder) if each.trial == experiment.trial]
    if not before:
        raise UserError(f"{destination} has a {ref} that no sweep made: `dvc exp remove` it there")
    refuse_difference(experiment, before[0], folder)
    return before[0].machine


def send_outputs(experiment: Experiment, project: Path, folder: Path) -> None:
    """Bring its outputs to the DVC remote, and read them back; raise UserError if one is not right there."""
    with Repo(str(project)) as repo:
        findings = Sender(Project(repo), open_remote(repo, None)).outputs(cached_outputs(experiment.revision, folder))
    if findings:
        raise UserError(f"{findings[0].name}: {findings[0].detail}")


def require_pushed(commit: str, remote: str) -> None:
    """Raise UserError if the git remote does not have the commit, so that workers elsewhere cannot get it."""
    git("fetch", "--quiet", remote)
    if not git("branch", "--remotes", "--contains", commit, "--list", f"{remote}/*"):
        raise UserError(f"the git remote {remote} does not have the commit {commit[:12]}: `git push` it")


def fetch_experiments(commit: str, remote: str) -> set[Trial]:
    """Bring what the git remote has of a commit's trials; return which these are."""
    return _fetch(refs_of(commit), refs_of(commit, FETCHED), remote)


def fetch_outputs(experiments: Iterable[Experiment]) -> None:
    """Bring what the DVC remote has of their outputs, each only when it is known to be right."""
    with Repo() as repo:
        fetcher = Fetcher(Project(repo), open_remote(repo, None))
        for experiment in experiments:
            fetcher.outputs(cached_outputs(experiment.revision))


def collect(trial: Trial, remote: str) -> None:
    """Bring a trial that was done elsewhere here; raise UserError if not all of it came, right in every byte."""
    _fetch(ref_of(trial), ref_of(trial, FETCHED), remote)
    [experiment] = read_experiments(ref_of(trial))
    fetch_outputs([experiment])
    with Repo() as repo:
        if problem := problem_of(experiment.revision, Project(repo).cache):
            raise UserError(f"{problem}: the worker had read it back from the DVC remote")


def _fetch(refs: str, fetched: str, remote: str) -> set[Trial]:
    """Bring experiments; raise UserError if one is here with other results."""
    git("fetch", "--quiet", "--no-tags", "--prune", remote, f"+{refs}:{fetched}")
    here = {experiment.trial: experiment for experiment in read_experiments(refs)}
    there = read_experiments(fetched)
    for experiment in there:
        if experiment.trial not in here:
            git("update-ref", ref_of(experiment.trial), experiment.revision)
        elif experiment.revision != here[experiment.trial].revision:
            refuse_difference(here[experiment.trial], experiment)
    return {experiment.trial for experiment in there}
