"""A recipe: everything that determines a training apart from the data."""

from pydantic import Field, ValidationInfo, field_validator

from mnist.augment import AugmentParams
from mnist.determinism import Threads
from mnist.model import NetworkParams
from pipeline.params import Section
from stages.train.optimizer import OptimizerParams
from stages.train.schedule import Schedule
from stages.train.step import LossParams


class Recipe(Section):
    """One entry of `recipes` in params.yaml."""

    seed: int = Field(ge=0, lt=2**63, description="first weights, order of the images and distortions follow from it")
    network: NetworkParams
    epochs: int = Field(ge=1, le=999, description="how often training sees each image; one checkpoint each")
    batch_size: int = Field(ge=1, le=60_000, description="images of one step of the optimizer")
    optimizer: OptimizerParams
    schedule: Schedule
    loss: LossParams
    augment: AugmentParams | None = Field(description="distortions of the training images; null: none")
    threads: Threads = Field(description="CPU threads to compute with; results depend on it in their last bits")
    shards: int = Field(ge=1, description="parts of a batch that are computed alone, by as many workers at most")

    @field_validator("shards")
    @classmethod
    def _no_shard_is_empty(cls, shards: int, info: ValidationInfo) -> int:
        if shards > info.data.get("batch_size", shards):
            raise ValueError(f"the number should be at most batch_size, which is {info.data['batch_size']}")
        return shards
