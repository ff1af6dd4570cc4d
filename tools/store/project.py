"""What dvc.yaml and dvc.lock say, and where the cache is: what pushing and pulling start from."""

import os
from dataclasses import dataclass
from pathlib import Path

from dvc.dependency import ParamsDependency
from dvc.repo import Repo

from tools.store.lock import LOCK, read_lock
from tools.store.objects import Store, md5_of_file
from tools.store.run_cache import Entry, Shape, contradiction, entry_of, fits


@dataclass(frozen=True)
class Project:
    """The project in the current folder, which must be its root."""

    repo: Repo

    @property
    def cache(self) -> Store:
        """Where this machine keeps objects."""
        return Store("cache", self.repo.cache.local)

    @property
    def runs(self) -> Path:
        """Where this machine keeps run-cache entries."""
        return Path(self.repo.cache.legacy.path) / "runs"

    @property
    def scratch(self) -> Path:
        """Where objects wait until they are checked, and where those stay that are wrong."""
        return Path(self.repo.tmp_dir).relative_to(Path.cwd()) / "share"

    def outputs(self) -> dict[str, str]:
        """The outputs that dvc.lock records and the cache keeps: oids by path."""
        return {
            out.def_path: out.hash_info.value
            for stage in self.repo.index.stages
            for out in stage.outs
            if out.use_cache and out.hash_info
        }

    def is_recorded(self, path: Path) -> bool:
        """Whether an output in the workspace is, byte for byte, what dvc.lock records."""
        outs = [out for stage in self.repo.index.stages for out in stage.outs if out.def_path == path.as_posix()]
        return any(out.hash_info and out.hash_info.value == md5_of_file(path) for out in outs)

    def unrecorded(self) -> list[str]:
        """The outputs that dvc.lock does not record."""
        return [out.def_path for stage in self.repo.index.stages for out in stage.outs if not out.hash_info]

    def unwritable(self) -> Path | None:
        """A folder of the cache in which this user may not write, if there is one."""
        cache = Path(self.repo.cache.legacy.path)
        folders = [cache, *cache.glob("**/")]
        if not cache.exists():  # It will be made in the first folder above it that is there.
            folders = [next(folder for folder in cache.parents if folder.exists())]
        return next((folder for folder in folders if not os.access(folder, os.W_OK | os.X_OK)), None)


class Runs:
    """Which run-cache entries this commit may use."""

    def __init__(self, repo: Repo) -> None:
        deps = [
            [dep.def_path for dep in stage.deps if not isinstance(dep, ParamsDependency)] for stage in repo.index.stages
        ]
        outs = [[out.def_path for out in stage.outs] for stage in repo.index.stages]
        self._shapes = {
            Shape(stage.cmd, frozenset(d), frozenset(o))
            for stage, d, o in zip(repo.index.stages, deps, outs, strict=True)
        }
        made = {path for paths in outs for path in paths}
        self._code = {
            dep.def_path: dep.get_hash().value
            for stage in repo.index.stages
            for dep in stage.deps
            if not isinstance(dep, ParamsDependency) and dep.def_path not in made and dep.exists
        }
        self._locked = [entry_of(stage) for stage in (read_lock() if LOCK.is_file() else {}).values()]

    def fit(self, entry: Entry) -> bool:
        """Whether this commit could use it, with whatever parameters."""
        return fits(entry, self._shapes, self._code)

    def contradiction(self, entry: Entry) -> str | None:
        """What dvc.lock records differently for its very inputs, if it does."""
        return contradiction(entry, self._locked)
