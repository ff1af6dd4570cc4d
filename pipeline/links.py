"""Refuses outputs that lie elsewhere, behind a link, or are no plain files.

DVC does not look: it writes and deletes through such a link, changes the modes of what lies there, and refuses an
output outside of the project only when all is computed. It waits for ever for a FIFO.
"""

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from pipeline.errors import UserError

# DVC links files of outputs to its cache where it is told to (`cache.type`); nothing is ever written through these.
# Where the object was lost, DVC brings it back.
CACHED = re.compile(r".*/files/md5/[0-9a-f]{2}/[0-9a-f]{30}")


def refuse_foreign(outputs: Iterable[Path]) -> None:
    """Look at outputs (paths relative to the project's root, files or folders) and all that is in them.

    Raises:
        UserError: one of them, or a folder that it lies in, is a link and not DVC's own, or neither file nor folder.
    """
    for output in outputs:
        for path in _around_and_inside(output):
            if path.is_symlink() and (path.is_dir() or not CACHED.fullmatch(os.path.realpath(path))):
                raise UserError(
                    f"{path} is a link to {os.readlink(path)}: outputs must lie in the project itself, as DVC writes "
                    "and deletes there; remove the link (what it leads to stays), or move the whole project; to keep "
                    "the bulk on another disk: `dvc cache dir FOLDER`"
                )
            if path.exists() and not (path.is_file() or path.is_dir()):
                raise UserError(f"{path} is no regular file (a FIFO, socket or device): remove it")


def _around_and_inside(output: Path) -> Iterator[Path]:
    """The folders that an output lies in, the output, and all that is in it, which is looked for last: links first."""
    yield from reversed(output.parents[:-1])
    yield output
    for folder, folders, files in os.walk(output):
        for name in sorted([*folders, *files]):
            yield Path(folder, name)
