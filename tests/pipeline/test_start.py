"""What a stage's process does around the stage's work."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import ROOT
from tests.project import STAGES

MAIN = """
import gc
from pipeline.start import DEPS
enabled_while_importing = gc.isenabled()
from pipeline.stage import stage
num_objects = len(gc.get_objects())
with stage(DEPS):
    print(enabled_while_importing, gc.isenabled(), gc.get_freeze_count() >= num_objects)
"""


def run_stage(folder: Path, pipeline: str = "stages: {some: {deps: [some]}}\n") -> subprocess.CompletedProcess[str]:
    """Run the stage `some` of a project of its own."""
    (folder / "some").mkdir()
    (folder / "some/__main__.py").write_text(MAIN)
    (folder / "dvc.yaml").write_text(pipeline)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run([sys.executable, "-m", "some"], cwd=folder, env=environment, capture_output=True, text=True)


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
    done = run_stage(tmp_path)
    assert done.stdout.split() == ["False", "True", "True"]


def test_stage_that_dvc_yaml_does_not_have_is_refused_in_one_line(tmp_path: Path) -> None:
    done = run_stage(tmp_path, "stages: {}\n")
    assert done.returncode == 1
    assert done.stderr == "some: dvc.yaml has no stage some: run it in the project's root, by `dvc repro`\n"


@pytest.mark.parametrize("stage", STAGES)
def test_argument_is_refused_in_one_line_before_anything_is_done(stage: str, tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", f"stages.{stage}", "--help"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"{stage}: '--help' is not allowed: a stage takes no arguments; see README.md\n"
    assert list(tmp_path.iterdir()) == []
