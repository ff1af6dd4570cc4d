"""How a file of a data set is known to be genuine, and undamaged since: by its md5.

data/checksums.txt, in git, has those of the plain files of MNIST and Fashion-MNIST. Of KMNIST only those of the packed
files are published: download checks these, and notes in data/raw the md5 of what it unpacked. Both are in the format of
md5sum, with paths below data/raw.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from pipeline.errors import UserError
from pipeline.files import read_regular

CHECKSUMS = Path("checksums.txt")


def md5_of(content: bytes) -> str:
    """Return the hexadecimal digest by which data sets' files are published."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def read_checksums(path: Path) -> dict[Path, str]:
    """Return the md5s in a file, by path below data/raw.

    Raises:
        UserError: the file is missing or malformed.
    """
    try:
        lines = read_regular(path).decode().splitlines()
    except FileNotFoundError:
        raise UserError(f"{path} is missing: `git checkout {path}` restores it") from None
    except UnicodeDecodeError:
        raise UserError(f"{path} is no text: `git checkout {path}` restores it") from None
    checksums = {}
    for number, line in enumerate(lines, start=1):
        match line.split():
            case [md5, name]:
                checksums[Path(name)] = md5
            case [_, *_]:
                raise UserError(f"{path}, line {number} is {line!r}; expected an md5 and a path")
    return checksums


def format_checksums(files: Mapping[Path, bytes]) -> bytes:
    """Return what such a file says of these contents."""
    return "".join(f"{md5_of(content)}  {path.as_posix()}\n" for path, content in files.items()).encode()


def read_genuine(raw: Path, name: Path) -> bytes:
    """Return the content of the file `name` below `raw`, a folder like data/raw; it is what was checked.

    Raises:
        UserError: the file is missing, is not the one whose md5 is known, or no md5 of it is known.
    """
    path = raw / name
    try:
        content = read_regular(path)
    except FileNotFoundError:
        raise UserError(f"{path} is missing: run `dvc repro download`") from None
    expected, source = _expected_md5(raw, name)
    if (actual := md5_of(content)) != expected:
        # DVC neither looks into its cache's objects nor into a file whose size and time are the same.
        cached = f"$(dvc cache dir)/files/md5/{expected[:2]}/{expected[2:]}"
        raise UserError(
            f"{path} is damaged: its md5 is {actual}, {source} has {expected}; bring it anew with `dvc repro --force "
            f'download`; if it is damaged again, so is DVC\'s cache: `rm -f "{cached}"` before'
        )
    return content


def _expected_md5(raw: Path, name: Path) -> tuple[str, Path]:
    """The md5 that a file must have, and where that stands; what git has goes first."""
    published, noted = raw.parent / CHECKSUMS, raw / CHECKSUMS
    for source in (published, noted) if noted.exists() else (published,):
        if md5 := read_checksums(source).get(name):
            return md5, source
    raise UserError(f"{raw / name} cannot be checked: {published} has no md5 of it: run `dvc repro --force download`")
