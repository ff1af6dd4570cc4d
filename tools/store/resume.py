"""Fills data/.resume from a training's outputs, so that one that was made elsewhere can be made longer here.

Reads dvc.lock, metrics/train.csv, data/checkpoints and data/optimizer.safetensors, and trusts no file unchecked.
"""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from mnist.paths import OPTIMIZER, TRAIN_CSV, checkpoint_path
from mnist.trained import EpochRecord, read_trained
from pipeline.errors import UserError
from pipeline.files import sha256_of
from pipeline.links import refuse_foreign
from pipeline.stage import lock
from stages.train.history import METADATA_KEY, History
from tools.store.lock import LOCK, locked_outputs, read_lock
from tools.store.objects import md5_of_file

LONGER = "with a higher `epochs`, only the new ones are trained"


def fill_history() -> str:
    """Add to the history the epochs that the workspace has and it lacks; say in a line what was done.

    Raises:
        UserError: a file is damaged or missing, or they do not belong together; the message names it.
    """
    refuse_foreign(map(Path, locked_outputs(read_lock())))  # Before any advice to check out.
    if not OPTIMIZER.is_file() or not TRAIN_CSV.is_file():
        return f"{OPTIMIZER} or {TRAIN_CSV} is not there: a training with a higher `epochs` will start anew"
    for path in (OPTIMIZER, TRAIN_CSV):
        _check_locked(path)
    optimizer_state = OPTIMIZER.read_bytes()
    records, training = read_trained(), _training()
    records[-1] = replace(records[-1], optimizer_sha256=sha256_of(optimizer_state))
    num_epochs = len(records)
    if records[-1].checkpoint_sha256 != training["checkpoint_sha256"]:
        raise UserError(f"{OPTIMIZER} belongs to another training than {TRAIN_CSV}: run `dvc checkout`")
    with lock("train"):
        history = History(training["inputs"])
        if history.resumable(num_epochs) == num_epochs:
            return f"{len(history.records)} epochs are kept here: {LONGER}"
        checkpoints = [_read_checkpoint(record) for record in records]
        for record, checkpoint in zip(records, checkpoints, strict=True):
            history.append(record, checkpoint, optimizer_state if record is records[-1] else None)
    return f"{num_epochs} epochs, trained elsewhere, are now kept here: {LONGER}"


def _training() -> dict[str, Any]:
    """What the optimizer's state says that it belongs to."""
    try:
        with safe_open(OPTIMIZER, framework="numpy") as file:
            training: dict[str, Any] = json.loads(file.metadata()[METADATA_KEY])
    except (SafetensorError, KeyError, TypeError):
        raise UserError(f"{OPTIMIZER} is no optimizer state of this project") from None
    return training


def _read_checkpoint(record: EpochRecord) -> bytes:
    path = checkpoint_path(record.epoch)
    content = path.read_bytes() if path.is_file() else b""
    if sha256_of(content) != record.checkpoint_sha256:
        raise UserError(f"{path} is missing or not the one that {TRAIN_CSV} records: run `dvc checkout --force`")
    return content


def _check_locked(path: Path) -> None:
    if md5_of_file(path) != locked_outputs(read_lock()).get(path.as_posix()):
        raise UserError(f"{path} is not the one that {LOCK} records: `git checkout metrics` and `dvc checkout --force`")
