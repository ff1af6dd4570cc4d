"""The files that a stage depends on, hashed as DVC hashes them: before the stage loads its code, and at its end.

DVC hashes them only when the stage has ended, so an edit on the way would be recorded as what the results came from.
This module loads nothing slow, so that little time is left before it.
"""

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pathspec import GitIgnoreSpec

from pipeline.errors import UserError

PIPELINE_FILE, IGNORE_FILE = "dvc.yaml", ".dvcignore"


@dataclass(frozen=True)
class Deps:
    """The deps of a stage: md5s by path, for each dep; of a dep that is a file, its own path is the only one."""

    stage: str
    files: dict[str, dict[str, str]]

    def hashes(self) -> dict[str, str]:
        """What DVC records: by dep, the md5 of the file, or that of the folder's listing with `.dir` behind it."""
        return {dep: files[dep] if dep in files else _hash_listing(dep, files) for dep, files in self.files.items()}

    def changed(self) -> list[str]:
        """The files that are no longer what they were."""
        before, now = self._flat(), read_deps(self.stage)._flat()
        return sorted(path for path in before.keys() | now.keys() if before.get(path) != now.get(path))

    def _flat(self) -> dict[str, str]:
        return {path: md5 for files in self.files.values() for path, md5 in files.items()}


def read_deps(stage: str) -> Deps:
    """Hash the deps of a stage, as they are now; one that is missing has no files.

    Raises:
        UserError: dvc.yaml has no such stage.
    """
    ignored = GitIgnoreSpec.from_lines(_read(IGNORE_FILE).splitlines() if os.path.isfile(IGNORE_FILE) else [])
    return Deps(stage, {dep: _hash_files(dep, ignored) for dep in _entry(stage)["deps"]})


def outputs_of(stage: str) -> list[Path]:
    """The paths of a stage's outputs."""
    entry = _entry(stage)
    outputs = [output for kind in ("outs", "metrics", "plots") for output in entry.get(kind, [])]
    return [Path(next(iter(output)) if isinstance(output, dict) else output) for output in outputs]


def _entry(stage: str) -> dict[str, Any]:
    try:
        entry: dict[str, Any] = yaml.safe_load(_read(PIPELINE_FILE))["stages"][stage]
    except (FileNotFoundError, KeyError, TypeError, yaml.YAMLError):
        raise UserError(f"{PIPELINE_FILE} has no stage {stage}: run it in the project's root, by `dvc repro`") from None
    return entry


def _hash_files(dep: str, ignored: GitIgnoreSpec) -> dict[str, str]:
    paths = [f"{root}/{name}" for root, _, names in os.walk(dep) for name in names] or [dep]
    return {path: _md5(path) for path in paths if os.path.isfile(path) and not ignored.match_file(path)}


def _hash_listing(dep: str, files: dict[str, str]) -> str:
    """The hash of a folder. Source: dvc_data.hashfile.tree.Tree."""
    relative = sorted((path.removeprefix(f"{dep}/"), md5) for path, md5 in files.items())
    listing = json.dumps([{"md5": md5, "relpath": path} for path, md5 in relative])
    return f"{hashlib.md5(listing.encode(), usedforsecurity=False).hexdigest()}.dir"


def _read(path: str) -> str:
    with open(path, encoding="utf-8") as file:
        return file.read()


def _md5(path: str) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
