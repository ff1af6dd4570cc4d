"""Keeps the finished epochs of a training where DVC does not delete them, so that no run computes one twice.

data/.resume/<key>/ holds, per epoch, the checkpoint and the optimizer's state; a manifest, which is written last; and
the inputs that the key stands for: all that determines an epoch, and so not how many epochs are wanted. A killed run
goes on after its last whole epoch, a longer one continues a shorter one, and both give the bytes of one uninterrupted.
A training that was made elsewhere comes with the state after its last epoch only (tools/store/resume.py).
"""

import json
import os
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mnist.paths import checkpoint_name
from mnist.trained import EpochRecord
from pipeline.files import sha256_of, write_file
from stages.train.origin import explain_start

RESUME = Path("data/.resume")
MANIFEST, INPUTS = "manifest.json", "inputs.json"
METADATA_KEY = "training"
LARGEST_BYTES = 1 << 30


class History:
    """The finished epochs of the training that has these `inputs` (values by name), found in or added to a folder."""

    def __init__(self, inputs: dict[str, Any], root: Path = RESUME) -> None:
        content = json.dumps(inputs, sort_keys=True, indent=0).encode()
        self._folder = root / sha256_of(content)[:32]
        self._root, self._inputs = root, inputs
        if not (self._folder / INPUTS).exists():
            self.origin = explain_start(inputs, sorted(root.glob(f"*/{INPUTS}")))
            write_file(self._folder / INPUTS, content)
        else:
            os.utime(self._folder / INPUTS)  # Used now; see remove_old.
            self.origin = "the inputs are those of an earlier run"
        self.records, self.dropped = read_epochs(self._folder)

    def resumable(self, num_epochs: int) -> int:
        """The last epoch, of `num_epochs` at most, behind which training can go on; 0 if there is none."""
        for record in reversed(self.records[:num_epochs]):
            if record.optimizer_sha256 and _has(self._folder / _optimizer_name(record.epoch), record.optimizer_sha256):
                return record.epoch
        return 0

    def metadata(self, checkpoint: bytes) -> dict[str, str]:
        """What an optimizer's state says of itself: the inputs of its training, and the checkpoint it belongs to."""
        content = {"inputs": self._inputs, "checkpoint_sha256": sha256_of(checkpoint)}
        return {METADATA_KEY: json.dumps(content, sort_keys=True)}

    def checkpoint(self, epoch: int) -> bytes:
        """The checkpoint file of a finished epoch."""
        return (self._folder / checkpoint_name(epoch)).read_bytes()

    def optimizer_state(self, epoch: int) -> bytes:
        """The state of the optimizer after a finished epoch."""
        return (self._folder / _optimizer_name(epoch)).read_bytes()

    def append(self, record: EpochRecord, checkpoint: bytes, optimizer_state: bytes | None) -> None:
        """Add an epoch: it counts from the moment that the manifest names it, which is the last thing written.

        It takes the place of those behind the epoch before it, if there are any.
        """
        write_file(self._folder / checkpoint_name(record.epoch), checkpoint)
        if optimizer_state is not None:
            write_file(self._folder / _optimizer_name(record.epoch), optimizer_state)
        self.records = [*self.records[: record.epoch - 1], record]
        lines = [json.dumps(asdict(record)) for record in self.records]
        write_file(self._folder / MANIFEST, "".join(f"{line}\n" for line in lines).encode())

    def remove_old(self, largest_bytes: int = LARGEST_BYTES) -> None:
        """Remove the folders of other trainings, longest unused first, until all of them fit in `largest_bytes`."""
        folders = sorted((path for path in self._root.iterdir() if path.is_dir()), key=_last_use)
        excess = sum(map(_size, folders)) - largest_bytes
        for folder in folders:
            if excess > 0 and folder != self._folder:
                excess -= _size(folder)
                shutil.rmtree(folder)


def read_epochs(folder: Path) -> tuple[list[EpochRecord], list[int]]:
    """The epochs that are whole, from the first on without a gap, and the numbers of those behind the gap."""
    path = folder / MANIFEST
    lines = path.read_bytes().splitlines() if path.exists() else []
    records: list[EpochRecord] = []
    for epoch, line in enumerate(lines, start=1):
        record = _parse(line)
        if (
            record is None
            or record.epoch != epoch
            or not _has(folder / checkpoint_name(epoch), record.checkpoint_sha256)
        ):
            return records, list(range(epoch, len(lines) + 1))
        records.append(record)
    return records, []


def _parse(line: bytes) -> EpochRecord | None:
    """A line of the manifest; None if it is none."""
    try:
        return EpochRecord(**json.loads(line))
    except (ValueError, TypeError):
        return None


def _has(path: Path, sha256: str) -> bool:
    return path.is_file() and sha256_of(path.read_bytes()) == sha256


def _last_use(folder: Path) -> int:
    return max((path.stat().st_mtime_ns for path in folder.iterdir()), default=0)


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())


def _optimizer_name(epoch: int) -> str:
    return checkpoint_name(epoch).replace("epoch_", "optimizer_")
