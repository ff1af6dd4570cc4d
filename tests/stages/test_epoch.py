"""An epoch is a pure function of the state before it, the recipe and its number, and uses every example once."""

import copy
import hashlib
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mnist.augment import AugmentParams
from mnist.data import Examples
from mnist.determinism import describe_device, make_deterministic
from mnist.inference import evaluate
from mnist.model import ConvBlocksParams, NetworkParams, StemParams, TwoLayerParams, build_network
from stages.train import epoch as epoch_module
from stages.train.epoch import CHUNK_SIZE, make_step
from stages.train.optimizer import AdamW, OptimizerParams
from stages.train.recipe import Recipe
from stages.train.schedule import OneCycle
from stages.train.step import LossParams, state_of
from tests.tiny import tiny_images

pytestmark = pytest.mark.usefixtures("deterministic")
TWO_LAYER = TwoLayerParams(name="two_layer")
STEM = StemParams(kernel_size=5, stride=2)
CONV_BLOCKS = ConvBlocksParams(name="conv_blocks", stem=STEM, widths=[[4, 8], [8]], head="flatten")
RECIPE = Recipe(
    seed=0,
    network=TWO_LAYER,
    epochs=3,
    batch_size=64,
    optimizer=OptimizerParams(learning_rate=0.01, betas=[0.9, 0.999], weight_decay=0.01),
    schedule=OneCycle(name="one_cycle", epochs=3, warm_up_fraction=0.25, final_fraction=0.001),
    loss=LossParams(input="logits", label_smoothing=0.1),
    augment=AugmentParams(rotation_degrees=10, scale=0.1, shift_pixels=2),
    threads=1,
    shards=1,
)
Training = tuple[nn.Module, AdamW]


def tiny_examples(num_examples: int = 300) -> Examples:
    images, labels = tiny_images(num_examples, seed=1)
    return Examples(torch.tensor(images).unsqueeze(1), torch.tensor(labels, dtype=torch.int64))


def changed(**values: Any) -> Recipe:
    return RECIPE.model_copy(update=values)


def start(recipe: Recipe = RECIPE, seed: int = 0) -> Training:
    torch.manual_seed(seed)
    network = build_network(recipe.network)
    return network, AdamW(network.parameters(), recipe.optimizer)


def with_dropout() -> Training:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Dropout(), nn.Linear(784, 10), nn.BatchNorm1d(10))
    return network, AdamW(network.parameters(), RECIPE.optimizer)


def state(training: Training) -> bytes:
    """All weights, buffers and moments."""
    return b"".join(tensor.cpu().numpy().tobytes() for tensor in state_of(*training))


def train_epoch(training: Training, examples: Examples, recipe: Recipe, epoch: int) -> float:
    return epoch_module.train_epoch(make_step(*training, recipe), training[0], examples, recipe, epoch)


def train(training: Training, epochs: range, recipe: Recipe = RECIPE) -> list[float]:
    return [train_epoch(training, tiny_examples(), recipe, epoch) for epoch in epochs]


@pytest.mark.skipif(describe_device(torch.device("cpu")) != "CPU x86_64 AVX2", reason="bytes of another CPU")
@pytest.mark.parametrize(
    ("recipe", "sha256"),
    [
        (RECIPE, "969560710367a77b90b7465d0c3da9ad6be9398f6153a6312d7327c3040ee182"),
        (changed(network=CONV_BLOCKS), "457f622daaab1fd9b039295ac75746035f4a850c290d020d50914bdbbf65e2d4"),
        (
            changed(network=CONV_BLOCKS, shards=3),
            "b17934a285de97351fdd65b70f0c276899e6694c41e6576441f58a9ed53d9f6b",
        ),
    ],
    ids=["two_layer", "conv_blocks", "shards"],
)
def test_epoch_gives_the_bytes_that_it_gave_when_this_was_written(recipe: Recipe, sha256: str) -> None:
    """The first two are those of the commit before there were shards. Where they move, docs/CHANGELOG.md says so."""
    training = start(recipe)
    train(training, range(1, 2), recipe)
    assert hashlib.sha256(state(training)).hexdigest() == sha256


def record_batches(monkeypatch: pytest.MonkeyPatch) -> list[tuple[float, Tensor, Tensor]]:
    """Replace the step by one that trains nothing and notes learning rate, images and labels; its loss is 1, 2, 3..."""
    batches: list[tuple[float, Tensor, Tensor]] = []

    def step(
        network: nn.Module,
        optimizer: AdamW,
        params: LossParams,
        images: Tensor,
        labels: Tensor,
        learning_rate: Tensor,
    ) -> Tensor:
        batches.append((learning_rate.item(), images, labels))
        return torch.tensor(float(len(batches)))

    monkeypatch.setattr(epoch_module, "train_step", step)
    return batches


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("network", [TWO_LAYER, CONV_BLOCKS])
def test_same_state_gives_the_same_bytes(network: NetworkParams, threads: int) -> None:
    make_deterministic(threads, "cpu")
    recipe = changed(network=network)
    first, second = start(recipe), start(recipe)
    losses = train(first, range(1, 3), recipe)
    torch.rand(7)  # Whatever others draw between two epochs must not matter.
    assert train(second, range(1, 3), recipe) == losses
    assert state(first) == state(second)


@pytest.mark.parametrize("network", [TWO_LAYER, CONV_BLOCKS])
def test_epoch_depends_on_the_state_before_it_and_its_number_alone(network: NetworkParams) -> None:
    recipe = changed(network=network)
    continuing, loaded = start(recipe), start(recipe, seed=99)
    train(continuing, range(1, 3), recipe)
    loaded[0].load_state_dict(copy.deepcopy(continuing[0].state_dict()))
    loaded[1].load_state(copy.deepcopy(continuing[1].state()))
    torch.manual_seed(1234)
    assert state(loaded) == state(continuing)
    assert train(loaded, range(3, 4), recipe) == train(continuing, range(3, 4), recipe)
    assert state(loaded) == state(continuing)


def test_evaluating_between_epochs_alters_nothing() -> None:
    plain, evaluated = start(), start()
    train(plain, range(1, 2))
    evaluate(evaluated[0], tiny_examples())
    train(evaluated, range(1, 2))
    assert state(plain) == state(evaluated)


def test_wanting_more_epochs_does_not_alter_the_first_ones() -> None:
    short, long = start(), start()
    assert train(short, range(1, 3), changed(epochs=2)) == train(long, range(1, 3), changed(epochs=900))
    assert state(short) == state(long)


@pytest.mark.parametrize(
    "recipe",
    [
        changed(seed=1),
        changed(batch_size=65),
        changed(augment=None),
        changed(loss=LossParams(input="probabilities", label_smoothing=0.1)),
        changed(schedule=OneCycle(name="one_cycle", epochs=4, warm_up_fraction=0.25, final_fraction=0.001)),
    ],
)
def test_other_recipe_gives_other_bytes_from_the_same_weights(recipe: Recipe) -> None:
    first, other = start(), start()
    train(first, range(1, 2))
    train(other, range(1, 2), recipe)
    assert state(first) != state(other)


def test_other_epoch_number_gives_other_bytes_from_the_same_weights() -> None:
    constant_rate = changed(schedule=OneCycle(name="one_cycle", epochs=1, warm_up_fraction=0.5, final_fraction=1))
    second, third = start(), start()
    train(second, range(2, 3), constant_rate)
    train(third, range(3, 4), constant_rate)
    assert state(second) != state(third)


def test_every_example_is_used_once_and_the_last_batch_may_be_smaller(monkeypatch: pytest.MonkeyPatch) -> None:
    batches = record_batches(monkeypatch)
    greys = torch.arange(200, dtype=torch.uint8).reshape(200, 1, 1, 1).expand(200, 1, 28, 28)
    train_epoch(start(), Examples(greys, torch.arange(200)), changed(augment=None), 1)
    assert [len(labels) for _, _, labels in batches] == [64, 64, 64, 8]
    order = torch.cat([labels for _, _, labels in batches])
    assert sorted(order.tolist()) == list(range(200))
    images = torch.cat([images for _, images, _ in batches])
    assert torch.equal(images[:, 0, 13, 13], order / 255)


@pytest.mark.parametrize("batch_size", [1, 60, CHUNK_SIZE - 1, CHUNK_SIZE, CHUNK_SIZE + 1, 10_000])
def test_batches_are_as_large_as_asked_for_whatever_is_made_ready_at_once(
    batch_size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches = record_batches(monkeypatch)
    num_examples = 2 * CHUNK_SIZE + 10
    examples = Examples(torch.zeros(num_examples, 1, 28, 28, dtype=torch.uint8), torch.arange(num_examples))
    train_epoch(start(), examples, changed(batch_size=batch_size), 1)
    whole, rest = divmod(num_examples, batch_size)
    assert [len(labels) for _, _, labels in batches] == [batch_size] * whole + [rest] * (rest > 0)
    assert torch.equal(torch.cat([labels for _, _, labels in batches]).sort().values, examples.labels)


def test_order_is_another_in_every_epoch_and_for_every_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    batches = record_batches(monkeypatch)
    examples = Examples(torch.zeros(200, 1, 28, 28, dtype=torch.uint8), torch.arange(200))
    for seed, epoch in ((0, 1), (0, 2), (1, 1), (0, 1)):
        train_epoch(start(), examples, changed(seed=seed, batch_size=200), epoch)
    first, next_epoch, other_seed, again = [labels.tolist() for _, _, labels in batches]
    assert first == again
    assert len({tuple(order) for order in (first, next_epoch, other_seed, range(200))}) == 4


def test_distortions_are_others_in_every_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    batches = record_batches(monkeypatch)
    one = tiny_examples().select(torch.zeros(64, dtype=torch.int64))  # Where all are alike, the order plays no part.
    for epoch in (1, 2, 1):
        train_epoch(start(), one, RECIPE, epoch)
    first, second, again = [images for _, images, _ in batches]
    assert torch.equal(first, again)
    assert not torch.equal(first, second)


def test_loss_is_the_mean_over_examples_not_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    record_batches(monkeypatch)
    loss = train_epoch(start(), tiny_examples(200), RECIPE, 1)
    assert loss == (64 * 1 + 64 * 2 + 64 * 3 + 8 * 4) / 200


def test_learning_rate_follows_the_schedule_step_by_step(monkeypatch: pytest.MonkeyPatch) -> None:
    batches = record_batches(monkeypatch)
    schedule = OneCycle(name="one_cycle", epochs=2, warm_up_fraction=0.5, final_fraction=0)
    for epoch in (1, 2, 3):
        train_epoch(start(), tiny_examples(200), changed(schedule=schedule), epoch)
    rates = [rate for rate, _, _ in batches]
    assert rates[:5] == pytest.approx([0, 0.0025, 0.005, 0.0075, 0.01])
    assert 0.01 > rates[5] > rates[6] > rates[7] > 0
    assert rates[8:] == [0] * 4


@pytest.mark.parametrize("network", [TWO_LAYER, CONV_BLOCKS])
def test_one_epoch_teaches_the_tiny_data(network: NetworkParams) -> None:
    training = start(changed(network=network))
    examples = tiny_examples()
    before = evaluate(training[0], examples)
    train_epoch(training, examples, changed(network=network, batch_size=16), 1)
    after = evaluate(training[0], examples)
    assert after.loss < 0.7 * before.loss
    assert after.accuracy > before.accuracy + 0.3
