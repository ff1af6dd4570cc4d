"""Makes torch compute the same bits every time, and derives all randomness from (seed, epoch)."""

import os
import platform
import zlib
from typing import Annotated

import numpy as np
import torch
from pydantic import Field

from pipeline.errors import UserError

RECORDED_DEVICE = "CPU x86_64 AVX2"  # What dvc.lock and metrics/ in git were made on.
Threads = Annotated[int, Field(ge=1, le=64)]  # A number that `make_deterministic` takes.


def make_deterministic(threads: int) -> torch.device:
    """Set torch up for exact results with `threads` CPU threads, and return the device to compute on.

    The device is the GPU if there is one, unless MNIST_DEVICE says `cpu`. The number of threads is a parameter, since
    results depend on it, and not on how many cores the machine has.

    Raises:
        UserError: MNIST_DEVICE names a device that is unknown or not there.
    """
    # The same switch as use_deterministic_algorithms(True), which also imports torch's compiler: 1.8 s.
    torch.set_deterministic_debug_mode("error")
    # Deterministic mode also fills all new memory, against code that reads it unwritten: 5 to 17 % of a step.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.set_num_threads(threads)
    device = _choose_device()
    if device.type == "cuda":
        os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"  # Without a fixed workspace cuBLAS is not deterministic.
        torch.backends.cudnn.benchmark = False
    if (kind := describe_device(device)) != RECORDED_DEVICE:
        print(f"computing on {kind}: results differ in their last bits from those on {RECORDED_DEVICE}", flush=True)
    return device


def describe_device(device: torch.device) -> str:
    """What of the device can change bits: the CPU's kernels, which the profile in `mnist` fixes, or the GPU's model."""
    if device.type == "cuda":
        return f"GPU {torch.cuda.get_device_name(device)}"
    return f"CPU {platform.machine()} {torch.backends.cpu.get_cpu_capability()}"


def derive_seed(seed: int, epoch: int, purpose: str) -> int:
    """A seed for one purpose in one epoch: independent of every other, and known without running what came before."""
    sequence = np.random.SeedSequence([seed, epoch, zlib.crc32(purpose.encode())])
    return int(sequence.generate_state(1, np.uint64)[0] >> np.uint64(1))


def generator_for(seed: int, epoch: int, purpose: str) -> torch.Generator:
    """A generator on the CPU, seeded with `derive_seed`."""
    return torch.Generator().manual_seed(derive_seed(seed, epoch, purpose))


def _choose_device() -> torch.device:
    name = os.environ.get("MNIST_DEVICE") or ("cuda" if torch.cuda.is_available() else "cpu")
    if name not in ("cpu", "cuda"):
        raise UserError(
            f"MNIST_DEVICE is {name!r}; expected cpu or cuda, or nothing: a GPU is then used if there is one"
        )
    if name == "cuda" and not torch.cuda.is_available():
        raise UserError("MNIST_DEVICE is 'cuda', but torch finds no usable GPU; unset it to compute on the CPU")
    return torch.device(name)
