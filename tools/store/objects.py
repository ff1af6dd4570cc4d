"""Reads objects of DVC's stores, every byte: DVC itself trusts their modes and times, and a remote unseen."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import IntFlag
from pathlib import Path
from typing import Any, TypeVar

from pipeline.errors import UserError
from tools.store.listing import parse_listing

CHUNK_BYTES = 1 << 20
NUM_THREADS = 8
T = TypeVar("T")
R = TypeVar("R")


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

    def __str__(self) -> str:
        return f"{(self.problem.name or '').lower():<10} {self.name}: {self.detail}"


@dataclass(frozen=True)
class Store:
    """A store of objects, by what people call it: `cache`, or `remote` and its name."""

    name: str
    odb: Any

    def path(self, oid: str) -> str:
        """Where the object lies, or would lie."""
        return str(self.odb.oid_to_path(oid))

    def check(self, name: str, oid: str) -> Finding | None:
        """What is wrong with an object; `name` is the path of the output that it is the content of."""
        title = f"{self.name} {name} ({oid})"
        try:
            with self.odb.fs.open(self.path(oid), "rb") as file:
                return compare(title, oid.removesuffix(".dir"), md5_of(file))
        except FileNotFoundError:
            return compare(title, oid, None)
        except Exception as error:  # A remote's library raises what it likes; the file is then unchecked, never fine.
            return Finding(Problem.UNCHECKED, title, reason(error))

    def check_all(self, objects: Mapping[str, str]) -> dict[str, Finding]:
        """What is wrong with objects (oids by name), by name; those that are right are not in it.

        When one cannot be read, no more are tried: a server that is down would take its time for each.
        """
        failed: list[Finding] = []

        def check(item: tuple[str, str]) -> Finding | None:
            if failed:
                return Finding(Problem.UNCHECKED, f"{self.name} {item[0]} ({item[1]})", "was not read after that")
            finding = self.check(*item)
            if finding is not None and finding.problem is Problem.UNCHECKED:
                failed.append(finding)
            return finding

        findings = in_threads(check, objects.items())
        return {name: finding for name, finding in zip(objects, findings, strict=True) if finding is not None}

    def read(self, oid: str) -> bytes:
        """The content of an object."""
        with self.odb.fs.open(self.path(oid), "rb") as file:
            content: bytes = file.read()
        return content

    def files_of(self, name: str, oid: str) -> dict[str, str]:
        """The objects of a folder's files, by path; `name` is the folder's path, `oid` its listing, which is there.

        Raises:
            ValueError: the listing is malformed.
        """
        return {f"{name}/{path}": md5 for path, md5 in parse_listing(self.read(oid)).items()}


def compare(name: str, expected: str, actual: str | None) -> Finding | None:
    """What the md5s of a file say; `actual` is None for a file that is not there."""
    if actual is None:
        return Finding(Problem.MISSING, name, "is not there")
    if actual != expected:
        return Finding(Problem.CORRUPTED, name, f"has md5 {actual}, recorded is {expected}")
    return None


def md5_of_file(path: Path) -> str | None:
    """The md5 of a file, or None if there is none."""
    try:
        with path.open("rb") as file:
            return md5_of(file)
    except FileNotFoundError:
        return None


def md5_of(file: Any) -> str:
    """The md5 of what is left to read."""
    digest = hashlib.md5(usedforsecurity=False)
    while chunk := file.read(CHUNK_BYTES):
        digest.update(chunk)
    return digest.hexdigest()


def reason(error: BaseException) -> str:
    """An exception in one line; a UserError says all itself."""
    if isinstance(error, UserError):
        return str(error)
    return " ".join(f"{type(error).__name__}: {error}".split())


def in_threads(function: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """The function's results, in order: a remote answers many questions at once."""
    with ThreadPoolExecutor(NUM_THREADS) as executor:
        yield from executor.map(function, items)
