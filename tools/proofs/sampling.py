"""Which epochs are checked, and what that is worth."""

from math import ceil, comb
from secrets import SystemRandom

from pipeline.errors import UserError

FORGED_FRACTION = 0.25  # Of the epochs, in the training whose escape is told.


def choose_epochs(text: str, num_epochs: int) -> tuple[list[int], bool]:
    """Return the epochs that `--epochs` asks for, in order, and whether they are a sample that nobody could foresee.

    It asks for so many, drawn now; with a comma for these; or for all.

    Raises:
        UserError: it asks for none, or for what is not there.
    """
    every = range(1, num_epochs + 1)
    if text == "all":
        return list(every), True
    parts = text.removesuffix(",").split(",")
    if not all(part.isdecimal() and int(part) in every for part in parts):
        raise UserError(
            f"--epochs {text}: expected how many of the {num_epochs} epochs are to be drawn, or which ones, with a "
            "comma (1,7 or 7,), or all"
        )
    numbers = [int(part) for part in parts]
    if "," in text:
        return sorted(set(numbers)), False
    # Nobody who makes a training may know which of its epochs will be looked at: no seed.
    return sorted(SystemRandom().sample(every, numbers[0])), True


def escape_probability(num_epochs: int, num_checked: int, num_forged: int) -> float:
    """How probably none of the forged epochs is among those that are drawn."""
    return comb(num_epochs - num_forged, num_checked) / comb(num_epochs, num_checked)


def describe_worth(num_epochs: int, num_checked: int) -> str:
    """What it is worth that so many epochs, drawn at random, are genuine."""
    num_forged = ceil(FORGED_FRACTION * num_epochs)
    epochs = "1 epoch that is" if num_forged == 1 else f"{num_forged} epochs that are"
    probability = escape_probability(num_epochs, num_checked, num_forged)
    shown = f"{probability:.2f}" if probability >= 0.005 else f"{probability:.1g}"
    return (
        f"{num_checked} of {num_epochs} epochs: a training with {epochs} not genuine escapes with probability {shown}"
    )
