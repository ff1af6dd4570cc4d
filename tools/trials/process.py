"""Starts a program that ends with the thread that started it, however that ends."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from pipeline import parent


def start(
    command: Sequence[str], folder: Path, environment: Mapping[str, str], kept_open: int
) -> subprocess.Popen[str]:
    """Start a command, both of its streams in one; it keeps a file descriptor open, and with it the lock of a clone.

    It is in a session of its own: Ctrl-C is for the driver.
    """
    # By a program: a function between fork and exec could wait forever for what another thread of a worker held.
    return subprocess.Popen(
        [sys.executable, "-ISE", parent.__file__, str(os.getpid()), *command],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        pass_fds=[kept_open],
        start_new_session=True,
    )
