"""How a file of a data set is known to be genuine: by its md5.

Those of plain files are in data/checksums.txt, those of packed (.gz) files come from torchvision. Who packs the genuine
files anew, as Debian does, makes other .gz files: then their content counts.
"""

import gzip
import io
import zlib
from pathlib import Path
from typing import Any

from mnist.checksums import CHECKSUMS, format_checksums, md5_of, read_checksums
from mnist.dataset import FILES, FOLDERS, DatasetName
from mnist.paths import RAW_DATA
from pipeline.errors import UserError

CHECKSUMS_FILE = RAW_DATA.parent / CHECKSUMS
LARGEST_BYTES = 1 << 26  # Of a file, packed or not; the largest genuine one has 47,040,016.


def unpack(dataset: DatasetName, name: str, content: bytes, origin: str) -> bytes:
    """Return the content of an idx file, plain or packed as its `name` says; `origin` names it in errors.

    Raises:
        UserError: it is not genuine, or cannot be checked.
    """
    plain_name = name.removesuffix(".gz")
    plain_md5 = read_checksums(CHECKSUMS_FILE).get(FOLDERS[dataset] / plain_name)
    plain: bytes | None
    expected: str | None
    if name == plain_name:
        plain, expected = content, plain_md5
    else:
        plain, expected = decompress(content), dict(torchvision_class(dataset).resources)[name]
    if expected is None:
        raise UserError(
            f"{origin} cannot be checked: {CHECKSUMS_FILE} has no line for {FOLDERS[dataset] / name}; give the .gz file"
        )
    actual = md5_of(content)
    if actual != expected and (plain is None or md5_of(plain) != plain_md5):
        raise UserError(f"{origin} is not the genuine file: its md5 is {actual}, expected {expected}; get it anew")
    assert plain is not None
    return plain


def decompress(content: bytes) -> bytes | None:
    """Return what a gzip file's content holds; None if it is none, or holds more than `LARGEST_BYTES`."""
    try:
        with gzip.open(io.BytesIO(content)) as file:
            plain: bytes = file.read(LARGEST_BYTES + 1)
    except (OSError, EOFError, zlib.error):
        return None
    return plain if len(plain) <= LARGEST_BYTES else None


def list_raw(dataset: DatasetName, files: dict[str, bytes]) -> dict[Path, bytes]:
    """Return what data/raw is to hold, by path below it: the files, and their md5s where checksums.txt has none."""
    raw = {FOLDERS[dataset] / name: content for name, content in files.items()}
    return raw if is_plain_known(dataset) else raw | {CHECKSUMS: format_checksums(raw)}


def is_plain_known(dataset: DatasetName) -> bool:
    """Whether plain files of a data set can be checked; packed ones always can."""
    return FOLDERS[dataset] / FILES[0] in read_checksums(CHECKSUMS_FILE)


def torchvision_class(dataset: DatasetName) -> Any:
    """torchvision's class of a data set: its `mirrors`, and its `resources`, names of packed files with their md5."""
    from torchvision import datasets  # Takes 2 to 4 s, which a folder of plain files need not wait for.

    return getattr(datasets, FOLDERS[dataset].parts[0])
