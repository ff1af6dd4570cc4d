"""dvc.lock, which DVC writes anew after each stage: who kills it in these 20 ms leaves the file empty or cut short."""

from collections.abc import Iterator
from typing import Any

from pipeline.errors import UserError
from pipeline.files import write_file
from tools.health.fault import REPAIR, Fault, set_aside
from tools.store.git import git, show
from tools.store.lock import LOCK, UnreadableLock, parse_lock, read_lock


def find_faults() -> Iterator[Fault]:
    """Whether dvc.lock is whole; where there is none, and git has none, nothing was run yet."""
    committed = _committed()
    if not LOCK.exists():
        if committed:
            yield Fault(f"{LOCK} is missing, git has one: {REPAIR} restores it", _restore)
        return
    try:
        read_lock()
    except UnreadableLock as error:
        what = str(error).partition(": `make doctor`")[0]
        if _is_unmerged():
            yield Fault(f"{what}: take one side's, `git checkout --ours {LOCK} metrics`, then `make repro`")
        elif committed:
            yield Fault(f"{what}: {REPAIR} restores the last commit's; then `dvc repro`", _restore)
        else:
            yield Fault(f"{what}: `rm {LOCK} && dvc repro`, which trains nothing that was trained here")


def recorded() -> dict[str, Any]:
    """The stages of dvc.lock, by name; none where nothing was run yet.

    Raises:
        UnreadableLock: it is not whole.
    """
    return read_lock() if LOCK.exists() else {}


def _restore() -> str:
    kept = f"; the broken one is now {set_aside(LOCK, LOCK.name)}" if LOCK.exists() else ""
    write_file(LOCK, _committed())
    return f"{LOCK} is that of the last commit again{kept}"


def _committed() -> bytes:
    """The last commit's dvc.lock, if it has one that is whole."""
    try:
        content = show("HEAD", LOCK)
        parse_lock(content.decode(errors="replace"))
    except UserError:
        return b""
    return content


def _is_unmerged() -> bool:
    try:
        return bool(git("ls-files", "--unmerged", str(LOCK)))
    except UserError:  # The folder is no repository.
        return False
