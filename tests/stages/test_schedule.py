"""The learning rate is a pure function of training time."""

from itertools import pairwise

import pytest

from stages.train.schedule import Constant, Cosine, OneCycle, Schedule, rate_factor

CONSTANT = Constant(name="constant")
COSINE = Cosine(name="cosine", epochs=8)
ONE_CYCLE = OneCycle(name="one_cycle", epochs=20, warm_up_fraction=0.25, final_fraction=0.001)


@pytest.mark.parametrize(
    ("schedule", "epochs_done", "expected"),
    [
        (CONSTANT, 0, 1.0),
        (CONSTANT, 1000.5, 1.0),
        (COSINE, 0, 1.0),
        (COSINE, 2, 0.853553390593),  # (1 + cos 45 degrees) / 2
        (COSINE, 4, 0.5),
        (COSINE, 8, 0.0),
        (COSINE, 8.5, 0.0),
        (COSINE, 100, 0.0),
        (ONE_CYCLE, 0, 0.0),
        (ONE_CYCLE, 2.5, 0.5),
        (ONE_CYCLE, 5, 1.0),
        (ONE_CYCLE, 12.5, 0.5005),
        (ONE_CYCLE, 20, 0.001),
        (ONE_CYCLE, 21, 0.001),
    ],
)
def test_rate_has_exact_value(schedule: Schedule, epochs_done: float, expected: float) -> None:
    assert rate_factor(schedule, epochs_done) == expected


@pytest.mark.parametrize("schedule", [COSINE, ONE_CYCLE])
def test_rate_rises_to_its_peak_and_falls_from_there(schedule: Cosine | OneCycle) -> None:
    peak = schedule.epochs * schedule.warm_up_fraction if isinstance(schedule, OneCycle) else 0
    times = [index / 100 for index in range(100 * schedule.epochs + 1)]
    rising = [rate_factor(schedule, time) for time in times if time <= peak]
    falling = [rate_factor(schedule, time) for time in times if time >= peak]
    assert all(earlier < later for earlier, later in pairwise(rising))
    assert all(earlier > later for earlier, later in pairwise(falling))
    assert max(falling) == 1.0


def test_one_cycle_without_final_fraction_ends_at_zero() -> None:
    schedule = OneCycle(name="one_cycle", epochs=3, warm_up_fraction=0.5, final_fraction=0)
    assert rate_factor(schedule, 3) == 0.0
