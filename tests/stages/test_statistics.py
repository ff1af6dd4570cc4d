"""Statistics have their published values, and those that a few lines of arithmetic give."""

import numpy as np
import pytest
from scipy.stats import binomtest

from stages.evaluate.statistics import calibration_error, wilson_interval


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


@pytest.mark.parametrize("num_trials", [1, 7, 10_000])
def test_interval_is_that_of_scipy(num_trials: int) -> None:
    for num_successes in {0, 1, num_trials // 3, num_trials - 1, num_trials}:
        expected = binomtest(num_successes, num_trials).proportion_ci(0.95, method="wilson")
        assert wilson_interval(num_successes, num_trials) == pytest.approx((expected.low, expected.high), abs=1e-15)


@pytest.mark.parametrize(("num_successes", "num_trials"), [(0, 7), (3, 7), (9926, 10000)])
def test_interval_of_errors_mirrors_that_of_successes(num_successes: int, num_trials: int) -> None:
    low, high = wilson_interval(num_successes, num_trials)
    assert wilson_interval(num_trials - num_successes, num_trials) == pytest.approx((1 - high, 1 - low))


def test_more_confidence_is_a_wider_interval() -> None:
    low, high = wilson_interval(95, 100, confidence=0.95)
    wider_low, wider_high = wilson_interval(95, 100, confidence=0.99)
    assert wider_low < low < 0.95 < high < wider_high


def test_interval_stays_within_0_and_1() -> None:
    for num_trials in range(1, 40):
        for num_successes in range(num_trials + 1):
            low, high = wilson_interval(num_successes, num_trials)
            assert 0 <= low <= num_successes / num_trials <= high <= 1, (num_successes, num_trials)


@pytest.mark.parametrize(
    ("confidences", "is_right", "expected"),
    [
        pytest.param([1.0, 1.0], [True, True], 0.0, id="sure-and-right"),
        pytest.param([1.0, 1.0], [False, False], 1.0, id="sure-and-wrong"),
        pytest.param([0.5, 0.5], [True, False], 0.0, id="half-sure-and-half-right"),
        pytest.param([0.9, 0.9, 0.9, 0.9], [True, True, True, False], 0.15, id="one-bin"),
        # Two bins, one too sure by 0.2, one not sure enough by 0.6: they do not make up for each other.
        pytest.param([0.7, 0.7, 0.4, 0.4], [True, False, True, True], 0.4, id="two-bins"),
        pytest.param([0.0], [False], 0.0, id="lower-end"),
    ],
)
def test_calibration_error_is_the_mean_distance_of_confidence_from_accuracy(
    confidences: list[float], is_right: list[bool], expected: float
) -> None:
    assert calibration_error(np.array(confidences), np.array(is_right)) == pytest.approx(expected)


def test_well_calibrated_predictions_have_little_calibration_error() -> None:
    generator = np.random.default_rng(0)
    confidences = generator.uniform(0.1, 1, 100_000)
    assert calibration_error(confidences, generator.random(100_000) < confidences) < 0.01
    assert calibration_error(confidences, generator.random(100_000) < confidences - 0.1) == pytest.approx(0.1, abs=0.01)
