"""The learning rate as a pure function of training time, so that a run can go on from any epoch."""

import math
from typing import Annotated, Literal

from pydantic import Field

from pipeline.params import Section

HORIZON = "the rate is then at its last value, and stays there; `epochs` of the recipe may be more or fewer"


class Constant(Section):
    """The same rate throughout."""

    name: Literal["constant"]


class Cosine(Section):
    """From the full rate down to zero along half a cosine, over `epochs`; zero after them."""

    name: Literal["cosine"]
    epochs: int = Field(ge=1, description=HORIZON)


class OneCycle(Section):
    """Up in a straight line over the first `warm_up_fraction` of `epochs`, then down along half a cosine.

    It ends at `final_fraction` of the full rate, and stays there when training goes on after `epochs`.
    """

    name: Literal["one_cycle"]
    epochs: int = Field(ge=1, description=HORIZON)
    warm_up_fraction: float = Field(gt=0, lt=1, description="part of `schedule.epochs` in which the rate rises")
    final_fraction: float = Field(ge=0, le=1, description="the last rate, as a fraction of the full one")


Schedule = Annotated[Constant | Cosine | OneCycle, Field(discriminator="name")]


def rate_factor(schedule: Schedule, epochs_done: float) -> float:
    """The fraction of the full learning rate, 0 to 1, after `epochs_done` epochs (2.5: in the middle of the third)."""
    if isinstance(schedule, Constant):
        return 1.0
    progress = min(epochs_done / schedule.epochs, 1.0)
    if isinstance(schedule, Cosine):
        return _fall(progress)
    if progress < schedule.warm_up_fraction:
        return progress / schedule.warm_up_fraction
    fallen = _fall((progress - schedule.warm_up_fraction) / (1 - schedule.warm_up_fraction))
    return schedule.final_fraction + (1 - schedule.final_fraction) * fallen


def _fall(progress: float) -> float:
    """From 1 to 0; rounded, since the last bit of a cosine differs between versions of the C library."""
    return round((1 + math.cos(math.pi * progress)) / 2, 12)
