"""Tiny data in MNIST's format: a pattern for each class, and noise, so that a network learns it in an epoch or two."""

import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mnist.dataset import FILES, TEST_IMAGES, TEST_LABELS, TRAINING_IMAGES, TRAINING_LABELS
from mnist.idx import IMAGE_SIZE, NUM_CLASSES

SEED = 28


def idx_images(images: NDArray[np.uint8]) -> bytes:
    """Return the content of an idx file of images [N, H, W]."""
    return bytes([0, 0, 8, 3]) + np.array(images.shape, ">u4").tobytes() + images.tobytes()


def idx_labels(labels: NDArray[np.uint8]) -> bytes:
    """Return the content of an idx file of labels [N]."""
    return bytes([0, 0, 8, 1]) + np.array(labels.shape, ">u4").tobytes() + labels.tobytes()


def write_tiny_dataset(folder: Path, num_training: int = 600, num_test: int = 200) -> None:
    """Write the four plain idx files into the folder; the same bytes every time."""
    folder.mkdir(parents=True, exist_ok=True)
    training_images, training_labels = tiny_images(num_training, seed=SEED)
    test_images, test_labels = tiny_images(num_test, seed=SEED + 1)
    (folder / TRAINING_IMAGES).write_bytes(idx_images(training_images))
    (folder / TRAINING_LABELS).write_bytes(idx_labels(training_labels))
    (folder / TEST_IMAGES).write_bytes(idx_images(test_images))
    (folder / TEST_LABELS).write_bytes(idx_labels(test_labels))


def tiny_images(num_images: int, seed: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return images [N, 28, 28] and labels [N], all classes equally often; the patterns are those of every seed."""
    block_size = 4
    num_blocks = IMAGE_SIZE // block_size
    patterns = np.random.default_rng(SEED).random((NUM_CLASSES, num_blocks, num_blocks)) < 0.3
    patterns = patterns.repeat(block_size, axis=1).repeat(block_size, axis=2)
    generator = np.random.default_rng(seed)
    labels = generator.permutation(np.arange(num_images) % NUM_CLASSES).astype(np.uint8)
    ink = patterns[labels] * generator.integers(100, 200, (num_images, 1, 1))
    noise = generator.integers(0, 56, (num_images, IMAGE_SIZE, IMAGE_SIZE))
    return (ink + noise).astype(np.uint8), labels


def checksums(folder: Path) -> str:
    """Return what data/checksums.txt says of the folder's four files when they are the genuine ones."""
    md5_by_name = {name: hashlib.md5((folder / name).read_bytes(), usedforsecurity=False).hexdigest() for name in FILES}
    return "".join(f"{md5}  MNIST/raw/{name}\n" for name, md5 in md5_by_name.items())
