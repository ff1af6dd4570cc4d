"""The pictures: training images, plain and distorted, the worst mistakes, the first kernels."""

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mnist.augment import AugmentParams, augment
from mnist.data import Examples
from mnist.determinism import generator_for
from mnist.idx import NUM_CLASSES
from mnist.model import as_input
from stages.illustrate.grid import draw_filters, draw_images, draw_text

NUM_PER_CLASS = 4
NUM_AUGMENTED, NUM_COPIES = 4, 9
NUM_MISTAKES, NUM_MISTAKE_COLUMNS = 30, 10
NUM_FILTER_COLUMNS = 8


def draw_samples(training: Examples) -> bytes:
    """Draw the first training images of each class, a column per class; what a class lacks stays empty."""
    shown = torch.zeros(NUM_PER_CLASS, NUM_CLASSES, *training.images.shape[1:], dtype=torch.uint8)
    titles = [[""] * NUM_CLASSES for _ in range(NUM_PER_CLASS)]
    for label in range(NUM_CLASSES):
        for row, image in enumerate(training.images[training.labels == label][:NUM_PER_CLASS]):
            shown[row, label] = image
            titles[row][label] = str(label)
    return draw_images(_pixels(shown.flatten(0, 1)), [title for row in titles for title in row], NUM_CLASSES)


def draw_augmented(training: Examples, params: AugmentParams | None, device: torch.device) -> bytes:
    """Draw a row for each of some training images: the image, and how an epoch on this device may show it."""
    if params is None:
        return draw_text("This recipe trains on the images as they are.")
    images = training.images[:NUM_AUGMENTED].repeat_interleave(NUM_COPIES + 1, dim=0)
    is_original = torch.arange(len(images)) % (NUM_COPIES + 1) == 0
    distorted = augment(as_input(images.to(device)), params, generator_for(seed=0, epoch=0, purpose="illustrate"))
    pixels = distorted.mul(255).round().to(torch.uint8).cpu()
    titles = ["original" if original else "" for original in is_original]
    return draw_images(_pixels(torch.where(is_original.view(-1, 1, 1, 1), images, pixels)), titles, NUM_COPIES + 1)


def draw_mistakes(test: Examples, predictions: pd.DataFrame) -> bytes:
    """Draw the wrongly classified test images of which the network was most sure, the surest first.

    Above each stands its index in the data set's file, from 0, its label, the prediction and the confidence.
    """
    mistakes = predictions[predictions["label"] != predictions["prediction"]]
    worst = mistakes.sort_values(["confidence", "index"], ascending=[False, True]).head(NUM_MISTAKES)
    if worst.empty:
        return draw_text("There is no mistake.")
    columns = ["index", "label", "prediction", "confidence"]
    titles = [
        f"#{index}\n{label} as {prediction}\n{100 * confidence:.2f} %"
        for index, label, prediction, confidence in worst[columns].itertuples(index=False)
    ]
    return draw_images(_pixels(test.images[worst["index"].tolist()]), titles, NUM_MISTAKE_COLUMNS)


def draw_kernels(network: nn.Module) -> bytes:
    """Draw the kernels of the network's first convolution, which sees one channel."""
    convolution = next(module for module in network.modules() if isinstance(module, nn.Conv2d))
    return draw_filters(convolution.weight.detach().squeeze(1).numpy(), NUM_FILTER_COLUMNS)


def _pixels(images: Tensor) -> NDArray[np.uint8]:
    """Images uint8 [N, 1, H, W] as an array [N, H, W]."""
    pixels: NDArray[np.uint8] = images.squeeze(1).numpy()
    return pixels
