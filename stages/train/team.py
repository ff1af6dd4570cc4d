"""Who computes which shards of a batch: the processes of one training, of which this is one."""

from typing import Protocol

from torch import Tensor


class Team(Protocol):
    """The workers of a training; each has a turn of shards of its own, and all have the same state."""

    def own(self, num_shards: int) -> range:
        """The shards that this worker computes; all workers' in their order are all shards."""

    def gather(self, rows: Tensor, num_shards: int) -> Tensor:
        """Return all shards' rows [num_shards, M], in order, on every worker; `rows` [N, M] are those of its own."""


class Alone:
    """The one worker of a training."""

    def own(self, num_shards: int) -> range:
        """All of them."""
        return range(num_shards)

    def gather(self, rows: Tensor, num_shards: int) -> Tensor:
        """What is there."""
        return rows


ALONE = Alone()
