"""Trains recipes x seeds x settings, nothing twice: `python -m tools.sweep run --recipe demo --recipe fast --seeds 5`.

Each trial is one of DVC's experiments of the current commit, and is run in a clone. `status` says what the last sweep
is at, `show` what may be concluded from all trials of the commit. The exit status is 1 if a trial failed.
"""

import argparse
import asyncio
import os
import signal
import sys
from pathlib import Path

from pipeline.errors import UserError
from tools.command import command
from tools.trials.state import FAILED, RUNNING, SWEEP, WAITING, is_driven, only_driver, read_state

CLONES = SWEEP / "clones"
PAGE = Path("sweep.html")
USUAL_THREADS = 2  # Of a recipe; a worker does not know which ones it will get.

if __name__ == "__mp_main__":  # A worker: Ctrl-C is for the driver, which then ends it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.sweep", description="Train many seeds of several recipes.")
    commands = parser.add_subparsers(dest="command", required=True)
    machine = argparse.ArgumentParser(add_help=False)
    workers_help = "trials at a time; without it, cores divided by the threads of a recipe"
    machine.add_argument("--workers", metavar="N", type=_positive, help=workers_help)
    folder_help = f"where the workers' clones are kept; without it, {CLONES}"
    machine.add_argument("--folder", metavar="DIR", type=Path, default=CLONES, help=folder_help)
    git_help = "the git remote through which machines exchange results; without it, origin"
    machine.add_argument("--git-remote", metavar="NAME", default="origin", help=git_help)
    run_parser = commands.add_parser("run", help="run the trials that are not there yet", parents=[machine])
    run_parser.add_argument("--recipe", metavar="NAME", action="append", required=True, help="may be repeated")
    run_parser.add_argument("--seeds", metavar="N", type=_positive, required=True, help="the seeds are 0 to N - 1")
    setting_help = "recipes.NAME.KEY=VALUE or data.KEY=VALUE, for several values VALUE,VALUE; may be repeated"
    run_parser.add_argument("-S", "--set-param", metavar="KEY=VALUE", action="append", default=[], help=setting_help)
    scheduler_help = "tls://HOST:PORT: have them run by the workers that joined it"
    run_parser.add_argument("--scheduler", metavar="ADDRESS", help=scheduler_help)
    commands.add_parser("status", help="what the trials of the last sweep are at")
    show_help = "what may be concluded from the trials of this commit"
    show_parser = commands.add_parser("show", help=show_help, description=f"Print {show_help}, and write {PAGE}.")
    forms = show_parser.add_mutually_exclusive_group()
    for form, form_help in {"json": "every number", "markdown": "tables", "csv": "a line per run"}.items():
        forms.add_argument(f"--{form}", dest="form", action="store_const", const=form, default="text", help=form_help)
    worker_parser = commands.add_parser("worker", help="run trials for a scheduler", parents=[machine])
    worker_parser.add_argument("scheduler", metavar="ADDRESS", help="tls://HOST:PORT")
    scheduler_parser = commands.add_parser("scheduler", help="share out trials among the workers that join")
    scheduler_parser.add_argument("scheduler", metavar="ADDRESS", help="tls://HOST:PORT, of this machine")
    arguments = parser.parse_args()
    # Of this environment, also where it is not activated.
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    actions = {"run": run, "status": show_status, "show": conclude, "worker": work, "scheduler": schedule}
    with command("sweep"):
        try:
            sys.exit(actions[arguments.command](arguments))
        except ModuleNotFoundError as error:
            raise UserError(f"{error.name} is not installed: pip install -r requirements/sweep.txt") from None


def run(arguments: argparse.Namespace) -> int:
    """Run the trials; return the exit status."""
    from tools.store.git import git
    from tools.trials.plan import make_plan

    if arguments.scheduler:
        from tools.trials.address import security_for

        security_for(arguments.scheduler)
    plan = make_plan(git("rev-parse", "HEAD"), arguments.recipe, arguments.seeds, arguments.set_param)
    if git("status", "--porcelain"):
        print("sweep: what is not committed here is no part of it")
    from tools.trials.drive import drive  # When a mistake can no longer be refused: it loads for a second.
    from tools.trials.place import Place

    num_workers = arguments.workers or _num_workers(plan.threads)
    git_remote = arguments.git_remote if arguments.scheduler else None
    place = Place(Path.cwd(), arguments.folder.resolve(), num_workers, git_remote)
    with only_driver():
        num_failed = drive(plan, place, arguments.scheduler)
    print(f"sweep: {len(plan.trials) - num_failed} trials are done, {num_failed} failed")
    return 1 if num_failed else 0


def work(arguments: argparse.Namespace) -> int:
    """Run trials until the scheduler ends; return the exit status."""
    from tools.trials.cluster import join
    from tools.trials.place import Place
    from tools.trials.versions import refuse_other_versions

    refuse_other_versions()
    place = Place(
        Path.cwd(), arguments.folder.resolve(), arguments.workers or _num_workers(USUAL_THREADS), arguments.git_remote
    )
    place.destination()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # So that `join` tidies up.
    asyncio.run(join(arguments.scheduler, place))
    print(f"sweep: the scheduler {arguments.scheduler} has ended")
    return 0


def schedule(arguments: argparse.Namespace) -> int:
    """Be a scheduler; return the exit status."""
    from tools.trials.cluster import serve

    asyncio.run(serve(arguments.scheduler))
    return 0


def show_status(arguments: argparse.Namespace) -> int:
    """Print a line per trial; return the exit status."""
    rows, is_going_on = read_state(), is_driven()
    for row in rows:
        state = WAITING if row.state == RUNNING and not is_going_on else row.state  # Its driver was killed.
        print(f"{state:<8} {row.name}  {row.trial}{row.detail and f': {row.detail}'}")
    print(f"sweep: {'it is going on' if is_going_on else 'none is going on here'}")
    return 1 if any(row.state == FAILED for row in rows) else 0


def conclude(arguments: argparse.Namespace) -> int:
    """Print what may be concluded, and write the page; return the exit status."""
    from tools.trials.runs import read_runs
    from tools.verdicts.page import write_page  # With scipy, which loads for a second.
    from tools.verdicts.show import show

    runs = read_runs()
    print(show(runs, arguments.form), flush=True)
    write_page(runs, PAGE)
    print(f"sweep: {PAGE} shows all runs", file=sys.stderr)
    return 0


def _num_workers(threads: int) -> int:
    """As many as this machine has cores for, which compute with so many threads each."""
    return max(1, len(os.sched_getaffinity(0)) // threads)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not 1 or more")
    return number


if __name__ == "__main__":
    main()
