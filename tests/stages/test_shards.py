"""What a sharded step computes is what the whole batch says, and does not depend on who computes which shard."""

import copy

import pytest
import torch
from torch import Tensor, nn

from mnist.data import Examples
from mnist.model import NetworkParams
from stages.train.epoch import make_step
from stages.train.optimizer import AdamW
from stages.train.shards import ShardedStep
from stages.train.team import ALONE
from tests.stages.test_epoch import (
    CONV_BLOCKS,
    RECIPE,
    TWO_LAYER,
    Training,
    changed,
    start,
    state,
    tiny_examples,
    train,
    with_dropout,
)

pytestmark = pytest.mark.usefixtures("deterministic")
RATE = torch.tensor(0.01)


class Member:
    """One worker of several: it computes its own shards, and is told what all of them gave."""

    def __init__(self, shards: range, all_rows: Tensor | None = None) -> None:
        self.shards, self.all_rows = shards, all_rows
        self.rows = torch.empty(0)

    def own(self, num_shards: int) -> range:
        return self.shards

    def gather(self, rows: Tensor, num_shards: int) -> Tensor:
        self.rows = rows
        return rows if self.all_rows is None else self.all_rows


class Everyone(Member):
    def gather(self, rows: Tensor, num_shards: int) -> Tensor:
        assert len(rows) == num_shards
        return super().gather(rows, num_shards)


def batch(examples: Examples) -> tuple[Tensor, Tensor]:
    return examples.images / 255, examples.labels


@pytest.mark.parametrize("shards", [2, 3, 7])
def test_gradients_are_those_of_the_whole_batch(shards: int) -> None:
    images, labels = batch(tiny_examples(10))
    # Without batch norm, whose statistics are a shard's own, a sum over shards is a sum over images.
    torch.manual_seed(0)
    whole = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
    cut = copy.deepcopy(whole)
    for network, num_shards in ((whole, 1), (cut, shards)):
        step = make_step(network, AdamW(network.parameters(), RECIPE.optimizer), changed(shards=num_shards))
        loss = step(images, labels, RATE)
        assert loss.item() == pytest.approx(2.3, abs=0.5)
    for first, second in zip(whole.parameters(), cut.parameters(), strict=True):
        assert torch.allclose(first, second, rtol=1e-4, atol=1e-6)


def test_running_statistics_are_the_mean_of_the_shards() -> None:
    network, optimizer = start(changed(network=CONV_BLOCKS))
    images, labels = batch(tiny_examples(7))
    alone = []
    for part in images.tensor_split(3):
        one = copy.deepcopy(network)
        one(part)
        alone.append(one.state_dict())
    ShardedStep(network, optimizer, changed(network=CONV_BLOCKS, shards=3), ALONE)(images, labels, RATE)
    after = network.state_dict()
    names = [name for name in after if "running" in name]
    assert names
    for name in names:
        expected = (3 * alone[0][name] + 2 * alone[1][name] + 2 * alone[2][name]) / 7
        assert torch.allclose(after[name], expected, rtol=1e-5)
    assert {after[name].item() for name in after if name.endswith("num_batches_tracked")} == {1}


@pytest.mark.parametrize("shares", [[4], [2, 2], [1, 3], [1, 1, 1, 1]], ids=str)
@pytest.mark.parametrize("kind", ["two_layer", "conv_blocks", "dropout"])
def test_every_worker_makes_the_same_step_whoever_computes_what(kind: str, shares: list[int]) -> None:
    def begin() -> Training:
        return with_dropout() if kind == "dropout" else start(changed(network=networks[kind]))

    networks: dict[str, NetworkParams] = {"two_layer": TWO_LAYER, "conv_blocks": CONV_BLOCKS}
    recipe = changed(shards=4)
    images, labels = batch(tiny_examples(30))  # Shards of 8, 8, 7 and 7.
    alone, everyone = begin(), Everyone(range(4))
    torch.manual_seed(5)
    loss = ShardedStep(*alone, recipe, everyone)(images, labels, RATE)
    drawn_afterwards = torch.rand(3)

    first = 0
    for share in shares:
        worker, member = begin(), Member(range(first, first + share), everyone.rows)
        torch.manual_seed(5)
        assert ShardedStep(*worker, recipe, member)(images, labels, RATE) == loss
        assert torch.equal(member.rows, everyone.rows[first : first + share])
        assert state(worker) == state(alone)
        assert torch.equal(torch.rand(3), drawn_afterwards)
        first += share


def test_shards_have_random_numbers_of_their_own() -> None:
    images, labels = batch(tiny_examples(1))
    everyone = Everyone(range(4))
    ShardedStep(*with_dropout(), changed(shards=4), everyone)(images.repeat(8, 1, 1, 1), labels.repeat(8), RATE)
    assert len({tuple(row.tolist()) for row in everyone.rows}) == 4, "four times the same two images"


@pytest.mark.parametrize("network", [TWO_LAYER, CONV_BLOCKS])
def test_other_number_of_shards_gives_other_bytes_and_learns_as_well(network: NetworkParams) -> None:
    plain, sharded = start(changed(network=network)), start(changed(network=network))
    losses = train(plain, range(1, 3), changed(network=network))
    losses_in_shards = train(sharded, range(1, 3), changed(network=network, shards=4))
    assert state(plain) != state(sharded)
    assert losses_in_shards == pytest.approx(losses, rel=0.25)
