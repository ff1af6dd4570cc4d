"""Images and labels in memory, and the split of the training images into training and validation."""

from dataclasses import dataclass
from pathlib import Path

import torch
from pydantic import Field
from torch import Tensor

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
        UserError: a file is missing or malformed, or no training image would be left.
    """
    examples = _load(*list_training_files(raw, params.dataset))
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
        UserError: a file is missing or malformed.
    """
    return _load(*list_test_files(raw, params.dataset))


def _load(images_path: Path, labels_path: Path) -> Examples:
    try:
        images_content, labels_content = images_path.read_bytes(), labels_path.read_bytes()
    except FileNotFoundError as error:
        raise UserError(f"{error.filename} is missing: run `dvc repro download`") from None
    images = parse_images(images_content, str(images_path))
    labels = parse_labels(labels_content, str(labels_path), len(images))
    return Examples(torch.tensor(images).unsqueeze(1), torch.tensor(labels, dtype=torch.int64))
