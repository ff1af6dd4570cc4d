"""A program ends with the process that started it, and is not begun after that has ended."""

import os
import subprocess
import sys

from pipeline import parent
from tests.test_crash import wait_for_end

SLEEP = ("sleep", "300")
STARTER = """
import os, subprocess, sys
program = subprocess.Popen([sys.executable, sys.argv[1], str(os.getpid()), *sys.argv[2:]], stdout=subprocess.DEVNULL)
print(program.pid, flush=True)
program.wait()
"""


def test_program_ends_with_its_parent_also_if_that_is_killed() -> None:
    command = [sys.executable, "-c", STARTER, parent.__file__, *SLEEP]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as starter:
        assert starter.stdout
        program = int(starter.stdout.readline())
        starter.kill()
    wait_for_end(program, seconds=60)


def test_program_whose_parent_has_ended_is_not_begun() -> None:
    command = [sys.executable, parent.__file__, str(os.getpid() + 1), *SLEEP]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (1, "the parent has ended\n")
