"""Which trials are done: those whose experiment is in git, and whose outputs are in the cache, right in every byte."""

from pathlib import Path

from dvc.repo import Repo

from tools.store.objects import Store
from tools.store.project import Project
from tools.trials.experiment import Experiment, cached_outputs, read_experiments, refs_of


def finished_trials(commit: str) -> list[Experiment]:
    """The trials of a commit that are done here."""
    with Repo() as repo:
        cache = Project(repo).cache
        return [each for each in read_experiments(refs_of(commit)) if problem_of(each.revision, cache) is None]


def problem_of(revision: str, cache: Store, folder: Path = Path()) -> str | None:
    """What is wrong with the first output of a revision that the cache has not; None if it has them all."""
    outs = cached_outputs(revision, folder)
    files, wrong = cache.files_in(outs)
    findings = wrong or cache.check_all(outs | files)
    return next((f"{finding.name} {finding.detail}" for finding in findings.values()), None)
