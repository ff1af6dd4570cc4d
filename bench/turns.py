"""Runs what is compared in turns, and puts one thing's times in terms of another's."""

import statistics
from collections.abc import Callable
from typing import TypeVar

from bench.clone import PYTHON, Clone

Value = TypeVar("Value")
NOTES_EPOCHS = 50  # What the notes' program trains; it ends at 94.45 %.


def in_turns(num_rounds: int, **cases: Callable[[], Value]) -> dict[str, list[Value]]:
    """Run the cases one after the other, `num_rounds` times; return each one's values."""
    values: dict[str, list[Value]] = {name: [] for name in cases}
    for _ in range(num_rounds):
        for name, case in cases.items():
            values[name].append(case())
    return values


def notes_epoch(clone: Clone) -> float:
    """Seconds of an epoch of the notes' program, with its evaluation."""
    return float(clone.run(PYTHON, "-m", "bench.notes", "epoch").output)


def ratio(values: list[float], others: list[float]) -> float:
    """The median of the first in those of the second."""
    return statistics.median(values) / statistics.median(others)


def in_epochs(values: list[float], notes: list[float]) -> str:
    """Times in epochs of the notes' program."""
    epochs = ratio(values, notes)
    return f"{epochs:.2f} epochs; {NOTES_EPOCHS / epochs:.0f}x faster than {NOTES_EPOCHS}"
