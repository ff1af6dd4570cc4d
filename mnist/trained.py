"""Reads metrics/train.csv, in which train says what its epochs gave; a file in git."""

import csv
from dataclasses import dataclass
from pathlib import Path

from mnist.paths import TRAIN_CSV, checkpoint_path, optimizer_path
from pipeline.errors import UserError


@dataclass(frozen=True)
class EpochRecord:
    """What is known of a finished epoch; validation loss and accuracy are NaN without validation images.

    The sha256s are those of the checkpoint and of the optimizer's state behind it.
    """

    epoch: int
    train_loss: float
    validation_loss: float
    validation_accuracy: float
    checkpoint_sha256: str
    optimizer_sha256: str


def read_trained(folder: Path = Path()) -> list[EpochRecord]:
    """Return a record for each row of a project's table.

    Raises:
        UserError: the file is missing, or no such table.
    """
    path = folder / TRAIN_CSV
    try:
        return parse_trained(path.read_text(encoding="utf-8", errors="replace"))
    except FileNotFoundError:
        raise UserError(f"{path} is missing: run `dvc repro`, or `git checkout HEAD {TRAIN_CSV}`") from None


def parse_trained(text: str) -> list[EpochRecord]:
    """Return a record for each row of a table; raise UserError if it is none."""
    try:
        records = [_parse(row) for row in csv.DictReader(text.splitlines())]
    except (KeyError, ValueError, TypeError):
        records = []
    if not records:
        raise UserError(f"{TRAIN_CSV} is no table of epochs: `git checkout HEAD {TRAIN_CSV}` restores it")
    return records


def recorded_sha256(records: list[EpochRecord]) -> dict[str, str]:
    """The sha256 of each file of the epochs, by path, in their order: the checkpoint, then the optimizer's state."""
    digests = {}
    for record in records:
        digests[checkpoint_path(record.epoch).as_posix()] = record.checkpoint_sha256
        digests[optimizer_path(record.epoch).as_posix()] = record.optimizer_sha256
    return digests


def _parse(row: dict[str, str]) -> EpochRecord:
    return EpochRecord(
        epoch=int(row["epoch"]),
        train_loss=float(row["train_loss"]),
        validation_loss=float(row["validation_loss"] or "nan"),
        validation_accuracy=float(row["validation_accuracy"] or "nan"),
        checkpoint_sha256=row["sha256"],
        optimizer_sha256=row["optimizer_sha256"],
    )
