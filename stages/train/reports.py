"""What the processes of a training say when they end before it does: one line of all comes to the user."""

import shutil
from enum import StrEnum

from pipeline.stage import LOCKS

FOLDER = LOCKS / "workers"
GO_ON = "start the training again: it goes on after its last whole epoch"


class Kind(StrEnum):
    """Why; the first of those that were reported is the cause of the others."""

    REFUSAL = "a worker's UserError"
    SIGNAL = "a worker was killed"
    LOST = "a worker did without the others"
    LAUNCHER = "torchrun's own error"


def clear() -> None:
    """Make an empty folder for reports, and whatever else the processes need to find each other."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)


def report(kind: Kind, reason: str, rank: int = 0) -> None:
    """Say why a process ends."""
    (FOLDER / f"{kind.name}-{rank}").write_text(reason, encoding="utf-8")


def first_reason() -> str | None:
    """Return what matters of that which was reported; None if nothing was."""
    for kind in Kind:
        for path in sorted(FOLDER.glob(f"{kind.name}-*")):
            reason = path.read_text(encoding="utf-8")
            return reason if kind is Kind.REFUSAL else f"{reason}: {GO_ON}"
    return None
