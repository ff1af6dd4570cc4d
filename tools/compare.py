"""Compares the results of two commits, and says which differences are more than chance.

`python -m tools.compare [OLD] [NEW]`: without NEW, the workspace; without both, HEAD against the workspace. Metrics
and predictions come through DVC: from git, the cache or the remote. Test accuracies are compared image by image with
the exact McNemar test: among the images that only one of the two networks gets right, each should have half if they
are equally good. Source: Q. McNemar (1947), Note on the sampling error of the difference between correlated
proportions or percentages.
"""

import argparse
import json
import sys
from dataclasses import asdict, dataclass
from typing import Literal

from tools.command import command
from tools.store.results import WORKSPACE, Results, read_results

SIGNIFICANCE = 0.05
Verdict = Literal["better", "worse", "within chance", "same", "undecided", ""]
# Of which metrics more is better, and of which less; the others (best_epoch, an interval's bounds) are neither.
HIGHER_IS_BETTER = ("validation_accuracy", "test_accuracy", "last_test_accuracy")
LOWER_IS_BETTER = ("validation_loss", "test_loss", "test_errors", "test_calibration_error")
WORSE_STATUS, UNDECIDED_STATUS = 1, 2


@dataclass(frozen=True)
class AccuracyTest:
    """The verdict on the test accuracy: of the same images, how many only one of the networks gets right."""

    verdict: Verdict
    reason: str
    num_fixed: int | None = None
    num_broken: int | None = None
    p_value: float | None = None


@dataclass(frozen=True)
class Row:
    """A metric of both; None where one does not have it. A verdict on a number alone knows its direction only."""

    metric: str
    old: float | None
    new: float | None
    verdict: Verdict

    @property
    def change(self) -> float | None:
        """How much larger the new value is."""
        return None if self.old is None or self.new is None else round(self.new - self.old, 6)


def main() -> None:
    arguments = parse_arguments()
    with command("compare", UNDECIDED_STATUS):
        old, new = read_results(arguments.old), read_results(arguments.new)
        accuracy = compare_accuracy(old, new)
        rows = compare_metrics(old.metrics, new.metrics, accuracy.verdict)
        if arguments.json:
            table = [asdict(row) | {"change": row.change} for row in rows]
            names = {"old": old.name, "new": new.name, "old_recipe": old.recipe, "new_recipe": new.recipe}
            print(json.dumps(names | {"metrics": table, "test_accuracy": asdict(accuracy)}, indent=2))
        else:
            print(format_table(old, new, rows, accuracy, arguments.markdown))
    if arguments.fail_on == "worse":
        sys.exit({"worse": WORSE_STATUS, "undecided": UNDECIDED_STATUS}.get(accuracy.verdict, 0))


def parse_arguments() -> argparse.Namespace:
    """Return old, new, json, markdown and fail_on of the command line."""
    parser = argparse.ArgumentParser(prog="python -m tools.compare", description="Compare the results of two commits.")
    parser.add_argument("old", nargs="?", default="HEAD", help="a commit, branch, tag or experiment; default: HEAD")
    parser.add_argument("new", nargs="?", default=WORKSPACE, help="another one; default: the workspace")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print JSON")
    form.add_argument("--markdown", action="store_true", help="print a Markdown table")
    parser.add_argument(
        "--fail-on",
        choices=["worse"],
        help=f"exit with {WORSE_STATUS} if the test accuracy is worse by more than chance, with {UNDECIDED_STATUS} if "
        "that cannot be decided",
    )
    return parser.parse_args()


def compare_accuracy(old: Results, new: Results) -> AccuracyTest:
    """Return the exact McNemar test of both predictions, or why there is none."""
    if old.predictions is None:
        return AccuracyTest("undecided", old.problem)
    if new.predictions is None:
        return AccuracyTest("undecided", new.problem)
    labels = old.predictions["label"]
    if old.data_md5 != new.data_md5 or not labels.equals(new.predictions["label"]):
        return AccuracyTest("undecided", "the test sets differ, so there are no images to compare on")
    was_right, is_right = labels == old.predictions["prediction"], labels == new.predictions["prediction"]
    num_fixed, num_broken = int((is_right & ~was_right).sum()), int((was_right & ~is_right).sum())
    p_value = mcnemar(num_fixed, num_broken)
    verdict: Verdict
    if num_fixed == num_broken == 0:
        verdict = "same"
    elif p_value >= SIGNIFICANCE:
        verdict = "within chance"
    else:
        verdict = "better" if num_fixed > num_broken else "worse"
    reason = f"{num_fixed} fixed, {num_broken} broken, p = {p_value:.2g}"
    return AccuracyTest(verdict, reason, num_fixed, num_broken, p_value)


def mcnemar(num_fixed: int, num_broken: int) -> float:
    """Return the two-sided p-value of the exact McNemar test: how often chance alone is at least as uneven."""
    num_different = num_fixed + num_broken
    num_ways, num_ways_in_tail = 1, 0  # Integers, so exact; math.comb anew for each k takes 3 s for 10,000 images.
    for k in range(min(num_fixed, num_broken) + 1):
        num_ways_in_tail += num_ways
        num_ways = num_ways * (num_different - k) // (k + 1)
    return min(1.0, 2 * num_ways_in_tail / (1 << num_different))


def compare_metrics(old: dict[str, float], new: dict[str, float], accuracy_verdict: Verdict) -> list[Row]:
    """Return a row per metric of either; the verdict on test accuracy and errors is the test's."""
    rows = []
    for metric in old | new:
        before, after = old.get(metric), new.get(metric)
        is_tested = metric in ("test_accuracy", "test_errors")
        verdict = accuracy_verdict if is_tested else _judge(metric, before, after)
        rows.append(Row(metric, before, after, verdict))
    return rows


def _judge(metric: str, old: float | None, new: float | None) -> Verdict:
    if old is None or new is None or metric not in HIGHER_IS_BETTER + LOWER_IS_BETTER:
        return ""
    if old == new:
        return "same"
    return "better" if (new > old) == (metric in HIGHER_IS_BETTER) else "worse"


def format_table(old: Results, new: Results, rows: list[Row], accuracy: AccuracyTest, markdown: bool) -> str:
    """Return the lines for a terminal, or for a Markdown page."""
    cells = [["metric", f"{old.name} ({old.recipe})", f"{new.name} ({new.recipe})", "change", "verdict"]]
    cells += [[row.metric, _text(row.old), _text(row.new), _text(row.change, sign="+"), row.verdict] for row in rows]
    if markdown:
        cells.insert(1, ["---"] * len(cells[0]))
        lines = [f"| {' | '.join(line)} |" for line in cells]
    else:
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        padded = [[cell.ljust(width) for cell, width in zip(line, widths, strict=True)] for line in cells]
        lines = ["  ".join(line).rstrip() for line in padded]
    summary = f"test accuracy: {accuracy.verdict}: {accuracy.reason}"
    return "\n".join([*lines, "", summary, "(the other verdicts know the direction of a change, not chance)"])


def _text(value: float | None, sign: str = "") -> str:
    return "-" if value is None else f"{value:{sign}.6g}"


if __name__ == "__main__":
    main()
