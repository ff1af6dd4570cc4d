"""What dvc.lock and the run-cache record of runs, against what the stages noted that they used."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from dvc.repo import Repo

from tools.health.fault import REPAIR, Fault, set_aside
from tools.health.lock import recorded
from tools.store.notes import contradiction, contradictions
from tools.store.project import Project
from tools.store.run_cache import parse_entry, read_entry, remove_if_empty


def find_faults() -> Iterator[Fault]:
    """Whether each record is that of the run that was made."""
    stages = recorded()
    with Repo() as repo:
        project = Project(repo)
        for finding in contradictions(stages, project.cache.read_note):
            yield Fault(f"{finding.name} {finding.detail}")
        for path in sorted(project.runs.glob("*/*/*")):
            name = path.relative_to(project.runs).as_posix()
            try:
                difference = contradiction(parse_entry(name, read_entry(path) or b""), project.cache.read_note)
            except ValueError as error:
                difference = str(error)
            if difference:
                yield Fault(f"run-cache entry {name}: {difference}: {REPAIR} sets it aside", partial(_set_aside, path))


def _set_aside(path: Path) -> str:
    aside = set_aside(path, path.name)
    remove_if_empty(path.parent)
    return f"a wrong record of a run is now {aside}"
