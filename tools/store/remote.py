"""A DVC remote: its objects and its run-cache entries, and in one line why it cannot be used."""

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dvc.config import NoRemoteError
from dvc.exceptions import DvcException
from dvc.fs import HTTPFileSystem, LocalFileSystem
from dvc.repo import Repo
from dvc_objects.fs.errors import RemoteMissingDepsError

from pipeline.errors import UserError
from tools.store.objects import Finding, Problem, Store, reason
from tools.store.run_cache import LARGEST_BYTES, read_entry

ENTRY_PATH = re.compile(r"runs/([0-9a-f]{2}/[0-9a-f]{64}/[0-9a-f]{64})")


class Unavailable(UserError):
    """What is asked for cannot be had, though nothing is wrong: `--optional` makes that no error."""


class NotConfigured(Unavailable):
    """No remote was asked for, and none is the default."""


@dataclass(frozen=True)
class Remote:
    """A remote that answered."""

    store: Store
    root: str
    is_there: bool  # Whether the folder, bucket's prefix or the like exists.
    entries: dict[str, bool]  # `<two digits>/<key>/<value>`: whether it can be an entry, as far as a listing says.

    @property
    def fs(self) -> Any:
        """Its file system."""
        return self.store.odb.fs

    def entry_path(self, entry: str) -> str:
        """Where a run-cache entry lies, or would lie."""
        return str(self.fs.join(self.root, "runs", *entry.split("/")))

    def entry_title(self, entry: str) -> str:
        """What a finding calls a run-cache entry."""
        return f"{self.store.name} run-cache entry {entry}"

    def read_entry(self, entry: str) -> bytes | None:
        """A run-cache entry's content, or None if there is none; see `run_cache.read_entry`."""
        path = self.entry_path(entry)
        try:
            return read_entry(Path(path)) if isinstance(self.fs, LocalFileSystem) else bytes(self.fs.cat_file(path))
        except FileNotFoundError:
            return None

    def look_at(self, entry: str) -> bytes | Finding | None:
        """The same of one of `entries`, without reading what cannot be one; or why it cannot be read."""
        try:
            return self.read_entry(entry) if self.entries[entry] else b""
        except Exception as error:  # A remote's library raises what it likes.
            problem = Problem.WARNING if isinstance(error, PermissionError) else Problem.UNCHECKED
            return Finding(problem, self.entry_title(entry), reason(error))

    def set_aside(self, path: str) -> None:
        """Move a damaged file of the remote to its folder `damaged`."""
        folder = self.fs.join(self.root, "damaged")
        self.fs.makedirs(folder, exist_ok=True)
        aside = self.fs.join(folder, "".join(self.fs.parts(path)[-2:]))
        while self.fs.exists(aside):  # The same was damaged before.
            aside += "+"
        if isinstance(self.fs, LocalFileSystem):
            shutil.move(path, aside)  # Not its own `move`, which copies what a link leads to.
        else:
            self.fs.move(path, aside)


def open_remote(repo: Repo, name: str | None) -> Remote:
    """The remote of this name, or the default one; raise UserError if it cannot be used, Unavailable if not now."""
    name = name or repo.config["core"].get("remote")
    store, root = _connect(repo, name)
    fs = store.odb.fs
    if isinstance(fs, LocalFileSystem):
        _check_folder(repo, name, Path(root).resolve())
    if isinstance(fs, HTTPFileSystem):
        raise Unavailable(f"remote {name} is HTTP, which cannot hold a run-cache: use webdav:// instead")
    try:
        folders = _folders(fs, root)
        entries = _entries(fs, fs.join(root, "runs")) if folders and "runs" in folders else {}
    except Exception as error:  # Each kind of remote raises its own.
        raise Unavailable(f"remote {name} does not answer, or refuses: {reason(error)}") from None
    if folders is None and fs.protocol.startswith("webdav"):
        raise Unavailable(f"remote {name}: the folder of its URL is not there, and must be made on the server first")
    return Remote(store, root, folders is not None, entries)


def _connect(repo: Repo, name: str | None) -> tuple[Store, str]:
    """The remote's objects and the root of its URL; nothing is asked of it yet."""
    # Else an object of an S3 server that is down takes half a minute: s3fs, too, tries five times.
    os.environ.setdefault("AWS_MAX_ATTEMPTS", "2")
    try:
        store = Store(f"remote {name}", repo.cloud.get_remote_odb(name))
        return store, repo.cloud.get_remote_odb(name, hash_name="md5-dos2unix").path
    except NoRemoteError:
        raise NotConfigured("no remote is configured: `dvc remote add --default share URL`") from None
    except (ImportError, RemoteMissingDepsError) as error:
        missing = ", ".join(error.missing_deps) if isinstance(error, RemoteMissingDepsError) else error
        raise UserError(
            f"remote {name} needs a package: {missing}; "
            "for S3, SSH and WebDAV run `pip install -r requirements/remotes.txt`"
        ) from None
    except DvcException as error:
        raise Unavailable(f"remote {name} cannot be used: {reason(error)}") from None


def _check_folder(repo: Repo, name: str | None, root: Path) -> None:
    """Raise UserError if what is pushed to this folder would not be there to stay."""
    if root.exists() and not root.is_dir():
        raise UserError(f"remote {name}: {root} is a file; name a folder: `dvc remote modify {name} url FOLDER`")
    taken = [("the cache", repo.cache.legacy.path), *(("an output", out.fs_path) for out in repo.index.outs)]
    for kind, path in taken:
        if root.is_relative_to(Path(path).resolve()):
            raise UserError(
                f"remote {name}: {root} lies in {kind}; name another: `dvc remote modify {name} url FOLDER`"
            )


def _folders(fs: Any, root: str) -> set[str] | None:
    """What lies at the top of a remote; None if that itself is not there. Unlike `exists`, it hides no other error."""
    try:
        return {fs.name(path.rstrip("/")) for path in fs.ls(root, detail=False)}
    except FileNotFoundError:
        return None


def _entries(fs: Any, runs: str) -> dict[str, bool]:
    """What is in the places of run-cache entries; see `Remote.entries`."""
    if isinstance(fs, LocalFileSystem):
        found = {str(path): True for path in Path(runs).glob("*/*/*")}
    else:
        found = {path: _can_be_entry(info) for path, info in fs.fs.find(runs, detail=True).items()}
    entries = {}
    for path in sorted(found):
        if match := ENTRY_PATH.fullmatch("/".join(fs.parts(path)[-4:])):  # Not one that is being written.
            entries[match[1]] = found[path]
    return entries


def _can_be_entry(info: dict[str, Any]) -> bool:
    return info["type"] == "file" and (info["size"] or 0) <= LARGEST_BYTES  # Some servers tell no size.
