"""A training that diverges ends with one clear error, and keeps the epochs before."""

from functools import partial
from pathlib import Path

import pytest
import torch
from torch import nn

from mnist.checkpoint import Description
from mnist.data import DataParams
from pipeline.errors import UserError
from stages.train import training
from stages.train.history import History
from tests.stages.test_epoch import RECIPE, TWO_LAYER, tiny_examples

pytestmark = pytest.mark.usefixtures("deterministic")


@pytest.mark.parametrize(
    ("loss", "weight"),
    [
        pytest.param(float("nan"), 0.0, id="loss"),
        pytest.param(float("inf"), 0.0, id="infinite-loss"),
        pytest.param(2.0, float("nan"), id="weight-of-the-last-step"),
        pytest.param(2.0, float("-inf"), id="infinite-weight"),
    ],
)
def test_loss_or_weight_that_is_not_finite_ends_the_training(
    loss: float, weight: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def train_epoch(step: object, network: nn.Module, examples: object, recipe: object, epoch: int) -> float:
        if epoch == 1:
            return 2.0
        with torch.no_grad():
            next(network.parameters()).view(-1)[3] = weight
        return loss

    monkeypatch.setattr(training, "train_epoch", train_epoch)
    monkeypatch.chdir(tmp_path)  # There it writes metrics/train.csv.
    examples = tiny_examples(20)
    data = DataParams(dataset="mnist", validation_size=20, split_seed=0)
    describe = partial(Description, network=TWO_LAYER, threads=1, training={}, data=data, environment={})
    history = History({}, tmp_path)
    with pytest.raises(UserError, match=r"in epoch 2, whose loss is .*: lower optimizer\.learning_rate"):
        training.train(history, RECIPE, examples, examples, describe)
    assert [record.epoch for record in history.records] == [1]
