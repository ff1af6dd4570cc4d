"""Keeps the finished epochs of a training where DVC does not delete them, so that no run computes one twice.

data/.resume/<key>/ holds, per epoch, the checkpoint and the optimizer's state; a manifest, which is written last; and
the inputs that the key stands for: all that determines an epoch, and so not how many epochs are wanted. A killed run
goes on after its last whole epoch, a longer one continues a shorter one, and both give the bytes of one uninterrupted.
"""

import hashlib
import json
import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mnist.checkpoint import checkpoint_name
from mnist.files import write_file

RESUME = Path("data/.resume")
MANIFEST, INPUTS = "manifest.json", "inputs.json"
LARGEST_BYTES = 1 << 30


@dataclass(frozen=True)
class EpochRecord:
    """What is known of a finished epoch; the losses are exact, the sha256s are those of its two files."""

    epoch: int
    train_loss: float
    validation_loss: float
    validation_accuracy: float
    checkpoint_sha256: str
    optimizer_sha256: str


class History:
    """The finished epochs of the training that has these `inputs` (values by name), found in or added to a folder."""

    def __init__(self, inputs: dict[str, Any], root: Path = RESUME) -> None:
        content = json.dumps(inputs, sort_keys=True, indent=0).encode()
        self._folder = root / _sha256(content)[:32]
        self._root = root
        if not (self._folder / INPUTS).exists():
            self.origin = _explain_new(inputs, root)
            write_file(self._folder / INPUTS, content)
        else:
            os.utime(self._folder / INPUTS)  # Used now; see remove_old.
            self.origin = "the inputs are those of an earlier run"
        self.records, self.dropped = _read(self._folder)

    def checkpoint(self, epoch: int) -> bytes:
        """The checkpoint file of a finished epoch."""
        return (self._folder / checkpoint_name(epoch)).read_bytes()

    def optimizer_state(self, epoch: int) -> bytes:
        """The state of the optimizer after a finished epoch."""
        return (self._folder / _optimizer_name(epoch)).read_bytes()

    def append(self, record: EpochRecord, checkpoint: bytes, optimizer_state: bytes) -> None:
        """Add an epoch: it counts from the moment that the manifest names it, which is the last thing written."""
        write_file(self._folder / checkpoint_name(record.epoch), checkpoint)
        write_file(self._folder / _optimizer_name(record.epoch), optimizer_state)
        self.records.append(record)
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


def _read(folder: Path) -> tuple[list[EpochRecord], list[int]]:
    """The epochs that are whole, from the first on without a gap, and the numbers of those behind the gap."""
    try:
        lines = (folder / MANIFEST).read_text(encoding="utf-8").splitlines()
        records = [EpochRecord(**json.loads(line)) for line in lines]
    except (FileNotFoundError, ValueError, TypeError):
        return [], []
    for index, record in enumerate(records):
        sha256s = {
            checkpoint_name(record.epoch): record.checkpoint_sha256,
            _optimizer_name(record.epoch): record.optimizer_sha256,
        }
        if any(not _has(folder / name, sha256) for name, sha256 in sha256s.items()):
            return records[:index], [record.epoch for record in records[index:]]
    return records, []


def _has(path: Path, sha256: str) -> bool:
    return path.is_file() and _sha256(path.read_bytes()) == sha256


def _explain_new(inputs: dict[str, Any], root: Path) -> str:
    """Why there is nothing to go on from: what differs from the training used last."""
    others = sorted(root.glob(f"*/{INPUTS}"), key=lambda path: _last_use(path.parent))
    if not others:
        return "nothing was trained here before"
    before = json.loads(others[-1].read_text(encoding="utf-8"))
    changed = sorted(name for name in before.keys() | inputs.keys() if before.get(name) != inputs.get(name))
    more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
    return f"changed since the last training: {', '.join(changed[:3])}{more}"


def _last_use(folder: Path) -> int:
    return max((path.stat().st_mtime_ns for path in folder.iterdir()), default=0)


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())


def _optimizer_name(epoch: int) -> str:
    return checkpoint_name(epoch).replace("epoch_", "optimizer_")


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
