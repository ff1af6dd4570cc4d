"""How a file of a data set is known to be genuine: by its md5.

Those of plain files are in data/checksums.txt, those of packed (.gz) files come from torchvision. Who packs the genuine
files anew, as Debian does, makes other .gz files: then their content counts.
"""

import gzip
import hashlib
import zlib
from pathlib import Path
from typing import Any

from mnist.dataset import FILES, FOLDERS, DatasetName
from pipeline.errors import UserError

CHECKSUMS_FILE = Path("data/checksums.txt")


def unpack(dataset: DatasetName, name: str, content: bytes, origin: str) -> bytes:
    """Return the content of an idx file, plain or packed as its `name` says; `origin` names it in errors.

    Raises:
        UserError: it is not genuine, or cannot be checked.
    """
    plain_name = name.removesuffix(".gz")
    plain_md5 = _read_checksums().get((FOLDERS[dataset] / plain_name).as_posix())
    plain: bytes | None
    expected: str | None
    if name == plain_name:
        plain, expected = content, plain_md5
    else:
        plain, expected = _decompress(content), dict(torchvision_class(dataset).resources)[name]
    if expected is None:
        raise UserError(
            f"{origin} cannot be checked: {CHECKSUMS_FILE} has no line for {FOLDERS[dataset] / name}; give the .gz file"
        )
    actual = _md5(content)
    if actual != expected and (plain is None or _md5(plain) != plain_md5):
        raise UserError(f"{origin} is not the genuine file: its md5 is {actual}, expected {expected}; get it anew")
    assert plain is not None
    return plain


def is_plain_known(dataset: DatasetName) -> bool:
    """Whether plain files of a data set can be checked; packed ones always can."""
    return (FOLDERS[dataset] / FILES[0]).as_posix() in _read_checksums()


def torchvision_class(dataset: DatasetName) -> Any:
    """torchvision's class of a data set: its `mirrors`, and its `resources`, names of packed files with their md5."""
    from torchvision import datasets  # Takes 2 to 4 s, which a folder of plain files need not wait for.

    return getattr(datasets, FOLDERS[dataset].parts[0])


def _decompress(content: bytes) -> bytes | None:
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error):
        return None


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def _read_checksums() -> dict[str, str]:
    """The md5 by path below data/raw, from a file in the format of md5sum."""
    checksums = {}
    for number, line in enumerate(CHECKSUMS_FILE.read_text(encoding="utf-8").splitlines(), start=1):
        match line.split():
            case [md5, path]:
                checksums[path] = md5
            case [_, *_]:
                raise UserError(f"{CHECKSUMS_FILE}, line {number} is {line!r}; expected an md5 and a path")
    return checksums
