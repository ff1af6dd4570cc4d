"""What a stage's process does around the stage's work."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import ROOT
from tests.project import STAGES

PROGRAM = """
import gc
import pipeline.start
enabled_while_importing = gc.isenabled()
from pipeline.stage import stage
num_objects = len(gc.get_objects())
with stage("test"):
    print(enabled_while_importing, gc.isenabled(), gc.get_freeze_count() >= num_objects)
"""


def test_importing_a_stage_changes_nothing_for_who_imports_it() -> None:
    program = """
import gc, signal
before = gc.isenabled(), signal.getsignal(signal.SIGINT)
import stages.train.history, tools.verify, tools.summary
print((gc.isenabled(), signal.getsignal(signal.SIGINT)) == before)
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"


def test_garbage_is_collected_in_the_stage_and_what_was_imported_is_left_alone(tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True", "True"]


@pytest.mark.parametrize("stage", STAGES)
def test_argument_is_refused_in_one_line_before_anything_is_done(stage: str, tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", f"stages.{stage}", "--help"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"{stage}: '--help' is not allowed: a stage takes no arguments; see README.md\n"
    assert list(tmp_path.iterdir()) == []
