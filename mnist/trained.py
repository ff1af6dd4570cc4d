"""Reads metrics/train.csv, in which train says what its epochs gave; a file in git."""

import csv
from dataclasses import dataclass

from mnist.paths import TRAIN_CSV
from pipeline.errors import UserError


@dataclass(frozen=True)
class EpochRecord:
    """What is known of a finished epoch; validation loss and accuracy are NaN without validation images.

    The sha256s are those of the checkpoint and of the optimizer's state, which is not kept for every epoch.
    """

    epoch: int
    train_loss: float
    validation_loss: float
    validation_accuracy: float
    checkpoint_sha256: str
    optimizer_sha256: str | None


def read_trained() -> list[EpochRecord]:
    """Return a record for each row, without the optimizer's sha256, which the table does not have.

    Raises:
        UserError: the file is missing, or no such table.
    """
    try:
        with TRAIN_CSV.open(encoding="utf-8", newline="") as file:
            records = [_parse(row) for row in csv.DictReader(file)]
    except FileNotFoundError:
        raise UserError(f"{TRAIN_CSV} is missing: run `dvc repro`, or `git checkout HEAD {TRAIN_CSV}`") from None
    except (KeyError, ValueError, TypeError):
        records = []
    if not records:
        raise UserError(f"{TRAIN_CSV} is no table of epochs: `git checkout HEAD {TRAIN_CSV}` restores it")
    return records


def _parse(row: dict[str, str]) -> EpochRecord:
    return EpochRecord(
        epoch=int(row["epoch"]),
        train_loss=float(row["train_loss"]),
        validation_loss=float(row["validation_loss"] or "nan"),
        validation_accuracy=float(row["validation_accuracy"] or "nan"),
        checkpoint_sha256=row["sha256"],
        optimizer_sha256=None,
    )
