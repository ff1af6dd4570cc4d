"""What DVC and the stages print says how long training took, and why a run failed."""

import time

import pytest

from tools.trials.log import Log

BEGIN = ["Reproducing experiment 'sweep-1'", "Stage 'download' didn't change, skipping"]
TRAIN = ["Running stage 'train':", "> exec python -m stages.train"]
END = ["Updating lock file 'dvc.lock'", "", "Running stage 'evaluate':", "Updating lock file 'dvc.lock'"]


def read(monkeypatch: pytest.MonkeyPatch, lines: list[str]) -> Log:
    """A log of lines of which one is printed each second."""
    log = Log()
    for second, line in enumerate(lines):
        monkeypatch.setattr(time, "monotonic", lambda second=second: float(second))
        log.add(line)
    return log


@pytest.mark.parametrize(
    ("said", "has_trained", "seconds"),
    [
        ([*TRAIN, "starting at epoch 1 of 2: nothing was trained here before", "epoch 1/2: loss 1"], True, 4.0),
        ([*TRAIN, "continuing at epoch 2 of 2: the inputs are those of an earlier run"], True, None),
        ([*TRAIN, "all 2 epochs are there, nothing to train: ..."], False, None),
        (["Stage 'train' is cached - skipping run, checking out outputs"], False, None),
    ],
)
def test_time_of_a_training_is_known_if_it_ran_in_one_go(
    monkeypatch: pytest.MonkeyPatch, said: list[str], has_trained: bool, seconds: float | None
) -> None:
    log = read(monkeypatch, [*BEGIN, *said, *END])
    assert (log.has_trained, log.seconds) == (has_trained, seconds)


def test_time_is_known_where_the_lock_file_needs_no_update(monkeypatch: pytest.MonkeyPatch) -> None:
    said = [*TRAIN, "starting at epoch 1 of 2: nothing was trained here before", "epoch 1/2: loss 1"]
    assert read(monkeypatch, [*BEGIN, *said, *END[1:]]).seconds == 5.0


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ([*TRAIN, "train: lower it", "ERROR: failed to reproduce 'train'"], "train: lower it"),
        (
            [*TRAIN, "ERROR: failed to reproduce 'train': exited with -9"],
            "ERROR: failed to reproduce 'train': exited with -9",
        ),
        ([*TRAIN, *END, "ERROR: unexpected error", "", "Having any troubles?"], "ERROR: unexpected error"),
        (["sh: dvc: not found", ""], "sh: dvc: not found"),
        ([], "it said nothing"),
    ],
)
def test_reason_is_that_of_the_stage_else_dvcs(monkeypatch: pytest.MonkeyPatch, lines: list[str], reason: str) -> None:
    assert read(monkeypatch, lines).reason() == reason
