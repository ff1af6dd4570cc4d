"""Two commits are compared image by image, and chance is not taken for progress."""

import json
import math
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.project import Project
from tools.compare import (
    UNDECIDED_STATUS,
    WORSE_STATUS,
    Verdict,
    compare_accuracy,
    compare_metrics,
    format_table,
    mcnemar,
)
from tools.store.results import Results


def results(name: str = "HEAD", predictions: list[int] | None = None, labels: list[int] | None = None) -> Results:
    """Results of a network that predicts so; all labels are 0 unless given."""
    table = None
    if predictions is not None:
        table = pd.DataFrame({"label": labels or [0] * len(predictions), "prediction": predictions})
    return Results(name, "demo", {"test_accuracy": 0.5}, "md5", table, "" if predictions else "nowhere to be had")


def predictions_that_differ(num_fixed: int, num_broken: int, num_same: int = 100) -> tuple[Results, Results]:
    old = [1] * num_fixed + [0] * num_broken + [0] * num_same
    new = [0] * num_fixed + [1] * num_broken + [0] * num_same
    return results("old", old), results("new", new)


@pytest.mark.parametrize(("num_fixed", "num_broken"), [(0, 0), (1, 0), (5, 5), (61, 18), (18, 61), (3, 10), (700, 650)])
def test_p_value_is_the_exact_sum_of_binomial_probabilities(num_fixed: int, num_broken: int) -> None:
    num_different = num_fixed + num_broken
    tail = sum(math.comb(num_different, k) for k in range(min(num_fixed, num_broken) + 1))
    assert mcnemar(num_fixed, num_broken) == pytest.approx(min(1.0, 2 * tail / 2**num_different), rel=1e-9)


@pytest.mark.parametrize(
    ("num_fixed", "num_broken", "p_value"),  # The latter by scipy.stats.binomtest, scipy 1.17.1.
    [(5000, 4800, 0.04440414879984631), (5100, 4900, 0.04658552770494645), (1200, 800, 3.505006206935571e-19)],
)
def test_p_value_is_exact_where_its_terms_are_larger_than_any_float(
    num_fixed: int, num_broken: int, p_value: float
) -> None:
    assert math.comb(num_fixed + num_broken, num_broken) > sys.float_info.max
    assert mcnemar(num_fixed, num_broken) == pytest.approx(p_value, rel=1e-12)
    assert mcnemar(10_000, 0) == 0.0
    assert mcnemar(5000, 5000) == 1.0


@pytest.mark.parametrize(
    ("num_fixed", "num_broken", "verdict"),
    [
        (61, 18, "better"),
        (18, 61, "worse"),
        (20, 14, "within chance"),
        (5, 0, "within chance"),
        (6, 0, "better"),
        (0, 6, "worse"),
        (0, 0, "same"),
    ],
)
def test_verdict_on_accuracy_needs_more_than_chance(num_fixed: int, num_broken: int, verdict: Verdict) -> None:
    test = compare_accuracy(*predictions_that_differ(num_fixed, num_broken))
    assert test.verdict == verdict
    assert (test.num_fixed, test.num_broken) == (num_fixed, num_broken)
    assert test.reason.startswith(f"{num_fixed} fixed, {num_broken} broken, p = ")


def test_networks_of_equal_accuracy_are_often_enough_within_chance() -> None:
    generator = np.random.default_rng(0)
    num_false_alarms = 0
    for _ in range(1000):
        num_fixed = int(generator.binomial(80, 0.5))
        verdict = compare_accuracy(*predictions_that_differ(num_fixed, 80 - num_fixed)).verdict
        num_false_alarms += verdict in ("better", "worse")
    assert 10 <= num_false_alarms <= 50, "at most about one in twenty, and not never"


def test_different_test_sets_are_not_compared() -> None:
    old, new = results(predictions=[0, 1], labels=[0, 1]), results(predictions=[0, 1], labels=[0, 2])
    test = compare_accuracy(old, new)
    assert test.verdict == "undecided"
    assert "test sets differ" in test.reason


def test_missing_predictions_are_said() -> None:
    test = compare_accuracy(results("old"), results("new", [0, 1]))
    assert (test.verdict, test.reason) == ("undecided", "nowhere to be had")


@pytest.mark.parametrize(
    ("metric", "old", "new", "verdict"),
    [
        ("validation_accuracy", 0.98, 0.99, "better"),
        ("validation_accuracy", 0.99, 0.98, "worse"),
        ("test_loss", 0.3, 0.2, "better"),
        ("test_loss", 0.2, 0.3, "worse"),
        ("test_calibration_error", 0.1, 0.1, "same"),
        ("best_epoch", 3, 9, ""),
        ("test_accuracy_low", 0.1, 0.2, ""),
        ("test_accuracy", 0.1, 0.9, "within chance"),
        ("test_errors", 9, 1, "within chance"),
    ],
)
def test_verdict_knows_the_direction(metric: str, old: float, new: float, verdict: Verdict) -> None:
    (row,) = compare_metrics({metric: old}, {metric: new}, "within chance")
    assert row.verdict == verdict
    assert row.change == pytest.approx(new - old)


def test_metric_that_only_one_has_is_shown_without_a_verdict() -> None:
    old_only, new_only = compare_metrics({"test_loss": 0.5}, {"validation_loss": 0.4}, "same")
    assert (old_only.metric, old_only.new, old_only.change, old_only.verdict) == ("test_loss", None, None, "")
    assert (new_only.metric, new_only.old, new_only.change, new_only.verdict) == ("validation_loss", None, None, "")


def test_markdown_is_a_table() -> None:
    old, new = predictions_that_differ(6, 0)
    test = compare_accuracy(old, new)
    lines = format_table(old, new, compare_metrics(old.metrics, new.metrics, test.verdict), test, markdown=True)
    assert lines.splitlines()[:3] == [
        "| metric | old (demo) | new (demo) | change | verdict |",
        "| --- | --- | --- | --- | --- |",
        "| test_accuracy | 0.5 | 0.5 | +0 | better |",
    ]


@pytest.fixture(scope="module")
def two_commits(trained_template: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project whose last commit learned next to nothing, and whose workspace is that commit."""
    project = trained_template.copy(tmp_path_factory.mktemp("compare") / "copy")
    project.set_param("recipes.demo.optimizer.learning_rate", 1e-9)
    project.repro("evaluate")
    project.commit()
    return project


def compare(project: Project, *arguments: str) -> tuple[int, str]:
    done = project.run("python", "-m", "tools.compare", *arguments, check=False)
    assert "Traceback" not in done.stdout
    return done.returncode, done.stdout


def test_worse_commit_is_called_worse_and_fails_where_that_is_asked(two_commits: Project) -> None:
    status, output = compare(two_commits, "HEAD~1", "HEAD", "--json", "--fail-on", "worse")
    document = json.loads(output)
    test = document["test_accuracy"]
    assert status == WORSE_STATUS
    assert test["verdict"] == "worse"
    old, new = (
        pd.read_csv(two_commits.folder / "data/predictions.csv"),
        json.loads(two_commits.run("git", "show", "HEAD~1:metrics/evaluate.json").stdout),
    )
    num_errors = int((old["label"] != old["prediction"]).sum())
    assert test["num_broken"] - test["num_fixed"] == num_errors - new["test_errors"]
    rows = {row["metric"]: row for row in document["metrics"]}
    assert rows["test_errors"]["new"] == num_errors


def test_head_is_compared_with_the_workspace_by_default(two_commits: Project) -> None:
    status, output = compare(two_commits, "--fail-on", "worse")
    assert status == 0
    assert output.splitlines()[0].split() == ["metric", "HEAD", "(demo)", "workspace", "(demo)", "change", "verdict"]
    assert "test accuracy: same: 0 fixed, 0 broken, p = 1" in output


def test_worse_commit_does_not_fail_unasked(two_commits: Project) -> None:
    assert compare(two_commits, "HEAD~1")[0] == 0


def test_predictions_come_from_a_remote_or_are_said_to_be_nowhere(two_commits: Project, tmp_path: Path) -> None:
    project = two_commits.copy(tmp_path / "copy")
    project.run("dvc", "remote", "add", "--default", "share", str(project.folder.parent / "remote"))
    # What a push after each commit leaves; now, `dvc push --all-commits` would skip the commit without this remote.
    project.run("mv", ".dvc/cache", "../remote")
    status, output = compare(project, "HEAD~1", "HEAD", "--fail-on", "worse")
    assert (status, "worse: " in output) == (WORSE_STATUS, True)
    project.run("rm", "-rf", ".dvc/cache", str(project.folder.parent / "remote"))
    status, output = compare(project, "HEAD~1", "HEAD", "--fail-on", "worse")
    assert status == UNDECIDED_STATUS
    assert "undecided: data/predictions.csv of HEAD~1 is neither in the cache nor on a remote" in output
    assert "test_loss" in output, "the metrics are in git, and compared"


def test_altered_predictions_are_not_believed(two_commits: Project, tmp_path: Path) -> None:
    project = two_commits.copy(tmp_path / "copy")
    path = project.folder / "data/predictions.csv"
    content = path.read_text()
    path.unlink()
    path.write_text(content.replace("\n0,", "\n1,", 1))
    output = compare(project)[1]
    assert "undecided: data/predictions.csv of workspace is not the file that dvc.lock records" in output


@pytest.mark.parametrize(
    "revision",
    [
        "nowhere",
        "",
        "HEAD:dvc.lock",
        "HEAD:",
        "HEAD^{tree}",
        ":/x",
        "HEAD@{99}",
        "a\nb",
        "\udcff",
        "x" * 5000,
        "tree-tag",
    ],
)
def test_revision_that_is_no_commits_is_one_clear_line(two_commits: Project, revision: str) -> None:
    two_commits.run("git", "tag", "--force", "tree-tag", "HEAD^{tree}")
    status, output = compare(two_commits, "HEAD", revision)
    assert status == UNDECIDED_STATUS
    assert output == (
        f"compare: {revision!r} names no commit, branch, tag or experiment of this repository, or several\n"
    )


def test_object_that_is_no_commit_is_one_clear_line(two_commits: Project) -> None:
    for name in ("HEAD:dvc.lock", "HEAD^{tree}"):
        object_id = two_commits.run("git", "rev-parse", name).stdout.strip()
        status, output = compare(two_commits, "--", object_id)
        assert (status, output.count("\n")) == (UNDECIDED_STATUS, 1)
        assert output.startswith(f"compare: '{object_id}' names no commit")


def test_annotated_tag_is_its_commit(two_commits: Project) -> None:
    two_commits.run("git", "tag", "--force", "--annotate", "--message", "release", "v1", "HEAD~1")
    assert "test accuracy: worse: " in compare(two_commits, "v1", "HEAD")[1]


def test_commit_without_results_is_one_clear_line(two_commits: Project) -> None:
    first = two_commits.run("git", "rev-list", "--max-parents=0", "HEAD").stdout.strip()
    status, output = compare(two_commits, first)
    assert status == UNDECIDED_STATUS
    assert output.count("\n") == 1
    assert f"compare: {first} has no results: " in output


def test_results_with_merge_conflicts_are_one_clear_line(two_commits: Project, tmp_path: Path) -> None:
    project = two_commits.copy(tmp_path / "copy")
    for path in ("metrics/evaluate.json", "dvc.lock"):
        text = (project.folder / path).read_text()
        (project.folder / path).write_text(f"<<<<<<< HEAD\n{text}")
        status, output = compare(project)
        assert status == UNDECIDED_STATUS
        advice = "docs/sharing.md says how to solve it (Merge)"
        assert output == f"compare: {path} of workspace has a merge conflict: {advice}\n"
        (project.folder / path).write_text(text)
    for text in ("null", '{"test_accuracy": "x"}'):
        (project.folder / "metrics/evaluate.json").write_text(text)
        assert compare(project) == (
            UNDECIDED_STATUS,
            "compare: workspace has no complete results: metrics/evaluate.json is not numbers by name; "
            "run `dvc repro` there\n",
        )
