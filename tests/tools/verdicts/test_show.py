"""What may be concluded is printed for people, for a Markdown page and for programs."""

import csv
import json
import subprocess
import sys

import numpy as np
import pytest

from pipeline.errors import UserError
from tests import ROOT
from tests.runs import COMMIT, make_runs
from tools.verdicts.show import show

LABELS = np.arange(200) % 10
RUNS = [
    *make_runs("demo", [0.95, 0.96, 0.965, 0.955], LABELS, validation=[0.94, 0.96, 0.95, 0.93]),
    *make_runs(
        "demo", [0.9, 0.91, 0.92, 0.905], LABELS, ("recipes.demo.batch_size=64",), validation=[0.9, 0.95, 0.94, 0.92]
    ),
]


def test_terminal_has_a_table_of_groups_and_one_of_pairs_for_each_accuracy() -> None:
    lines = show(RUNS, "text").splitlines()
    assert lines[0].split("  ")[0] == "recipe"
    cells = [cell.strip() for cell in lines[1].split("  ") if cell]
    assert cells[:3] == ["demo", "4", "95.75 %"]
    assert "95.00 to 96.50" in cells
    assert "94.50 % (92.45 to 96.55)" in cells
    choose, report = (lines.index(line) for line in lines if line.startswith("By "))
    assert "not decided by 4 + 4 seeds" in lines[choose + 3]
    assert "  better  " in lines[report + 3]
    assert "demo against demo batch_size=64" in lines[report + 3]
    assert "equal" not in "\n".join(lines).replace("need not be equal", "")


def test_markdown_is_tables() -> None:
    lines = show(RUNS, "markdown").splitlines()
    tables = [line for line in lines if line.startswith("|")]
    assert len(tables) == 4 + 3 + 3
    assert {line.count("|") for line in tables[:4]} == {10}
    assert {line.count("|") for line in tables[4:]} == {9}
    assert tables[1] == "|" + " --- |" * 9


def test_json_has_every_number() -> None:
    content = json.loads(show(RUNS, "json"))
    group = content["groups"][1]
    assert group["settings"] == ["recipes.demo.batch_size=64"]
    assert group["seeds"] == [0, 1, 2, 3]
    assert group["test_accuracy"]["mean"] == pytest.approx(0.90875)
    assert group["test_errors"]["mean"] == pytest.approx(18.25)
    (pair,) = content["pairs"]["test_accuracy"]
    assert (pair["verdict"], pair["num_seeds"]) == ("better", [4, 4])
    assert pair["test"]["p_value"] == pytest.approx(2 / 70)
    assert content["pairs"]["validation_accuracy"][0]["verdict"] == "not decided"


def test_csv_has_a_line_per_run() -> None:
    rows = list(csv.DictReader(show(RUNS, "csv").splitlines()))
    assert [row["seed"] for row in rows] == ["0", "1", "2", "3"] * 2
    assert [row["test_accuracy"] for row in rows[:2]] == ["0.95", "0.96"]
    assert {row["commit"] for row in rows} == {COMMIT}
    assert rows[4]["settings"] == "recipes.demo.batch_size=64"
    assert rows[0]["name"] == RUNS[0].trial.name


def test_reason_stands_below_the_pairs() -> None:
    text = show([*RUNS[:4], *make_runs("fast", [0.9], LABELS)], "text")
    reason = "- demo against fast: no verdict: 4 seeds of each are the least: 3 + 3 can never give p < 0.1"
    assert reason in text.splitlines()


def test_one_group_has_no_pairs() -> None:
    text = show(RUNS[:1], "text")
    assert len(text.splitlines()) == 2
    assert json.loads(show(RUNS[:1], "json"))["pairs"]["test_accuracy"] == []


@pytest.mark.parametrize("form", ["text", "json", "markdown", "csv"])
def test_no_run_is_refused_and_the_next_step_named(form: str) -> None:
    with pytest.raises(UserError, match=r"no trial has finished.*tools\.sweep run"):
        show([], form)  # type: ignore[arg-type]


def test_trials_do_not_pay_for_statistics() -> None:
    code = "import sys, tools.trials.trial, tools.trials.runs; print('scipy.stats' in sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert loaded.stdout == "False\n"
