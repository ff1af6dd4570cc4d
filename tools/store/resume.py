"""Fills data/.resume from a training's outputs, so that one that was made elsewhere can go on here, behind any epoch.

Reads dvc.lock, what train noted that it used, the device in metrics/environment.json, metrics/train.csv, and the files
of all epochs; it trusts none of them unchecked.
"""

import json
from pathlib import Path
from typing import Any

from mnist.paths import ENVIRONMENT_JSON, TRAIN_CSV, checkpoint_path, optimizer_path
from mnist.trained import read_trained
from pipeline.errors import UserError
from pipeline.files import sha256_of
from pipeline.links import refuse_foreign
from pipeline.stage import lock, note_path
from stages.train.history import History
from stages.train.origin import origin_of
from tools.store.lock import LOCK, locked_outputs, read_lock
from tools.store.objects import md5_of_file

NOTE = note_path("train")
CHECKOUT = "`git checkout metrics` and `dvc checkout --force`"


def fill_history() -> str:
    """Add to the history the epochs that the workspace has and it lacks; say in a line what was done, if anything was.

    Raises:
        UserError: a file is damaged or missing; the message names it.
    """
    locked = locked_outputs(read_lock())
    refuse_foreign(map(Path, locked))  # Before any advice to check out.
    for path in (NOTE, ENVIRONMENT_JSON, TRAIN_CSV):
        if (md5 := md5_of_file(path)) is None or md5 != locked.get(path.as_posix()):
            raise UserError(f"{path} is missing or not the one that {LOCK} records: {CHECKOUT}")
    origin, records = _read_origin(), read_trained()
    with lock("train"):
        history = History(origin)
        if history.resumable(len(records)) == len(records):
            return ""
        for record in records:
            checkpoint = _read(checkpoint_path(record.epoch), record.checkpoint_sha256)
            history.append(record, checkpoint, _read(optimizer_path(record.epoch), record.optimizer_sha256))
    return f"{len(records)} epochs, trained elsewhere, are now kept here: another `epochs` trains only what is new"


def _read_origin() -> dict[str, Any]:
    """What the training's epochs are kept under: all that determines them."""
    try:
        return origin_of(json.loads(NOTE.read_bytes()), json.loads(ENVIRONMENT_JSON.read_bytes())["device"])
    except (ValueError, TypeError, KeyError, AttributeError):
        raise UserError(f"{NOTE} or {ENVIRONMENT_JSON} does not say what made the training: run `dvc repro`") from None


def _read(path: Path, sha256: str) -> bytes:
    content = path.read_bytes() if path.is_file() else b""
    if sha256_of(content) != sha256:
        raise UserError(f"{path} is missing or not the one that {TRAIN_CSV} records: {CHECKOUT}")
    return content
