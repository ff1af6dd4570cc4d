"""Which processes are at work in this project, from what Linux tells in /proc."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from dvc.lock import LockError, make_lock

from pipeline.errors import UserError
from tools.health.fault import ASIDE

PROCESSES = Path("/proc")


def find_workers() -> list[str]:
    """The processes of DVC and of stages in this project, as `process 12 (dvc repro)`."""
    return [f"process {number} ({' '.join(words)})" for number, words in _processes_here() if _is_worker(words)]


def is_alive(number: int, command: str) -> bool:
    """Whether the process still runs that had this id when it ran a command (Python's sys.argv, joined by spaces).

    Ids are used again. The words of a command end those of its process: before them are Python, its options, and the
    name of a script or module, which sys.argv has in another form. What cannot be told counts as alive.
    """
    try:
        os.kill(number, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # Of another user.
        pass
    try:
        words = _words(PROCESSES / str(number))
    except OSError:
        return True
    return " ".join(words).endswith(command.partition(" ")[2])


@contextmanager
def alone() -> Iterator[None]:
    """Keep DVC from working here while the body runs; raise UserError if it does already."""
    ASIDE.mkdir(parents=True, exist_ok=True)
    try:
        lock = make_lock(str(ASIDE.parent / "lock"))
        lock.lock()
    except LockError:
        raise UserError("another command holds DVC's lock: nothing is repaired while it runs; wait for it") from None
    try:
        if workers := find_workers():
            raise UserError(f"{', '.join(workers)} is at work here: nothing is repaired while it runs; wait for it")
        yield
    finally:
        lock.unlock()


def _processes_here() -> Iterator[tuple[int, list[str]]]:
    """The processes whose current folder is this one or lies in it, with the words of their command lines."""
    for process in PROCESSES.glob("[0-9]*"):
        with suppress(OSError):  # It has ended, or is of another user.
            if Path(os.readlink(process / "cwd")).is_relative_to(Path.cwd()):
                yield int(process.name), _words(process)


def _words(process: Path) -> list[str]:
    return os.fsdecode((process / "cmdline").read_bytes()).split("\0")[:-1]


def _is_worker(words: list[str]) -> bool:
    """`dvc repro`, `python /.../dvc repro`, `python -m dvc repro`, or `python -m stages.train`."""
    return any(Path(word).name == "dvc" or word.startswith("stages.") for word in words[:3])
