"""torchrun, with one line where it has pages; its options come from stages/train/launch.py and from PET_ variables."""

import logging
import signal
import sys

from pipeline.parent import end_with_parent
from stages.train.reports import Kind, report


def main() -> None:
    end_with_parent(signal.SIGKILL)
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.run import parse_args, run

    logging.disable()
    try:
        run(parse_args(sys.argv[1:]))  # type: ignore[no-untyped-call]
    except ChildFailedError as error:
        for rank, failure in error.failures.items():
            if failure.exitcode < 0 and failure.exitcode != -signal.SIGTERM:  # With that, torchrun ends the others.
                report(Kind.SIGNAL, f"worker {rank} was ended by {signal.Signals(-failure.exitcode).name}", rank)
        sys.exit(1)
    except Exception as error:  # Whatever is wrong with its options, or the network.
        report(Kind.LAUNCHER, f"torchrun cannot go on: {' '.join(str(error.__cause__ or error).split())}")
        sys.exit(1)


if __name__ == "__main__":
    main()
