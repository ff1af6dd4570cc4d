"""A recorded step does what the step does, to the bit. The CPU, which has no graphs, stands in: it repeats the call."""

from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor

from mnist.data import Examples
from mnist.determinism import make_deterministic
from mnist.model import NetworkParams, as_input
from stages.train.epoch import make_step, train_epoch
from stages.train.graph import Record, RecordedStep, Step, record_cuda_graph
from stages.train.optimizer import AdamW
from stages.train.recipe import Recipe
from tests.stages.test_epoch import (
    CONV_BLOCKS,
    TWO_LAYER,
    Training,
    changed,
    start,
    state,
    tiny_examples,
    with_dropout,
)

pytestmark = pytest.mark.usefixtures("deterministic")
RECIPE = changed(batch_size=64)  # Of 300 examples, four batches of 64 and a last one of 44.


def repeat_on_the_cpu(call: Callable[[], Tensor]) -> tuple[Callable[[], None], Tensor]:
    """Like a CUDA graph: carries the call out beforehand, then reads and writes the same tensors forever."""
    call()
    result = call()

    def replay() -> None:
        result.copy_(call())

    return replay, result


def fail(call: Callable[[], Tensor]) -> tuple[Callable[[], None], Tensor]:
    call()
    raise RuntimeError("operation not permitted when stream is capturing")


def record_step(training: Training, record: Record = repeat_on_the_cpu) -> RecordedStep:
    step = make_step(*training, RECIPE, record=record)
    assert isinstance(step, RecordedStep)
    return step


def run(step: Step, training: Training, recipe: Recipe = RECIPE) -> list[float]:
    return [train_epoch(step, training[0], tiny_examples(), recipe, epoch) for epoch in (1, 2)]


@pytest.mark.parametrize("network", [TWO_LAYER, CONV_BLOCKS])
def test_recorded_step_gives_the_bytes_of_the_plain_one(network: NetworkParams) -> None:
    recipe = changed(network=network)
    plain, recorded = start(recipe), start(recipe)
    assert run(record_step(recorded), recorded) == run(make_step(*plain, RECIPE), plain)
    assert state(recorded) == state(plain)


def test_each_shape_is_recorded_once() -> None:
    training = start()
    num_recorded = 0

    def record(call: Callable[[], Tensor]) -> tuple[Callable[[], None], Tensor]:
        nonlocal num_recorded
        num_recorded += 1
        return repeat_on_the_cpu(call)

    run(record_step(training, record), training)
    assert num_recorded == 2  # Whole batches, and the last one.


def test_first_step_counts_once_and_leaves_its_inputs_alone() -> None:
    plain, recorded = start(), start()
    examples = tiny_examples(64)
    inputs = (as_input(examples.images), examples.labels, torch.tensor(0.01))
    before = [value.clone() for value in inputs]
    assert torch.equal(record_step(recorded)(*inputs), make_step(*plain, RECIPE)(*inputs))
    assert state(recorded) == state(plain)
    assert all(torch.equal(value, old) for value, old in zip(inputs, before, strict=True))


def test_where_recording_fails_the_plain_step_goes_on_with_the_same_bytes_and_a_warning() -> None:
    plain, failing = start(), start()
    with pytest.warns(UserWarning, match="cannot be recorded as a CUDA graph.*stream is capturing") as warned:
        losses = run(record_step(failing, fail), failing)
    assert len(warned) == 1
    assert losses == run(make_step(*plain, RECIPE), plain)
    assert state(failing) == state(plain)


def test_warning_names_what_made_recording_fail_and_not_what_followed() -> None:
    def fail_twice(call: Callable[[], Tensor]) -> tuple[Callable[[], None], Tensor]:
        try:
            raise RuntimeError("out of memory")
        finally:
            raise RuntimeError("failed due to a previous error")

    training = start()
    with pytest.warns(UserWarning, match="slower: out of memory"):
        run(record_step(training, fail_twice), training)


def test_wrong_input_ends_with_the_error_of_the_plain_step() -> None:
    def step(*inputs: Tensor) -> Tensor:
        raise RuntimeError("labels are out of range")

    with (
        pytest.warns(UserWarning, match="cannot be recorded"),
        pytest.raises(RuntimeError, match="labels are out of range"),
    ):
        RecordedStep(step, [], repeat_on_the_cpu)(torch.zeros(1))


@pytest.mark.parametrize("shards", [1, 2, 3])  # Those of three are of two sizes.
@pytest.mark.parametrize(
    "begin",
    [start, partial(start, changed(network=CONV_BLOCKS)), with_dropout],
    ids=["two_layer", "conv_blocks", "dropout"],
)
def test_recorded_shards_give_the_bytes_of_plain_ones(begin: Callable[[], Training], shards: int) -> None:
    recipe = changed(batch_size=64, shards=shards)
    plain, recorded = begin(), begin()
    step = make_step(*recorded, recipe, record=repeat_on_the_cpu)
    assert run(step, recorded, recipe) == run(make_step(*plain, recipe), plain, recipe)
    assert state(recorded) == state(plain)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("shards", [1, 4])
@pytest.mark.parametrize("network_params", [TWO_LAYER, CONV_BLOCKS])
def test_on_a_gpu_graph_and_plain_step_give_the_same_bytes(network_params: NetworkParams, shards: int) -> None:
    recipe = changed(network=network_params, batch_size=64, shards=shards)
    device = make_deterministic(1, "cuda")
    examples: Examples = tiny_examples().to(device)
    results = []
    for record in (None, record_cuda_graph, record_cuda_graph):
        network = start(recipe)[0].to(device)
        optimizer = AdamW(network.parameters(), recipe.optimizer)
        step = make_step(network, optimizer, recipe, record=record)
        losses = [train_epoch(step, network, examples, recipe, epoch) for epoch in (1, 2)]
        results.append((losses, state((network, optimizer))))
    plain, recorded, recorded_again = results
    assert recorded == plain
    assert recorded_again == plain
