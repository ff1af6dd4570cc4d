"""What every stage does around its work: one process at a time, errors and interruptions in one line, and a note.

The note is an output like the others, and says what all of them were made from.
"""

import fcntl
import gc
import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from pipeline.deps import Deps, outputs_of
from pipeline.errors import UserError
from pipeline.files import write_file
from pipeline.inputs import Inputs
from pipeline.links import refuse_foreign

LOCKS, NOTES = Path("data/.locks"), Path("data/inputs")
INTERRUPTED_STATUS = 130


@contextmanager
def stage(deps: Deps) -> Iterator[Inputs]:
    """Run the body as the stage that has these `deps`; it gets the `Inputs` through which it reads."""
    with only_process(deps.stage):
        inputs = Inputs(deps)
        yield inputs
        write_file(note_path(deps.stage), json.dumps(inputs.note(), indent=1).encode())


@contextmanager
def only_process(name: str) -> Iterator[None]:
    """Run the body as the only process of the stage `name` here.

    A UserError or OSError ends the process with status 1 and its message; Ctrl-C and SIGTERM (also sent when `dvc`
    ends, see pipeline/start.py) end it with status 130. A second process for the same stage is refused.
    """
    signal.signal(signal.SIGINT, _interrupt)
    signal.signal(signal.SIGTERM, _interrupt)
    gc.freeze()  # What was imported is no garbage: not looking for it makes a process with torch end 0.6 s sooner.
    gc.enable()  # Off since pipeline/start.py.
    try:
        refuse_foreign(outputs_of(name))
        with lock(name):
            yield
    except UserError as error:
        sys.exit(f"{name}: {error}")
    except OSError as error:  # A full disk, or a file that may not be read or written.
        sys.exit(f"{name}: {error}: put that right, and run `dvc repro` again")
    except KeyboardInterrupt:
        print(f"{name}: interrupted", file=sys.stderr)
        sys.exit(INTERRUPTED_STATUS)


def note_path(name: str) -> Path:
    """Where a stage notes what it was made from."""
    return NOTES / f"{name}.json"


@contextmanager
def lock(name: str) -> Iterator[None]:
    """Hold a stage's lock, or raise UserError; it ends with the process, however that ends."""
    LOCKS.mkdir(parents=True, exist_ok=True)
    path = LOCKS / name
    with path.open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise UserError(
                f"process {file.read().strip() or '(unknown)'} is running this stage here and holds {path}; "
                "wait for it, or end it"
            ) from None
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield


def _interrupt(signal_number: int, frame: FrameType | None) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise KeyboardInterrupt
