"""Every checkpoint is scored; one whose numbers overflow is named."""

import hashlib
from pathlib import Path

import pytest
import torch
from torch import nn

from mnist.checkpoint import Description, encode
from mnist.data import DataParams, Examples
from mnist.model import build_network
from mnist.paths import checkpoint_path
from mnist.trained import EpochRecord
from pipeline.errors import UserError
from pipeline.files import write_file
from stages.evaluate.scores import score_checkpoints
from tests.stages.test_epoch import TWO_LAYER, tiny_examples

pytestmark = pytest.mark.usefixtures("deterministic")


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write_checkpoint(epoch: int, weight: float | None = None) -> EpochRecord:
    """Write a checkpoint whose weights are random, or all the same."""
    torch.manual_seed(0)
    network = build_network(TWO_LAYER)
    if weight is not None:
        for parameter in network.parameters():
            nn.init.constant_(parameter, weight)
    data = DataParams(dataset="mnist", validation_size=20, split_seed=0)
    content = encode(
        network, Description(epoch=epoch, network=TWO_LAYER, threads=1, training={}, data=data, environment={})
    )
    write_file(checkpoint_path(epoch), content)
    return EpochRecord(epoch, 0.0, 0.0, 0.0, hashlib.sha256(content).hexdigest(), "0" * 64)


def test_there_is_a_row_per_epoch_also_without_validation_images() -> None:
    records = [write_checkpoint(1), write_checkpoint(2)]
    table = score_checkpoints(records, tiny_examples(0), tiny_examples(20))
    assert table["epoch"].tolist() == [1, 2]
    assert table["validation_loss"].isna().all()
    assert table["test_loss"].notna().all()


@pytest.mark.parametrize(
    ("validation", "test"), [(tiny_examples(20), tiny_examples(20)), (tiny_examples(0), tiny_examples(20))]
)
def test_checkpoint_of_huge_weights_is_named_with_what_to_do(validation: Examples, test: Examples) -> None:
    records = [write_checkpoint(1), write_checkpoint(2, weight=1e30)]
    with pytest.raises(UserError) as raised:
        score_checkpoints(records, validation, test)
    assert str(raised.value) == (
        f"{checkpoint_path(2)} gives a loss of nan, as its weights grew beyond all bounds: lower "
        "optimizer.learning_rate or optimizer.weight_decay of the recipe, and train it anew with `dvc repro`"
    )
