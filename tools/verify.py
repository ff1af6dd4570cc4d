"""Proves that the commit determines its results, or that the files at hand are those that it records.

`python -m tools.verify` runs every stage of the current commit again, in a clone with an empty cache, and compares
all bytes; it ends with 0 only if they are the same. `--outputs` runs nothing: it reads every file that dvc.lock
records, and ends with the sum of 1 (a file is corrupted), 2 (one is missing) and 4 (one could not be checked).
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mnist.paths import ENVIRONMENT_JSON, EVALUATE_JSON
from pipeline.errors import UserError
from tools.command import command
from tools.store.lock import locked_outputs, read_lock
from tools.store.objects import Problem, md5_of_file, status_of

# Three standard errors of an accuracy of 99.2 % on 10,000 images; what is compared where bits cannot be the same.
ACCURACY_TOLERANCE = 0.003


@dataclass(frozen=True)
class Record:
    """What a folder records of its results: md5s of the outputs by path, and two of the files that git holds."""

    locked: dict[str, str]
    metrics: dict[str, Any]
    environment: dict[str, Any]


@dataclass(frozen=True)
class Comparison:
    """An output: what the commit records for it, and what it is now."""

    output: str
    recorded: str
    now: str
    same: bool


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.verify", description="Prove what the commit records.")
    parser.add_argument(
        "--outputs", action="store_true", help="run nothing; read what is there against what is recorded"
    )
    remote_help = "with --outputs: read this DVC remote, too; without NAME the default one"
    parser.add_argument("--remote", metavar="NAME", nargs="?", const="", help=remote_help)
    arguments = parser.parse_args()
    if arguments.remote is not None and not arguments.outputs:
        parser.error("--remote goes with --outputs")
    signal.signal(signal.SIGINT, signal.default_int_handler)  # The clone is removed.
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
    """Run the commit's stages in a clone, print a table of its outputs; return 0 if all are the same, else 1."""
    commit = _git("rev-parse", "HEAD")
    print(f"verifying commit {commit[:12]} in a clone with an empty cache")
    if _git("status", "--porcelain"):
        print("what is not committed here is no part of it")
    with tempfile.TemporaryDirectory(prefix="verify-") as scratch:
        clone = Path(scratch) / "clone"
        _git("clone", "--quiet", "--no-hardlinks", ".", str(clone))
        _git("-C", str(clone), "checkout", "--quiet", commit)
        recorded = read_record(clone)
        in_git = {path: md5 for path in recorded.locked if (md5 := md5_of_file(clone / path)) is not None}
        run_all_stages(clone, site_cache=Path(scratch) / "site")
        now = read_record(clone)
    device, device_now = recorded.environment["device"], now.environment["device"]
    if device == device_now:
        comparisons = compare_bytes(recorded.locked, in_git, now.locked)
    else:
        comparisons = compare_accuracies(recorded.metrics, now.metrics)
        print(
            f"recorded on {device}, now on {device_now}: "
            f"bytes differ by nature, so accuracies are compared, within {ACCURACY_TOLERANCE}"
        )
    print_table(comparisons)
    return 0 if all(comparison.same for comparison in comparisons) else 1


def read_record(folder: Path) -> Record:
    """Return what a clone records; raise UserError if a part is missing."""
    try:
        metrics, environment = (json.loads((folder / path).read_text()) for path in (EVALUATE_JSON, ENVIRONMENT_JSON))
        return Record(locked_outputs(read_lock(folder)), metrics, environment)
    except FileNotFoundError as error:
        name = Path(error.filename).relative_to(folder)
        raise UserError(f"the commit has no {name}: run `dvc repro` and commit what it writes") from None


def run_all_stages(clone: Path, site_cache: Path) -> None:
    """Run `dvc repro` without anything that is cached; raise UserError if it fails."""
    own = {
        "DVC_SITE_CACHE_DIR": str(site_cache),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    if folder := os.environ.get("MNIST_DIR"):
        own["MNIST_DIR"] = str(Path(folder).resolve())
    dvc = ["dvc", "repro", "--force", "--no-run-cache", "--no-commit"]
    if subprocess.run(dvc, cwd=clone, env=os.environ | own).returncode != 0:
        raise UserError("the pipeline failed in the clone; its last lines say why")


def compare_bytes(locked: dict[str, str], in_git: dict[str, str], now: dict[str, str]) -> list[Comparison]:
    """Return a comparison per output; md5s by path: of dvc.lock, of the files that the commit itself holds, and now."""
    found = {output: now.get(output, "none") for output in locked | now}
    comparisons = [
        Comparison(output, locked.get(output, "none"), md5, locked.get(output) == md5) for output, md5 in found.items()
    ]
    comparisons += [
        Comparison(f"{output} in git", md5, found[output], md5 == found[output]) for output, md5 in in_git.items()
    ]
    return sorted(comparisons, key=lambda comparison: comparison.output)


def compare_accuracies(recorded: dict[str, Any], now: dict[str, Any]) -> list[Comparison]:
    """Return a comparison per accuracy of metrics/evaluate.json."""
    names = [name for name in recorded if name.endswith("_accuracy")]
    return [
        # Rounded, as the metrics are: 0.993 - 0.990 is above 0.003 in binary fractions.
        Comparison(
            name, f"{recorded[name]}", f"{now[name]}", round(abs(recorded[name] - now[name]), 6) <= ACCURACY_TOLERANCE
        )
        for name in names
    ]


def print_table(rows: list[Comparison]) -> None:
    """Print the rows below each other."""
    width = max(len(row.output) for row in rows)
    print(f"\n{'output':<{width}}  {'recorded':<36}  {'now':<36}  same")
    for row in rows:
        print(f"{row.output:<{width}}  {row.recorded:<36}  {row.now:<36}  {'yes' if row.same else 'NO'}")
    num_different = sum(not row.same for row in rows)
    print(f"\n{len(rows)} outputs compared, {num_different} differ")


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], capture_output=True, text=True)
    if done.returncode != 0:
        raise UserError(f"git {arguments[0]}: {done.stderr.strip()}")
    return done.stdout.strip()


if __name__ == "__main__":
    main()
