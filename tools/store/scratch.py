"""A folder for one command, and the processes that work in it: neither outlives the command, however that ends.

Ctrl-C, SIGTERM and SIGHUP end the processes and remove the folder. After SIGKILL, Linux ends the processes, and the
next command that needs such a folder removes this one.
"""

import ctypes
import fcntl
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from types import FrameType

from pipeline.parent import end_with_parent

PREFIX = "mnist-scratch-"
FOLDER, OWNER = "scratch", "owner"  # The latter is a file that is locked as long as its owner lives.
SET_CHILD_SUBREAPER = 36  # of Linux' prctl
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def end_in_one_line(name: str) -> None:
    """Have the signals that end the command `name` raise, so that it tidies up; those after the first are ignored."""

    def end(number: int, frame: FrameType | None) -> None:
        for signal_number in ENDING:
            signal.signal(signal_number, signal.SIG_IGN)
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        with suppress(OSError):  # After SIGHUP the terminal may be gone.
            print(f"{name}: ended by {signal.Signals(number).name}", file=sys.stderr)
        sys.exit(128 + number)  # As a shell counts.

    for signal_number in ENDING:
        if signal.getsignal(signal_number) != signal.SIG_IGN:  # As under nohup.
            signal.signal(signal_number, end)


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """An empty folder in the folder for temporary files, removed at the end."""
    _remove_leftovers()
    base = Path(tempfile.mkdtemp(prefix=PREFIX))
    folder, unlocked = base / FOLDER, base / "unlocked"
    folder.mkdir()
    with unlocked.open("w") as owner:
        fcntl.flock(owner, fcntl.LOCK_EX)
        unlocked.rename(base / OWNER)  # From here on whoever can lock it may remove the folder.
        try:
            yield folder
        finally:
            with _signals_wait():
                _remove(base)


def run(command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> int:
    """Run a command in a folder, in a process group of its own, and return its exit status."""
    if sys.platform == "linux":  # Orphans of the command come to this process, which can then wait for their end.
        ctypes.CDLL(None).prctl(SET_CHILD_SUBREAPER, 1)
    with _signals_wait():
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            start_new_session=True,
            preexec_fn=partial(_begin, os.getpid()),
        )
    try:
        return process.wait()
    except BaseException:
        with suppress(ProcessLookupError, ChildProcessError):  # None is left.
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            while True:
                os.waitpid(-process.pid, 0)
        raise


def _begin(parent_id: int) -> None:
    """In the new process: let the signals end it again, and have it end with its parent."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)
    end_with_parent(signal.SIGKILL, parent_id)


def _remove_leftovers() -> None:
    """Remove the folders of this user whose owners were killed."""
    for base in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with suppress(OSError):  # It is in use, going at this moment, or none of ours.
            found = base.lstat()
            if stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid():
                with open(os.open(base / OWNER, os.O_RDWR | os.O_NOFOLLOW)) as owner:
                    fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    _remove(base)


def _remove(base: Path) -> None:
    """Remove a folder; its owner's file goes last, so that what could not be removed is found again."""
    if (base / FOLDER).exists():
        shutil.rmtree(base / FOLDER)
    (base / OWNER).unlink()
    base.rmdir()


@contextmanager
def _signals_wait() -> Iterator[None]:
    """Have the signals that end the command wait for the body's end."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
