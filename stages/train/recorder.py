"""Records the epochs of a training in its history, and publishes what that has."""

import math
import shutil
from pathlib import Path

import pandas as pd
from torch import nn
from tqdm import tqdm

from mnist.data import Examples
from mnist.inference import evaluate
from mnist.paths import CHECKPOINTS, OPTIMIZER, TRAIN_CSV, checkpoint_name
from mnist.trained import EpochRecord
from pipeline.errors import UserError
from pipeline.files import replace_folder, sha256_of
from pipeline.progress import Progress
from pipeline.tables import write_csv
from stages.train.history import History
from stages.train.job import Job
from stages.train.optimizer import AdamW


def announce(history: History, num_epochs: int) -> None:
    """Say where the training starts, and why there."""
    if history.dropped:
        numbers = f"{history.dropped[0]} to {history.dropped[-1]}"
        print(f"epochs {numbers} are dropped: files of theirs, or what is recorded of them, are missing or damaged")
    num_done = history.resumable(num_epochs)
    if num_done == 0:
        print(f"starting at epoch 1 of {num_epochs}: {history.origin}", flush=True)
    elif num_done < num_epochs:
        print(f"continuing at epoch {num_done + 1} of {num_epochs}: {history.origin}", flush=True)
    else:
        print(f"all {num_epochs} epochs are there, nothing to train: {history.origin}", flush=True)


class Recorder:
    """Adds each epoch of a training to its history, with its score on the validation images.

    Without a history it keeps nothing, and only takes its time: so no worker waits long for the one that records.

    Raises:
        UserError: the disk is too small for the epochs to come, or a loss or a weight is no longer a finite number.
    """

    def __init__(self, history: History | None, job: Job, validation: Examples) -> None:
        self._history, self._job, self._validation = history, job, validation
        self._num_epochs = job.recipe.epochs

    def begin(self, network: nn.Module, optimizer: AdamW) -> None:
        """Call before the first of the epochs."""
        if self._history:
            num_done = self._history.resumable(self._num_epochs)
            files = self._job.encode(self._num_epochs, network, optimizer)
            _refuse_small_disk(num_done, self._num_epochs, *files)
            self._progress = Progress("epoch", self._num_epochs, num_done)

    def add(self, epoch: int, loss: float, network: nn.Module, optimizer: AdamW) -> None:
        """Add an epoch, whose mean loss this is."""
        score = evaluate(network, self._validation)
        _refuse_overflow(network, epoch, loss, score.loss if len(self._validation) else None)
        if not self._history:
            return
        checkpoint, optimizer_state = self._job.encode(epoch, network, optimizer)
        record = EpochRecord(
            epoch=epoch,
            train_loss=loss,
            validation_loss=score.loss,
            validation_accuracy=score.accuracy,
            checkpoint_sha256=sha256_of(checkpoint),
            optimizer_sha256=sha256_of(optimizer_state),
        )
        self._history.append(record, checkpoint, optimizer_state)
        _write_table(self._history.records)  # For who looks meanwhile; DVC records only what publish writes.
        self._progress.advance(loss=loss, validation_accuracy=score.accuracy)


def publish(history: History, num_epochs: int) -> None:
    """Write the outputs that DVC knows, from the first `num_epochs` epochs of the history."""
    records = history.records[:num_epochs]
    for folder, content in ((CHECKPOINTS, history.checkpoint), (OPTIMIZER, history.optimizer_state)):
        replace_folder(folder, {Path(checkpoint_name(record.epoch)): content(record.epoch) for record in records})
    _write_table(records)


def _write_table(records: list[EpochRecord]) -> None:
    write_csv(TRAIN_CSV, pd.DataFrame(records).rename(columns={"checkpoint_sha256": "sha256"}))


def _refuse_small_disk(num_done: int, num_epochs: int, checkpoint: bytes, optimizer_state: bytes) -> None:
    """Raise UserError if more is to be written than is free where data/ lies; each epoch is as large as this one.

    The history keeps the new epochs; all are published; and DVC copies what is published into its cache, where it does
    not always notice that a disk is full.
    """
    needed = (num_epochs - num_done + 2 * num_epochs) * (len(checkpoint) + len(optimizer_state))
    folder = CHECKPOINTS.parent
    if (free := shutil.disk_usage(folder).free) < needed:
        raise UserError(
            f"{folder} has {tqdm.format_sizeof(free, 'B')} of free space, and epochs {num_done + 1} to {num_epochs} "
            f"need {tqdm.format_sizeof(needed, 'B')}, with their copy in DVC's cache: make room, and run `dvc repro` "
            "again"
        )


def _refuse_overflow(network: nn.Module, epoch: int, loss: float, validation_loss: float | None) -> None:
    losses = [loss] if validation_loss is None else [loss, validation_loss]
    if not all(map(math.isfinite, losses)) or not all(
        value.isfinite().all() for value in network.state_dict().values()
    ):
        shown = " and on the validation images ".join(f"{value:.4g}" for value in losses)
        raise UserError(
            f"the weights grew beyond all bounds in epoch {epoch}, whose loss is {shown}: "
            "lower optimizer.learning_rate or optimizer.weight_decay of the recipe"
        )
