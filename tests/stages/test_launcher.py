"""Whatever torchrun raises comes to the user as one line; it ends with the stage that started it."""

import argparse
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from torch.distributed import run as torchrun
from torch.distributed.elastic.rendezvous import RendezvousClosedError, RendezvousTimeoutError

from stages.train import launcher
from stages.train.launch import JOIN_SECONDS, PARENT
from stages.train.reports import GO_ON, clear, first_reason
from tests import ROOT


@pytest.fixture(autouse=True)
def _started(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """As by a stage, in this process."""
    monkeypatch.chdir(tmp_path)
    clear()
    monkeypatch.setenv(PARENT, str(os.getppid()))
    monkeypatch.setattr(launcher, "end_with_parent", lambda *_: None)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (RendezvousTimeoutError(), f"the other machines did not come within {JOIN_SECONDS} s"),
        (RendezvousClosedError(), "torchrun cannot go on: RendezvousClosedError"),
        (ValueError("no\nway"), "torchrun cannot go on: no way"),
    ],
)
def test_error_of_torchrun_is_one_line(monkeypatch: pytest.MonkeyPatch, error: Exception, said: str) -> None:
    def run(arguments: argparse.Namespace) -> None:
        raise error

    monkeypatch.setattr(sys, "argv", ["launcher.py", "--module", "stages.train"])
    monkeypatch.setattr(torchrun, "run", run)
    with pytest.raises(SystemExit):
        launcher.main()
    assert first_reason() == f"{said}: {GO_ON}"


def test_variable_that_torchrun_refuses_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["launcher.py", "--module", "stages.train"])
    monkeypatch.setenv("PET_MONITOR_INTERVAL", "often")
    with pytest.raises(SystemExit):
        launcher.main()
    said = "argument --monitor-interval/--monitor_interval: invalid float value: 'often'"
    assert first_reason() == f"torchrun refused its options: launcher.py: error: {said}: {GO_ON}"
    assert capsys.readouterr().err == ""


def test_it_ends_if_the_stage_has_ended_before_it_could_look() -> None:
    command = [sys.executable, "-m", "stages.train.launcher"]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | {PARENT: "1"}, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (1, "the parent has ended\n")
