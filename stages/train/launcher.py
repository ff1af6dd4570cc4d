"""torchrun, with one line where it has pages; its options come from stages/train/launch.py and from PET_ variables."""

import contextlib
import io
import logging
import os
import signal
import sys

from pipeline.errors import one_line
from pipeline.parent import end_with_parent
from stages.train.launch import JOIN_SECONDS, PARENT
from stages.train.reports import Kind, report


def main() -> None:
    end_with_parent(signal.SIGKILL, int(os.environ[PARENT]))
    os.environ[PARENT] = str(os.getpid())  # For the workers.
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.elastic.rendezvous import RendezvousTimeoutError
    from torch.distributed.run import parse_args, run

    logging.disable()
    usage = io.StringIO()
    try:
        with contextlib.redirect_stderr(usage):
            arguments = parse_args(sys.argv[1:])  # type: ignore[no-untyped-call]
        run(arguments)  # type: ignore[no-untyped-call]
    except ChildFailedError as error:
        for rank, failure in error.failures.items():
            if failure.exitcode < 0 and failure.exitcode != -signal.SIGTERM:  # With that, torchrun ends the others.
                report(Kind.SIGNAL, f"worker {rank} was ended by {signal.Signals(-failure.exitcode).name}", rank)
    except RendezvousTimeoutError:
        report(Kind.LAUNCHER, f"the other machines did not come within {JOIN_SECONDS} s")
    except SystemExit:  # Of a variable PET_<OPTION> that it refuses.
        report(Kind.LAUNCHER, f"torchrun refused its options: {usage.getvalue().strip().splitlines()[-1]}")
    except Exception as error:  # Whatever is wrong with its options, or the network.
        report(Kind.LAUNCHER, f"torchrun cannot go on: {one_line(error.__cause__ or error)}")
    else:
        return
    sys.exit(1)


if __name__ == "__main__":
    main()
