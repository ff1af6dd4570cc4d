"""The data sets that the pipeline knows, and where their files lie: as `torchvision.datasets` lays them out."""

from pathlib import Path
from typing import Literal

DatasetName = Literal["mnist", "fashion_mnist", "kmnist"]

FOLDERS: dict[DatasetName, Path] = {
    "mnist": Path("MNIST/raw"),
    "fashion_mnist": Path("FashionMNIST/raw"),
    "kmnist": Path("KMNIST/raw"),
}
TRAINING_IMAGES = "train-images-idx3-ubyte"
TRAINING_LABELS = "train-labels-idx1-ubyte"
TEST_IMAGES = "t10k-images-idx3-ubyte"
TEST_LABELS = "t10k-labels-idx1-ubyte"
FILES = (TRAINING_IMAGES, TRAINING_LABELS, TEST_IMAGES, TEST_LABELS)
