"""Several processes that train together: they find each other, agree on what is trained, and share each step.

Bytes go by torch.distributed, which checks nobody: see docs/workers.md.
"""

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, NoReturn

import torch
from torch import Tensor, distributed
from torch.distributed import FileStore, Store, TCPStore  # type: ignore[attr-defined]

from pipeline.errors import UserError, name_some
from pipeline.params import PARAMS_FILE
from stages.train.job import Job
from stages.train.origin import differences
from stages.train.training import State

ANSWER_SECONDS = 30  # For all others to end the step that this worker ended: one writes an epoch in the meantime.
START_SECONDS = 120  # For all others to read the data.


class Lost(Exception):
    """The other workers are gone, or do not answer."""


class Workers:
    """This process among the workers of a training, with their `Team`; one of them writes what comes of it.

    Raises:
        Lost: in every method, when the others are.
    """

    def __init__(self, store: Store, rank: int, size: int) -> None:
        self._store, self.rank, self.size = store, rank, size
        self._writer = 0

    def agree(self, job: Job, is_first: bool) -> None:
        """Call before all else: from then on all workers have this job, and exchange tensors.

        `is_first` says that this is the machine of `dvc repro`, the first of whose workers will write.

        Raises:
            UserError: a worker's job is another one, or it refused; there are more workers than shards.
        """
        self._writer = _choose_writer(self._exchange(is_first, origin=job.origin | {"epochs": job.recipe.epochs}))
        if self.size > job.recipe.shards:
            raise UserError(
                f"there are {self.size} workers, and {PARAMS_FILE} cuts each batch into {job.recipe.shards} parts "
                f"(recipes.{job.recipe_name}.shards), each for one worker at most: start fewer workers"
            )
        with _others(START_SECONDS):
            distributed.init_process_group(
                "cpu:gloo,cuda:nccl" if job.device.type == "cuda" else "gloo",
                store=self._store,
                rank=self.rank,
                world_size=self.size,
                timeout=timedelta(seconds=ANSWER_SECONDS),
            )

    def refuse(self, error: UserError | OSError) -> NoReturn:
        """Call instead of `agree`: all workers raise the error, with this one's name."""
        _choose_writer(self._exchange(is_first=False, error=str(error)))
        raise error

    def leave(self) -> None:
        """Call at the end: return when the worker that writes is there, too."""
        self._broadcast(b"")
        distributed.destroy_process_group()

    @property
    def writes(self) -> bool:
        """Whether this worker keeps the history; all have the same weights."""
        return self.rank == self._writer

    def share(self, state: State | None) -> State:
        """Return the state of the worker that writes, which is the only one to give one."""
        files = [str(state.epoch).encode(), state.checkpoint, state.optimizer] if state else [b""] * 3
        epoch, checkpoint, optimizer = map(self._broadcast, files)
        return State(int(epoch), checkpoint, optimizer)

    def own(self, num_shards: int) -> range:
        """The shards that this worker computes: neighbours, and of no worker more than one above another's."""
        return self._of(self.rank, num_shards)

    def gather(self, rows: Tensor, num_shards: int) -> Tensor:
        """Return all workers' rows in order; see `Team`."""
        most = -(-num_shards // self.size)
        padded = torch.cat([rows, rows.new_zeros(most - len(rows), rows.shape[1])])
        gathered = rows.new_empty(self.size, most, rows.shape[1])
        with _others(ANSWER_SECONDS):
            distributed.all_gather_single(gathered.flatten(0, 1), padded)
        return torch.cat([gathered[rank, : len(self._of(rank, num_shards))] for rank in range(self.size)])

    def _of(self, rank: int, num_shards: int) -> range:
        return range(rank * num_shards // self.size, (rank + 1) * num_shards // self.size)

    def _exchange(self, is_first: bool, **values: Any) -> list[dict[str, Any]]:
        """Return what each worker says of itself."""
        own = {"host": socket.gethostname(), "machine": os.environ["GROUP_RANK"], "is_first": is_first} | values
        with _others(START_SECONDS):
            self._store.set(f"worker {self.rank}", json.dumps(own))
            return [json.loads(self._store.get(f"worker {rank}")) for rank in range(self.size)]

    def _broadcast(self, content: bytes) -> bytes:
        """The content that the worker that writes gives."""
        length = torch.tensor(len(content))
        with _others(ANSWER_SECONDS):
            distributed.broadcast(length, self._writer)
            shared = torch.zeros(int(length), dtype=torch.uint8)
            if self.writes and content:
                shared = torch.frombuffer(bytearray(content), dtype=torch.uint8)
            distributed.broadcast(shared, self._writer)
        return shared.numpy().tobytes()


def find_workers(store_file: str | None) -> Workers:
    """Return this process as one of those that torchrun started: they meet in a file, or at torchrun's own store."""
    rank, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    timeout = timedelta(seconds=START_SECONDS)
    if store_file:
        file_store = FileStore(store_file, size)
        file_store.set_timeout(timeout)
        return Workers(file_store, rank, size)
    with _others(START_SECONDS):
        host, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
        return Workers(TCPStore(host, port, size, is_master=False, timeout=timeout), rank, size)


def _choose_writer(found: list[dict[str, Any]]) -> int:
    """The first worker of the machine of `dvc repro`; UserError if there is none, one refuses, or their jobs differ."""
    names = [f"worker {rank} on {worker['host']}" for rank, worker in enumerate(found)]
    for name, worker in zip(names, found, strict=True):
        if "error" in worker:
            raise UserError(f"{name}: {worker['error']}")
    first = [rank for rank, worker in enumerate(found) if worker["is_first"]]
    if len({found[rank]["machine"] for rank in first}) != 1:
        raise UserError("among the machines, one must run `dvc repro`, and all others `make join`")
    writer = first[0]
    for name, worker in zip(names, found, strict=True):
        if differing := differences(worker["origin"], found[writer]["origin"]):
            raise UserError(
                f"{name} has another {name_some(differing)} than {names[writer]}: bring all machines to the same "
                "commit, packages and data"
            )
    return writer


@contextmanager
def _others(seconds: int) -> Iterator[None]:
    """What fails in the body fails for want of the others."""
    try:
        yield
    except RuntimeError as error:
        raise Lost(f"the others are gone, or did not answer within {seconds} s") from error
