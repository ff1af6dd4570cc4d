"""Prints what the last run gave, in a few lines: `python -m tools.summary`; as a Markdown table with `--markdown`.

`--check` prints nothing of a run that is not rightly recorded, or of which the cache does not have all.
"""

import argparse
import json

from mnist.paths import EVALUATE_JSON
from pipeline.errors import UserError, name_some
from tools.command import command
from tools.store.cache import find_lacking
from tools.store.lock import read_lock


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.summary", description="Print what the last run gave.")
    parser.add_argument("--markdown", action="store_true", help="print a Markdown table of all metrics")
    parser.add_argument("--check", action="store_true", help="fail if dvc.lock is wrong, or the cache lacks a part")
    arguments = parser.parse_args()
    with command("summary"):
        if arguments.check:
            check_record()
        print("\n".join(read_lines(arguments.markdown)))


def check_record() -> None:
    """Raise UserError if dvc.lock is wrong, or not all of it is in the cache, though `dvc repro` ended well."""
    from tools.store.notes import contradictions, read_workspace  # Loads parts of DVC, which --help does not need.

    for finding in contradictions(read_lock(), read_workspace):
        raise UserError(f"{finding.name} {finding.detail}")
    if lacking := find_lacking():
        raise UserError(
            f"the cache lacks {name_some(lacking)}, as when the disk is full while DVC saves results: make room, then "
            "`python -m tools.doctor --repair`"
        )


def read_lines(markdown: bool) -> list[str]:
    """Return the lines for the run that the workspace records; raise UserError if it records none."""
    try:
        metrics = json.loads(EVALUATE_JSON.read_text(encoding="utf-8"))
        recipe = read_lock()["train"]["params"]["params.yaml"]["recipe"]
        return markdown_lines(recipe, metrics) if markdown else ["", *summary_lines(recipe, metrics), ""]
    except FileNotFoundError:
        raise UserError(f"{EVALUATE_JSON} is missing: run `dvc repro`") from None
    except (ValueError, LookupError, TypeError):  # During a merge, for example.
        raise UserError(f"{EVALUATE_JSON} is not whole: `git checkout HEAD metrics dvc.lock` restores it") from None


def summary_lines(recipe: str, metrics: dict[str, float]) -> list[str]:
    """Return the lines for the contents of metrics/evaluate.json."""
    rows = {
        "recipe": recipe,
        "best epoch": f"{metrics['best_epoch']}",
        "validation accuracy": _percent(metrics.get("validation_accuracy")),
        "test accuracy": f"{_percent(metrics['test_accuracy'])}  "
        f"(95 % interval {_percent(metrics['test_accuracy_low'])} to {_percent(metrics['test_accuracy_high'])}, "
        f"{metrics['test_errors']} errors)",
        "the network": "data/model.safetensors",
        "look next": "metrics/report.html; then change params.yaml and run `dvc repro`",
    }
    return [f"{name:<20} {value}" for name, value in rows.items()]


def markdown_lines(recipe: str, metrics: dict[str, float]) -> list[str]:
    """Return the lines of a table: the recipe, then a row per metric of metrics/evaluate.json."""
    rows = [("metric", recipe), ("---", "---"), *((name, f"{value:.6g}") for name, value in metrics.items())]
    return [f"| {name} | {value} |" for name, value in rows]


def _percent(fraction: float | None) -> str:
    return "none" if fraction is None else f"{100 * fraction:.2f} %"


if __name__ == "__main__":
    main()
