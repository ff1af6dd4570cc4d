"""Refuses outputs that lie elsewhere, behind a link, or are no plain files.

DVC does not look: it writes and deletes through such a link, changes the modes of what lies there, and refuses an
output outside of the project only when all is computed. It waits for ever for a FIFO.
"""

import os
import re
from collections.abc import Iterable
from pathlib import Path

from pipeline.errors import UserError

# DVC links files of outputs to its cache where it is told to (`cache.type`); nothing is ever written through these.
CACHED = re.compile(r"/files/md5/[0-9a-f]{2}/[0-9a-f]{30}")


def refuse_foreign(outputs: Iterable[Path]) -> None:
    """Look at outputs (paths relative to the project's root, files or folders) and all that is in them.

    Raises:
        UserError: one of them, or a folder that it lies in, is a link and not DVC's own, or neither file nor folder.
    """
    for output in outputs:
        for path in [*reversed(output.parents[:-1]), output, *_inside(output)]:
            if path.is_symlink() and not (path.is_file() and CACHED.search(os.path.realpath(path))):
                raise UserError(
                    f"{path} is a link to {os.readlink(path)}: outputs must lie in the project itself, as DVC writes "
                    "and deletes there; remove the link (what it leads to stays), or move the whole project; to keep "
                    "the bulk on another disk: `dvc cache dir FOLDER`"
                )
            if path.exists() and not (path.is_file() or path.is_dir()):
                raise UserError(f"{path} is no regular file (a FIFO, socket or device): remove it")


def _inside(output: Path) -> list[Path]:
    """All that is in a folder; what lies behind links is not looked at."""
    found = [Path(folder, name) for folder, folders, files in os.walk(output) for name in (*folders, *files)]
    return sorted(found)
