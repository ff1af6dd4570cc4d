"""One step lowers the loss that the recipe names."""

import math
from typing import Literal

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from stages.train.optimizer import AdamW, OptimizerParams
from stages.train.step import LossParams, train_step

IMAGES = torch.rand(6, 1, 28, 28, generator=torch.Generator().manual_seed(0))
LABELS = torch.arange(6)
RATE = torch.tensor(0.01)
LOGITS = LossParams(input="logits", label_smoothing=0)


def linear_network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 10))


def weights(network: nn.Module) -> Tensor:
    return torch.cat([weight.detach().flatten() for weight in network.parameters()])


def optimizer_params(learning_rate: float = 0.01, weight_decay: float = 0) -> OptimizerParams:
    return OptimizerParams(learning_rate=learning_rate, betas=[0.9, 0.99], weight_decay=weight_decay)


def step(network: nn.Module, params: OptimizerParams, loss: LossParams = LOGITS) -> Tensor:
    optimizer = AdamW(network.parameters(), params)
    return train_step(network, optimizer, loss, IMAGES, LABELS, torch.tensor(params.learning_rate))


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("kind", ["logits", "probabilities"])
def test_loss_is_that_before_the_update(kind: Literal["logits", "probabilities"], smoothing: float) -> None:
    network = linear_network()
    outputs = network(IMAGES).detach()
    if kind == "probabilities":
        outputs = outputs.softmax(dim=1)
    right = outputs.log_softmax(dim=1)[torch.arange(6), LABELS].mean()
    expected = -(1 - smoothing) * right - smoothing * outputs.log_softmax(dim=1).mean()
    loss = step(network, optimizer_params(), LossParams(input=kind, label_smoothing=smoothing))
    assert torch.allclose(loss, expected, atol=1e-6)
    assert loss.shape == ()
    assert not loss.requires_grad


def test_loss_of_probabilities_cannot_fall_below_that_of_a_second_softmax() -> None:
    linear = nn.Linear(784, 10)
    nn.init.zeros_(linear.weight)
    linear.bias.data = 1000 * torch.eye(10)[0]  # As sure as can be.
    network = nn.Sequential(nn.Flatten(), linear)
    zeros = torch.zeros(6, dtype=torch.int64)
    params = LossParams(input="probabilities", label_smoothing=0)
    optimizer = AdamW(network.parameters(), optimizer_params())
    loss = train_step(network, optimizer, params, IMAGES, zeros, RATE)
    assert loss.item() == pytest.approx(math.log(math.e + 9) - 1)


def test_first_step_moves_each_weight_by_the_learning_rate_against_its_gradient() -> None:
    network = linear_network()
    functional.cross_entropy(network(IMAGES), LABELS).backward()  # type: ignore[no-untyped-call]
    gradient = torch.cat([weight.grad.flatten() for weight in network.parameters() if weight.grad is not None])
    before = weights(network)
    step(network, optimizer_params(learning_rate=0.01))
    large = gradient.abs() > 1e-4  # Below, Adam's epsilon matters.
    assert large.sum() > 1000
    assert torch.allclose((weights(network) - before)[large], -0.01 * gradient.sign()[large], rtol=1e-3)


def test_weight_decay_is_apart_from_the_gradient() -> None:
    plain, decayed = linear_network(), linear_network()
    before = weights(plain)
    step(plain, optimizer_params())
    step(decayed, optimizer_params(weight_decay=0.5))
    assert torch.allclose(weights(decayed), weights(plain) - 0.01 * 0.5 * before, atol=1e-7)


def test_gradients_of_the_step_before_are_forgotten() -> None:
    network, fresh = linear_network(), linear_network()
    for weight in network.parameters():
        weight.grad = torch.full_like(weight, 1e6)
    step(network, optimizer_params())
    step(fresh, optimizer_params())
    assert torch.equal(weights(network), weights(fresh))


def test_steps_lower_the_loss() -> None:
    network = linear_network()
    optimizer = AdamW(network.parameters(), optimizer_params())
    losses = [train_step(network, optimizer, LOGITS, IMAGES, LABELS, RATE).item() for _ in range(20)]
    assert losses[-1] < 0.1 * losses[0]
