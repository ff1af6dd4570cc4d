"""Writes files and folders whole or not at all, and never into an existing file, which DVC may have linked."""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path


def sha256_of(content: bytes) -> str:
    """Return the hexadecimal digest by which the project records contents."""
    return hashlib.sha256(content).hexdigest()


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
