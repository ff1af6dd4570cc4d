"""Proves that the commit determines its results, or that the files at hand are those that it records.

`python -m tools.verify` runs every stage of the current commit again, in a clone with an empty cache, and compares
all bytes; it ends with 0 only if they are the same, and with 1 if not. On another device than the recorded one bytes
differ by nature; it then compares accuracies, and ends with 8 if these are the same. What of the outputs is in git is
compared with dvc.lock before anything is run.

`--epochs` runs some epochs of the training only, each from the recorded state before it, and all stages behind train.
`--against` says where the training in the workspace parts from another one. `--outputs` runs nothing: it reads every
file that dvc.lock records. These three end with the sum of 1 (something is not what is recorded), 2 (a file is
missing) and 4 (something could not be checked).
"""

import argparse
import sys
from pathlib import Path

from pipeline.errors import UserError
from tools.command import command
from tools.proofs.commit import clone_of_commit, run_stages
from tools.store.comparison import (
    ACCURACY_TOLERANCE,
    Comparison,
    compare_accuracies,
    compare_bytes,
    compare_git,
    read_record,
)
from tools.store.git import git
from tools.store.lock import locked_outputs, read_lock
from tools.store.objects import Problem, status_of

DIFFERENT_STATUS, SAME_ACCURACIES_STATUS = 1, 8  # Those of the other ways to verify lie between.
EXIT_STATUS = (
    f"The exit status is 0 if all is the same, {DIFFERENT_STATUS} if something differs or could not be run, "
    f"{SAME_ACCURACIES_STATUS} if only accuracies could be compared and are the same; with --epochs, --against and "
    f"--outputs the sum of {Problem.CORRUPTED:d} (something is not what is recorded), {Problem.MISSING:d} (a file is "
    f"missing) and {Problem.UNCHECKED:d} (something could not be checked)."
)
TRAINING = ("download", "train")


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tools.verify", description="Prove what the commit records.", epilog=EXIT_STATUS
    )
    ways = parser.add_mutually_exclusive_group()
    ways.add_argument(
        "--epochs", metavar="K", help="run K epochs again, drawn at random, or the ones named (1,7,20), or all"
    )
    ways.add_argument(
        "--against",
        metavar="REV|DIR",
        help="run nothing; say where the training here and that of a commit, or of a project's folder, part",
    )
    ways.add_argument("--outputs", action="store_true", help="run nothing; read what is there against what is recorded")
    scheduler_help = "with --epochs: have them run by the workers that joined a sweep's scheduler, tls://HOST:PORT"
    parser.add_argument("--scheduler", metavar="ADDRESS", help=scheduler_help)
    remote_help = "with --outputs: read this DVC remote, too; without NAME the default one"
    parser.add_argument("--remote", metavar="NAME", nargs="?", const="", help=remote_help)
    arguments = parser.parse_args()
    if arguments.remote is not None and not arguments.outputs:
        parser.error("--remote goes with --outputs")
    if arguments.scheduler is not None and arguments.epochs is None:
        parser.error("--scheduler goes with --epochs")
    with command("verify"):
        if arguments.epochs is not None:
            sys.exit(verify_epochs(arguments.epochs, arguments.scheduler))
        if arguments.against is not None:
            sys.exit(verify_against(arguments.against))
        sys.exit(verify_outputs(arguments.remote) if arguments.outputs else verify_commit())


def verify_outputs(remote: str | None) -> int:
    """Print what is wrong with the files at hand; return the exit status."""
    from dvc.exceptions import DvcException  # A run in a clone does not need dvc in this process.

    from tools.store.outputs import check_outputs

    with command("verify", Problem.UNCHECKED, (UserError, DvcException)):
        num_files, findings = check_outputs(remote)
    for finding in findings:
        print(finding)
    print(f"{num_files} files were read, {len(findings)} problems found")
    return status_of(findings)


def verify_commit() -> int:
    """Run the commit's stages in a clone, print a table of its outputs; return the exit status."""
    with clone_of_commit("verify") as clone:
        if status := refuse_contradiction(clone):
            return status
        recorded = read_record(clone)
        run_stages(clone)
        now = read_record(clone)
        device, device_now = recorded.environment["device"], now.environment["device"]
        if device == device_now:
            status = print_table(compare_bytes(recorded.locked, now.locked))
            if status:
                print_parting(clone)
            return status
    print(
        f"recorded on {device}, now on {device_now}: bytes differ by nature, so accuracies are compared, "
        f"within {ACCURACY_TOLERANCE}; if they are the same, the exit status is {SAME_ACCURACIES_STATUS}"
    )
    return print_table(compare_accuracies(recorded.metrics, now.metrics)) or SAME_ACCURACIES_STATUS


def verify_epochs(text: str, scheduler: str | None) -> int:
    """Run some epochs of the commit again, and the stages behind train, in a clone; return the exit status."""
    from dvc.exceptions import DvcException

    from tools.proofs.check import check_epochs

    with command("verify", Problem.UNCHECKED, (UserError, DvcException)), clone_of_commit("verify") as clone:
        if status := refuse_contradiction(clone):
            return status
        if status := check_epochs(text, clone, scheduler):
            print("the stages behind train are not run")
            return status
        recorded = outputs_behind_train(clone)
        run_stages(clone, "--downstream", "evaluate")
        return print_table(compare_bytes(recorded, outputs_behind_train(clone)))


def verify_against(other: str) -> int:
    """Say where the training in the workspace and another one part; return the exit status."""
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    from tools.proofs.parting import find_parting, training_in, training_of
    from tools.store.project import Project

    with command("verify", Problem.UNCHECKED, (UserError, DvcException)), Repo() as repo:
        name, is_folder = f"in {other}", Path(other).is_dir()
        theirs = training_in(Path(other), name) if is_folder else training_of(other, name, Project(repo))
        problem, where = find_parting(training_in(Path(), "here"), theirs)
    print(where)
    return problem or 0


def refuse_contradiction(clone: Path) -> int:
    """Print what dvc.lock and git of a commit do not agree on; return the exit status, 0 if there is nothing."""
    in_git = compare_git(clone)
    if all(comparison.same for comparison in in_git):
        return 0
    print("nothing is run: the commit's own files are not those that its dvc.lock records")
    return print_table(in_git)


def outputs_behind_train(clone: Path) -> dict[str, str]:
    """The md5s that a clone's dvc.lock records, by path, of what is made from a training."""
    return locked_outputs({name: stage for name, stage in read_lock(clone).items() if name not in TRAINING})


def print_parting(clone: Path) -> None:
    """Say where the training that a clone has run parts from the one that its commit records."""
    from dvc.repo import Repo

    from tools.proofs.parting import find_parting, training_in, training_of
    from tools.store.project import Project

    with Repo() as repo:
        recorded = training_of(git("rev-parse", "HEAD", folder=clone), "recorded", Project(repo))
        _, where = find_parting(recorded, training_in(clone, "now"))
    print(f"the training: {where}")


def print_table(rows: list[Comparison]) -> int:
    """Print the rows below each other; return the exit status, 0 if all are the same."""
    width = max(len(row.output) for row in rows)
    print(f"\n{'output':<{width}}  {'recorded':<36}  {'now':<36}  same")
    for row in rows:
        print(f"{row.output:<{width}}  {row.recorded:<36}  {row.now:<36}  {'yes' if row.same else 'NO'}")
    num_different = sum(not row.same for row in rows)
    print(f"\n{len(rows)} outputs compared, {num_different} differ")
    return DIFFERENT_STATUS if num_different else 0


if __name__ == "__main__":
    main()
