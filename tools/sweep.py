"""Trains recipes x seeds x settings, nothing twice: `python -m tools.sweep run --recipe demo --recipe fast --seeds 5`.

Each trial is one of DVC's experiments of the current commit, and is run in a clone. `status` says what the last sweep
is at. The exit status is 1 if a trial failed.
"""

import argparse
import os
import signal
import sys
from pathlib import Path

from tools.command import command

if __name__ == "__mp_main__":  # A worker: Ctrl-C is for the driver, which then ends it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.sweep", description="Train many seeds of several recipes.")
    commands = parser.add_subparsers(dest="command", required=True)
    run_parser = commands.add_parser("run", help="run the trials that are not there yet")
    run_parser.add_argument("--recipe", metavar="NAME", action="append", required=True, help="may be repeated")
    run_parser.add_argument("--seeds", metavar="N", type=_positive, required=True, help="the seeds are 0 to N - 1")
    setting_help = "recipes.NAME.KEY=VALUE or data.KEY=VALUE, for several values VALUE,VALUE; may be repeated"
    run_parser.add_argument("-S", "--set-param", metavar="KEY=VALUE", action="append", default=[], help=setting_help)
    workers_help = "trials at a time; without it, cores divided by the threads of a recipe"
    run_parser.add_argument("--workers", metavar="N", type=_positive, help=workers_help)
    folder_help = "where the workers' clones are kept; without it, .dvc/tmp/sweep/clones"
    run_parser.add_argument("--folder", metavar="DIR", type=Path, help=folder_help)
    commands.add_parser("status", help="what the trials of the last sweep are at")
    arguments = parser.parse_args()
    with command("sweep"):
        sys.exit(run(arguments) if arguments.command == "run" else show_status())


def run(arguments: argparse.Namespace) -> int:
    """Run the trials; return the exit status."""
    from tools.trials.git import git
    from tools.trials.plan import make_plan
    from tools.trials.state import SWEEP, only_driver

    plan = make_plan(git("rev-parse", "HEAD"), arguments.recipe, arguments.seeds, arguments.set_param)
    if git("status", "--porcelain"):
        print("sweep: what is not committed here is no part of it")
    num_workers = arguments.workers or max(1, len(os.sched_getaffinity(0)) // plan.threads)
    from tools.trials.drive import drive  # When a mistake can no longer be refused: it loads for a second.

    # Of this environment, also where it is not activated.
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    signal.signal(signal.SIGINT, signal.default_int_handler)  # Workers are ended.
    with only_driver():
        num_failed = drive(plan, arguments.folder or SWEEP / "clones", num_workers)
    print(f"sweep: {len(plan.trials) - num_failed} trials are done, {num_failed} failed")
    return 1 if num_failed else 0


def show_status() -> int:
    """Print a line per trial; return the exit status."""
    from tools.trials.state import FAILED, is_driven, read_state

    rows = read_state()
    for row in rows:
        print(f"{row.state:<8} {row.name}  {row.trial}{row.detail and f': {row.detail}'}")
    print(f"sweep: {'it is going on' if is_driven() else 'none is going on here'}")
    return 1 if any(row.state == FAILED for row in rows) else 0


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not 1 or more")
    return number


if __name__ == "__main__":
    main()
