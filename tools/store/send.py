"""Sends objects and run-cache entries from the cache to a remote, where they are not yet right, and reads them back."""

from collections.abc import Mapping
from pathlib import Path

from dvc_objects.fs.local import localfs

from tools.store.objects import Finding, Problem, reason
from tools.store.project import Project, Runs
from tools.store.remote import Remote
from tools.store.run_cache import Entry, parse_entry


class Sender:
    """Sends to one remote: files first, then the listings and entries that name them, so that none names nothing.

    DVC's own push takes a folder's listing on the remote as proof that its files are there, and sends no outputs of
    the run-cache.
    """

    def __init__(self, project: Project, remote: Remote) -> None:
        self._project, self._cache, self._remote = project, project.cache, remote
        self._right: set[str] = set()  # What the remote has, by oid; each object is read once.
        self.num_sent = 0

    def outputs(self, outs: Mapping[str, str]) -> list[Finding]:
        """Send outputs (oids by path), the files of folders, too; return what is wrong on the remote afterwards."""
        files: dict[str, str] = {}
        for path, oid in outs.items():
            if not oid.endswith(".dir"):
                files[path] = oid
            elif (finding := self._cache.check(path, oid)) is not None:
                return [finding]
            else:
                try:
                    files |= self._cache.files_of(path, oid)
                except ValueError as error:
                    return [Finding(Problem.CORRUPTED, f"{self._cache.name} {path} ({oid})", str(error))]
        findings = self._objects(files)
        return findings or self._objects({path: oid for path, oid in outs.items() if oid.endswith(".dir")})

    def runs(self, runs: Runs) -> tuple[int, list[Finding]]:
        """Send the run-cache entries of this commit whose outputs are there; return how many, and what is wrong."""
        num_entries, findings = 0, []
        for path in sorted(self._project.runs.glob("*/*/*")):
            try:
                entry = parse_entry(path.relative_to(self._project.runs).as_posix(), path.read_bytes())
            except ValueError:
                continue  # No entry, or an altered one: of no use to anybody.
            if runs.fit(entry) and not runs.contradiction(entry) and self._is_whole(entry):
                wrong = self.outputs(entry.outs) or self._entry(entry, path)
                num_entries += not wrong
                findings += wrong
        return num_entries, findings

    def _objects(self, objects: Mapping[str, str]) -> list[Finding]:
        unread = {oid: name for name, oid in objects.items() if oid not in self._right}
        names = {name: oid for oid, name in unread.items()}
        wrong = self._remote.store.check_all(names)
        if any(finding.problem is Problem.UNCHECKED for finding in wrong.values()):
            return list(wrong.values())
        absent_here = self._cache.check_all({name: names[name] for name in wrong})
        errors: dict[str, str] = {}
        oids = [names[name] for name in wrong if name not in absent_here]
        try:
            for name, finding in wrong.items():
                if finding.problem is Problem.CORRUPTED and name not in absent_here:
                    self._remote.set_aside(self._remote.store.path(names[name]))
            paths = [self._cache.path(oid) for oid in oids]
            self._remote.store.odb.add(
                paths,
                localfs,
                oids,
                check_exists=False,
                on_error=lambda oid, error: errors.update({oid: reason(error)}),
            )
        except Exception as error:  # A remote's library raises what it likes.
            errors |= dict.fromkeys(oids, reason(error))
        failed = {name: finding for name, finding in wrong.items() if names[name] in errors}
        sent = {name: names[name] for name in wrong if name not in failed}
        still_wrong = failed | self._remote.store.check_all(sent)
        self.num_sent += len(wrong) - len(still_wrong)
        self._right |= {oid for name, oid in names.items() if name not in still_wrong}
        return [
            self._explain(still_wrong[name], absent_here.get(name), errors.get(names[name])) for name in still_wrong
        ]

    def _explain(self, finding: Finding, here: Finding | None, error: str | None) -> Finding:
        why = error or (here and f"the cache cannot mend it: {here.name} {here.detail}") or ""
        return Finding(finding.problem, finding.name, f"{finding.detail}; {why}" if why else finding.detail)

    def _is_whole(self, entry: Entry) -> bool:
        """Whether the cache has all that the entry restores."""
        if self._cache.check_all(entry.outs):
            return False
        folders = {path: oid for path, oid in entry.outs.items() if oid.endswith(".dir")}
        try:
            return not any(self._cache.check_all(self._cache.files_of(path, oid)) for path, oid in folders.items())
        except ValueError:
            return False

    def _entry(self, entry: Entry, path: Path) -> list[Finding]:
        title, there = f"{self._remote.store.name} run-cache entry {entry.name}", self._remote.entry_path(entry.name)
        error = ""
        try:
            content = self._remote.read_entry(entry.name)
            if content == path.read_bytes():
                return []
            if content is not None:
                self._remote.set_aside(there)
            self._remote.fs.makedirs(self._remote.fs.parent(there), exist_ok=True)
            self._remote.fs.put_file(str(path), there)
            self.num_sent += 1
            content = self._remote.read_entry(entry.name)
        except Exception as problem:  # A remote's library raises what it likes.
            content, error = None, f"; {reason(problem)}"
        if content is None:
            return [Finding(Problem.MISSING, title, f"is not there{error}")]
        return [] if content == path.read_bytes() else [Finding(Problem.CORRUPTED, title, "is not what was sent")]
