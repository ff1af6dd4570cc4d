"""A table of measurements, in Markdown, under the conditions that they were made in."""

import os
import platform
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path


@dataclass(frozen=True)
class Row:
    """Something measured, n times, beside its counterpart, and the target for the ratio where there is one."""

    what: str
    values: Sequence[float]
    unit: str
    counterpart: str = ""
    counterpart_values: Sequence[float] = ()
    ratio: str = ""
    target: str = ""


def conditions() -> str:
    """Return hardware and versions in a line."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    model = next((line.split(": ")[1] for line in lines if line.startswith("model name")), platform.machine())
    cores = len(os.sched_getaffinity(0))
    versions = ", ".join(f"{package} {version(package)}" for package in ("torch", "torchvision", "dvc"))
    return f"{cores} cores of {model}, Python {platform.python_version()}, {versions}"


def markdown(rows: Sequence[Row]) -> str:
    """Return the table; a value is the median, with the range in parentheses."""
    lines = ["| measured | median (range) | n | counterpart | median (range) | ratio | target |", "|---|" + "---|" * 6]
    for row in rows:
        cells = [
            row.what,
            _spread(row.values, row.unit),
            str(len(row.values)),
            row.counterpart,
            _spread(row.counterpart_values, row.unit),
            row.ratio,
            row.target,
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _spread(values: Sequence[float], unit: str) -> str:
    if not values:
        return ""
    median = f"{statistics.median(values):.4g} {unit}"
    return median if len(values) == 1 else f"{median} ({min(values):.4g} to {max(values):.4g})"
