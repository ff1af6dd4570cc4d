"""Statistics of a test result."""

import math
from statistics import NormalDist


def wilson_interval(num_successes: int, num_trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return the Wilson score interval of a proportion; `num_trials` at least 1.

    Source: E. B. Wilson (1927), Probable inference, the law of succession, and statistical inference.
    """
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    proportion = num_successes / num_trials
    centre = proportion + z**2 / (2 * num_trials)
    half_width = z * math.sqrt(proportion * (1 - proportion) / num_trials + z**2 / (4 * num_trials**2))
    scale = 1 + z**2 / num_trials
    # Rounding must not push a bound past the proportion itself, nor out of 0 to 1.
    return min(max(0.0, (centre - half_width) / scale), proportion), max(
        min(1.0, (centre + half_width) / scale), proportion
    )
