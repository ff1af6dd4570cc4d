"""Sends objects and run-cache entries from the cache to a remote, where they are not yet right, and reads them back."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Lock

from dvc_objects.fs.local import localfs

from tools.store.notes import contradiction
from tools.store.objects import NUM_THREADS, Finding, Problem, reason
from tools.store.project import Project
from tools.store.remote import Remote
from tools.store.run_cache import Entry, Runs, judge, parse_entry, read_entry


class Sender:
    """Sends to one remote: files first, then the listings and entries that name them, so that none names nothing.

    DVC's own push takes a folder's listing on the remote as proof that its files are there, and sends no outputs of
    the run-cache.
    """

    def __init__(self, project: Project, remote: Remote) -> None:
        self._project, self._cache, self._remote = project, project.cache, remote
        self._right: set[str] = set()  # What the remote has, by oid; each object is read once.
        self._making = Lock()
        self._filling: defaultdict[str, Lock] = defaultdict(Lock)  # By folder of the remote.
        self._in_the_way: dict[str, Finding] = {}  # What could not be moved out of the run-cache, by name.
        self.sent: list[str] = []

    def outputs(self, outs: Mapping[str, str]) -> list[Finding]:
        """Send outputs (oids by path), the files of folders, too; return what is wrong on the remote afterwards."""
        files, wrong = self._cache.files_in(outs)
        check_all = self._remote.store.check_all
        wrong = wrong or check_all(files, self._object) or check_all(outs, self._object)
        return list(wrong.values())

    def clear_runs(self, runs: Runs) -> list[Finding]:
        """Move what nobody can use, and what contradicts dvc.lock, out of the remote's run-cache; say what that is.

        It contradicts what the remote has by now: `outputs` found nothing wrong.
        """
        with ThreadPoolExecutor(NUM_THREADS) as executor:
            judged = list(executor.map(lambda name: self._judge(name, runs), self._remote.entries))
        findings = zip(self._remote.entries, judged, strict=True)
        return [self._clear(name, finding) for name, finding in findings if isinstance(finding, Finding)]

    def runs(self, runs: Runs) -> tuple[int, list[Finding]]:
        """Send the run-cache entries of this commit whose outputs are there; return how many, and what is wrong."""
        num_entries, findings = 0, []
        for path in sorted(self._project.runs.glob("*/*/*")):
            try:
                entry = parse_entry(path.relative_to(self._project.runs).as_posix(), read_entry(path) or b"")
            except ValueError:
                continue  # No entry, or an altered one: of no use to anybody.
            is_right = runs.fit(entry) and not runs.contradiction(entry) and self._is_whole(entry)
            if is_right and not contradiction(entry, self._cache.read_note):
                wrong = self.outputs(entry.outs) or self._entry(entry, path)
                num_entries += not wrong
                findings += wrong
        return num_entries, findings

    def _judge(self, name: str, runs: Runs) -> Entry | Finding | None:
        title, content = self._remote.entry_title(name), self._remote.look_at(name)
        judged = judge(title, name, content, runs) if isinstance(content, bytes) else content
        if isinstance(judged, Entry) and (difference := contradiction(judged, self._remote.store.read_note)):
            return Finding(Problem.CORRUPTED, title, difference)
        return judged

    def _object(self, name: str, oid: str) -> Finding | None:
        """Send an object, unless the remote has it; return what is wrong there afterwards."""
        if oid in self._right:
            return None
        finding = self._remote.store.check(name, oid)
        if finding is not None and finding.problem is not Problem.UNCHECKED:
            finding = self._mend(finding, name, oid)
        if finding is None:
            self._right.add(oid)
        return finding

    def _mend(self, finding: Finding, name: str, oid: str) -> Finding | None:
        store = self._remote.store
        if here := self._cache.check(name, oid):
            why = f"the cache cannot mend it: {here.name} {here.detail}"
            return replace(finding, detail=f"{finding.detail}; {why}")
        try:
            if finding.problem is Problem.CORRUPTED:
                with self._making:
                    self._remote.set_aside(store.path(oid))
            with self._alone_in_folder(store.path(oid)):
                store.odb.add(self._cache.path(oid), localfs, oid, check_exists=False)
        except Exception as error:  # A remote's library raises what it likes.
            return replace(finding, detail=f"{finding.detail}; {reason(error)}")
        self.sent.append(oid)
        return store.check(name, oid)

    @contextmanager
    def _alone_in_folder(self, path: str) -> Iterator[None]:
        """Keep two threads from making one folder: a WebDAV server answers that it is locked."""
        folder = self._remote.fs.parent(path)
        with self._making:
            self._remote.fs.makedirs(self._remote.fs.parent(folder), exist_ok=True)
            lock = self._filling[folder]
        with lock:
            yield

    def _is_whole(self, entry: Entry) -> bool:
        """Whether the cache has all that the entry restores."""
        files, wrong = self._cache.files_in(entry.outs)
        return not wrong and not self._cache.check_all(entry.outs | files)

    def _clear(self, name: str, finding: Finding) -> Finding:
        """Move an entry that something is wrong with aside; return what is left of that."""
        if finding.problem is Problem.UNCHECKED:
            return finding
        try:
            self._remote.set_aside(self._remote.entry_path(name))
        except Exception as error:  # A remote's library raises what it likes.
            stays = replace(finding, detail=f"{finding.detail}; it cannot be moved: {reason(error)}")
            self._in_the_way[name] = replace(stays, problem=Problem.CORRUPTED)
            return stays
        moved = "it was moved into the remote's folder `damaged`"
        return Finding(Problem.WARNING, finding.name, f"{finding.detail}; {moved}")

    def _entry(self, entry: Entry, path: Path) -> list[Finding]:
        if entry.name in self._in_the_way:
            return [self._in_the_way[entry.name]]
        remote, title, content = self._remote, self._remote.entry_title(entry.name), path.read_bytes()
        there = remote.entry_path(entry.name)
        try:
            found = remote.read_entry(entry.name)
            if found is not None and found != content:
                remote.set_aside(there)
            if found != content:
                remote.fs.makedirs(remote.fs.parent(there), exist_ok=True)
                remote.fs.put_file(str(path), there)
                self.sent.append(entry.name)
                found = remote.read_entry(entry.name)
        except Exception as error:  # A remote's library raises what it likes.
            return [Finding(Problem.MISSING, title, f"is not there; {reason(error)}")]
        return [] if found == content else [Finding(Problem.CORRUPTED, title, "is not what was sent")]
