"""One step of training: the loss of a batch, its gradient, the update."""

from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from mnist.params import Section


class OptimizerParams(Section):
    """Adam with decoupled weight decay (AdamW); without weight decay it is Adam."""

    learning_rate: float = Field(gt=0, le=10)
    betas: list[Annotated[float, Field(ge=0, lt=1)]] = Field(min_length=2, max_length=2)
    weight_decay: float = Field(ge=0, le=10)


class LossParams(Section):
    """Cross entropy of the logits, or, as in the notes, of probabilities taken for logits: a second softmax."""

    input: Literal["logits", "probabilities"]
    label_smoothing: float = Field(ge=0, lt=1)


def build_optimizer(network: nn.Module, params: OptimizerParams) -> torch.optim.Optimizer:
    """Return the optimizer; fused: one kernel updates all weights."""
    beta1, beta2 = params.betas
    return torch.optim.AdamW(
        network.parameters(), params.learning_rate, (beta1, beta2), weight_decay=params.weight_decay, fused=True
    )


def train_step(
    network: nn.Module, optimizer: torch.optim.Optimizer, params: LossParams, images: Tensor, labels: Tensor
) -> Tensor:
    """Update the network once and return the batch's mean loss (no gradient); images float32 [N, 1, 28, 28]."""
    optimizer.zero_grad()
    outputs = network(images)
    if params.input == "probabilities":
        outputs = functional.softmax(outputs, dim=1)
    loss = functional.cross_entropy(outputs, labels, label_smoothing=params.label_smoothing)
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    return loss.detach()
