"""Fills data/.resume from a training's outputs, so that one that was made elsewhere can be made longer here.

`python -m tools.resume` does it for what is in the workspace; `python -m tools.share pull` does so, too. It reads
dvc.lock, metrics/train.csv, data/checkpoints and data/optimizer.safetensors, and trusts no file unchecked.
"""

import argparse
import csv
import json
import sys
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from mnist.errors import UserError
from mnist.files import sha256_of
from mnist.paths import CHECKPOINTS, OPTIMIZER, TRAIN_CSV, checkpoint_name
from mnist.resume import METADATA_KEY, EpochRecord, History
from mnist.stage import lock
from tools.lock import LOCK, locked_outputs, read_lock
from tools.objects import md5_of_file


def main() -> None:
    description = "Fill data/.resume from a training's outputs."
    argparse.ArgumentParser(prog="python -m tools.resume", description=description).parse_args()
    try:
        print(f"resume: {fill_history()}")
    except UserError as error:
        sys.exit(f"resume: {error}")


def fill_history() -> str:
    """Add to the history the epochs that the workspace has and it lacks; say in a line what was done.

    Raises:
        UserError: a file is damaged or missing, or they do not belong together; the message names it.
    """
    if not OPTIMIZER.is_file() or not TRAIN_CSV.is_file():
        return f"{OPTIMIZER} or {TRAIN_CSV} is not there, so a longer training starts anew"
    for path in (OPTIMIZER, TRAIN_CSV):
        _check_locked(path)
    optimizer_state = OPTIMIZER.read_bytes()
    records, training = _records(optimizer_state), _training()
    num_epochs = len(records)
    if records[-1].checkpoint_sha256 != training["checkpoint_sha256"]:
        raise UserError(f"{OPTIMIZER} belongs to another training than {TRAIN_CSV}: run `dvc checkout`")
    with lock("train"):
        history = History(training["inputs"])
        if history.resumable(num_epochs) == num_epochs:
            return f"a longer training goes on after epoch {len(history.records)}"
        checkpoints = [_read_checkpoint(record) for record in records]
        for record, checkpoint in zip(records, checkpoints, strict=True):
            history.append(record, checkpoint, optimizer_state if record is records[-1] else None)
    return f"a longer training goes on after epoch {num_epochs}, trained elsewhere"


def _records(optimizer_state: bytes) -> list[EpochRecord]:
    """The rows of metrics/train.csv, whose losses are rounded: written again, they are the same text."""
    with TRAIN_CSV.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return [
        EpochRecord(
            epoch=int(row["epoch"]),
            train_loss=float(row["train_loss"]),
            validation_loss=float(row["validation_loss"] or "nan"),
            validation_accuracy=float(row["validation_accuracy"] or "nan"),
            checkpoint_sha256=row["sha256"],
            optimizer_sha256=sha256_of(optimizer_state) if row is rows[-1] else None,
        )
        for row in rows
    ]


def _training() -> dict[str, Any]:
    """What the optimizer's state says that it belongs to."""
    try:
        with safe_open(OPTIMIZER, framework="numpy") as file:
            training: dict[str, Any] = json.loads(file.metadata()[METADATA_KEY])
    except (SafetensorError, KeyError, TypeError):
        raise UserError(f"{OPTIMIZER} is no optimizer state of this project") from None
    return training


def _read_checkpoint(record: EpochRecord) -> bytes:
    path = CHECKPOINTS / checkpoint_name(record.epoch)
    content = path.read_bytes() if path.is_file() else b""
    if sha256_of(content) != record.checkpoint_sha256:
        raise UserError(f"{path} is missing or not the one that {TRAIN_CSV} records: run `dvc checkout --force`")
    return content


def _check_locked(path: Path) -> None:
    if md5_of_file(path) != locked_outputs(read_lock()).get(path.as_posix()):
        raise UserError(f"{path} is not the one that {LOCK} records: `git checkout metrics` and `dvc checkout --force`")


if __name__ == "__main__":
    main()
