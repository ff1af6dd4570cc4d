"""Reads every byte of what dvc.lock records, in workspace, cache and remote: DVC itself trusts modes and times."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from dvc.repo import Repo

from mnist.paths import TRAIN_CSV
from mnist.trained import read_trained, recorded_sha256
from pipeline.errors import UserError
from pipeline.files import sha256_of
from tools.store.lock import read_lock
from tools.store.notes import contradictions
from tools.store.objects import Finding, Problem, Store, compare, md5_of_file, reason
from tools.store.project import Project
from tools.store.remote import open_remote


def check_outputs(remote: str | None = None) -> tuple[int, list[Finding]]:
    """Return how many files were read, and what is wrong.

    `remote` is a remote's name, empty for the default one, None for none. Works in the project's root.
    """
    with Repo() as repo:
        project = Project(repo)
        project.refuse_foreign()
        stores, findings = [project.cache], []
        if remote is not None:
            try:
                stores.append(open_remote(repo, remote).store)
            except UserError as error:
                findings.append(Finding(Problem.UNCHECKED, f"remote {remote}".strip(), str(error)))
        files, unlisted = _files_in(project.recorded(), stores)
        checks = [*_check_workspace(project, files, unlisted), *_check_recorded_sha256()]
        objects = project.outputs() | files
        for store in stores:
            wrong = store.check_all(objects)
            checks += [wrong.get(path) for path in objects]
        findings += contradictions(read_lock(), project.cache.read_note)
    return len(checks), findings + [finding for finding in checks if finding is not None]


def _files_in(outs: Mapping[str, str], stores: Iterable[Store]) -> tuple[dict[str, str], list[str]]:
    """The files of outputs that are folders (md5s by path), and the folders of which no store has a sound listing."""
    files: dict[str, str] = {}
    unlisted = list(outs)
    for store in stores:
        found, wrong = store.files_in({path: outs[path] for path in unlisted})
        files |= found
        unlisted = list(wrong)
    return files, unlisted


def _check_workspace(project: Project, files: Mapping[str, str], unlisted: list[str]) -> Iterator[Finding | None]:
    """A finding, or None where all is well, for each file that is or should be there."""
    for path in project.unrecorded():
        yield Finding(Problem.UNCHECKED, f"workspace {path}", "dvc.lock does not record it: run `dvc repro`")
    for path, oid in project.recorded().items():
        if path in unlisted:
            detail = "no store has its listing: `dvc repro` makes it, `dvc fetch` brings it"
            yield Finding(Problem.UNCHECKED, f"workspace {path}", detail)
        elif oid.endswith(".dir"):
            there = {found.as_posix() for found in Path(path).rglob("*") if found.is_file()}
            for unknown in sorted(there - files.keys()):
                yield Finding(Problem.CORRUPTED, f"workspace {unknown}", "dvc.lock knows no such file")
        else:
            yield _check_file(path, oid)
    for path, md5 in files.items():
        yield _check_file(path, md5)


def _check_file(path: str, md5: str) -> Finding | None:
    try:
        return compare(f"workspace {path}", md5, md5_of_file(Path(path)))
    except (IsADirectoryError, NotADirectoryError) as error:
        return Finding(Problem.CORRUPTED, f"workspace {path}", reason(error))
    except OSError as error:
        return Finding(Problem.UNCHECKED, f"workspace {path}", reason(error))


def _check_recorded_sha256() -> Iterator[Finding | None]:
    """Each file of an epoch in the workspace against the sha256 that is recorded for it."""
    if not TRAIN_CSV.is_file():
        return
    for path, expected in recorded_sha256(read_trained()).items():
        try:
            actual = sha256_of(Path(path).read_bytes())
        except OSError:  # Missing, or what the check of its md5 says.
            continue
        if actual == expected:
            yield None
        else:
            yield Finding(Problem.CORRUPTED, f"workspace {path}", f"has sha256 {actual}, recorded is {expected}")
