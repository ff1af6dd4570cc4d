"""Reads objects of DVC's stores, every byte: DVC itself trusts their modes and times, and a remote unseen."""

import hashlib
import os
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from enum import IntFlag
from pathlib import Path
from threading import Event
from typing import Any

from pipeline.errors import UserError
from tools.store.listing import parse_listing

CHUNK_BYTES = 1 << 20
NUM_THREADS = 8  # A remote answers many questions at once.


class Problem(IntFlag):
    """The bits of the exit status; a warning is none of them."""

    WARNING = 0
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

    def title(self, name: str, oid: str) -> str:
        """What a finding calls an object; `name` is the path of the output that it is the content of."""
        return f"{self.name} {name} ({oid})"

    def path(self, oid: str) -> str:
        """Where the object lies, or would lie."""
        return str(self.odb.oid_to_path(oid))

    def read(self, oid: str) -> bytes:
        """The content of an object."""
        return bytes(self.odb.fs.cat_file(self.path(oid)))

    def read_note(self, name: str, oid: str) -> bytes | None:
        """The content of a small object, if it is there and right."""
        return self.read(oid) if self.check(name, oid) is None else None

    def is_irregular(self, oid: str) -> bool:
        """Whether something that nobody should open is in the place of an object: a folder, FIFO, device, broken link.

        Only of this machine's files: other stores answer for themselves, and each question takes its time.
        """
        path = self.path(oid)
        return self.odb.fs.protocol == "local" and os.path.lexists(path) and not os.path.isfile(path)

    def check(self, name: str, oid: str) -> Finding | None:
        """What is wrong with an object."""
        title = self.title(name, oid)
        try:
            if self.is_irregular(oid):
                return Finding(Problem.CORRUPTED, title, "is no regular file")
            with self.odb.fs.open(self.path(oid), "rb") as file:
                return compare(title, oid.removesuffix(".dir"), md5_of(file))
        except FileNotFoundError:
            return compare(title, oid, None)
        except Exception as error:  # A remote's library raises what it likes; the file is then unchecked, never fine.
            return Finding(Problem.UNCHECKED, title, reason(error))

    def check_all(
        self, objects: Mapping[str, str], check: Callable[[str, str], Finding | None] | None = None
    ) -> dict[str, Finding]:
        """What is wrong with objects (oids by name), by name; `check` finds it out of one, and may mend it before.

        When one cannot be read, no more are tried: a server that is down would take its time for each.
        """
        check, is_over = check or self.check, Event()

        def check_one(item: tuple[str, str]) -> Finding | None:
            oid, name = item
            if is_over.is_set():
                return Finding(Problem.UNCHECKED, name, "was not read after that")
            finding = check(name, oid)
            if finding is not None and finding.problem is Problem.UNCHECKED:
                is_over.set()
            return finding

        names = {oid: name for name, oid in objects.items()}  # Files with the same content are one object.
        with ThreadPoolExecutor(NUM_THREADS) as executor:
            findings = dict(zip(names, executor.map(check_one, names.items()), strict=True))
        wrong = {name: finding for name, oid in objects.items() if (finding := findings[oid]) is not None}
        return {name: replace(finding, name=self.title(name, objects[name])) for name, finding in wrong.items()}

    def files_in(self, outs: Mapping[str, str]) -> tuple[dict[str, str], dict[str, Finding]]:
        """The files of the outputs that are folders (oids by path), and what is wrong with the folders' listings."""
        folders = {path: oid for path, oid in outs.items() if oid.endswith(".dir")}
        files: dict[str, str] = {}
        wrong = self.check_all(folders)
        for folder, oid in folders.items():
            if folder in wrong:
                continue
            try:
                files |= {f"{folder}/{path}": md5 for path, md5 in parse_listing(self.read(oid)).items()}
            except ValueError as error:
                wrong[folder] = Finding(Problem.CORRUPTED, self.title(folder, oid), str(error))
        return files, wrong


def compare(name: str, expected: str, actual: str | None) -> Finding | None:
    """What the md5s of a file say; `actual` is None for a file that is not there."""
    if actual is None:
        return Finding(Problem.MISSING, name, "is not there")
    if actual != expected:
        return Finding(Problem.CORRUPTED, name, f"has md5 {actual}, recorded is {expected}")
    return None


def status_of(findings: Iterable[Finding]) -> int:
    """The exit status that tells these problems."""
    return sum({finding.problem for finding in findings})


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
    while chunk := file.read(CHUNK_BYTES):  # Not hashlib.file_digest: the files of sshfs have no `readinto`.
        digest.update(chunk)
    return digest.hexdigest()


def reason(error: BaseException) -> str:
    """An exception in one line; a UserError says all itself."""
    if isinstance(error, UserError):
        return str(error)
    return " ".join(f"{type(error).__name__}: {error}".split())
