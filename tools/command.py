"""What every command does around its work: it ends with a status, and says in one line on stderr why."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.errors import UserError
from tools.store.objects import reason


@contextmanager
def command(name: str, status: int = 1, expected: tuple[type[Exception], ...] = (UserError,)) -> Iterator[None]:
    """Run the body as the command `name`.

    An expected error ends the process with `status` and its message. Ctrl-C ends it with 130, if the
    command has something to tidy up and took it back (see tools/__init__.py).
    """
    try:
        yield
    except expected as error:
        print(f"{name}: {reason(error)}", file=sys.stderr)
        sys.exit(status)
    except KeyboardInterrupt:
        print(f"{name}: interrupted", file=sys.stderr)
        sys.exit(128 + signal.SIGINT)  # As a shell counts.
