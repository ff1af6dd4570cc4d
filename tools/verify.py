"""Proves that the commit determines its results, or that the files at hand are those that it records.

`python -m tools.verify` runs every stage of the current commit again, in a clone with an empty cache, and compares
all bytes; it ends with 0 only if they are the same. `--outputs` runs nothing: it reads every file that dvc.lock
records, and ends with the sum of 1 (a file is corrupted), 2 (one is missing) and 4 (one could not be checked).
"""

import argparse
import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mnist.paths import ENVIRONMENT_JSON, EVALUATE_JSON
from pipeline.errors import UserError
from pipeline.stage import INTERRUPTED_STATUS
from tools.store.lock import locked_outputs, read_lock

# Three standard errors of an accuracy of 99.2 % on 10,000 images; what is compared where bits cannot be the same.
ACCURACY_TOLERANCE = 0.003


@dataclass(frozen=True)
class Row:
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
    parser.add_argument("--remote", help="with --outputs: read this DVC remote, too")
    arguments = parser.parse_args()
    if arguments.remote and not arguments.outputs:
        parser.error("--remote goes with --outputs")
    signal.signal(signal.SIGINT, signal.default_int_handler)  # The clone is removed.
    try:
        sys.exit(verify_outputs(arguments.remote) if arguments.outputs else verify_commit())
    except UserError as error:
        sys.exit(f"verify: {error}")
    except KeyboardInterrupt:
        print("verify: interrupted", file=sys.stderr)
        sys.exit(INTERRUPTED_STATUS)


def verify_outputs(remote: str | None) -> int:
    """Print what is wrong with the files at hand; return the exit status."""
    from dvc.exceptions import DvcException  # A run in a clone does not need dvc in this process.

    from tools.store.objects import Problem, reason
    from tools.store.outputs import check_outputs

    try:
        num_files, findings = check_outputs(remote)
    except (UserError, DvcException) as error:
        print(f"verify: {reason(error)}")
        return Problem.UNCHECKED
    status = 0
    for finding in findings:
        status |= finding.problem
        print(finding)
    print(f"{num_files} files were read, {len(findings)} problems found")
    return status


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
        recorded_lock = locked_outputs(read_lock(clone))
        recorded = _files_in_git(clone, recorded_lock)
        metrics, environment = _read_json(clone, EVALUATE_JSON), _read_json(clone, ENVIRONMENT_JSON)
        own = {
            "DVC_SITE_CACHE_DIR": f"{scratch}/site",
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        }
        if folder := os.environ.get("MNIST_DIR"):
            own["MNIST_DIR"] = str(Path(folder).resolve())
        command = ["dvc", "repro", "--force", "--no-run-cache", "--no-commit"]
        if subprocess.run(command, cwd=clone, env=os.environ | own).returncode != 0:
            sys.exit("verify: the pipeline failed in the clone; its last lines say why")
        device_now = _read_json(clone, ENVIRONMENT_JSON)["device"]
        if device_now == environment["device"]:
            rows = compare_bytes(recorded_lock, recorded, locked_outputs(read_lock(clone)))
        else:
            rows = compare_accuracies(metrics, _read_json(clone, EVALUATE_JSON))
            print(
                f"recorded on {environment['device']}, now on {device_now}: "
                f"bytes differ by nature, so accuracies are compared, within {ACCURACY_TOLERANCE}"
            )
    print_table(rows)
    return 0 if all(row.same for row in rows) else 1


def compare_bytes(locked: dict[str, str], in_git: dict[str, str], now: dict[str, str]) -> list[Row]:
    """Return a row per output; md5s by path: of dvc.lock, of the files that the commit itself holds, and now."""
    rows = []
    for output in sorted(locked.keys() | now.keys()):
        new = now.get(output, "none")
        rows.append(Row(output, locked.get(output, "none"), new, locked.get(output) == new))
        if output in in_git:
            rows.append(Row(f"{output} in git", in_git[output], new, in_git[output] == new))
    return rows


def compare_accuracies(recorded: dict[str, Any], now: dict[str, Any]) -> list[Row]:
    """Return a row per accuracy of metrics/evaluate.json."""
    names = [name for name in recorded if name.endswith("_accuracy")]
    return [
        # Rounded, as the metrics are: 0.993 - 0.990 is above 0.003 in binary fractions.
        Row(name, f"{recorded[name]}", f"{now[name]}", round(abs(recorded[name] - now[name]), 6) <= ACCURACY_TOLERANCE)
        for name in names
    ]


def print_table(rows: list[Row]) -> None:
    """Print the rows below each other."""
    width = max(len(row.output) for row in rows)
    print(f"\n{'output':<{width}}  {'recorded':<36}  {'now':<36}  same")
    for row in rows:
        print(f"{row.output:<{width}}  {row.recorded:<36}  {row.now:<36}  {'yes' if row.same else 'NO'}")
    num_different = sum(not row.same for row in rows)
    print(f"\n{len(rows)} outputs compared, {num_different} differ")


def _files_in_git(folder: Path, paths: Iterable[str]) -> dict[str, str]:
    """The md5 of every output that git holds itself, by path."""
    return {
        path: hashlib.md5((folder / path).read_bytes(), usedforsecurity=False).hexdigest()
        for path in paths
        if (folder / path).is_file()
    }


def _read_json(folder: Path, name: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads((folder / name).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"the commit has no {name}: run `dvc repro` and commit what it writes") from None
    return content


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"verify: git {arguments[0]}: {done.stderr.strip()}")
    return done.stdout.strip()


if __name__ == "__main__":
    main()
