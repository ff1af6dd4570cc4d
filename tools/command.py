"""What every command does around its work: it ends with a status, and says in one line on stderr why."""

import os
import select
import signal
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.errors import UserError
from tools.store.objects import reason

DVC = ("dvc", "dvc_data", "dvc_objects")
OURS = ("mnist", "pipeline", "stages", "tools")


@contextmanager
def command(name: str, status: int = 1, expected: tuple[type[Exception], ...] = (UserError,)) -> Iterator[None]:
    """Run the body, in which all is printed, as the command `name`.

    An expected error, and any that comes out of DVC, ends the process with `status` and its message. Ctrl-C ends it
    with 130, if the command has something to tidy up and took it back (see tools/__init__.py). It ends with 141, and
    silently, when nobody reads on what it prints, as in `| head`.
    """
    try:
        try:
            yield
        finally:
            print(end="", flush=True)
    except KeyboardInterrupt:
        print(f"{name}: interrupted", file=sys.stderr)
        sys.exit(128 + signal.SIGINT)  # As a shell counts.
    except Exception as error:
        if isinstance(error, BrokenPipeError) and _nobody_reads():
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # For what Python flushes at its end.
            sys.exit(128 + signal.SIGPIPE)
        if is_of_dvc(error):
            print(f"{name}: {reason(error)}; `make doctor` says what is wrong here, and what to do", file=sys.stderr)
        elif isinstance(error, expected):
            print(f"{name}: {reason(error)}", file=sys.stderr)
        else:
            raise
        sys.exit(status)


def is_of_dvc(error: BaseException) -> bool:
    """Whether DVC raised it, or what it called: not our own code, also where DVC calls that."""
    modules = [frame.f_globals.get("__name__", "") for frame, _ in traceback.walk_tb(error.__traceback__)]
    packages = [package for module in modules if (package := module.partition(".")[0]) in DVC + OURS]
    return bool(packages) and packages[-1] in DVC


def _nobody_reads() -> bool:
    """Whether the other end of the pipe that stdout is has been closed; a remote may break a connection, too."""
    stdout = select.poll()
    stdout.register(sys.stdout, 0)
    return bool(stdout.poll(0))
