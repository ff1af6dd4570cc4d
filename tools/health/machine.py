"""What the machine must offer: room, the pinned packages, and a folder for DVC's state that nobody else may change."""

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from dvc.repo import Repo

from pipeline.environment import pinned_versions
from pipeline.errors import UserError
from tools.health.fault import Fault
from tools.health.lock import recorded
from tools.store.cache import DVC_YAML, cache_folder

MEGABYTE = 1_000_000


def find_full_disks() -> Iterator[Fault]:
    """Whether one more run would fit: its outputs, and the same again in the cache."""
    num_bytes = 2 * sum(out["size"] for stage in recorded().values() for out in stage["outs"])
    for path in (Path.cwd(), cache_folder().absolute()):
        folder = next(folder for folder in (path, *path.parents) if folder.exists())
        free = shutil.disk_usage(folder).free
        if free < num_bytes:
            what = f"{folder} has {free // MEGABYTE} MB free, one more run may take {num_bytes // MEGABYTE} MB"
            yield Fault(f"{what}: make room")


def find_other_versions() -> Iterator[Fault]:
    """Whether the packages are installed on which results depend."""
    for group in sorted(set(re.findall(r"dependency-groups\.(\w+)", DVC_YAML.read_text(encoding="utf-8")))):
        try:
            pinned_versions(group)
        except UserError as error:
            yield Fault(str(error))


def find_shared_state() -> Iterator[Fault]:
    """Whether DVC's state, hashes that it believes, lies where nobody else may write."""
    with Repo() as repo:
        folder = Path(repo.site_cache_dir).parent.parent
    statuses = [path.stat() for path in (folder, *folder.parents)]
    if not any(status.st_uid == os.geteuid() and not status.st_mode & 0o077 for status in statuses):
        yield Fault(
            f"others may write into {folder}, where DVC keeps what it knows of files: `make install` sets a folder of "
            f"your own, if none is set; else `chmod 700 {folder}`"
        )
