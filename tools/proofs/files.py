"""Brings files of a commit's outputs from the cache, or else from the DVC remote, each only when it is right."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pipeline.errors import UserError
from pipeline.files import sha256_of, write_file
from tools.store.fetch import Fetcher
from tools.store.lock import LOCK, locked_outputs
from tools.store.objects import Finding, Problem
from tools.store.project import Project
from tools.store.remote import NotConfigured, open_remote


def recorded_folders(stages: Mapping[str, Any], *folders: Path) -> dict[str, str]:
    """The oids that the stages of a dvc.lock have for outputs, by path; raise UserError if they lack one."""
    outs = locked_outputs(dict(stages))
    if missing := [folder for folder in folders if folder.as_posix() not in outs]:
        raise UserError(
            f"the commit's {LOCK} has no {missing[0]}, so that its epochs cannot be looked at one by one: `make "
            "verify` runs them all"
        )
    return {folder.as_posix(): outs[folder.as_posix()] for folder in folders}


class Files:
    """The files in some outputs (oids by path, of a commit's dvc.lock), as this machine can have them.

    `sha256` are recorded digests, by path, of those files that have any.
    """

    def __init__(self, project: Project, outs: Mapping[str, str], sha256: Mapping[str, str]) -> None:
        self._project, self._sha256 = project, sha256
        self._unlisted = self._bring(outs)
        listed = {path: oid for path, oid in outs.items() if path not in self._unlisted}
        self._oids, malformed = project.cache.files_in(listed)
        self._unlisted |= malformed

    def below(self, folder: Path) -> list[str]:
        """The paths of the files in an output that is a folder."""
        return [path for path in self._oids if Path(path).is_relative_to(folder)]

    def write(self, paths: Iterable[str], folder: Path) -> list[Finding]:
        """Write files below a folder; return what is wrong with those that are not to be had, or are not right."""
        findings = []
        for path in paths:
            content = self.read(path)
            if isinstance(content, Finding):
                findings.append(content)
            else:
                write_file(folder / path, content)
        return findings

    def read(self, path: str) -> bytes | Finding:
        """The content of a file, or what is wrong with it."""
        for folder, finding in self._unlisted.items():
            if Path(path).is_relative_to(folder):
                return finding
        if path not in self._oids:
            return Finding(Problem.MISSING, path, "is not among the files that dvc.lock records")
        if wrong := self._bring({path: self._oids[path]}):
            return wrong[path]
        content = self._project.cache.read(self._oids[path])
        if (actual := sha256_of(content)) != (expected := self._sha256.get(path, actual)):
            return Finding(Problem.CORRUPTED, path, f"has sha256 {actual}, recorded is {expected}")
        return content

    def _bring(self, objects: Mapping[str, str]) -> dict[str, Finding]:
        """Have the cache hold objects; return what is wrong with those that are nowhere to be had."""
        wrong = self._project.cache.check_all(objects)
        if not wrong:
            return wrong
        try:
            remote = open_remote(self._project.repo, None)
        except NotConfigured:
            return wrong
        except UserError as error:
            return {name: Finding(Problem.UNCHECKED, name, str(error)) for name in wrong}
        return Fetcher(self._project, remote).objects({name: objects[name] for name in wrong})
