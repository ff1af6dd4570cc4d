"""What the processes of one training have in common: all that determines its epochs, and what they are made from."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from mnist.checkpoint import Description, encode, encode_tensors
from mnist.data import DataParams, Examples, list_training_files, load_training
from mnist.determinism import Device, describe_device, make_deterministic
from mnist.paths import RAW_DATA
from pipeline.errors import UserError
from pipeline.inputs import Inputs
from pipeline.params import PARAMS_FILE
from stages.train.optimizer import AdamW
from stages.train.origin import origin_of
from stages.train.recipe import Recipe


@dataclass(frozen=True)
class Job:
    """A training that was asked for.

    `origin` is all that determines an epoch, by name: code, parameters, data, versions, and the kind of device.
    """

    recipe_name: str
    recipe: Recipe
    data: DataParams
    device: torch.device
    environment: dict[str, str]
    origin: dict[str, Any]

    def load(self) -> tuple[Examples, Examples]:
        """The training and the validation examples, on the device.

        Raises:
            UserError: a file is missing or damaged, or there are too few images.
        """
        training, validation = (part.to(self.device) for part in load_training(RAW_DATA, self.data))
        last_batch = len(training) % self.recipe.batch_size or self.recipe.batch_size
        if self.recipe.shards > last_batch:
            raise UserError(
                f"{PARAMS_FILE}: recipes.{self.recipe_name}.shards is {self.recipe.shards}, but the last batch of the "
                f"{len(training)} training images has {last_batch}; take no more shards than that, or another "
                "batch_size"
            )
        return training, validation

    def describe(self, epoch: int) -> Description:
        """What the checkpoint of an epoch says of itself."""
        return Description(
            epoch=epoch,
            network=self.recipe.network,
            threads=self.recipe.threads,
            training=self.recipe.model_dump(exclude={"epochs", "network", "threads"}),
            data=self.data,
            environment=self.environment,
        )

    def encode(self, epoch: int, network: nn.Module, optimizer: AdamW) -> tuple[bytes, bytes]:
        """What is kept of an epoch: its checkpoint, and the optimizer's state behind it, which says what it says."""
        description = self.describe(epoch)
        return encode(network, description), encode_tensors(optimizer.state(), description.metadata("optimizer"))


def read_job(inputs: Inputs) -> Job:
    """Read what is to be trained, and set torch up for it."""
    name: str = inputs.param("recipe", str)
    recipe: Recipe = inputs.param(f"recipes.{name}", Recipe)
    data: DataParams = inputs.param("data", DataParams)
    inputs.files(list_training_files(RAW_DATA, data.dataset))
    inputs.versions("records")
    device = make_deterministic(recipe.threads, inputs.param("device", Device))
    environment = {"device": describe_device(device)} | inputs.versions("numerics")
    return Job(name, recipe, data, device, environment, origin_of(inputs.note(), environment["device"]))
