"""Says what is broken in the project, and what to do: `make doctor`, or `python -m tools.doctor`.

It works where nothing else does, and looks at what DVC and the stages trust unseen. `--repair` restores what is
certain, and nothing else: dvc.lock from git, what DVC notes of processes that have ended, objects of the cache; and it
sets wrong records of runs aside. The exit status is 0 if all is well, else 1.
"""

import argparse
import logging
import sys
from collections.abc import Callable, Iterable
from contextlib import nullcontext

from pipeline.errors import UserError
from tools.command import command, is_of_dvc
from tools.health import cache, data, history, lock, machine, records, remotes, rwlock
from tools.health.fault import Fault
from tools.health.processes import alone, find_workers
from tools.store.lock import LOCK, UnreadableLock
from tools.store.objects import reason

Check = Callable[[], Iterable[Fault]]
# In this order: what others need comes first.
CHECKS: dict[str, Check] = {
    "links": data.find_foreign,
    "dvc.lock": lock.find_faults,
    "rwlock": rwlock.find_faults,
    "cache": cache.find_faults,
    "records": records.find_faults,
    "outputs": data.find_changed,
    "data set": data.find_not_genuine,
    "epochs": history.find_faults,
    "space": machine.find_full_disks,
    "versions": machine.find_other_versions,
    "state": machine.find_shared_state,
    "remotes": remotes.find_faults,
}
MOST_SHOWN = 5
MOST_ROUNDS = 3  # A folder's listing, then its files; and one to see that nothing more can be done.


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.doctor", description="Say what is broken, and what to do.")
    parser.add_argument("--repair", action="store_true", help="restore what is certain, and say what was done")
    arguments = parser.parse_args()
    logging.disable(logging.ERROR)  # What DVC would log is said here, in one line.
    with command("doctor", expected=(UserError, OSError)):
        sys.exit(examine(arguments.repair))


def examine(repair: bool) -> int:
    """Print a line for each check, or for each fault; return the exit status."""
    num_faults = 0
    if not repair:
        for worker in find_workers():
            print(f"{worker} is at work here: what it has not finished may show as a fault")
    with alone() if repair else nullcontext():
        for name, check in CHECKS.items():
            faults = mend(name, check) if repair else find(check)
            lines = [fault.text for fault in faults[:MOST_SHOWN]] or ["ok"]
            if len(faults) > MOST_SHOWN:
                lines.append(f"and {len(faults) - MOST_SHOWN} more")
            for line in lines:
                print(f"{name:<9} {line}", flush=True)
            num_faults += len(faults)
    print(f"doctor: faults: {num_faults}" if num_faults else "doctor: all is well")
    return 1 if num_faults else 0


def find(check: Check) -> list[Fault]:
    """What a check finds; that it cannot be made is a fault, too."""
    try:
        return list(check())
    except UnreadableLock:
        return [Fault(f"was not looked at: {LOCK} must be right first")]
    except Exception as error:
        return [Fault(explain(error))]


def mend(name: str, check: Check) -> list[Fault]:
    """Repair what a check finds, as far as that is certain; return what is left."""
    for _ in range(MOST_ROUNDS):
        repairs = [fault.repair for fault in find(check) if fault.repair]
        done = [line for repair in repairs if (line := attempt(repair))]
        for line in done:
            print(f"{name:<9} repaired: {line}", flush=True)
        if not done:
            break
    return find(check)


def attempt(repair: Callable[[], str | None]) -> str | None:
    """What a repair did, if it did anything; why it could not is said."""
    try:
        return repair()
    except Exception as error:
        print(f"doctor: not repaired: {explain(error)}")
        return None


def explain(error: Exception) -> str:
    """An error that this machine or DVC's files gave rise to, in a line; one of our own is raised again."""
    if isinstance(error, UserError | OSError) or is_of_dvc(error):
        return reason(error)
    raise error


if __name__ == "__main__":
    main()
