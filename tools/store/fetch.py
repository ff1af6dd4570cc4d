"""Brings objects and run-cache entries from a remote into the cache, each only when it is known to be right."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from dvc_objects.fs import generic
from dvc_objects.fs.local import localfs

from mnist.paths import CHECKPOINTS, TRAIN_CSV
from pipeline.files import sha256_of
from tools.store.objects import Finding, Problem, compare, in_threads, md5_of_file, reason
from tools.store.outputs import recorded_sha256
from tools.store.project import Project, Runs
from tools.store.remote import Remote
from tools.store.run_cache import Entry, parse_entry


class Fetcher:
    """Fetches from one remote; what is wrong is moved to a folder `aside`, and never reaches the cache."""

    def __init__(self, project: Project, remote: Remote) -> None:
        self._project, self._cache, self._remote = project, project.cache, remote
        self._aside, self._incoming = project.scratch / "aside", project.scratch / "incoming"
        self._right: set[str] = set()  # What the cache has, by oid; each object is read once.
        self.num_fetched = 0

    def outputs(self, outs: Mapping[str, str]) -> dict[str, Finding]:
        """Bring outputs (oids by path), the files of folders, too; return what is wrong, by path."""
        wrong = self._objects(outs)
        files: dict[str, str] = {}
        for path, oid in outs.items():
            if oid.endswith(".dir") and path not in wrong:
                try:
                    files |= self._cache.files_of(path, oid)
                except ValueError as error:
                    self._right.discard(oid)
                    aside = self._set_aside(Path(self._cache.path(oid)))
                    name = f"{self._remote.store.name} {path} ({oid})"
                    wrong[path] = Finding(Problem.CORRUPTED, name, f"{error}; set aside as {aside}")
        return wrong | self._objects(files)

    def runs(self, runs: Runs) -> list[Finding]:
        """Bring the run-cache entries that this commit may use, with their outputs; return what is wrong."""
        findings = []
        for name, content in zip(self._remote.entries, in_threads(self._read, self._remote.entries), strict=True):
            title = f"{self._remote.store.name} run-cache entry {name}"
            if isinstance(content, Exception):
                findings.append(Finding(Problem.UNCHECKED, title, reason(content)))
                continue
            try:
                entry = parse_entry(name, content)
                if not runs.fit(entry):
                    continue
                if contradiction := runs.contradiction(entry):
                    raise ValueError(contradiction)
            except ValueError as error:
                findings.append(
                    Finding(Problem.CORRUPTED, title, f"{error}; set aside as {self._reject(name, content)}")
                )
                continue
            findings += self._run(entry, content)
        return findings

    def recorded_sha256(self, checkpoints: str) -> list[Finding]:
        """The checkpoints, of a folder in the cache, that are not those of metrics/train.csv, a file in git."""
        findings, recorded = [], recorded_sha256()
        for path, oid in self._cache.files_of(CHECKPOINTS.as_posix(), checkpoints).items():
            actual, expected = sha256_of(self._cache.read(oid)), recorded.get(path)
            if expected and actual != expected:
                aside = self._set_aside(Path(self._cache.path(oid)))
                detail = f"has sha256 {actual}, {TRAIN_CSV} records {expected}; set aside as {aside}"
                findings.append(Finding(Problem.CORRUPTED, f"{self._remote.store.name} {path} ({oid})", detail))
        return findings

    def _objects(self, objects: Mapping[str, str]) -> dict[str, Finding]:
        unread = {oid: name for name, oid in objects.items() if oid not in self._right}
        here = self._cache.check_all({name: oid for oid, name in unread.items()})
        for name, finding in here.items():
            if finding.problem is Problem.CORRUPTED:
                self._set_aside(Path(self._cache.path(objects[name])))
        self._incoming.mkdir(parents=True, exist_ok=True)
        try:
            fetched = dict(zip(here, in_threads(lambda name: self._stage(name, objects[name]), here), strict=True))
            oids = [objects[name] for name, finding in fetched.items() if finding is None]
            paths = [str((self._incoming / oid).resolve()) for oid in oids]
            self._cache.odb.add(paths, localfs, oids, hardlink=True)
        finally:
            shutil.rmtree(self._incoming)
        self.num_fetched += len(oids)
        wrong_oids = {objects[name]: finding for name, finding in fetched.items() if finding is not None}
        self._right |= unread.keys() - wrong_oids.keys()
        return {name: wrong_oids[oid] for name, oid in objects.items() if oid in wrong_oids}

    def _stage(self, name: str, oid: str) -> Finding | None:
        """Bring an object to where it waits for the others."""
        title, path = f"{self._remote.store.name} {name} ({oid})", self._incoming / oid
        try:
            generic.copy(self._remote.fs, self._remote.store.path(oid), localfs, str(path.resolve()))
        except FileNotFoundError:
            return compare(title, oid, None)
        except Exception as error:  # A remote's library raises what it likes.
            return Finding(Problem.UNCHECKED, title, reason(error))
        finding = compare(title, oid.removesuffix(".dir"), md5_of_file(path))
        if finding is None:
            return None
        return Finding(finding.problem, title, f"{finding.detail}; set aside as {self._set_aside(path)}")

    def _read(self, name: str) -> bytes | Exception:
        """An entry's content, from here if it is right, else from the remote."""
        path = self._project.runs / name
        try:
            if path.is_file():
                try:
                    content = path.read_bytes()
                    parse_entry(name, content)
                    return content
                except ValueError:
                    self._set_aside(path)
            return self._remote.read_entry(name) or b""
        except Exception as error:  # A remote's library raises what it likes.
            return error

    def _run(self, entry: Entry, content: bytes) -> list[Finding]:
        """Bring the outputs of an entry, and the entry; without all of them it is of no use, and no error."""
        wrong = self.outputs(entry.outs).values()
        path = self._project.runs / entry.name
        if not wrong and not path.is_file():
            odb = self._project.repo.cache.legacy
            odb.makedirs(str(path.parent))
            beside = path.with_name(f".{path.name}.partial")
            beside.write_bytes(content)
            odb.move(str(beside), str(path))
            self.num_fetched += 1
        return [finding for finding in wrong if finding.problem is not Problem.MISSING]

    def _reject(self, name: str, content: bytes) -> Path:
        """Keep a wrong entry where nothing uses it."""
        path = self._project.runs / name
        if path.is_file():
            return self._set_aside(path)
        aside = self._aside / name.replace("/", "-")
        aside.parent.mkdir(parents=True, exist_ok=True)
        aside.write_bytes(content)
        return aside

    def _set_aside(self, path: Path) -> Path:
        aside = self._aside / (path.name if path.parent == self._incoming else "".join(path.parts[-2:]))
        aside.parent.mkdir(parents=True, exist_ok=True)
        aside.unlink(missing_ok=True)
        shutil.move(path, aside)
        return aside
