"""Randomness is a function of (seed, epoch, purpose); the CPU profile is set before torch loads, or importing fails."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from mnist import CPU_PROFILE
from mnist.determinism import Device, derive_seed, describe_device, device_of, generator_for, make_deterministic
from pipeline.errors import UserError
from pipeline.params import read_param
from tests import ROOT


def run_python(code: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name not in CPU_PROFILE}
    return subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120
    )


@pytest.mark.parametrize(
    ("seed", "epoch", "purpose", "expected"),
    [
        (0, 0, "network", 1792129626712434592),
        (0, 1, "network", 6216658042861456492),
        (0, 1, "order", 6282817431930803485),
        (0, 1, "augment", 5661957989651847190),
        (1, 1, "order", 7172670971987127857),
        (2**63 - 1, 999, "order", 2919189718741370287),
    ],
)
def test_seed_stays_what_it_was_in_every_version(seed: int, epoch: int, purpose: str, expected: int) -> None:
    assert derive_seed(seed, epoch, purpose) == expected


def test_order_of_an_epoch_stays_what_it_was_in_every_version() -> None:
    order = torch.randperm(10, generator=generator_for(0, 1, "order"))
    assert order.tolist() == [6, 1, 4, 8, 3, 5, 9, 7, 0, 2]


def test_seeds_differ_over_seeds_epochs_and_purposes() -> None:
    purposes = ("network", "order", "augment")
    cases = [(seed, epoch, purpose) for seed in range(10) for epoch in range(100) for purpose in purposes]
    assert len({derive_seed(*case) for case in cases}) == len(cases)


def test_torch_is_deterministic_with_the_threads_asked_for() -> None:
    assert make_deterministic(3, "cpu") == torch.device("cpu")
    assert torch.are_deterministic_algorithms_enabled()
    assert torch.get_num_threads() == 3


def test_device_whose_bits_differ_is_told_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "DEFAULT")
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    make_deterministic(1, "cpu")
    assert capsys.readouterr().out == (
        "computing on CPU aarch64 DEFAULT: results differ in their last bits from those on CPU x86_64 AVX2\n"
    )


@pytest.mark.parametrize(
    ("name", "said"),
    [("cuda", "torch finds no usable GPU here: set it to cpu, or run this where there is one")]
    + [(name, "input should be 'cpu' or 'cuda'") for name in ("gpu", "CPU", "cuda:0", "mps")],
)
def test_device_that_is_unknown_or_not_there_is_refused(
    name: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    Path("params.yaml").write_text(f"device: {name}\n")
    with pytest.raises(UserError) as raised:
        read_param("device", Device)
    assert str(raised.value) == f"params.yaml: device is '{name}'; {said}"


@pytest.mark.parametrize("name", ["cpu", "cuda"])
def test_description_of_a_device_tells_the_parameters_value(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "NVIDIA H200")
    assert device_of(describe_device(torch.device(name))) == name


def test_importing_torch_before_mnist_fails() -> None:
    result = run_python("import torch\nimport mnist")
    assert result.returncode != 0
    assert result.stderr.splitlines()[-1].startswith("ImportError: import mnist before torch")


@pytest.mark.parametrize("module", ["mnist", "stages"])
def test_importing_mnist_first_sets_the_cpu_profile(module: str) -> None:
    result = run_python(
        f"import {module}\nimport os, torch\n"
        "print(torch.backends.cpu.get_cpu_capability())\n"
        "print(*(f'{name}={os.environ[name]}' for name in ('ATEN_CPU_CAPABILITY', 'ONEDNN_MAX_CPU_ISA', 'MKL_CBWR')))"
    )
    assert result.returncode == 0, result.stderr
    capability, profile = result.stdout.splitlines()
    assert profile == "ATEN_CPU_CAPABILITY=avx2 ONEDNN_MAX_CPU_ISA=AVX2 MKL_CBWR=COMPATIBLE"
    if platform.machine() == "x86_64":
        has_avx2 = "avx2" in Path("/proc/cpuinfo").read_text(encoding="utf-8").split()
        assert capability == ("AVX2" if has_avx2 else "DEFAULT")
