"""Finds where two trainings that should be equal part: the first epoch, and in it the first tensor."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dvc.scm import SCMError, resolve_rev

from mnist.paths import CHECKPOINTS, OPTIMIZER, TRAIN_CSV
from mnist.trained import EpochRecord, parse_trained, read_trained, recorded_sha256
from pipeline.errors import UserError
from pipeline.files import read_regular
from tools.proofs.files import Files, recorded_folders
from tools.proofs.tensors import describe_difference
from tools.store.git import git
from tools.store.lock import LOCK, parse_lock
from tools.store.objects import Finding, Problem
from tools.store.project import Project


@dataclass(frozen=True)
class Training:
    """What people call it, the records of its epochs, and how its files are read, by path."""

    name: str
    records: list[EpochRecord]
    read: Callable[[str], bytes | Finding]


def training_in(folder: Path, name: str) -> Training:
    """The training whose outputs lie in a project's folder."""

    def read(path: str) -> bytes | Finding:
        try:
            return read_regular(folder / path)
        except FileNotFoundError:
            return Finding(Problem.MISSING, str(folder / path), "is not there")

    return Training(name, read_trained(folder), read)


def training_of(revision: str, name: str, project: Project) -> Training:
    """The training that a commit records; its files come from the project's cache, or its DVC remote.

    Raises:
        UserError: the revision names no commit, or its epochs' states are not recorded.
    """
    try:
        commit = resolve_rev(project.repo.scm, revision)
    except SCMError:
        raise UserError(f"{revision!r} is no folder, commit, branch, tag or experiment here") from None
    folders = recorded_folders(parse_lock(git("show", f"{commit}:{LOCK}") + "\n"), CHECKPOINTS, OPTIMIZER)
    records = parse_trained(git("show", f"{commit}:{TRAIN_CSV}"))
    return Training(name, records, Files(project, folders, recorded_sha256(records)).read)


def find_parting(one: Training, other: Training) -> tuple[Problem | None, str]:
    """Say where two trainings part, and how they differ there; the problem is None if they are the same.

    What is recorded of their epochs is compared first; where that is the same, the files.
    """
    ours, theirs = recorded_sha256(one.records), recorded_sha256(other.records)
    common = [path for path in ours if path in theirs]
    for path in common:
        if ours[path] != theirs[path]:
            return Problem.CORRUPTED, _describe(path, _difference(path, one, other))
    differences = {path: found for path in common if (found := _difference(path, one, other))}
    for path, found in differences.items():
        if isinstance(found, str):
            return Problem.CORRUPTED, _describe(path, found)
    if len(ours) != len(theirs):
        counts = f"{len(one.records)} {one.name}, {len(other.records)} {other.name}"
        return Problem.CORRUPTED, f"all epochs that both have are the same: {counts}"
    if unread := [found for found in differences.values() if isinstance(found, Finding)]:
        first = f"{unread[0].name} {unread[0].detail}"
        return unread[0].problem, f"all that is recorded is the same; not all files can be read: {first}"
    return None, f"all {len(one.records)} epochs are the same"


def _difference(path: str, one: Training, other: Training) -> str | Finding | None:
    """How a file differs, if it does, or why that cannot be said."""
    ours, theirs = one.read(path), other.read(path)
    if isinstance(ours, Finding):
        return ours
    if isinstance(theirs, Finding):
        return theirs
    return None if ours == theirs else describe_difference(ours, theirs)


def _describe(path: str, found: str | Finding | None) -> str:
    epoch = int(Path(path).stem.removeprefix("epoch_"))
    if isinstance(found, Finding):
        found = f"its tensors cannot be compared: {found.name} {found.detail}"
    return f"the first epoch that differs is {epoch}, in {path}: {found or 'in what is recorded, not in the file'}"
