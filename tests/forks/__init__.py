"""`python -m` and `dvc` without the seconds in which libraries load: copies of a process that has loaded them all.

Each command is a process of its own and runs the code of the folder that it is started in, as a fresh one would; only
third-party libraries are loaded already. Not for tests of how a process starts, of the environment in which it loads
its libraries, or of what happens when it or its parent is killed.
"""

import os
import shlex
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mnist import CPU_PROFILE

FOLDER = Path(__file__).parent
FORKS = "FORKS"  # The environment variable that names the folder of the programs, where there is one.


@contextmanager
def fork_server() -> Iterator[Path]:
    """A folder to put first on PATH: its `python` and `dvc` have the server fork, as long as the body runs."""
    with tempfile.TemporaryDirectory(prefix="forks-") as name:
        folder = Path(name)
        address = folder / "socket"
        for program in ("python", "dvc"):
            command = [sys.executable, "-ISE", str(FOLDER / "client.py"), str(address), program]
            (folder / program).write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n')
            (folder / program).chmod(0o755)
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
            listener.bind(str(address))
            listener.listen()  # From here on a client waits, until the server has loaded the libraries.
            server = subprocess.Popen(
                [sys.executable, str(FOLDER / "server.py"), str(listener.fileno())],
                env=os.environ | CPU_PROFILE | {"OPENBLAS_NUM_THREADS": "1"},  # Without threads, so that it can fork.
                stdin=subprocess.DEVNULL,
                pass_fds=[listener.fileno()],
                start_new_session=True,  # Ctrl-C is for the tests, which then end it.
            )
        try:
            yield folder
        finally:
            server.kill()
            server.wait()
