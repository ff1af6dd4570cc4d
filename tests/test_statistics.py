"""The Wilson interval has its published values."""

import pytest

from mnist.statistics import wilson_interval


@pytest.mark.parametrize(
    ("num_successes", "num_trials", "low", "high"),
    [
        # Source: R. G. Newcombe (1998), Two-sided confidence intervals for the single proportion, table I, method 3.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
        (0, 10, 0.0000, 0.2775),
        (9926, 10000, 0.9907, 0.9941),
    ],
)
def test_interval_has_published_value(num_successes: int, num_trials: int, low: float, high: float) -> None:
    assert wilson_interval(num_successes, num_trials) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize(("num_successes", "num_trials"), [(0, 7), (3, 7), (9926, 10000)])
def test_interval_of_errors_mirrors_that_of_successes(num_successes: int, num_trials: int) -> None:
    low, high = wilson_interval(num_successes, num_trials)
    assert wilson_interval(num_trials - num_successes, num_trials) == pytest.approx((1 - high, 1 - low))


def test_more_confidence_is_a_wider_interval() -> None:
    low, high = wilson_interval(95, 100, confidence=0.95)
    wider_low, wider_high = wilson_interval(95, 100, confidence=0.99)
    assert wider_low < low < 0.95 < high < wider_high


def test_interval_stays_within_0_and_1() -> None:
    for num_trials in range(1, 200):
        for num_successes in range(num_trials + 1):
            low, high = wilson_interval(num_successes, num_trials)
            assert 0 <= low <= num_successes / num_trials <= high <= 1, (num_successes, num_trials)
