"""Reads every byte of what dvc.lock records, in workspace, cache and remote: DVC itself trusts modes and times."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dvc.repo import Repo

from mnist.paths import TRAIN_CSV, checkpoint_path
from mnist.trained import read_trained
from pipeline.errors import UserError
from pipeline.files import sha256_of
from tools.store.objects import Finding, Problem, Store, compare, md5_of_file, reason
from tools.store.remote import Unavailable, open_remote


def check_outputs(remote: str | None = None) -> tuple[int, list[Finding]]:
    """Return how many files were read, and what is wrong; `remote` is a remote's name, or None for none.

    Works in the current folder, the root of the project.
    """
    with Repo() as repo:
        stores = [Store("cache", repo.cache.local)]
        findings, num_files = [], 0
        if remote is not None:
            try:
                stores.append(open_remote(repo, remote).store)
            except (Unavailable, UserError) as error:
                findings.append(Finding(Problem.UNCHECKED, f"remote {remote}", str(error)))
        outs = [out for stage in repo.index.stages for out in stage.outs]
        checks = itertools.chain(*(_check_out(out, stores) for out in outs), _check_recorded_sha256())
        for problem in checks:
            num_files += 1
            if problem is not None:
                findings.append(problem)
    return num_files, findings


def recorded_sha256() -> dict[str, str]:
    """The sha256 of each checkpoint, by path, from metrics/train.csv, a file in git; empty if it is not there.

    Raises:
        UserError: it is no such table.
    """
    if not TRAIN_CSV.is_file():
        return {}
    return {checkpoint_path(record.epoch).as_posix(): record.checkpoint_sha256 for record in read_trained()}


def _check_out(out: Any, stores: list[Store]) -> Iterator[Finding | None]:
    """A finding, or None where all is well, for each file of an output, in each place where it should be."""
    path = Path(out.fs_path).relative_to(Path.cwd()).as_posix()
    if not out.hash_info:
        yield Finding(Problem.UNCHECKED, f"workspace {path}", "dvc.lock does not record it: run `dvc repro`")
        return
    oid: str = out.hash_info.value
    files = {path: oid}
    if out.hash_info.isdir:
        listing = next((found for store in stores if (found := _read_listing(store, path, oid)) is not None), None)
        if listing is None:
            yield Finding(
                Problem.UNCHECKED,
                f"workspace {path}",
                "no store has its listing: `dvc repro` makes it, `dvc fetch` brings it",
            )
        files = listing or {}
        there = {found.as_posix() for found in Path(path).rglob("*") if found.is_file()}
        for unknown in there - files.keys() if listing else ():
            yield Finding(Problem.CORRUPTED, f"workspace {unknown}", "dvc.lock knows no such file")
    for name, md5 in files.items():
        yield _check_file(name, md5)
    if out.use_cache:
        objects = files | {path: oid}
        for store in stores:
            wrong = store.check_all(objects)
            yield from (wrong.get(name) for name in objects)


def _check_file(name: str, md5: str) -> Finding | None:
    try:
        return compare(f"workspace {name}", md5, md5_of_file(Path(name)))
    except (IsADirectoryError, NotADirectoryError) as error:
        return Finding(Problem.CORRUPTED, f"workspace {name}", reason(error))
    except OSError as error:
        return Finding(Problem.UNCHECKED, f"workspace {name}", reason(error))


def _check_recorded_sha256() -> Iterator[Finding | None]:
    """Each checkpoint in the workspace against the sha256 that is recorded for it."""
    for path, expected in recorded_sha256().items():
        try:
            actual = sha256_of(Path(path).read_bytes())
        except OSError:  # Missing, or what the check of its md5 says.
            continue
        if actual == expected:
            yield None
        else:
            yield Finding(Problem.CORRUPTED, f"workspace {path}", f"has sha256 {actual}, recorded is {expected}")


def _read_listing(store: Store, path: str, oid: str) -> dict[str, str] | None:
    """The md5 by path of a folder's files, if the store has an intact listing of it."""
    try:
        return store.files_of(path, oid) if store.check(path, oid) is None else None
    except ValueError:
        return None
