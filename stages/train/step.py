"""One step of training: the loss of a batch, its gradient, the update."""

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from pipeline.params import Section
from stages.train.optimizer import AdamW


class LossParams(Section):
    """Cross entropy of the logits, or, as in the notes, of probabilities taken for logits: a second softmax."""

    input: Literal["logits", "probabilities"] = Field(
        description="what cross entropy is given as logits; probabilities have been through a softmax already"
    )
    label_smoothing: float = Field(ge=0, lt=1, description="part of each label that is spread over all ten classes")


def train_step(
    network: nn.Module, optimizer: AdamW, params: LossParams, images: Tensor, labels: Tensor, learning_rate: Tensor
) -> Tensor:
    """Update the network once and return the batch's mean loss (no gradient).

    Images are float32 [N, 1, 28, 28], labels int64 [N], the learning rate a float32 scalar, all on one device.
    """
    loss, gradients = loss_and_gradients(network, optimizer.parameters, params, images, labels)
    optimizer.step(gradients, learning_rate)
    return loss


def state_of(network: nn.Module, optimizer: AdamW) -> list[Tensor]:
    """All that a step alters: weights, running statistics, moments; not copies."""
    return [*network.state_dict().values(), *optimizer.state().values()]


def loss_and_gradients(
    network: nn.Module, parameters: list[Tensor], params: LossParams, images: Tensor, labels: Tensor
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Return the mean loss of images and labels like those of `train_step`, and its gradient by each parameter."""
    outputs = network(images)
    if params.input == "probabilities":
        outputs = functional.softmax(outputs, dim=1)
    loss = functional.cross_entropy(outputs, labels, label_smoothing=params.label_smoothing)
    return loss.detach(), torch.autograd.grad(loss, parameters)
