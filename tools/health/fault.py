"""A fault that the doctor finds, and where it puts what is broken: nothing is thrown away."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ASIDE = Path(".dvc/tmp/doctor")
REPAIR = "`python -m tools.doctor --repair`"


@dataclass(frozen=True)
class Fault:
    """What is wrong, and what to do, in a line.

    `repair`, where something can be done for certain, does it and says in a line what it did; None if it could not.
    """

    text: str
    repair: Callable[[], str | None] | None = None


def set_aside(path: Path, name: str) -> Path:
    """Move a broken file to where nothing uses it, under a name that is free there; return where it is now."""
    ASIDE.mkdir(parents=True, exist_ok=True)
    aside, number = ASIDE / name, 1
    while aside.exists():
        number += 1
        aside = ASIDE / f"{name}-{number}"
    shutil.move(path, aside)
    return aside
