"""The program of the notes that this project started from, written out plainly: what everything is measured against.

`python -m bench.notes epoch` trains an epoch and evaluates it on the test images; `python -m bench.notes evaluate`
loads every checkpoint in data/checkpoints and evaluates it on 15,000 images. Both print seconds, start-up excluded.
Images come from torchvision through a DataLoader, as one finds it in most tutorials.
"""

import sys
import time
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.utils.data import ConcatDataset, DataLoader, Dataset, Subset
from torchvision.datasets import MNIST
from torchvision.transforms import ToTensor

BATCH_SIZE = 32
EVALUATION_BATCH_SIZE = 250
Images = Dataset[tuple[Tensor, int]]


class Network(nn.Module):
    """The notes' network, with the softmax that its loss repeats."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, kernel_size=3, padding=1)
        self.pool = nn.AvgPool2d(2)
        self.norm = nn.BatchNorm2d(8)
        self.conv2 = nn.Conv2d(8, 16, kernel_size=3, padding=1)
        self.linear = nn.Linear(16 * 14 * 14, 10)

    def forward(self, images: Tensor) -> Tensor:
        """Return the probabilities [N, 10] of images [N, 1, 28, 28]."""
        maps = torch.relu(self.norm(self.pool(self.conv1(images))))
        maps = torch.relu(self.conv2(maps))
        return torch.softmax(self.linear(maps.flatten(1)), dim=1)


def train_epoch(network: nn.Module, optimizer: torch.optim.Optimizer, dataset: Images) -> None:
    """Train on every image once."""
    network.train()
    for images, labels in DataLoader(dataset, BATCH_SIZE, shuffle=True):
        optimizer.zero_grad()
        nn.functional.cross_entropy(network(images), labels).backward()  # type: ignore[no-untyped-call]
        optimizer.step()


def evaluate(network: nn.Module, dataset: Images, batch_size: int) -> float:
    """Return the accuracy."""
    network.eval()
    num_right, num_images = 0, 0
    with torch.no_grad():
        for images, labels in DataLoader(dataset, batch_size):
            num_right += int((network(images).argmax(dim=1) == labels).sum())
            num_images += len(labels)
    return num_right / num_images


def main() -> None:
    training, test = (MNIST("data/raw", train=train, transform=ToTensor()) for train in (True, False))
    network = Network()
    start = time.perf_counter()
    if sys.argv[1:] == ["epoch"]:
        train_epoch(network, torch.optim.Adam(network.parameters(), lr=1e-2), training)
        evaluate(network, test, BATCH_SIZE)
    elif sys.argv[1:] == ["evaluate"]:
        images: Images = ConcatDataset([Subset(training, range(5000)), test])
        for path in sorted(Path("data/checkpoints").iterdir()):
            weights = load_file(path)
            network.load_state_dict(weights | {"linear.weight": weights["linear.weight"].flatten(1)})
            evaluate(network, images, EVALUATION_BATCH_SIZE)
    else:
        sys.exit("usage: python -m bench.notes epoch|evaluate")
    print(time.perf_counter() - start)


if __name__ == "__main__":
    main()
