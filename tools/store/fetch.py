"""Brings objects and run-cache entries from a remote into the cache, each only when it is known to be right."""

import shutil
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from dvc_objects.fs import generic
from dvc_objects.fs.local import localfs

from mnist.paths import TRAIN_CSV
from mnist.trained import read_trained, recorded_sha256
from pipeline.files import sha256_of
from tools.store.notes import contradiction
from tools.store.objects import NUM_THREADS, Finding, Problem, compare, md5_of_file, reason
from tools.store.project import Project
from tools.store.remote import Remote
from tools.store.run_cache import Entry, Runs, judge, parse_entry, read_entry, remove_if_empty


class Fetcher:
    """Fetches from one remote; what is wrong is moved to a folder `aside`, and never reaches the cache."""

    def __init__(self, project: Project, remote: Remote) -> None:
        self._project, self._cache, self._remote = project, project.cache, remote
        self._aside, self._incoming = project.scratch / "aside", project.scratch / "incoming"
        self._right: set[str] = set()  # What the cache has, by oid; each object is read once.
        self._incoming.mkdir(parents=True, exist_ok=True)
        self.fetched: list[str] = []

    def objects(self, objects: Mapping[str, str]) -> dict[str, Finding]:
        """Bring objects (oids by name), of a folder its listing alone; return what is wrong, by name."""
        return self._remote.store.check_all(objects, self._object)

    def outputs(self, outs: Mapping[str, str]) -> dict[str, Finding]:
        """Bring outputs (oids by path), the files of folders, too; return what is wrong, by path."""
        wrong = self.objects(outs)
        files, malformed = self._cache.files_in({path: oid for path, oid in outs.items() if path not in wrong})
        for path, finding in malformed.items():
            oid = outs[path]
            self._right.discard(oid)
            wrong[path] = self._refuse(self._remote.store.title(path, oid), finding.detail, Path(self._cache.path(oid)))
        return wrong | self.objects(files)

    def runs(self, runs: Runs) -> list[Finding]:
        """Bring the run-cache entries that this commit may use, with their outputs; return what is wrong."""
        findings: list[Finding] = []
        with ThreadPoolExecutor(NUM_THREADS) as executor:
            contents = list(executor.map(self._read, self._remote.entries))
        for name, content in zip(self._remote.entries, contents, strict=True):
            if isinstance(content, bytes):
                findings += self._take(name, content, runs)
            elif content is not None:
                findings.append(content)
        unused = "it is not used, and `push` removes it"
        return [
            replace(finding, detail=f"{finding.detail}; {unused}") if finding.problem is Problem.WARNING else finding
            for finding in findings
        ]

    def recorded_sha256(self, outs: Mapping[str, str]) -> list[Finding]:
        """The epochs' files, of outputs in the cache, that are not those of metrics/train.csv, a file in git."""
        findings, recorded = [], recorded_sha256(read_trained())
        for path, oid in self._cache.files_in(outs)[0].items():
            expected = recorded.get(path)
            if expected and (actual := sha256_of(self._cache.read(oid))) != expected:
                detail = f"has sha256 {actual}, {TRAIN_CSV} records {expected}"
                findings.append(self._refuse(self._remote.store.title(path, oid), detail, Path(self._cache.path(oid))))
        return findings

    def _object(self, name: str, oid: str) -> Finding | None:
        """Bring an object, unless the cache has it; return what is wrong with the remote's."""
        if oid in self._right:
            return None
        finding = self._cache.check(name, oid)
        if finding is not None:
            if finding.problem is Problem.CORRUPTED:
                self._set_aside(Path(self._cache.path(oid)))
            incoming = self._incoming / oid
            try:
                finding = self._bring(self._remote.store.title(name, oid), oid, incoming)
            finally:
                incoming.unlink(missing_ok=True)
        if finding is None:
            self._right.add(oid)
        return finding

    def _bring(self, title: str, oid: str, incoming: Path) -> Finding | None:
        try:
            if self._remote.store.is_irregular(oid):
                return Finding(Problem.CORRUPTED, title, "is no regular file")
            generic.copy(self._remote.fs, self._remote.store.path(oid), localfs, str(incoming.resolve()))
        except FileNotFoundError:
            return compare(title, oid, None)
        except Exception as error:  # A remote's library raises what it likes.
            return Finding(Problem.UNCHECKED, title, reason(error))
        if finding := compare(title, oid.removesuffix(".dir"), md5_of_file(incoming)):
            return self._refuse(title, finding.detail, incoming)
        self._cache.odb.add(str(incoming.resolve()), localfs, oid, hardlink=True)
        self.fetched.append(oid)
        return None

    def _read(self, name: str) -> bytes | Finding | None:
        """An entry's content, from here if it is right, else from the remote; or why it cannot be read."""
        path = self._project.runs / name
        try:
            if (content := read_entry(path)) is not None:
                with suppress(ValueError):
                    parse_entry(name, content)
                    return content
                self._set_aside(path)
        except OSError as error:
            return Finding(Problem.UNCHECKED, f"cache run-cache entry {name}", reason(error))
        return self._remote.look_at(name)

    def _take(self, name: str, content: bytes, runs: Runs) -> list[Finding]:
        """Bring what an entry restores, and the entry, if this commit may use it; return what is wrong."""
        judged = judge(self._remote.entry_title(name), name, content, runs)
        if isinstance(judged, Entry):
            return self._run(judged, content)
        if judged is None:
            return []
        if judged.problem is Problem.CORRUPTED:
            return [self._refuse(judged.name, judged.detail, self._entry_path(name, content))]
        return [judged]

    def _run(self, entry: Entry, content: bytes) -> list[Finding]:
        """Bring the outputs of an entry, and the entry; without all of them it is of no use, and no error."""
        wrong = self.outputs(entry.outs).values()
        if not wrong and (difference := contradiction(entry, self._cache.read_note)):
            title = self._remote.entry_title(entry.name)
            return [self._refuse(title, difference, self._entry_path(entry.name, content))]
        path = self._project.runs / entry.name
        if not wrong and not path.is_file():
            odb = self._project.repo.cache.legacy
            odb.makedirs(str(path.parent))
            beside = path.with_name(f".{path.name}.partial")
            beside.write_bytes(content)
            odb.move(str(beside), str(path))
            self.fetched.append(entry.name)
        return [finding for finding in wrong if finding.problem is not Problem.MISSING]

    def _entry_path(self, name: str, content: bytes) -> Path:
        """A file with an entry's content: the one that is here, else one made of what the remote has."""
        path = self._project.runs / name
        if not path.is_file():
            path = self._incoming / name.replace("/", "-")
            path.write_bytes(content)
        return path

    def _refuse(self, title: str, detail: str, path: Path) -> Finding:
        return Finding(Problem.CORRUPTED, title, f"{detail}; set aside as {self._set_aside(path)}")

    def _set_aside(self, path: Path) -> Path:
        """Move a wrong file to where nothing uses it."""
        aside = self._aside / (path.name if path.parent == self._incoming else "".join(path.parts[-2:]))
        aside.parent.mkdir(parents=True, exist_ok=True)
        if aside.is_dir() and not aside.is_symlink():  # It stood in the place of a file.
            shutil.rmtree(aside)
        aside.unlink(missing_ok=True)
        shutil.move(path, aside)
        if path.is_relative_to(self._project.runs):
            remove_if_empty(path.parent)
        return aside
