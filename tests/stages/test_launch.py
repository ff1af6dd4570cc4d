"""What torchrun's workers are started with, which GPU each takes, and what it does before it trains."""

import gc
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest
import torch

from pipeline.deps import Deps
from pipeline.errors import UserError
from stages.train import launch, work
from stages.train.workers import START_SECONDS, find_workers

SEVERAL_MACHINES = {"PET_NNODES": "2", "PET_RDZV_ENDPOINT": "127.0.0.1:29400", "GLOO_SOCKET_IFNAME": "lo"}


class Started(Exception):
    """Instead of a process."""


@pytest.mark.parametrize("variables", [{}, SEVERAL_MACHINES], ids=["one-machine", "several"])
def test_workers_use_the_interface_of_gloo_and_find_each_other(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]
) -> None:
    def start(command: list[str], env: dict[str, str], **_: Any) -> None:
        assert (env["GLOO_SOCKET_IFNAME"], env["NCCL_SOCKET_IFNAME"]) == ("lo", "=lo")
        assert env["TORCH_DISABLE_SHARE_RDZV_TCP_STORE"] == ("0" if variables else "1"), "whatever the user's says"
        raise Started

    for name in (*SEVERAL_MACHINES, "NCCL_SOCKET_IFNAME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in (variables | {"TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "2"}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(launch, "clear", lambda: None)
    monkeypatch.setattr(subprocess, "Popen", start)
    with pytest.raises(Started):
        launch.launch(is_first=True)


class Described(Exception):
    """Where a worker says on which device it is."""


@pytest.mark.parametrize(
    ("device", "rank", "taken"),
    [("cuda", 0, [0]), ("cuda", 1, [1]), ("cpu", 1, [])],
)
def test_worker_takes_the_gpu_of_its_number_before_it_says_on_which_it_is(
    monkeypatch: pytest.MonkeyPatch, device: str, rank: int, taken: list[int]
) -> None:
    def describe(inputs: object) -> None:
        assert called == taken
        raise Described

    called: list[int] = []
    monkeypatch.setenv("LOCAL_RANK", str(rank))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", called.append)
    monkeypatch.setattr(work, "find_workers", lambda store: None)
    monkeypatch.setattr(work, "Inputs", lambda deps: SimpleNamespace(param=lambda key, expected: device))
    monkeypatch.setattr(work, "read_job", describe)
    with pytest.raises(Described):
        work._train_with_others(Deps("train", {}))


def test_worker_without_a_gpu_of_its_own_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(
        UserError, match=r"and torch finds 2 here: start no more workers than that \(PET_NPROC_PER_NODE"
    ):
        work._take_gpu(2)


class Refused(Exception):
    """Where a worker has told the others."""


@pytest.mark.parametrize("error", [UserError("damaged"), OSError("no room")])
def test_worker_that_cannot_load_tells_the_others(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def refuse(told: Exception) -> None:
        assert told is error
        raise Refused

    monkeypatch.setattr(work, "find_workers", lambda store: SimpleNamespace(refuse=refuse))
    monkeypatch.setattr(work, "Inputs", Mock(side_effect=error))
    with pytest.raises(Refused):
        work._train_with_others(Deps("train", {}))


def test_worker_collects_garbage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv(launch.PARENT, "0")
    monkeypatch.setattr(work, "end_with_parent", lambda *_: None)
    monkeypatch.setattr(work, "_train_with_others", lambda deps: None)
    gc.disable()
    try:
        work.work(Deps("train", {}))
        assert gc.isenabled()
    finally:
        gc.enable()


def test_workers_that_meet_in_a_file_wait_as_long_as_others(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "2")
    store: Any = find_workers(str(tmp_path / "store"))._store
    assert store.timeout.total_seconds() == START_SECONDS
