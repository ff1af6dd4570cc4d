"""A verdict says which recipe is better, or that so many seeds do not decide it, or why there can be none."""

import itertools
import math

import numpy as np
import pytest

from tests.runs import make_runs
from tools.trials.runs import Run
from tools.verdicts.groups import TEST, VALIDATION, group_runs, summarize
from tools.verdicts.pairs import Pair, compare_groups

LABELS = np.arange(200) % 10
LOW, HIGH, MIDDLE = [0.90, 0.91, 0.92, 0.905, 0.915], [0.95, 0.96, 0.965, 0.955, 0.94], [0.905, 0.92, 0.925, 0.91, 0.9]


def compare(*runs: list[Run], metric: str = TEST) -> list[Pair]:
    return compare_groups(group_runs(itertools.chain(*runs)), metric)


def demo(accuracies: list[float]) -> list[Run]:
    return make_runs("demo", accuracies, LABELS)


def fast(accuracies: list[float]) -> list[Run]:
    return make_runs("fast", accuracies, LABELS)


def test_clear_difference_is_better_or_worse() -> None:
    (pair,) = compare(demo(HIGH), fast(LOW))
    assert (pair.first, pair.second, pair.verdict, pair.conclusion) == ("demo", "fast", "better", "better")
    assert pair.difference is not None
    assert pair.difference.mean == pytest.approx(0.044)
    assert pair.difference.probability == 1
    assert pair.test is not None
    assert pair.test.p_value == pair.test.p_value_uncorrected == 2 / 252
    (pair,) = compare(demo(LOW), fast(HIGH))
    assert pair.verdict == "worse"


def test_undecided_names_the_number_of_seeds_and_is_not_called_equal() -> None:
    (pair,) = compare(demo(LOW), fast(MIDDLE[:4]))
    assert pair.verdict == "not decided"
    assert pair.conclusion == "not decided by 5 + 4 seeds"
    assert pair.test is not None
    assert pair.test.p_value > 0.05
    assert pair.test.seeds_needed is not None
    assert pair.test.seeds_needed > 5


def test_accuracies_that_are_all_the_same_decide_nothing() -> None:
    (pair,) = compare(demo([0.95] * 5), fast([0.95] * 5))
    assert pair.conclusion == "not decided by 5 + 5 seeds"
    assert pair.reason == "all of their runs have the same accuracy, which does not tell how seeds differ"
    assert pair.difference is not None
    assert (pair.difference.mean, pair.difference.interval, pair.difference.probability) == (0, None, 0.5)
    assert pair.test is not None
    assert (pair.test.p_value, pair.test.smallest_difference, pair.test.seeds_needed) == (1, None, None)


def test_groups_without_spread_are_told_apart_all_the_same() -> None:
    (pair,) = compare(demo([0.95] * 4), fast([0.9] * 4))
    assert pair.verdict == "better"
    assert pair.difference is not None
    assert pair.difference.interval is None


@pytest.mark.parametrize("num_few", [1, 2, 3])
def test_fewer_than_4_seeds_get_no_verdict_and_are_told_why(num_few: int) -> None:
    (pair,) = compare(demo(HIGH), fast(LOW[:num_few]))
    assert (pair.verdict, pair.conclusion, pair.test) == ("none", "no verdict", None)
    assert pair.reason == "4 seeds of each are the least: 3 + 3 can never give p < 0.1"
    assert pair.difference is not None
    assert (pair.difference.interval is None) == (num_few == 1)


def test_4_seeds_of_each_are_enough_for_a_verdict() -> None:
    (pair,) = compare(demo(HIGH[:4]), fast(LOW[:4]))
    assert pair.verdict == "better"


def test_other_test_images_are_not_compared() -> None:
    (pair,) = compare(demo(HIGH), make_runs("fast", LOW, LABELS[::-1]))
    assert (pair.verdict, pair.reason) == ("none", "their test images differ")
    assert pair.difference is None


def test_other_validation_images_are_not_compared() -> None:
    other = make_runs("demo", LOW, LABELS, ("data.split_seed=1",), validation=LOW)
    runs = make_runs("demo", HIGH, LABELS, validation=HIGH)
    (pair,) = compare(runs, other, metric=VALIDATION)
    assert (pair.verdict, pair.reason) == ("none", "their validation images differ")
    assert compare(runs, other)[0].verdict == "better", "the test images are the same"


def test_runs_without_validation_images_are_compared_by_their_test_images_only() -> None:
    runs = [*demo(HIGH), *make_runs("fast", LOW, LABELS, validation=LOW)]
    (pair,) = compare(runs, metric=VALIDATION)
    assert pair.reason == "not all of their runs have a validation accuracy"
    assert compare(runs)[0].verdict == "better"


def test_more_pairs_ask_for_more_seeds() -> None:
    groups = [
        make_runs(name, accuracies[:4], LABELS) for name, accuracies in zip("abc", (HIGH, LOW, MIDDLE), strict=True)
    ]
    first, second, third = compare(*groups)
    assert first.test is not None
    assert first.test.p_value_uncorrected == pytest.approx(2 / 70)
    assert first.test.p_value == pytest.approx(6 / 70)
    assert first.conclusion == "not decided by 4 + 4 seeds"
    assert first.reason == "no p of so many seeds is below 0.017, as Holm's correction for 3 pairs asks"
    assert first.test.smallest_difference is None
    assert first.test.seeds_needed == 5
    assert third.verdict == "not decided"
    assert [pair.verdict for pair in compare(*(groups[:2]))] == ["better"]
    assert second.first == "a"


def test_correction_counts_only_pairs_that_can_be_tested() -> None:
    pairs = compare(demo(HIGH[:4]), fast(LOW[:4]), make_runs("notes", MIDDLE[:3], LABELS))
    assert [pair.verdict for pair in pairs] == ["better", "none", "none"]


def test_runs_are_grouped_by_recipe_and_settings_and_told_apart_by_commit() -> None:
    runs = [*demo(LOW), *make_runs("demo", HIGH, LABELS, ("recipes.demo.batch_size=64", "data.split_seed=1"))]
    assert [group.name for group in group_runs(runs)] == ["demo", "demo batch_size=64 data.split_seed=1"]
    commits = [*demo(LOW), *make_runs("demo", HIGH, LABELS, commit="f" * 40)]
    assert [group.name for group in group_runs(commits)] == ["demo @0123456", "demo @fffffff"]
    assert [group.seeds for group in group_runs(commits[::-1])] == [[0, 1, 2, 3, 4]] * 2


def test_summary_of_one_seed_knows_no_spread() -> None:
    (group,) = group_runs(demo(LOW[:1]))
    summary = summarize(group, TEST)
    assert summary is not None
    assert (summary.mean, summary.interval, summary.standard_deviation) == (0.9, None, None)
    assert summarize(group, VALIDATION) is None


def test_summary_is_that_of_arithmetic() -> None:
    (group,) = group_runs(demo([0.9, 0.92, 0.94, 0.96]))
    summary = summarize(group, TEST)
    assert summary is not None
    assert summary.mean == pytest.approx(0.93)
    assert summary.standard_deviation == pytest.approx(0.02 * math.sqrt(5 / 3))
    assert (summary.lowest, summary.highest) == (0.9, 0.96)
    assert group.seconds() == 11.5
