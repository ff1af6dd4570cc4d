"""A process is alive as long as it runs, and no other that has its id since."""

import subprocess
import sys
from collections.abc import Iterator

import pytest

from tools.health.processes import is_alive


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    """One that was started as `python SCRIPT ARGUMENTS` is: `-c` is the script's name."""
    command = [sys.executable, "-c", "print(flush=True); input()", "repro", "--force"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()  # It has started.
        yield process


def test_process_is_known_by_its_arguments(process: subprocess.Popen[bytes]) -> None:
    assert is_alive(process.pid, "/path/of/.venv/bin/dvc repro --force")
    assert is_alive(process.pid, "dvc")
    assert not is_alive(process.pid, "/path/of/.venv/bin/dvc repro")
    assert not is_alive(process.pid, "/path/of/.venv/bin/dvc checkout --force")


def test_process_that_ended_is_not_alive(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    assert not is_alive(process.pid, "dvc repro --force")
    assert not is_alive(1 << 40, "dvc repro")
