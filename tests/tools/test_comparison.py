"""Accuracies are compared within a tolerance; one that is missing is never the same."""

import pytest

from tools.store.comparison import compare_accuracies


@pytest.mark.parametrize(
    ("now", "same"), [(0.993, True), (0.99, True), (0.996, True), (0.9899, False), (0.9961, False)]
)
def test_accuracies_may_differ_by_the_tolerance(now: float, same: bool) -> None:
    [row] = compare_accuracies({"test_accuracy": 0.993, "test_errors": 70}, {"test_accuracy": now, "test_errors": 99})
    assert row.same is same


def test_accuracy_that_only_one_has_is_a_difference() -> None:
    assert [row.same for row in compare_accuracies({}, {"test_accuracy": 0.993})] == [False]
    assert [row.same for row in compare_accuracies({"test_accuracy": 0.993}, {})] == [False]
