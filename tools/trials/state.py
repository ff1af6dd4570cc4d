"""What the sweep of a project is at: a file that its driver writes, for `python -m tools.sweep status`."""

import fcntl
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from pipeline.errors import UserError
from pipeline.files import write_file

SWEEP = Path(".dvc/tmp/sweep")
LOCK, STATE = SWEEP / "lock", SWEEP / "state.json"
WAITING, RUNNING, DONE, FAILED = "waiting", "running", "done", "failed"


@dataclass
class Row:
    """A trial: what people call it, whether it is waiting, running, done or failed, and what there is to say of it."""

    name: str
    trial: str
    state: str = WAITING
    detail: str = ""


@contextmanager
def only_driver() -> Iterator[None]:
    """Be the one sweep of this project; raise UserError if there is another. Ends with the process."""
    SWEEP.mkdir(parents=True, exist_ok=True)
    with LOCK.open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise UserError(f"process {file.read().strip()} sweeps here; wait for it, or end it") from None
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield


def is_driven() -> bool:
    """Whether a sweep is going on in this project."""
    try:
        with only_driver():
            return False
    except UserError:
        return True


def write_state(rows: Iterable[Row]) -> None:
    """Say what the trials are at."""
    write_file(STATE, json.dumps([asdict(row) for row in rows], indent=0).encode())


def read_state() -> list[Row]:
    """What the trials of the last sweep are at, or were when it ended; raise UserError if there was none."""
    try:
        return [Row(**row) for row in json.loads(STATE.read_bytes())]
    except FileNotFoundError:
        raise UserError("there was no sweep here: start one with `python -m tools.sweep run`") from None
