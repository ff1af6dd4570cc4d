""".dvc/tmp/rwlock, in which DVC notes which process reads or writes which outputs."""

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from dvc.rwlock import SCHEMA
from voluptuous import Invalid

from pipeline.files import write_file
from tools.health.fault import REPAIR, Fault, set_aside
from tools.health.processes import is_alive

RWLOCK = Path(".dvc/tmp/rwlock")
Owner = dict[str, Any]  # A process: `pid`, and `cmd`, its command.


def find_faults() -> Iterator[Fault]:
    """Whether it can be read, and the processes in it are alive."""
    if not RWLOCK.exists():
        return
    try:
        writers, readers = _read()
    except ValueError:
        yield Fault(f"{RWLOCK} is not whole, so that DVC runs nothing: {REPAIR} sets it aside", _set_aside)
        return
    owners = [*writers.values(), *(owner for path in readers for owner in readers[path])]
    for number, command in sorted({(owner["pid"], owner["cmd"]) for owner in owners}):
        if not is_alive(number, command):
            what = f"{RWLOCK} has outputs in use by process {number} (`{command}`), which has ended"
            yield Fault(f"{what}: {REPAIR} frees them", partial(_remove, {"pid": number, "cmd": command}))


def _read() -> tuple[dict[str, Owner], dict[str, list[Owner]]]:
    """Who writes and who reads, by path; ValueError if the file is not as DVC writes it."""
    try:
        document = SCHEMA(json.loads(RWLOCK.read_bytes()))
    except (Invalid, RecursionError):
        raise ValueError from None
    return document["write"], document["read"]


def _set_aside() -> str:
    return f"{RWLOCK} is now {set_aside(RWLOCK, RWLOCK.name)}; no process was at work that may have needed it"


def _remove(ended: Owner) -> str:
    writers, readers = _read()
    writers = {path: owner for path, owner in writers.items() if owner != ended}
    readers = {path: [owner for owner in owners if owner != ended] for path, owners in readers.items()}
    readers = {path: owners for path, owners in readers.items() if owners}
    write_file(RWLOCK, json.dumps({"write": writers, "read": readers}).encode())
    return f"what process {ended['pid']} (`{ended['cmd']}`) had in use is free again"
