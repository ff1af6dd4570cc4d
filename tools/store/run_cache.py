"""Checks entries of DVC's run-cache: files that say which outputs a stage's command made from which inputs.

DVC looks an entry up by its folder's name, a hash of the command, the inputs, and the paths of the outputs, and then
restores what the entry says, without comparing the two.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from dvc.utils import dict_sha256
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from tools.store.listing import MD5
from tools.store.objects import Finding, Problem

# More than DVC ever writes: an entry has some kilobytes, and its parameters are the deepest part.
LARGEST_BYTES, DEEPEST = 1 << 20, 20
NOT_HASHED = ("size", "nfiles")


@dataclass(frozen=True)
class Shape:
    """What a stage of dvc.yaml is, whatever the contents: its command and the paths of its inputs and outputs."""

    cmd: str
    deps: frozenset[str]
    outs: frozenset[str]


@dataclass(frozen=True)
class Entry:
    """What one run of a stage read and made.

    `name` is its path below `runs`, `deps` and `outs` have md5s by path, `params` values by file and key.
    """

    name: str
    cmd: str
    deps: dict[str, str]
    params: dict[str, dict[str, Any]]
    outs: dict[str, str]

    @property
    def shape(self) -> Shape:
        """The stage that it can be of."""
        return Shape(self.cmd, frozenset(self.deps), frozenset(self.outs))

    @property
    def key(self) -> str:
        """What DVC finds it by."""
        return self.name.split("/")[1]


@dataclass(frozen=True)
class Runs:
    """Which entries a commit may use: its stages, the md5 of every input that no stage makes, and what is locked."""

    stages: frozenset[Shape]
    code: dict[str, str]  # By path; of a folder, that of its listing.
    locked: tuple[Entry, ...] = ()

    def fit(self, entry: Entry) -> bool:
        """Whether the commit could use it, with whatever parameters: it is of one of the stages, and of this code."""
        return entry.shape in self.stages and all(self.code.get(path, md5) == md5 for path, md5 in entry.deps.items())

    def contradiction(self, entry: Entry) -> str | None:
        """What dvc.lock records differently for its very inputs, if it does."""
        for stage in self.locked:
            if stage.key == entry.key and stage.outs != entry.outs:
                different = [path for path, md5 in stage.outs.items() if entry.outs.get(path) != md5]
                return f"for the inputs in dvc.lock it restores another {', '.join(different)}"
        return None


def read_entry(path: Path) -> bytes | None:
    """Return what is in the place of an entry, None if nothing is; of what cannot be one nothing, or only a part."""
    if not path.is_file():
        return b"" if os.path.lexists(path) else None
    with path.open("rb") as file:
        return file.read(LARGEST_BYTES + 1)


def judge(title: str, name: str, content: bytes, runs: Runs) -> Entry | Finding | None:
    """Return the entry that a file has for the commit, None if it is of another, or what is wrong with it.

    A file that is no entry is only warned of: nothing can use it.
    """
    try:
        entry = parse_entry(name, content)
    except ValueError as error:
        return Finding(Problem.WARNING, title, str(error))
    if not runs.fit(entry):
        return None
    if contradiction := runs.contradiction(entry):
        return Finding(Problem.CORRUPTED, title, contradiction)
    return entry


def parse_entry(name: str, content: bytes) -> Entry:
    """Return the entry in a file `<two digits>/<key>/<value>` below `runs`.

    Raises:
        ValueError: it is malformed, or its content is not what its name says; the message says which.
    """
    try:
        if len(content) > LARGEST_BYTES or not _is_plain(content):
            raise TypeError
        entry = entry_of(YAML(typ="safe").load(content))  # As DVC reads it: to PyYAML, 5e-05 is no number.
    except (yaml.YAMLError, YAMLError, ValueError, KeyError, TypeError, AttributeError):
        raise ValueError("it is no run-cache entry") from None
    if not isinstance(entry.cmd, str) or not entry.outs:
        raise ValueError("it is no run-cache entry")
    if name != entry.name:
        key, value = entry.name.split("/")[1:]
        raise ValueError(f"its content belongs to {key[:8]}.../{value[:8]}...: it was altered, or misplaced")
    return entry


def entry_of(lock: dict[str, Any]) -> Entry:
    """The entry that DVC would make of a stage of dvc.lock."""
    key, value = _key(lock), dict_sha256(lock, exclude=NOT_HASHED)
    deps, outs = _hashes(lock["deps"]), _hashes(lock["outs"])
    return Entry(f"{key[:2]}/{key}/{value}", lock["cmd"], deps, lock.get("params", {}), outs)


def _is_plain(content: bytes) -> bool:
    """Whether the text has no aliases, which can make a short one endless, and no depth that takes forever to read."""
    depth = 0
    for event in yaml.parse(content):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if isinstance(event, yaml.AliasEvent) or depth > DEEPEST:
            return False
    return True


def _key(stage: dict[str, Any]) -> str:
    return str(dict_sha256(stage | {"outs": [out["path"] for out in stage["outs"]]}, exclude=NOT_HASHED))


def _hashes(files: list[dict[str, Any]]) -> dict[str, str]:
    hashes = {file["path"]: file["md5"] for file in files}
    if not all(isinstance(md5, str) and MD5.fullmatch(md5.removesuffix(".dir")) for md5 in hashes.values()):
        raise TypeError
    return hashes
