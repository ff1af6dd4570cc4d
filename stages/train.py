"""Trains the chosen recipe's network, and keeps a checkpoint of every epoch.

Reads params.yaml (recipe, recipes.<recipe>, data), pyproject.toml (the pinned versions) and data/raw; writes
data/checkpoints, data/optimizer.safetensors (the optimizer's state behind the last of them), metrics/train.csv, whose
rows name the sha256 of each checkpoint, and metrics/environment.json.
Epochs that were finished before, in a run that was killed or was shorter, are taken from data/.resume.
"""

import math
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pandas as pd
import torch

from mnist.checkpoint import Description, decode_tensors, encode, encode_tensors
from mnist.data import DataParams, Examples, list_training_files, load_training
from mnist.dataset import RAW_DATA
from mnist.determinism import derive_seed, describe_device, make_deterministic
from mnist.environment import pinned_versions
from mnist.epoch import make_step, train_epoch
from mnist.errors import UserError
from mnist.files import replace_folder, sha256_of, write_file
from mnist.inference import evaluate
from mnist.memory import keep_freed_memory
from mnist.model import build_network
from mnist.optimizer import AdamW
from mnist.paths import CHECKPOINTS, OPTIMIZER, TRAIN_CSV, checkpoint_name
from mnist.progress import Progress
from mnist.recipe import Recipe
from mnist.resume import EpochRecord, History
from mnist.stage import stage
from mnist.tables import write_csv, write_json

ENVIRONMENT_JSON = Path("metrics/environment.json")


def main() -> None:
    with stage("train") as inputs:
        data_params: DataParams = inputs.param("data", DataParams)
        recipe: Recipe = inputs.param(f"recipes.{inputs.param('recipe', str)}", Recipe)
        inputs.files(list_training_files(RAW_DATA, data_params.dataset))
        keep_freed_memory()
        device = make_deterministic(recipe.threads)
        environment = {"device": describe_device(device)} | pinned_versions("numerics")

        history = History(inputs.values(without=frozenset({"epochs"})) | environment | pinned_versions("records"))
        announce(history, recipe.epochs)
        if history.resumable(recipe.epochs) < recipe.epochs:
            training, validation = (part.to(device) for part in load_training(RAW_DATA, data_params))
            rest = recipe.model_dump(exclude={"epochs", "network", "threads"})
            describe = partial(
                Description,
                network=recipe.network,
                threads=recipe.threads,
                training=rest,
                data=data_params,
                environment=environment,
            )
            train(history, recipe, training, validation, describe)

        inputs.verify_unchanged()
        pinned_versions("records", "numerics")  # Again: DVC records the pins as they are now.
        publish(history, recipe.epochs)
        write_json(ENVIRONMENT_JSON, environment | {"threads": recipe.threads})
        history.remove_old()


def announce(history: History, num_epochs: int) -> None:
    """Say where the training starts, and why there."""
    if history.dropped:
        print(f"epochs {', '.join(map(str, history.dropped))} are dropped: files of theirs are missing or damaged")
    num_done, num_kept = history.resumable(num_epochs), min(num_epochs, len(history.records))
    if num_done < num_kept:
        print(f"epochs {num_done + 1} to {num_kept} are trained again: the optimizer's state behind them is not here")
    if num_done == 0:
        print(f"starting at epoch 1 of {num_epochs}: {history.origin}", flush=True)
    elif num_done < num_epochs:
        print(f"continuing at epoch {num_done + 1} of {num_epochs}: {history.origin}", flush=True)
    else:
        print(f"all {num_epochs} epochs are there, nothing to train: {history.origin}", flush=True)


def train(
    history: History,
    recipe: Recipe,
    training: Examples,
    validation: Examples,
    describe: Callable[..., Description],
) -> None:
    """Add to the history the epochs that it lacks; the examples' device is the one to train on.

    Raises:
        UserError: the loss or a weight is no longer a finite number.
    """
    device = training.labels.device
    torch.manual_seed(derive_seed(recipe.seed, epoch=0, purpose="network"))
    network = build_network(recipe.network).to(device)
    optimizer = AdamW(network.parameters(), recipe.optimizer)
    num_done = history.resumable(recipe.epochs)
    if num_done:
        network.load_state_dict(decode_tensors(history.checkpoint(num_done)))
        optimizer.load_state(decode_tensors(history.optimizer_state(num_done)))
    step = make_step(network, optimizer, recipe)
    progress = Progress("epoch", recipe.epochs, num_done)
    for epoch in range(num_done + 1, recipe.epochs + 1):
        loss = train_epoch(step, network, training, recipe, epoch)
        if not (math.isfinite(loss) and all(value.isfinite().all() for value in network.state_dict().values())):
            raise UserError(
                f"the weights grew beyond all bounds in epoch {epoch}, whose loss is {loss:.4g}: "
                "lower optimizer.learning_rate of the recipe"
            )
        score = evaluate(network, validation)
        checkpoint = encode(network, describe(epoch=epoch))
        optimizer_state = encode_tensors(optimizer.state(), history.metadata(checkpoint))
        record = EpochRecord(
            epoch=epoch,
            train_loss=loss,
            validation_loss=score.loss,
            validation_accuracy=score.accuracy,
            checkpoint_sha256=sha256_of(checkpoint),
            optimizer_sha256=sha256_of(optimizer_state),
        )
        history.append(record, checkpoint, optimizer_state)
        progress.advance(loss=loss, validation_accuracy=score.accuracy)


def publish(history: History, num_epochs: int) -> None:
    """Write the outputs that DVC knows, from the first `num_epochs` epochs of the history."""
    records = history.records[:num_epochs]
    replace_folder(CHECKPOINTS, {Path(checkpoint_name(r.epoch)): history.checkpoint(r.epoch) for r in records})
    write_file(OPTIMIZER, history.optimizer_state(num_epochs))
    table = pd.DataFrame(records).drop(columns="optimizer_sha256").rename(columns={"checkpoint_sha256": "sha256"})
    write_csv(TRAIN_CSV, table)


if __name__ == "__main__":
    main()
