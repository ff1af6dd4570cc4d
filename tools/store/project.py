"""What dvc.yaml and dvc.lock say, and where the cache is: what pushing and pulling start from."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from dvc.dependency import ParamsDependency
from dvc.repo import Repo

from pipeline.links import refuse_foreign
from tools.store.lock import LOCK, read_lock
from tools.store.objects import Store, md5_of_file
from tools.store.run_cache import Runs, Shape, entry_of


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

    def recorded(self) -> dict[str, str]:
        """The outputs that dvc.lock records: oids by path."""
        return {out.def_path: out.hash_info.value for out in self.repo.index.outs if out.hash_info}

    def outputs(self) -> dict[str, str]:
        """Those of them that the cache keeps."""
        kept = {out.def_path for out in self.repo.index.outs if out.use_cache}
        return {path: oid for path, oid in self.recorded().items() if path in kept}

    def refuse_foreign(self) -> None:
        """Raise UserError if an output is a link to elsewhere, or no regular file; see `pipeline.links`."""
        refuse_foreign(Path(out.def_path) for out in self.repo.index.outs)

    def is_recorded(self, path: Path) -> bool:
        """Whether an output in the workspace is, byte for byte, what dvc.lock records."""
        return (path.as_posix(), md5_of_file(path)) in self.recorded().items()

    def unrecorded(self) -> list[str]:
        """The outputs that dvc.lock does not record."""
        return [out.def_path for out in self.repo.index.outs if not out.hash_info]

    def unsaved(self, outs: Iterable[str]) -> list[str]:
        """The files of outputs in the workspace whose content the cache does not have, so that a checkout loses it."""
        paths = [path for out in outs for path in (Path(out), *Path(out).rglob("*")) if path.is_file()]
        seen = [path for path in paths if not self.repo.dvcignore.is_ignored_file(str(path))]
        return sorted(self.cache.check_all({path.as_posix(): str(md5_of_file(path)) for path in seen}))

    def checkout(self, outs: Iterable[str]) -> None:
        """Make outputs in the workspace what dvc.lock records."""
        self.repo.drop_data_index()  # DVC would remember a folder's listing as it was before.
        # Named one by one: DVC would remove those that dvc.lock does not record.
        if targets := list(outs):
            self.repo.checkout(targets=targets)

    def usable_runs(self) -> Runs:
        """Which run-cache entries this commit may use."""
        made = {out.def_path for out in self.repo.index.outs}
        stages: set[Shape] = set()
        code: dict[str, str] = {}
        for stage in self.repo.index.stages:
            deps = {dep.def_path: dep for dep in stage.deps if not isinstance(dep, ParamsDependency)}
            stages.add(Shape(stage.cmd, frozenset(deps), frozenset(out.def_path for out in stage.outs)))
            for path in deps.keys() - made - code.keys():
                if deps[path].exists:
                    code[path] = deps[path].get_hash().value
        locked = read_lock() if LOCK.is_file() else {}
        return Runs(frozenset(stages), code, tuple(map(entry_of, locked.values())))

    def unwritable(self) -> Path | None:
        """A folder of the cache in which this user may not write, if there is one."""
        cache = Path(self.repo.cache.legacy.path)
        folders = [cache, *cache.glob("**/")]
        if not cache.exists():  # It will be made in the first folder above it that is there.
            folders = [next(folder for folder in cache.parents if folder.exists())]
        return next((folder for folder in folders if not os.access(folder, os.W_OK | os.X_OK)), None)
