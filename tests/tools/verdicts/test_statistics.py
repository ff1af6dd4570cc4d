"""Statistics have their published values, and those of other implementations."""

import itertools
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
from scipy import stats

from tools.verdicts.statistics import (
    SIGNIFICANCE,
    attained,
    holm,
    is_exact,
    permutation_p_value,
    power,
    seeds_needed,
    smallest_difference,
    superiority,
    t_interval,
    welch_interval,
)

# Source: Student (1908), The probable error of a mean, as R has it in `sleep`: hours of sleep gained by two drugs.
FIRST_DRUG = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
SECOND_DRUG = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]
DEMO, FAST = [0.9936, 0.9913, 0.9926, 0.9930, 0.9921], [0.9940, 0.9934, 0.9942, 0.9938, 0.9926]
ACCURACIES = np.random.default_rng(0).integers(9900, 9920, (40, 9)) / 10_000


def test_interval_of_the_mean_has_published_value() -> None:
    # Source: R, t.test(extra ~ group, data = sleep, paired = TRUE) of version 3: mean 1.58, 0.7001142 to 2.4598858.
    gained = [second - first for first, second in zip(FIRST_DRUG, SECOND_DRUG, strict=True)]
    assert t_interval(gained) == pytest.approx((0.7001142, 2.4598858), abs=5e-8)


def test_interval_of_the_mean_is_that_of_scipy() -> None:
    for values in ACCURACIES:
        expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
        assert t_interval(values.tolist()) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_interval_of_the_difference_has_published_value() -> None:
    # Source: R, t.test(extra ~ group, data = sleep): t = -1.8608, df = 17.776, -3.3654832 to 0.2054832.
    assert welch_interval(FIRST_DRUG, SECOND_DRUG) == pytest.approx((-3.3654832, 0.2054832), abs=5e-8)


def test_interval_of_the_difference_is_that_of_scipy() -> None:
    for values in ACCURACIES:
        first, second = values[:4].tolist(), values[4:].tolist()
        expected = stats.ttest_ind(first, second, equal_var=False).confidence_interval(0.95)
        assert welch_interval(first, second) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_values_without_spread_tell_no_interval() -> None:
    assert t_interval([0.99]) is None
    assert t_interval([0.9926] * 5) is None
    assert welch_interval([0.99], DEMO) is None
    assert welch_interval([0.9926] * 5, [0.9936] * 5) is None
    assert welch_interval([0.9926] * 5, DEMO) is not None


def test_permutation_test_has_published_value() -> None:
    # Source: D. Nettleton, lecture notes of Iowa State University, randomizationtest.txt: 2 of 6 ways are as uneven.
    assert permutation_p_value([7, 5], [3, 1]) == pytest.approx(2 / 6)


@pytest.mark.parametrize("num_first", [4, 5])
def test_permutation_test_counts_all_ways_exactly(num_first: int) -> None:
    for values in ACCURACIES:
        first, second = values[:num_first].tolist(), values[num_first:].tolist()
        assert permutation_p_value(first, second) == pytest.approx(counted(first, second), abs=1e-12)


def counted(first: list[float], second: list[float]) -> float:
    """The p-value, by counting in fractions: twice the part of the ways that is as far on the nearer side."""
    values = [Fraction(str(value)) for value in (*first, *second)]
    seen = sum(values[: len(first)])
    sums = [sum(way) for way in itertools.combinations(values, len(first))]
    num_low, num_high = sum(one <= seen for one in sums), sum(one >= seen for one in sums)
    return min(1.0, 2 * min(num_low, num_high) / len(sums))


def test_permutation_test_of_many_runs_is_drawn_the_same_every_time_and_near_the_exact_one() -> None:
    first, second = ACCURACIES[:11, 0].tolist(), (ACCURACIES[11:22, 0] + 0.0004).tolist()
    assert is_exact(10, 10)
    assert not is_exact(11, 11)
    assert permutation_p_value(first, second) == permutation_p_value(first, second)
    assert permutation_p_value(first, second) == pytest.approx(counted_by_sums(first, second), abs=0.0005)


def counted_by_sums(first: list[float], second: list[float]) -> float:
    """The same as `counted`, where there are too many ways: how many there are of each size and sum, run by run."""
    values = [round(value * 10_000) for value in (*first, *second)]
    ways = Counter({(0, 0): 1})
    for value in values:
        ways.update({(size + 1, total + value): number for (size, total), number in ways.items()})
    sums = {total: number for (size, total), number in ways.items() if size == len(first)}
    seen = sum(values[: len(first)])
    num_low = sum(number for total, number in sums.items() if total <= seen)
    num_high = sum(number for total, number in sums.items() if total >= seen)
    return min(1.0, 2 * min(num_low, num_high) / sum(sums.values()))


def test_both_ways_to_count_agree() -> None:
    assert counted_by_sums(DEMO, FAST) == counted(DEMO, FAST)


@pytest.mark.parametrize(("num", "smallest"), [(3, 0.1), (4, 2 / 70), (5, 2 / 252)])
def test_so_few_runs_can_give_no_smaller_p_value(num: int, smallest: float) -> None:
    assert permutation_p_value([0.99] * num, [0.98] * num) == pytest.approx(smallest)


def test_probability_counts_ties_half_as_the_mann_whitney_statistic_does() -> None:
    assert superiority([2, 3], [1, 2])[0] == (1 + 0.5 + 1 + 1) / 4
    for values in ACCURACIES:
        first, second = values[:4].tolist(), values[4:].tolist()
        assert superiority(first, second)[0] == pytest.approx(stats.mannwhitneyu(first, second).statistic / 20)


def test_interval_of_the_probability_is_that_of_scipys_bootstrap() -> None:
    def statistic(first: np.ndarray, second: np.ndarray, axis: int) -> np.ndarray:
        difference = first[..., :, np.newaxis] - second[..., np.newaxis, :]
        return np.asarray((np.sign(difference) + 1).mean(axis=(-2, -1)) / 2)

    expected = stats.bootstrap(
        (DEMO, FAST), statistic, vectorized=True, method="percentile", n_resamples=50_000, rng=1
    ).confidence_interval
    _, interval = superiority(DEMO, FAST)
    assert interval == pytest.approx((expected.low, expected.high), abs=0.03)  # Of 25 pairs, each is 0.04.
    assert superiority(DEMO, FAST) == superiority(DEMO, FAST)


def test_probability_has_no_interval_where_each_resample_is_the_same() -> None:
    assert superiority([3, 4, 5, 6], [1, 2, 2, 1]) == (1.0, None)
    assert superiority([0.99] * 4, [0.99] * 4) == (0.5, None)


def test_holms_correction_has_published_values() -> None:
    # Source: the documentation of pingouin.holm.
    assert holm([0.50, 0.003, 0.32, 0.054, 0.0003]) == pytest.approx([0.64, 0.012, 0.64, 0.162, 0.0015])
    # Source: the documentation of stdlib's padjust.
    assert holm([0.319, 0.201, 0.4, 0.374, 0.113]) == pytest.approx([0.957, 0.804, 0.957, 0.957, 0.565])
    assert holm([0.03]) == [0.03]
    assert holm([]) == []


def test_power_has_published_value() -> None:
    # Source: R, power.t.test(n = 20, delta = 1): power = 0.8689528.
    assert power(1 / (2 / 20) ** 0.5, 38, 0.05) == pytest.approx(0.8689528, abs=5e-8)


@pytest.mark.parametrize(
    # Source: J. Cohen (1988), Statistical power analysis for the behavioral sciences, table 2.4.1: power 0.80,
    # two-sided 0.05. (At 1.2 standard deviations and above, so few are enough that the permutation test asks for more.)
    ("effect", "num"),
    [(0.2, 393), (0.3, 175), (0.4, 99), (0.5, 64), (0.6, 45), (0.8, 26), (1.0, 17)],
)
def test_number_of_seeds_has_published_value(effect: float, num: int) -> None:
    spread = [-1.0, 1.0, -1.0, 1.0]
    first = (np.array(spread) / np.std(spread, ddof=1)).tolist()
    needed = seeds_needed(first, [value + effect for value in first], 0.05)
    assert needed == pytest.approx(num, abs=1)  # The table is rounded: of 0.2 and 0.4, others have 394 and 100.


def test_smallest_difference_is_the_one_that_needs_so_many_seeds() -> None:
    for num in (5, 8, 9):
        first = ACCURACIES[:num, 1].tolist()
        smallest = smallest_difference(first, first, SIGNIFICANCE)
        assert smallest is not None
        shifted = [[value + factor * smallest for value in first] for factor in (0.98, 1.02)]
        few, enough = (seeds_needed(first, second, SIGNIFICANCE) for second in shifted)
        assert few is not None
        assert enough is not None
        assert enough <= num < few


@pytest.mark.parametrize(("num_first", "num_second"), [(4, 4), (5, 5), (5, 7), (7, 7)])
def test_permutation_test_finds_the_smallest_difference_in_4_of_5_sweeps(num_first: int, num_second: int) -> None:
    # As many values of standard deviation 1, between which Welch's degrees of freedom are nearly all there are.
    first, second = (np.linspace(-1, 1, num) for num in (num_first, num_second))
    smallest = smallest_difference(
        (first / first.std(ddof=1)).tolist(), (second / second.std(ddof=1)).tolist(), SIGNIFICANCE
    )
    assert smallest is not None
    ways = [[run in way for run in range(num_first + num_second)] for way in combinations_of(num_first, num_second)]
    sweeps = np.random.default_rng(0).normal(size=(4000, num_first + num_second))
    sweeps[:, :num_first] += smallest
    sums = sweeps @ np.array(ways, float).T  # The first way is the one that was seen.
    nearer = np.minimum((sums >= sums[:, :1] - 1e-9).mean(axis=1), (sums <= sums[:, :1] + 1e-9).mean(axis=1))
    assert (2 * nearer < SIGNIFICANCE).mean() == pytest.approx(0.8, abs=0.06)


def combinations_of(num_first: int, num_second: int) -> list[tuple[int, ...]]:
    return list(itertools.combinations(range(num_first + num_second), num_first))


def test_what_so_few_seeds_can_never_decide_has_no_smallest_difference() -> None:
    assert attained(4, 4, SIGNIFICANCE) == 2 / 70
    assert attained(4, 4, SIGNIFICANCE / 3) == 0
    assert smallest_difference(DEMO[:4], FAST[:4], SIGNIFICANCE / 3) is None
    needed = seeds_needed([0.99, 0.991, 0.99, 0.991], [0.5, 0.51, 0.5, 0.51], SIGNIFICANCE / 3)
    assert needed == 5, "5 + 5 can give p = 2 / 252"


def test_number_of_seeds_is_known_also_for_what_is_hardly_there() -> None:
    needed = seeds_needed(DEMO, [value + 1e-6 for value in DEMO], SIGNIFICANCE)
    assert needed is not None
    assert needed > 1_000_000


def test_runs_without_spread_or_difference_tell_no_number_of_seeds() -> None:
    assert seeds_needed(DEMO, DEMO, SIGNIFICANCE) is None
    assert seeds_needed([0.99] * 4, [0.98] * 4, SIGNIFICANCE) is None
    assert smallest_difference([0.99] * 4, [0.98] * 4, SIGNIFICANCE) is None
