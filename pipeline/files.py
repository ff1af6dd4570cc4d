"""Reads regular files only; writes whole or not at all, and never into an existing file, which DVC may have linked."""

import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import Mapping
from pathlib import Path

from pipeline.errors import UserError


def sha256_of(content: bytes) -> str:
    """Return the hexadecimal digest by which the project records contents."""
    return hashlib.sha256(content).hexdigest()


def read_regular(path: Path, largest_bytes: int | None = None) -> bytes:
    """Return the content of a file. What else may stand in its place would be waited for, or read, without end.

    Raises:
        FileNotFoundError: there is nothing.
        UserError: it is no regular file, or larger than `largest_bytes`.
    """
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise UserError(f"{path} is no regular file (but a folder, FIFO, socket or device): remove it")
    if largest_bytes is not None and status.st_size > largest_bytes:
        raise UserError(f"{path} has {status.st_size} bytes; at most {largest_bytes} are expected")
    return path.read_bytes()


def write_file(path: Path, content: bytes) -> None:
    """Write beside, flush to the disk, rename: after a crash there is the old file or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.partial")
    with beside.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def replace_folder(path: Path, files: Mapping[Path, bytes]) -> None:
    """Make the folder hold exactly these files (paths relative to it); an error on the way leaves it as it was.

    The caller sees to it that nobody else writes it at the same time.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    for left_by_a_killed_run in path.parent.glob(f".{path.name}-*"):
        shutil.rmtree(left_by_a_killed_run)
    with tempfile.TemporaryDirectory(prefix=f".{path.name}-", dir=path.parent) as scratch:
        new, old = Path(scratch) / "new", Path(scratch) / "old"
        for name, content in files.items():
            write_file(new / name, content)
        try:
            if path.exists():
                path.rename(old)
            new.rename(path)
        except BaseException:
            if old.exists() and not path.exists():
                old.rename(path)
            raise
