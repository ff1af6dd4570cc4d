"""Statistics of a few accuracies, each of one run; those of two recipes are independent samples.

An accuracy is a fraction with six decimals, as metrics/evaluate.json has it. SciPy takes a second to import, so that
only what needs verdicts may import this module.
"""

import math
from collections.abc import Sequence
from statistics import mean, stdev  # Exact: of equal numbers, the standard deviation is 0.

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.stats import nct, permutation_test, t

Values = Sequence[float]
Interval = tuple[float, float]

CONFIDENCE = 0.95
SIGNIFICANCE = 0.05
POWER = 0.8
LEAST_SEEDS = 4  # Of each recipe: 3 + 3 can be shared out in 20 ways, so that no p-value is below 2 / 20.
MOST_EXACT = 20  # Runs of both: 10 + 10 can be shared out in 184,756 ways, which take a second.
NUM_DRAWN, NUM_RESAMPLES = 99_999, 9_999  # With the p-value's own way counted, and percentiles: whole numbers.
SEED = 0
ROUNDED = 1_000_000


def t_interval(values: Values) -> Interval | None:
    """Return Student's interval of the mean; None for one value, and where all are equal, which tells no spread."""
    deviation = stdev(values) if len(values) > 1 else 0.0
    if deviation == 0:
        return None
    return _around(mean(values), deviation / math.sqrt(len(values)), len(values) - 1)


def welch_interval(first: Values, second: Values) -> Interval | None:
    """Return the interval of mean(first) - mean(second), where the variances may differ; None as for `t_interval`.

    Source: B. L. Welch (1947), The generalization of "Student's" problem when several different population variances
    are involved.
    """
    if min(len(first), len(second)) < 2:
        return None
    error, freedom = _error(stdev(first), len(first), stdev(second), len(second))
    return _around(mean(first) - mean(second), error, freedom) if error else None


def permutation_p_value(first: Values, second: Values) -> float:
    """Return the two-sided p-value of the difference of the means, if the runs were shared out by chance.

    It is exact where `is_exact` says so; beyond that, of `NUM_DRAWN` ways, drawn the same every time.
    """
    # Whole numbers, so that equal differences are equal: of fractions, rounding would tell some ties apart.
    samples = [np.rint(np.array(values) * ROUNDED) for values in (first, second)]
    num_ways = NUM_DRAWN if not is_exact(len(first), len(second)) else math.inf
    tested = permutation_test(
        samples, _difference, vectorized=True, n_resamples=num_ways, batch=20_000, rng=np.random.default_rng(SEED)
    )
    return float(tested.pvalue)


def is_exact(num_first: int, num_second: int) -> bool:
    """Whether all ways to share out so many runs are counted."""
    return num_first + num_second <= MOST_EXACT


def attained(num_first: int, num_second: int, significance: float) -> float:
    """Return the largest p-value below `significance` that the permutation test of so many runs can have, or 0."""
    if not is_exact(num_first, num_second):
        return significance
    num_ways = math.comb(num_first + num_second, num_first)
    return 2 * (math.ceil(significance * num_ways / 2) - 1) / num_ways


def superiority(first: Values, second: Values) -> tuple[float, Interval | None]:
    """Return the probability that a run of `first` beats one of `second`, ties counted half; its bootstrap interval.

    The interval is that of percentiles; None where all runs of one beat all of the other, or tie: then every resample
    gives the same, which tells nothing.

    Source: A. Vargha and H. D. Delaney (2000), A critique and improvement of the CL common language effect size
    statistics of McGraw and Wong.
    """
    wins = (np.sign(np.subtract.outer(np.array(first), np.array(second))) + 1) / 2
    if wins.min() == wins.max():
        return float(wins.mean()), None
    generator = np.random.default_rng(SEED)
    weights = [generator.multinomial(num, np.full(num, 1 / num), NUM_RESAMPLES) / num for num in wins.shape]
    resampled = np.einsum("ri,ij,rj->r", weights[0], wins, weights[1])
    low, high = np.quantile(resampled, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(wins.mean()), (float(low), float(high))


def holm(p_values: Values) -> list[float]:
    """Return the p-values, each corrected for there being all of them.

    Source: S. Holm (1979), A simple sequentially rejective multiple test procedure.
    """
    corrected = [0.0] * len(p_values)
    largest = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        corrected[index] = largest
    return corrected


def smallest_difference(first: Values, second: Values, significance: float) -> float | None:
    """Return the difference of means that so many runs, with such deviations, find with a probability of `POWER`.

    None where no difference would be found, however large, and where the runs tell no spread.
    """
    error, freedom = _error(stdev(first), len(first), stdev(second), len(second))
    level = attained(len(first), len(second), significance)
    if error == 0 or level == 0:
        return None
    most = 10 * (1 + t.isf(level / 2, freedom))
    return float(error * brentq(lambda shift: power(shift, freedom, level) - POWER, 0, most))


def seeds_needed(first: Values, second: Values, significance: float) -> int | None:
    """Return how many runs of each find the difference of these means with a probability of `POWER`.

    None where the means, or all values, are equal.
    """
    difference, deviations = abs(mean(first) - mean(second)), (stdev(first), stdev(second))

    def is_enough(num: int) -> bool:
        error, freedom = _error(deviations[0], num, deviations[1], num)
        level = attained(num, num, significance)
        return level > 0 and power(difference / error, freedom, level) >= POWER

    if difference == 0 or deviations == (0, 0):
        return None
    too_few, enough = LEAST_SEEDS - 1, LEAST_SEEDS
    while not is_enough(enough):
        too_few, enough = enough, 2 * enough
    while enough - too_few > 1:
        middle = (too_few + enough) // 2
        too_few, enough = (too_few, middle) if is_enough(middle) else (middle, enough)
    return enough


def power(shift: float, freedom: float, significance: float) -> float:
    """Return how often a two-sided t test finds a difference of means of `shift` standard errors, with its sign."""
    return float(nct.sf(t.isf(significance / 2, freedom), freedom, shift))


def _around(centre: float, error: float, freedom: float) -> Interval:
    reach = float(t.isf((1 - CONFIDENCE) / 2, freedom)) * error
    return centre - reach, centre + reach


def _error(first: float, num_first: int, second: float, num_second: int) -> Interval:
    """The standard error of a difference of means, given standard deviations; its degrees of freedom, after Welch."""
    variances = first**2 / num_first, second**2 / num_second
    total = sum(variances)
    if total == 0:
        return 0.0, math.inf
    return math.sqrt(total), total**2 / (variances[0] ** 2 / (num_first - 1) + variances[1] ** 2 / (num_second - 1))


def _difference(first: NDArray[np.float64], second: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    difference: NDArray[np.float64] = first.mean(axis=axis) - second.mean(axis=axis)
    return difference
