"""Clones in which trials run: one for each worker of a machine, kept between sweeps with what was trained in them.

A folder holds clones named 1, 2, ..., and beside each a file whose lock says that it is in use, and whose lines say
which trials were begun in it.
"""

import fcntl
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from dvc.config import Config
from dvc.repo import Repo

from pipeline.errors import UserError
from pipeline.stage import LOCKS
from tools.store.git import git
from tools.trials.experiment import REFS

SECONDS_TO_WAIT = 15.0  # For what a killed worker left running, which ends by itself.
OWN = "refs/sweep/commit"  # What was fetched; what no ref names git would remove some day.


@dataclass(frozen=True)
class Clone:
    """A clone that nobody else uses as long as the file descriptor `lock` is open, here or in a process."""

    folder: Path
    lock: int

    def prepare(self, checkout: Path, source: str, commit: str) -> None:
        """Bring it to a commit of `source`, whatever a killed run left; what git ignores stays.

        `checkout` is this machine's project, whose cache and settings it uses.
        """
        if not self.folder.exists():
            partial = self.folder.with_name(f".{self.folder.name}.partial")
            shutil.rmtree(partial, ignore_errors=True)
            git("clone", "--quiet", "--no-checkout", str(checkout), str(partial))
            partial.rename(self.folder)
        self._wait_for_stages()
        for left in [*self.folder.glob(".git/*.lock"), *self.folder.glob(".git/refs/**/*.lock")]:
            left.unlink()
        shutil.rmtree(self.folder / ".dvc/tmp", ignore_errors=True)  # DVC's locks, and experiments that it thinks run.
        git("fetch", "--quiet", "--no-tags", source, f"+{commit}:{OWN}", folder=self.folder)
        git("checkout", "--quiet", "--force", "--detach", commit, folder=self.folder)
        git("clean", "-ffdq", folder=self.folder)
        for ref in git("for-each-ref", "--format=%(refname)", REFS, folder=self.folder).splitlines():
            git("update-ref", "--no-deref", "-d", ref, folder=self.folder)
        self._take_settings(checkout)

    def _take_settings(self, checkout: Path) -> None:
        with Repo(str(checkout)) as repo:
            settings, cache = repo.config.read("local"), repo.cache.legacy.path
        (self.folder / ".dvc/config.local").unlink(missing_ok=True)  # A full disk may have left half of it.
        with Config(str(self.folder / ".dvc")).edit("local") as local:
            local.update(settings)
            local["cache"]["dir"] = cache

    def _wait_for_stages(self) -> None:
        """Return when no stage runs here: one ends a moment after its dvc."""
        for path in (self.folder / LOCKS).glob("*"):
            with path.open("a") as file:
                if not _is_locked(file, SECONDS_TO_WAIT):
                    raise UserError(f"{path} is held by a process that does not end")


@contextmanager
def claim(folder: Path, num_clones: int, name: str) -> Iterator[Clone]:
    """Lock one of so many clones for a trial: where it was begun before, if that is free, else another."""
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as opened:
        paths = [folder / f"{number}.lock" for number in range(1, num_clones + 1)]
        files = {path: opened.enter_context(path.open("a+")) for path in paths}
        # A new one where few were begun: what a killed trial left is for that trial.
        paths.sort(key=lambda path: (name not in begun_trials(path), len(begun_trials(path))))
        end = time.monotonic() + SECONDS_TO_WAIT
        while not (free := next((path for path in paths if _is_locked(files[path])), None)):
            if time.monotonic() > end:
                raise UserError(f"all {num_clones} clones in {folder} are in use: is another worker at work there?")
            time.sleep(0.1)
        if begun_trials(free)[-1:] != [name]:
            files[free].write(f"{name}\n")
            files[free].flush()
        yield Clone(free.with_suffix(""), files[free].fileno())


def begun_trials(path: Path) -> list[str]:
    """The names of the trials that were begun in the clone of a lock, the last one last."""
    return path.read_text().split()


def _is_locked(file: IO[str], seconds: float = 0) -> bool:
    """Lock a file, if that is possible within some seconds."""
    end = time.monotonic() + seconds
    while True:
        with suppress(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        if time.monotonic() >= end:
            return False
        time.sleep(0.05)
