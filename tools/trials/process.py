"""Starts a program that ends with the thread that started it, however that ends."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

# DVC does not ask the kernel for the parent-death signal, and without it outlives a killed worker.
END_WITH_PARENT = """\
import ctypes, os, signal, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)
if os.getppid() != int(sys.argv[1]):
    sys.exit("the parent has ended")
os.execvp(sys.argv[2], sys.argv[2:])
"""


def start(
    command: Sequence[str], folder: Path, environment: Mapping[str, str], kept_open: int
) -> subprocess.Popen[str]:
    """Start a command, both of its streams in one; it keeps a file descriptor open, and with it the lock of a clone.

    It is in a session of its own: Ctrl-C is for the driver.
    """
    return subprocess.Popen(
        [sys.executable, "-ISE", "-c", END_WITH_PARENT, str(os.getpid()), *command],
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
