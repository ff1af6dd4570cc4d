"""Images and labels in memory, and the split of the training images into training and validation."""

from dataclasses import dataclass
from pathlib import Path

import torch
from pydantic import Field
from torch import Tensor

from mnist.checksums import read_genuine
from mnist.dataset import FOLDERS, TEST_IMAGES, TEST_LABELS, TRAINING_IMAGES, TRAINING_LABELS, DatasetName
from mnist.idx import parse_images, parse_labels
from pipeline.errors import UserError
from pipeline.params import PARAMS_FILE, Section


class DataParams(Section):
    """The section `data` of params.yaml."""

    dataset: DatasetName
    validation_size: int = Field(ge=0)
    split_seed: int = Field(ge=0, lt=2**63)


@dataclass(frozen=True)
class Examples:
    """Images uint8 [N, 1, 28, 28], 0 is background, 255 is ink; labels int64 [N], 0 to 9."""

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def select(self, indices: Tensor) -> "Examples":
        """Return the examples at `indices` int64 [M], in that order."""
        return Examples(self.images[indices], self.labels[indices])

    def to(self, device: torch.device) -> "Examples":
        """Return the examples on a device."""
        return Examples(self.images.to(device), self.labels.to(device))


def list_training_files(raw: Path, dataset: DatasetName) -> list[Path]:
    """Return the paths that `load_training` reads."""
    return [raw / FOLDERS[dataset] / name for name in (TRAINING_IMAGES, TRAINING_LABELS)]


def list_test_files(raw: Path, dataset: DatasetName) -> list[Path]:
    """Return the paths that `load_test` reads."""
    return [raw / FOLDERS[dataset] / name for name in (TEST_IMAGES, TEST_LABELS)]


def list_files(raw: Path, dataset: DatasetName) -> list[Path]:
    """Return the paths that `load_training` and `load_test` read: all four of the data set."""
    return [*list_training_files(raw, dataset), *list_test_files(raw, dataset)]


def load_training(raw: Path, params: DataParams) -> tuple[Examples, Examples]:
    """Return the training and the validation examples: a split of the data set's training images.

    Raises:
        UserError: a file is missing or damaged, or no training image would be left.
    """
    examples = _load(raw, params.dataset, TRAINING_IMAGES, TRAINING_LABELS)
    if params.validation_size >= len(examples):
        raise UserError(
            f"{PARAMS_FILE}: data.validation_size is {params.validation_size}; "
            f"expected 0 to {len(examples) - 1}, as there are {len(examples)} training images"
        )
    order = torch.randperm(len(examples), generator=torch.Generator().manual_seed(params.split_seed))
    validation, training = order[: params.validation_size], order[params.validation_size :]
    # Sorted, so that a batch's images lie in memory as the file has them; the epochs shuffle anyway.
    return examples.select(training.sort().values), examples.select(validation.sort().values)


def load_test(raw: Path, params: DataParams) -> Examples:
    """Return the test examples.

    Raises:
        UserError: a file is missing or damaged.
    """
    return _load(raw, params.dataset, TEST_IMAGES, TEST_LABELS)


def _load(raw: Path, dataset: DatasetName, images_name: str, labels_name: str) -> Examples:
    images_path, labels_path = FOLDERS[dataset] / images_name, FOLDERS[dataset] / labels_name
    images = parse_images(read_genuine(raw, images_path), str(raw / images_path))
    labels = parse_labels(read_genuine(raw, labels_path), str(raw / labels_path), len(images))
    return Examples(torch.tensor(images).unsqueeze(1), torch.tensor(labels, dtype=torch.int64))
