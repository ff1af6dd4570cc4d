"""Makes torch compute the same bits every time, and derives all randomness from (seed, epoch)."""

import os
import platform
import zlib
from typing import Annotated, Literal

import numpy as np
import torch
from pydantic import AfterValidator, Field

RECORDED_DEVICE = "CPU x86_64 AVX2"  # What dvc.lock and metrics/ in git were made on.
Threads = Annotated[int, Field(ge=1, le=64)]  # A number that `make_deterministic` takes.


def _usable(device: str) -> str:
    if device == "cuda" and not torch.cuda.is_available():
        raise ValueError("torch finds no usable GPU here: set it to cpu, or run this where there is one")
    return device


Device = Annotated[Literal["cpu", "cuda"], AfterValidator(_usable)]  # The key `device` of params.yaml.


def make_deterministic(threads: int, device: Device) -> torch.device:
    """Set torch up for exact results with `threads` CPU threads, and return the device to compute on.

    Both are parameters, since results depend on them, and not on which cores and GPUs the machine has.
    """
    # The same switch as use_deterministic_algorithms(True), which also imports torch's compiler: 1.8 s.
    torch.set_deterministic_debug_mode("error")
    # Deterministic mode also fills all new memory, against code that reads it unwritten: 5 to 17 % of a step.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.set_num_threads(threads)
    if device == "cuda":
        os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"  # Without a fixed workspace cuBLAS is not deterministic.
        torch.backends.cudnn.benchmark = False
    chosen = torch.device(device)
    if (kind := describe_device(chosen)) != RECORDED_DEVICE:
        print(f"computing on {kind}: results differ in their last bits from those on {RECORDED_DEVICE}", flush=True)
    return chosen


def describe_device(device: torch.device) -> str:
    """What of the device can change bits: the CPU's kernels, which the profile in `mnist` fixes, or the GPU's model."""
    if device.type == "cuda":
        return f"GPU {torch.cuda.get_device_name(device)}"
    return f"CPU {platform.machine()} {torch.backends.cpu.get_cpu_capability()}"


def device_of(description: str) -> Device:
    """The parameter's value with which a device is used that `describe_device` describes so."""
    return "cuda" if description.startswith("GPU ") else "cpu"


def derive_seed(seed: int, epoch: int, purpose: str) -> int:
    """A seed for one purpose in one epoch: independent of every other, and known without running what came before."""
    sequence = np.random.SeedSequence([seed, epoch, zlib.crc32(purpose.encode())])
    return int(sequence.generate_state(1, np.uint64)[0] >> np.uint64(1))


def generator_for(seed: int, epoch: int, purpose: str) -> torch.Generator:
    """A generator on the CPU, seeded with `derive_seed`."""
    return torch.Generator().manual_seed(derive_seed(seed, epoch, purpose))
