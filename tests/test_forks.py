"""A forked command is what a fresh one is to all who start it, and ends as it does."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.forks import FORKS
from tests.project import Project

pytestmark = pytest.mark.skipif(FORKS not in os.environ, reason="no process is forked here")
PROGRAM = """
import atexit, os, signal, sys
print(*sys.argv[1:], os.environ["GIVEN"], sys.stdin.read(), oct(os.umask(0)), "torch" in sys.modules, flush=True)
atexit.register(print, "the end")
exec(os.environ.get("THEN", ""))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Project:
    """A folder with a module to run."""
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools/show.py").write_text(PROGRAM)
    return Project(tmp_path)


def start(folder: Project, then: str) -> subprocess.Popen[str]:
    command = ["python", "-m", "tools.show", "argument"]
    environment = folder.environment(GIVEN="variable", THEN=then)
    pipe = subprocess.PIPE
    return subprocess.Popen(
        command, cwd=folder.folder, env=environment, stdin=pipe, stdout=pipe, stderr=pipe, text=True, umask=0o027
    )


@pytest.mark.parametrize(
    ("then", "status", "last", "error"),
    [
        ("", 0, "the end\n", ""),
        ("sys.exit(3)", 3, "the end\n", ""),
        ("sys.exit('so it is')", 1, "the end\n", "so it is\n"),
        ("1 / 0", 1, "the end\n", "ZeroDivisionError: division by zero\n"),
        ("os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL, "", ""),
    ],
)
def test_fork_has_what_it_was_given_and_its_end_is_passed_on(
    folder: Project, then: str, status: int, last: str, error: str
) -> None:
    process = start(folder, then)
    output, errors = process.communicate("input", timeout=60)
    assert output == f"argument variable input 0o27 True\n{last}"
    assert (process.returncode, errors[-len(error) :] if error else errors) == (status, error)


def test_fork_ends_with_who_started_it(folder: Project) -> None:
    with start(folder, "print(os.getpid(), flush=True); signal.pause()") as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.close()
        process.stdout.readline()
        process_id = int(process.stdout.readline())
        process.kill()
    with suppress(ProcessLookupError):
        for _ in range(1000):
            os.kill(process_id, 0)
            time.sleep(0.01)
        pytest.fail(f"process {process_id} is still there")


def test_fresh_processes_and_programs_of_others_are_not_forked(folder: Project) -> None:
    command = ("python", "-m", "tools.show")
    shown = folder.fresh().run(*command, GIVEN="", THEN="print(sys.executable)").stdout
    assert shown.split()[-4:-2] == ["False", sys.executable]
    assert folder.run("python", "-c", "import sys; print('torch' in sys.modules)").stdout == "False\n"
