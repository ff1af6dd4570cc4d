"""A training that diverges, or finds no room, ends with one clear error, and keeps the epochs before."""

import re
import shutil
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import Mock

import pytest
import torch
from torch import nn

from mnist.data import DataParams, Examples
from mnist.inference import evaluate
from pipeline.errors import UserError
from stages.train import recorder as recorder_module
from stages.train import training
from stages.train.history import History
from stages.train.job import Job
from stages.train.recorder import Recorder
from tests.stages.test_epoch import RECIPE, tiny_examples

pytestmark = pytest.mark.usefixtures("deterministic")


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have metrics/train.csv written somewhere else."""
    (tmp_path / "data").mkdir()
    monkeypatch.chdir(tmp_path)


DATA = DataParams(dataset="mnist", validation_size=20, split_seed=0)
JOB = Job("demo", RECIPE, DATA, torch.device("cpu"), environment={}, origin={})


def train(history: History, validation: Examples) -> None:
    """Train three epochs."""
    training.train(JOB, training.read_state(history, 3), tiny_examples(20), Recorder(history, JOB, validation))


def refusal(history: History, validation: Examples) -> str:
    """What the training ends with."""
    with pytest.raises(UserError) as raised:
        train(history, validation)
    return str(raised.value)


def end_second_epoch_with(monkeypatch: pytest.MonkeyPatch, loss: float, weight: float, is_alone: bool = True) -> None:
    """Have the second epoch end with this loss, and with one weight, or all, of this value."""

    def train_epoch(step: object, network: nn.Module, examples: object, recipe: object, epoch: int) -> float:
        if epoch == 1:
            return 2.0
        with torch.no_grad():
            weights = [next(network.parameters()).view(-1)[3]] if is_alone else network.parameters()
            for each in weights:
                each.fill_(weight)
        return loss

    monkeypatch.setattr(training, "train_epoch", train_epoch)


@pytest.mark.parametrize(
    ("loss", "weight", "shown"),
    [
        pytest.param(float("nan"), 0.0, "nan and on the validation images [0-9.]+", id="loss"),
        pytest.param(float("inf"), 0.0, "inf and on the validation images [0-9.]+", id="infinite-loss"),
        pytest.param(2.0, float("nan"), "2 and .*", id="weight-of-the-last-step"),
        pytest.param(2.0, float("-inf"), "2 and .*", id="infinite-weight"),
    ],
)
def test_loss_or_weight_that_is_not_finite_ends_the_training(
    loss: float, weight: float, shown: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    end_second_epoch_with(monkeypatch, loss, weight)
    history = History({}, tmp_path)
    message = refusal(history, tiny_examples(20))
    assert re.search(rf"in epoch 2, whose loss is {shown}: lower optimizer\.learning_rate", message)
    assert [record.epoch for record in history.records] == [1]


def test_validation_loss_alone_that_is_not_finite_ends_the_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    end_second_epoch_with(monkeypatch, 2.0, 1e30, is_alone=False)
    history = History({}, tmp_path)
    assert "in epoch 2, whose loss is 2 and on the validation images nan: lower" in refusal(history, tiny_examples(20))
    assert [record.epoch for record in history.records] == [1]


def test_loss_that_is_not_finite_ends_the_training_without_validation_images_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    end_second_epoch_with(monkeypatch, float("nan"), 0.0)
    history = History({}, tmp_path)
    assert "in epoch 2, whose loss is nan: lower" in refusal(history, tiny_examples(0))
    assert [record.epoch for record in history.records] == [1], "no validation loss is none that is not finite"


def test_disk_that_is_too_small_is_said_before_any_epoch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    history = History({}, tmp_path / "resume")
    free = 2**40
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=free))
    end_second_epoch_with(monkeypatch, 2.0, 0.0)
    train(history, tiny_examples(20))
    kept = sum(path.stat().st_size for path in tmp_path.glob("resume/*/*.safetensors"))
    for free in (kept + 2 * kept - 100, 0):
        other = History({"seed": free}, tmp_path / "resume")
        message = refusal(other, tiny_examples(20))
        assert re.fullmatch(
            r"data has [\d.]+[KM]?B of free space, and epochs 1 to 3 need \d\.\d+MB, with their copy in DVC's cache: "
            r"make room, and run `dvc repro` again",
            message,
        )
        assert other.records == []


def test_worker_that_does_not_record_looks_at_the_validation_images_too_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    called = Mock(wraps=evaluate)
    monkeypatch.setattr(recorder_module, "evaluate", called)
    training.train(JOB, training.State(0), tiny_examples(20), Recorder(None, JOB, tiny_examples(20)))
    assert called.call_count == 3, "so long takes the worker that records: nobody waits for it"
    assert list(tmp_path.rglob("*")) == [tmp_path / "data"]
