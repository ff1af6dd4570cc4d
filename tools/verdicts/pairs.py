"""Compares groups two by two: how far their means are apart, and whether that is more than chance."""

from dataclasses import dataclass, replace
from itertools import combinations
from statistics import mean
from typing import Literal

from tools.verdicts.groups import VALIDATION, Group
from tools.verdicts.statistics import (
    LEAST_SEEDS,
    SIGNIFICANCE,
    Interval,
    Values,
    attained,
    holm,
    is_exact,
    permutation_p_value,
    seeds_needed,
    smallest_difference,
    superiority,
    welch_interval,
)

Verdict = Literal["better", "worse", "not decided", "none"]


@dataclass(frozen=True)
class Difference:
    """Of the means, first minus second, with Welch's interval; how probably a run of the first beats one of the second.

    One seed of either gives no interval.
    """

    mean: float
    interval: Interval | None
    probability: float
    probability_interval: Interval | None


@dataclass(frozen=True)
class PermutationTest:
    """The permutation test of a pair.

    `p_value` is corrected for all pairs that were tested. Of `smallest_difference` and `seeds_needed` (of each), see
    statistics.py: both are for the significance that Holm's correction leaves to each pair, whatever the others give.
    """

    p_value: float
    p_value_uncorrected: float
    is_exact: bool
    smallest_difference: float | None
    seeds_needed: int | None


@dataclass(frozen=True)
class Pair:
    """What is known of `first` against `second`; None is what the runs do not tell, and `reason` says why."""

    first: str
    second: str
    num_seeds: tuple[int, int]
    verdict: Verdict
    reason: str
    difference: Difference | None
    test: PermutationTest | None

    @property
    def conclusion(self) -> str:
        """The verdict in words: undecided is not equal."""
        if self.verdict == "not decided":
            return f"not decided by {self.num_seeds[0]} + {self.num_seeds[1]} seeds"
        return "no verdict" if self.verdict == "none" else self.verdict


def compare_groups(groups: list[Group], metric: str) -> list[Pair]:
    """Return a comparison of each two groups by a metric, with Holm's correction over those that can be tested."""
    both = list(combinations(groups, 2))
    pairs = [_describe(first, second, metric) for first, second in both]
    tested = [index for index, pair in enumerate(pairs) if not pair.reason]
    samples = [(both[index][0].values(metric), both[index][1].values(metric)) for index in tested]
    own = [permutation_p_value(*sample) for sample in samples]
    for index, sample, p_value, corrected in zip(tested, samples, own, holm(own), strict=True):
        pairs[index] = _judge(pairs[index], *sample, p_value, corrected, len(tested))
    return pairs


def _describe(first: Group, second: Group, metric: str) -> Pair:
    """The pair without a verdict; with a reason, if there can be none."""
    num_seeds = len(first.runs), len(second.runs)
    pair = Pair(first.name, second.name, num_seeds, "none", _incomparable(first, second, metric), None, None)
    if pair.reason:
        return pair
    samples = first.values(metric), second.values(metric)
    probability, interval = superiority(*samples)
    difference = Difference(
        mean=mean(samples[0]) - mean(samples[1]),
        interval=welch_interval(*samples),
        probability=probability,
        probability_interval=interval if min(num_seeds) > 1 else None,
    )
    reason = f"{LEAST_SEEDS} seeds of each are the least: 3 + 3 can never give p < 0.1"
    return replace(pair, reason=reason if min(num_seeds) < LEAST_SEEDS else "", difference=difference)


def _incomparable(first: Group, second: Group, metric: str) -> str:
    """Why the two cannot be compared; empty if they can."""
    if first.test_labels != second.test_labels:
        return "their test images differ"
    if metric == VALIDATION and first.data_settings != second.data_settings:
        return "their validation images differ"
    if not (first.values(metric) and second.values(metric)):
        return f"not all of their runs have a {metric.replace('_', ' ')}"
    return ""


def _judge(pair: Pair, first: Values, second: Values, own: float, corrected: float, num_tested: int) -> Pair:
    significance = SIGNIFICANCE / num_tested
    test = PermutationTest(
        p_value=corrected,
        p_value_uncorrected=own,
        is_exact=is_exact(*pair.num_seeds),
        smallest_difference=smallest_difference(first, second, significance),
        seeds_needed=seeds_needed(first, second, significance),
    )
    if corrected < SIGNIFICANCE:
        return replace(pair, verdict="better" if mean(first) > mean(second) else "worse", test=test)
    reason = ""  # Often there is no more to say than that.
    if len({*first, *second}) == 1:
        reason = "all of their runs have the same accuracy, which does not tell how seeds differ"
    elif attained(*pair.num_seeds, significance) == 0:
        reason = f"no p of so many seeds is below {significance:.2g}, as Holm's correction for {num_tested} pairs asks"
    elif own < SIGNIFICANCE:
        reason = f"p is {own:.2g} before Holm's correction for {num_tested} pairs"
    return replace(pair, verdict="not decided", reason=reason, test=test)
