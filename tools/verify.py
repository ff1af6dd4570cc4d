"""Proves that the commit determines its results, or that the files at hand are those that it records.

`python -m tools.verify` runs every stage of the current commit again, in a clone with an empty cache, and compares
all bytes; it ends with 0 only if they are the same, and with 1 if not. On another device than the recorded one bytes
differ by nature; it then compares accuracies, and ends with 8 if these are the same. What of the outputs is in git is
compared with dvc.lock before anything is run. `--outputs` runs nothing: it reads every file that dvc.lock records, and
ends with the sum of 1 (a file is corrupted), 2 (one is missing) and 4 (one could not be checked).
"""

import argparse
import os
import sys
from pathlib import Path

from pipeline.errors import UserError
from tools.command import command
from tools.store.comparison import (
    ACCURACY_TOLERANCE,
    Comparison,
    compare_accuracies,
    compare_bytes,
    compare_git,
    read_record,
)
from tools.store.git import environment, git
from tools.store.objects import Problem, status_of
from tools.store.scratch import end_in_one_line, run, scratch_folder

DIFFERENT_STATUS, SAME_ACCURACIES_STATUS = 1, 8  # Those of --outputs lie between.
EXIT_STATUS = (
    f"The exit status is 0 if all is the same, {DIFFERENT_STATUS} if something differs or could not be run, "
    f"{SAME_ACCURACIES_STATUS} if only accuracies could be compared and are the same; with --outputs the sum of "
    f"{Problem.CORRUPTED:d} (a file is corrupted), {Problem.MISSING:d} (one is missing) and {Problem.UNCHECKED:d} "
    "(one could not be checked)."
)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tools.verify", description="Prove what the commit records.", epilog=EXIT_STATUS
    )
    parser.add_argument(
        "--outputs", action="store_true", help="run nothing; read what is there against what is recorded"
    )
    remote_help = "with --outputs: read this DVC remote, too; without NAME the default one"
    parser.add_argument("--remote", metavar="NAME", nargs="?", const="", help=remote_help)
    arguments = parser.parse_args()
    if arguments.remote is not None and not arguments.outputs:
        parser.error("--remote goes with --outputs")
    with command("verify"):
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
    end_in_one_line("verify")  # The clone is removed.
    commit = git("rev-parse", "HEAD")
    print(f"verifying commit {commit[:12]} in a clone with an empty cache", flush=True)
    if git("status", "--porcelain"):
        print("what is not committed here is no part of it", flush=True)
    with scratch_folder() as scratch:
        clone = scratch / "clone"
        git("clone", "--quiet", "--no-hardlinks", ".", str(clone))
        git("checkout", "--quiet", commit, folder=clone)
        in_git = compare_git(clone)
        if not all(comparison.same for comparison in in_git):
            print("nothing is run: the commit's own files are not those that its dvc.lock records")
            return print_table(in_git)
        recorded = read_record(clone)
        run_all_stages(clone, site_cache=scratch / "site")
        now = read_record(clone)
    device, device_now = recorded.environment["device"], now.environment["device"]
    if device == device_now:
        return print_table(compare_bytes(recorded.locked, now.locked))
    print(
        f"recorded on {device}, now on {device_now}: bytes differ by nature, so accuracies are compared, "
        f"within {ACCURACY_TOLERANCE}; if they are the same, the exit status is {SAME_ACCURACIES_STATUS}"
    )
    return print_table(compare_accuracies(recorded.metrics, now.metrics)) or SAME_ACCURACIES_STATUS


def run_all_stages(clone: Path, site_cache: Path) -> None:
    """Run `dvc repro` without anything that is cached; raise UserError if it fails."""
    own = {
        "DVC_SITE_CACHE_DIR": str(site_cache),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    if folder := os.environ.get("MNIST_DIR"):
        own["MNIST_DIR"] = str(Path(folder).resolve())
    if run(["dvc", "repro", "--force", "--no-run-cache", "--no-commit"], clone, environment() | own) != 0:
        raise UserError("the pipeline failed in the clone; its last lines say why")


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
