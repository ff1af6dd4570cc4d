"""Reads every byte of what dvc.lock records, in workspace, cache and remote: DVC itself trusts modes and times."""

import hashlib
import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntFlag
from pathlib import Path
from typing import Any

import pandas as pd
from dvc.exceptions import DvcException
from dvc.repo import Repo

TRAIN_CSV, CHECKPOINTS = Path("metrics/train.csv"), Path("data/checkpoints")
CHUNK_BYTES = 1 << 20


class Problem(IntFlag):
    """The bits of the exit status."""

    CORRUPTED = 1
    MISSING = 2
    UNCHECKED = 4


@dataclass(frozen=True)
class Finding:
    """A problem with one file."""

    problem: Problem
    name: str
    detail: str


def check_outputs(remote: str | None = None) -> tuple[int, list[Finding]]:
    """Return how many files were read, and what is wrong; `remote` is a remote's name, or None for none.

    Works in the current folder, the root of the project.
    """
    with Repo() as repo:
        stores = {"cache": repo.cache.local}
        findings, num_files = [], 0
        if remote is not None:
            try:
                stores[f"remote {remote}"] = repo.cloud.get_remote_odb(remote)
            except DvcException as error:
                findings.append(Finding(Problem.UNCHECKED, f"remote {remote}", str(error)))
        outs = [out for stage in repo.index.stages for out in stage.outs]
        checks = itertools.chain(*(_check_out(out, stores) for out in outs), _check_recorded_sha256())
        for problem in checks:
            num_files += 1
            if problem is not None:
                findings.append(problem)
    return num_files, findings


def _check_out(out: Any, stores: dict[str, Any]) -> Iterator[Finding | None]:
    """A finding, or None where all is well, for each file of an output, in each place where it should be."""
    path = Path(out.fs_path).relative_to(Path.cwd())
    if not out.hash_info:
        yield Finding(Problem.UNCHECKED, f"workspace {path}", "dvc.lock does not record it: run `dvc repro`")
        return
    oid: str = out.hash_info.value
    files = {path: oid}
    if out.hash_info.isdir:
        listing = next((found for store in stores.values() if (found := _read_listing(store, oid)) is not None), None)
        if listing is None:
            yield Finding(Problem.UNCHECKED, f"workspace {path}", "no store has its listing: `dvc fetch` brings it")
            files = {}
        else:
            files = {path / name: md5 for name, md5 in listing.items()}
            unknown = {found for found in path.rglob("*") if found.is_file()} - files.keys()
            yield from (
                Finding(Problem.CORRUPTED, f"workspace {name}", "dvc.lock knows no such file") for name in unknown
            )
    for name, md5 in files.items():
        yield _compare(f"workspace {name}", md5, _md5_of_file(name))
    if out.use_cache:
        objects = files | ({path: oid} if out.hash_info.isdir else {})
        for place, store in stores.items():
            for name, md5 in objects.items():
                yield _check_object(f"{place} {name}", store, md5)


def _check_object(name: str, store: Any, oid: str) -> Finding | None:
    try:
        return _compare(f"{name} ({oid})", oid.removesuffix(".dir"), _md5_of_object(store, oid))
    except Exception as error:  # A remote's library raises what it likes; the file is then unchecked, never fine.
        return Finding(Problem.UNCHECKED, f"{name} ({oid})", f"{type(error).__name__}: {error}")


def _compare(name: str, expected: str, actual: str | None) -> Finding | None:
    if actual is None:
        return Finding(Problem.MISSING, name, "is not there")
    if actual != expected:
        return Finding(Problem.CORRUPTED, name, f"has md5 {actual}, recorded is {expected}")
    return None


def _check_recorded_sha256() -> Iterator[Finding | None]:
    """Each checkpoint against the sha256 that metrics/train.csv, a file in git, records for it."""
    if not TRAIN_CSV.is_file():
        yield Finding(Problem.MISSING, f"workspace {TRAIN_CSV}", "is not there")
        return
    table = pd.read_csv(TRAIN_CSV)
    for epoch, expected in zip(table["epoch"], table["sha256"], strict=True):
        path = CHECKPOINTS / f"epoch_{epoch:03d}.safetensors"
        if path.is_file() and (actual := hashlib.sha256(path.read_bytes()).hexdigest()) != expected:
            yield Finding(Problem.CORRUPTED, f"workspace {path}", f"has sha256 {actual}, recorded is {expected}")
        else:
            yield None


def _read_listing(store: Any, oid: str) -> dict[str, str] | None:
    """The md5 by relative path of a folder's files, if the store has an intact listing of it."""
    try:
        if _md5_of_object(store, oid) != oid.removesuffix(".dir"):
            return None
        with store.fs.open(store.oid_to_path(oid), "rb") as file:
            return {entry["relpath"]: entry["md5"] for entry in json.load(file)}
    except OSError:
        return None


def _md5_of_object(store: Any, oid: str) -> str | None:
    try:
        with store.fs.open(store.oid_to_path(oid), "rb") as file:
            return _md5(file)
    except FileNotFoundError:
        return None


def _md5_of_file(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return _md5(file)
    except FileNotFoundError:
        return None


def _md5(file: Any) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    while chunk := file.read(CHUNK_BYTES):
        digest.update(chunk)
    return digest.hexdigest()
