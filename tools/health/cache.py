"""The objects that dvc.lock names, every byte: DVC trusts an object that is there, and never makes it again."""

import io
import json
import os
from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path

from dvc.repo import Repo
from dvc_objects.fs.local import localfs

from stages.train.history import RESUME
from tools.health.fault import ASIDE, REPAIR, Fault, set_aside
from tools.health.lock import recorded
from tools.health.remotes import ask, configured
from tools.store.cache import kept_outputs
from tools.store.fetch import Fetcher
from tools.store.lock import LOCK
from tools.store.objects import Problem, Store, md5_of, md5_of_file
from tools.store.project import Project
from tools.store.remote import open_remote


def find_faults() -> Iterator[Fault]:
    """Whether each object is there and right; of a folder's files where its listing is."""
    outs = {path: out["md5"] for path, out in kept_outputs(recorded()).items()}
    with Repo() as repo:
        store = Store("cache", repo.cache.local)
        files, wrong = store.files_in(outs)
        objects = outs | files
        wrong |= store.check_all(objects)
    if objects and all(wrong.get(path) and wrong[path].problem is Problem.MISSING for path in objects):
        yield Fault(f"the cache has nothing of what {LOCK} records: `make repro` brings or makes it")
        return
    for path, finding in wrong.items():
        what, repair = f"{path} {finding.detail}", partial(_restore, path, objects[path])
        if finding.problem is Problem.MISSING:
            yield Fault(
                f"{what} ({objects[path]}): {REPAIR} takes it from elsewhere, if it can; else `dvc repro` makes it",
                repair,
            )
        elif finding.problem is Problem.CORRUPTED:
            yield Fault(f"{what}: {REPAIR} replaces it, or sets it aside, so that `dvc repro` makes it", repair)
        else:
            yield Fault(f"{what}: see to it that you may read it")


def _restore(path: str, oid: str) -> str | None:
    """Replace an object by the right one, from the workspace, a run or a remote; a wrong one is set aside anyway."""
    with Repo() as repo:
        odb = repo.cache.local
        object_path = Path(odb.oid_to_path(oid))
        found = _find_here(path, oid)
        aside = set_aside(object_path, oid) if object_path.exists() else None
        if found is not None:
            incoming = ASIDE / "incoming"
            incoming.write_bytes(found.read_bytes() if found.is_file() else _listing(found))
            odb.add(str(incoming.resolve()), localfs, oid, hardlink=True)  # With the mode that DVC gives it.
            incoming.unlink()
        origin = found or _fetch(repo, path, oid)
    kept = f"; the wrong one is now {aside}" if aside else ""
    if origin:
        return f"the cache has {path} ({oid}) again, from {origin}{kept}"
    if aside is None:
        return None
    _have_dvc_look_at(Path(path))
    return f"{path} ({oid}) is nowhere else{kept}, and `dvc repro` makes it anew"


def _find_here(path: str, oid: str) -> Path | None:
    """Where in the project the content of an object is: a file, or the folder that a listing lists."""
    if oid.endswith(".dir"):
        is_same = md5_of(io.BytesIO(_listing(Path(path)))) == oid.removesuffix(".dir")
        return Path(path) if is_same else None
    workspace = Path(path)
    return workspace if workspace.is_file() and md5_of_file(workspace) == oid else _runs().get(oid)


def _listing(folder: Path) -> bytes:
    """What DVC would write about a folder in the workspace."""
    files = sorted((path.relative_to(folder).parts, path) for path in folder.rglob("*") if path.is_file())
    entries = [{"md5": md5_of_file(path), "relpath": "/".join(parts)} for parts, path in files]
    return json.dumps(entries, sort_keys=True).encode()


@cache
def _runs() -> dict[str, Path]:
    """The files of runs that are kept in data/.resume, by md5."""
    return {str(md5_of_file(path)): path for path in RESUME.glob("*/*") if path.is_file()}


def _fetch(repo: Repo, path: str, oid: str) -> str | None:
    """Bring an object from a remote; return which."""
    for name in configured():
        if ask(name) is None and not Fetcher(Project(repo), open_remote(repo, name)).outputs({path: oid}):
            return f"remote {name}"
    return None


def _have_dvc_look_at(output: Path) -> None:
    """Let DVC not believe of files in the workspace what it knows of their size and time: they may be rotten, too."""
    for path in (output, *output.rglob("*")):
        if path.is_file() and not path.is_symlink():
            os.utime(path)
