"""Trains the chosen recipe's network, and keeps a checkpoint of every epoch.

Reads params.yaml (recipe, recipes.<recipe>, data), pyproject.toml (the pinned versions) and data/raw;
writes data/checkpoints and metrics/train.csv, whose rows name the sha256 of each checkpoint.
"""

import hashlib
import math
from pathlib import Path

import pandas as pd
import torch

from mnist.checkpoint import Description, checkpoint_name, encode
from mnist.data import DataParams, load_training
from mnist.dataset import RAW_DATA
from mnist.determinism import derive_seed, make_deterministic
from mnist.environment import numerics_versions
from mnist.epoch import train_epoch
from mnist.errors import UserError
from mnist.files import replace_folder
from mnist.inference import evaluate
from mnist.memory import keep_freed_memory
from mnist.model import build_network
from mnist.progress import Progress
from mnist.recipe import Recipe
from mnist.stage import stage
from mnist.step import build_optimizer
from mnist.tables import write_csv

CHECKPOINTS = Path("data/checkpoints")
TRAIN_CSV = Path("metrics/train.csv")


def main() -> None:
    with stage("train") as inputs:
        data_params: DataParams = inputs.param("data", DataParams)
        recipe: Recipe = inputs.param(f"recipes.{inputs.param('recipe', str)}", Recipe)
        environment = numerics_versions()
        keep_freed_memory()
        device = make_deterministic(recipe.threads)
        training, validation = (part.to(device) for part in load_training(RAW_DATA, data_params))

        torch.manual_seed(derive_seed(recipe.seed, epoch=0, purpose="network"))
        network = build_network(recipe.network).to(device)
        optimizer = build_optimizer(network, recipe.optimizer)
        checkpoints: dict[Path, bytes] = {}
        rows = []
        progress = Progress("epoch", recipe.epochs)
        for epoch in range(1, recipe.epochs + 1):
            loss = train_epoch(network, optimizer, training, recipe, epoch)
            if not math.isfinite(loss):
                raise UserError(f"the loss of epoch {epoch} is {loss}: lower optimizer.learning_rate of the recipe")
            score = evaluate(network, validation)
            description = Description(
                epoch=epoch,
                network=recipe.network,
                threads=recipe.threads,
                training=recipe.model_dump(exclude={"epochs", "network", "threads"}),
                data=data_params,
                environment=environment | {"device": device.type},
            )
            content = encode(network, description)
            checkpoints[Path(checkpoint_name(epoch))] = content
            rows.append(
                {
                    "epoch": epoch,
                    "train_loss": loss,
                    "validation_loss": score.loss,
                    "validation_accuracy": score.accuracy,
                    "sha256": hashlib.sha256(content).hexdigest(),
                }
            )
            progress.advance(loss=loss, validation_accuracy=score.accuracy)
        inputs.verify_unchanged()
        replace_folder(CHECKPOINTS, checkpoints)
        write_csv(TRAIN_CSV, pd.DataFrame(rows))


if __name__ == "__main__":
    main()
