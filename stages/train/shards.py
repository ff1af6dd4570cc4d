"""A training step whose batch is cut into shards, so that its bits do not depend on who computes which of them.

Each shard goes through the network alone, forward and backward, from the same weights and running statistics. What
comes of it is a row of numbers; the rows are averaged in the order of the shards, by every worker, and make the step.
"""

import torch
from torch import Tensor, nn

from stages.train.graph import Record, RecordedStep, Step
from stages.train.optimizer import AdamW
from stages.train.recipe import Recipe
from stages.train.step import loss_and_gradients, state_of
from stages.train.team import Team


class ShardedStep:
    """Does what `train_step` does, but for batch norm: its mean and variance are a shard's, not the batch's.

    `shards` of the recipe says into how many parts of nearly equal size a batch is cut; it has as many images at least.
    With `record`, what a shard and what the update compute is recorded by it.
    """

    def __init__(
        self, network: nn.Module, optimizer: AdamW, recipe: Recipe, team: Team, record: Record | None = None
    ) -> None:
        self._network, self._optimizer, self._loss = network, optimizer, recipe.loss
        self._num_shards, self._team = recipe.shards, team
        self._buffers = list(network.buffers())
        self._buffers_before = [buffer.clone() for buffer in self._buffers]
        self._statistics = [buffer for buffer in self._buffers if buffer.is_floating_point()]
        self._targets = [*optimizer.parameters, *self._statistics]  # What a row has numbers for, behind the loss.
        self._row_size = 1 + sum(target.numel() for target in self._targets)
        self._row: Step = self._compute_row
        self._apply: Step = self._apply_row
        if record:
            self._row = RecordedStep(self._row, self._buffers, record)
            self._apply = RecordedStep(self._apply, state_of(network, optimizer), record)

    def __call__(self, images: Tensor, labels: Tensor, learning_rate: Tensor) -> Tensor:
        """Update the network once and return the batch's mean loss; arguments as those of `train_step`."""
        batch = list(zip(images.tensor_split(self._num_shards), labels.tensor_split(self._num_shards), strict=True))
        # Each shard has random numbers of its own, and the batch takes the same ones from the generator of the epoch
        # wherever it is computed.
        seeds = torch.randint(2**62, (self._num_shards,)).tolist()
        random_state = torch.get_rng_state()
        for buffer, before in zip(self._buffers, self._buffers_before, strict=True):
            before.copy_(buffer)
        own = self._team.own(self._num_shards)
        rows = images.new_empty(len(own), self._row_size)
        for row, index in zip(rows, own, strict=True):
            torch.manual_seed(seeds[index])
            row.copy_(self._row(*batch[index]))
        torch.set_rng_state(random_state)

        mean = torch.zeros_like(rows[0])
        for row, (shard, _) in zip(self._team.gather(rows, self._num_shards), batch, strict=True):
            mean += row * (len(shard) / len(images))
        return self._apply(mean, learning_rate)

    def _compute_row(self, images: Tensor, labels: Tensor) -> Tensor:
        """A shard's loss, gradients and running statistics, end to end."""
        for buffer, before in zip(self._buffers, self._buffers_before, strict=True):
            buffer.copy_(before)
        loss, gradients = loss_and_gradients(self._network, self._optimizer.parameters, self._loss, images, labels)
        return torch.cat([part.reshape(-1) for part in (loss, *gradients, *self._statistics)])

    def _apply_row(self, row: Tensor, learning_rate: Tensor) -> Tensor:
        """Make the step of such a row, and return its loss."""
        loss, *parts = torch.split(row, [1, *(target.numel() for target in self._targets)])
        shaped = [part.view(target.shape) for part, target in zip(parts, self._targets, strict=True)]
        num_parameters = len(self._optimizer.parameters)
        self._optimizer.step(shaped[:num_parameters], learning_rate)
        for buffer, value in zip(self._statistics, shaped[num_parameters:], strict=True):
            buffer.copy_(value)
        return loss.squeeze()
