"""The test images that tell most of a sweep: those that every run gets wrong, and those on which seeds disagree."""

import io
from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mnist.dataset import FOLDERS, TEST_IMAGES, TEST_LABELS
from mnist.idx import NUM_CLASSES, parse_images
from mnist.paths import RAW_DATA
from stages.report.sizes import LABELS_HEADER_LENGTH
from tools.verdicts.groups import Group


@dataclass(frozen=True)
class Case:
    """A test image: its index in the data set's file, and which digit how many runs take it for, the most first.

    `disagreement` is how probably two runs of a group, drawn at random, name different digits.
    """

    index: int
    label: int
    taken_for: list[tuple[int, int]]
    disagreement: float


def always_wrong(groups: list[Group]) -> list[Case]:
    """Return the images that no run gets right, those on which most agree first; the groups have the same images."""
    labels, predictions = _labels(groups[0]), np.concatenate([_predictions(group) for group in groups])
    cases = _cases(groups, np.flatnonzero((predictions != labels).all(axis=0)))
    return sorted(cases, key=lambda case: -case.taken_for[0][1])


def most_disputed(groups: list[Group]) -> list[Case]:
    """Return the images on which seeds disagree, those most disputed first; the groups have the same images."""
    cases = _cases(groups, np.flatnonzero(_disagreement(groups) > 0))
    return sorted(cases, key=lambda case: -case.disagreement)


def count_wrong(group: Group) -> tuple[int, int]:
    """Return how many images every seed of a group gets wrong, and how many at least one does."""
    is_wrong = _predictions(group) != _labels(group)
    return int(is_wrong.all(axis=0).sum()), int(is_wrong.any(axis=0).sum())


def load_images(group: Group) -> NDArray[np.uint8] | None:
    """Return the test images [N, 28, 28] of a group from data/raw; None if they are not there."""
    for folder in FOLDERS.values():
        labels, images = RAW_DATA / folder / TEST_LABELS, RAW_DATA / folder / TEST_IMAGES
        is_there = labels.is_file() and images.is_file()
        if is_there and labels.read_bytes()[LABELS_HEADER_LENGTH:] == group.test_labels:
            return parse_images(images.read_bytes(), str(images))
    return None


def draw(image: NDArray[np.uint8]) -> bytes:
    """Return the PNG of an image [H, W], ink on paper."""
    buffer = io.BytesIO()
    Image.fromarray(255 - image).save(buffer, format="png", optimize=True)
    return buffer.getvalue()


def _labels(group: Group) -> NDArray[np.int64]:
    return group.runs[0].predictions["label"].to_numpy()


def _predictions(group: Group) -> NDArray[np.int64]:
    """What each run names each image: [runs, images]."""
    return np.stack([run.predictions["prediction"].to_numpy() for run in group.runs])


def _disagreement(groups: list[Group]) -> NDArray[np.float64]:
    """For each image, the part of all pairs of runs of the same group that name different digits; 0 without pairs."""
    num_different, num_pairs = np.zeros(len(_labels(groups[0]))), 0
    for group in groups:
        predictions, num_runs = _predictions(group), len(group.runs)
        counts = np.stack([(predictions == digit).sum(axis=0) for digit in range(NUM_CLASSES)])
        num_different += (num_runs**2 - (counts**2).sum(axis=0)) / 2
        num_pairs += num_runs * (num_runs - 1) // 2
    return num_different / max(num_pairs, 1)


def _cases(groups: list[Group], indices: NDArray[np.int64]) -> list[Case]:
    labels, predictions = _labels(groups[0]), np.concatenate([_predictions(group) for group in groups])
    disagreement = _disagreement(groups)
    return [
        Case(
            index=int(index),
            label=int(labels[index]),
            taken_for=Counter(predictions[:, index].tolist()).most_common(),
            disagreement=float(disagreement[index]),
        )
        for index in indices
    ]
