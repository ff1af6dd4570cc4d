"""Keeps the finished epochs of a training where DVC does not delete them, so that no run computes one twice.

data/.resume/<key>/ holds, per epoch, the checkpoint and the optimizer's state; a manifest, which is written last and
has the sha256 of everything, its own lines included; and the inputs that the key stands for: all that determines an
epoch, and so not how many epochs are wanted. A killed run goes on after its last whole epoch, a longer one continues a
shorter one, and both give the bytes of one uninterrupted.
Of a training that was made elsewhere it is filled from the outputs (tools/store/resume.py).
"""

import hashlib
import json
import os
import re
import shutil
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from mnist.paths import checkpoint_name
from mnist.trained import EpochRecord
from pipeline.errors import UserError
from pipeline.files import read_regular, sha256_of, write_file
from stages.train.origin import explain_start

RESUME = Path("data/.resume")
MANIFEST, INPUTS = "manifest.json", "inputs.json"
FOLDER = re.compile(r"[0-9a-f]{32}")
LARGEST_BYTES = 1 << 30
LARGEST_MANIFEST_BYTES = 1 << 20  # 999 epochs, the most that a recipe may have, take half of it.
RECORD = TypeAdapter(EpochRecord)


class History:
    """The finished epochs of the training that has these `inputs` (values by name), found in or added to a folder."""

    def __init__(self, inputs: dict[str, Any], root: Path = RESUME) -> None:
        content = json.dumps(inputs, sort_keys=True, indent=0).encode()
        self._folder = root / sha256_of(content)[:32]
        self._root = root
        path = self._folder / INPUTS
        if _has(path, sha256_of(content)):
            os.utime(path)  # Used now; see remove_old.
            self.origin = "the inputs are those of an earlier run"
            self.records, self.dropped = read_epochs(self._folder)
        else:
            others = [folder / INPUTS for folder in list_trainings(root)]
            self.origin = f"{path} is damaged" if path.exists() else explain_start(inputs, others)
            self.records, self.dropped = [], _list_epochs(self._folder)
            _write(path, content)

    def resumable(self, num_epochs: int) -> int:
        """The last epoch, of `num_epochs` at most, behind which training can go on; 0 if there is none."""
        return min(num_epochs, len(self.records))

    def checkpoint(self, epoch: int) -> bytes:
        """The checkpoint file of a finished epoch."""
        return (self._folder / checkpoint_name(epoch)).read_bytes()

    def optimizer_state(self, epoch: int) -> bytes:
        """The state of the optimizer after a finished epoch."""
        return (self._folder / _optimizer_name(epoch)).read_bytes()

    def append(self, record: EpochRecord, checkpoint: bytes, optimizer_state: bytes) -> None:
        """Add an epoch: it counts from the moment that the manifest names it, which is the last thing written.

        It takes the place of those behind the epoch before it, if there are any.
        """
        _write(self._folder / checkpoint_name(record.epoch), checkpoint)
        _write(self._folder / _optimizer_name(record.epoch), optimizer_state)
        self.records = [*self.records[: record.epoch - 1], record]
        _write(self._folder / MANIFEST, b"".join(_line(record) + b"\n" for record in self.records))

    def remove_old(self, largest_bytes: int = LARGEST_BYTES) -> None:
        """Remove the folders of other trainings, longest unused first, until all of them fit in `largest_bytes`.

        What else lies there is neither counted nor touched, and nothing where data/.resume is a link to elsewhere.
        """
        folders = [] if self._root.is_symlink() else sorted(list_trainings(self._root), key=_last_use)
        excess = sum(map(_size, folders)) - largest_bytes
        for folder in folders:
            if excess > 0 and folder != self._folder:
                excess -= _size(folder)
                shutil.rmtree(folder)


def list_trainings(root: Path) -> list[Path]:
    """The folders that were made for trainings, which are known by name and inputs; no links."""
    folders = [path for path in sorted(root.glob("*")) if FOLDER.fullmatch(path.name) and not path.is_symlink()]
    return [path for path in folders if (path / INPUTS).exists() and not (path / INPUTS).is_symlink()]


def read_epochs(folder: Path) -> tuple[list[EpochRecord], list[int]]:
    """The epochs that are whole, from the first on without a gap, and the numbers of those behind the gap."""
    try:
        lines = read_regular(folder / MANIFEST, LARGEST_MANIFEST_BYTES).splitlines()
    except FileNotFoundError:  # Killed in its first epoch.
        lines = []
    except UserError:
        return [], _list_epochs(folder)
    records: list[EpochRecord] = []
    for epoch, line in enumerate(lines, start=1):
        record = _parse(line)
        if (
            record is None
            or record.epoch != epoch
            or not _has(folder / checkpoint_name(epoch), record.checkpoint_sha256)
            or not _has(folder / _optimizer_name(epoch), record.optimizer_sha256)
        ):
            return records, list(range(epoch, len(lines) + 1))
        records.append(record)
    return records, []


def _list_epochs(folder: Path) -> list[int]:
    """The epochs of a training of which nothing can be believed, by its checkpoints' number."""
    return list(range(1, len(list(folder.glob("epoch_*.safetensors"))) + 1))


def _line(record: EpochRecord) -> bytes:
    """A line of the manifest: an epoch's record, with a sha256 of itself."""
    values = asdict(record)
    return json.dumps(values | {"sha256": sha256_of(json.dumps(values).encode())}).encode()


def _parse(line: bytes) -> EpochRecord | None:
    """The record in a line of the manifest; None if that is not, to the byte, what is written of one."""
    try:
        record = RECORD.validate_json(line, strict=True)
    except ValidationError:
        return None
    return record if _line(record) == line else None


def _has(path: Path, sha256: str) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == sha256


def _write(path: Path, content: bytes) -> None:
    if path.is_dir() and not path.is_symlink():  # Put there by somebody: set aside, as no file can take its place.
        path.rename(tempfile.mkdtemp(prefix=f"{path.name}-", dir=path.parent))
    write_file(path, content)


def _last_use(folder: Path) -> int:
    return max((path.lstat().st_mtime_ns for path in folder.iterdir()), default=0)


def _size(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.iterdir())


def _optimizer_name(epoch: int) -> str:
    return checkpoint_name(epoch).replace("epoch_", "optimizer_")
