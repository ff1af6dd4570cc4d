"""What torchrun's workers are started with, and which GPU each takes."""

import subprocess
from typing import Any

import pytest
import torch

from pipeline.errors import UserError
from stages.train import launch, work

SEVERAL_MACHINES = {"PET_NNODES": "2", "PET_RDZV_ENDPOINT": "127.0.0.1:29400", "GLOO_SOCKET_IFNAME": "lo"}


class Started(Exception):
    """Instead of a process."""


@pytest.mark.parametrize("variables", [{}, SEVERAL_MACHINES], ids=["one-machine", "several"])
def test_nccl_uses_the_interface_of_gloo(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    def start(command: list[str], env: dict[str, str], **_: Any) -> None:
        assert (env["GLOO_SOCKET_IFNAME"], env["NCCL_SOCKET_IFNAME"]) == ("lo", "=lo")
        raise Started

    for name in (*SEVERAL_MACHINES, "NCCL_SOCKET_IFNAME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(launch, "clear", lambda: None)
    monkeypatch.setattr(subprocess, "Popen", start)
    with pytest.raises(Started):
        launch.launch(is_first=True)


def test_worker_takes_the_gpu_of_its_number_and_is_refused_without(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[int] = []
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", taken.append)
    work._take_gpu(1)
    with pytest.raises(UserError, match="each worker takes a GPU of its own, and torch finds 2 here: start no more"):
        work._take_gpu(2)
    assert taken == [1]
