"""Progress: plain lines in a log, a bar in a terminal."""

import io
import sys
import time
from collections.abc import Callable

import pytest

from pipeline.progress import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def clock(*times: float) -> Callable[[], float]:
    iterator = iter(times)
    return lambda: next(iterator)


def test_log_gets_a_line_for_each_unit_with_values_and_time_left(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "monotonic", clock(100, 110, 140))
    progress = Progress("epoch", 4, done=1)
    progress.advance(loss=0.5, validation_accuracy=0.98765)
    progress.advance(loss=0.25, validation_accuracy=1)
    captured = capsys.readouterr()
    assert captured.out.splitlines() == [
        "epoch 2/4: loss 0.5000, validation accuracy 0.9877, 00:20 left",  # 10 s for the first, 2 to go
        "epoch 3/4: loss 0.2500, validation accuracy 1.0000, 00:20 left",  # 40 s for two, 1 to go
    ]
    assert captured.err == ""


def test_terminal_gets_a_bar_and_no_lines(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    progress = Progress("epoch", 2)
    progress.advance(loss=0.5)
    progress.advance(loss=0.25)
    shown = terminal.getvalue()
    assert "2/2" in shown
    assert "loss=0.2500" in shown
    assert shown.endswith("\n")
    assert capsys.readouterr().out == ""
