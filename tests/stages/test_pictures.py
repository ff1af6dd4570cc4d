"""The pictures are of the examples that they claim to be of."""

import io

import pandas as pd
import torch
from matplotlib.image import imread

from mnist.augment import AugmentParams
from mnist.data import Examples
from mnist.model import TwoLayer
from stages.illustrate import pictures
from stages.illustrate.grid import draw_filters, draw_images
from stages.illustrate.pictures import draw_augmented, draw_kernels, draw_mistakes, draw_samples
from tests.tiny import tiny_images

CPU = torch.device("cpu")
NO_DISTORTION = AugmentParams(rotation_degrees=0.0, scale=0.0, shift_pixels=0.0)


def examples(num_images: int = 60) -> Examples:
    images, labels = tiny_images(num_images, seed=1)
    return Examples(torch.tensor(images).unsqueeze(1), torch.tensor(labels, dtype=torch.int64))


def predictions(*rows: tuple[int, int, float]) -> pd.DataFrame:
    """A row per (label, prediction, confidence)."""
    table = pd.DataFrame(rows, columns=["label", "prediction", "confidence"])
    return table.assign(index=range(len(table)))


def test_samples_are_a_column_of_each_class() -> None:
    training = examples()
    expected = []
    for row in range(pictures.NUM_PER_CLASS):
        expected += [int((training.labels == label).nonzero()[row]) for label in range(10)]
    titles = [str(label) for label in range(10)] * pictures.NUM_PER_CLASS
    assert draw_samples(training) == draw_images(training.images[expected, 0].numpy(), titles, 10)


def test_samples_keep_the_place_of_a_class_that_is_not_there() -> None:
    training = examples()
    images, titles = [], []
    for row in range(pictures.NUM_PER_CLASS):
        for label in range(10):
            image = training.images[training.labels == label][row, 0]
            images.append(image if label > 2 else torch.zeros_like(image))
            titles.append(str(label) if label > 2 else "")
    expected = draw_images(torch.stack(images).numpy(), titles, 10)
    assert draw_samples(training.select((training.labels > 2).nonzero().flatten())) == expected


def test_mistakes_are_the_surest_first_and_can_be_looked_up() -> None:
    test = examples(3)
    table = predictions((1, 2, 0.6), (3, 3, 1.0), (4, 9, 0.98765))
    titles = ["#2\n4 as 9\n98.77 %", "#0\n1 as 2\n60.00 %"]
    expected = draw_images(test.images[[2, 0], 0].numpy(), titles, 10)
    assert draw_mistakes(test, table) == expected


def test_no_mistake_is_a_picture_too() -> None:
    picture = imread(io.BytesIO(draw_mistakes(examples(1), predictions((1, 1, 0.9)))))
    assert picture.min() < 0.5, "it says so"


def test_augmented_images_are_distorted_as_the_recipe_says() -> None:
    plain = draw_augmented(examples(), NO_DISTORTION, CPU)
    distorted = draw_augmented(examples(), AugmentParams(rotation_degrees=10.0, scale=0.1, shift_pixels=2.0), CPU)
    copies = examples().images[: pictures.NUM_AUGMENTED, 0].repeat_interleave(pictures.NUM_COPIES + 1, dim=0)
    titles = (["original"] + [""] * pictures.NUM_COPIES) * pictures.NUM_AUGMENTED
    assert plain == draw_images(copies.numpy(), titles, pictures.NUM_COPIES + 1)
    assert distorted != plain


def test_recipe_without_distortion_is_said() -> None:
    assert draw_augmented(examples(), None, CPU) not in (b"", draw_augmented(examples(), NO_DISTORTION, CPU))


def test_filters_are_the_first_convolution() -> None:
    network = TwoLayer()
    kernels = network.conv1.weight.detach()[:, 0].numpy()
    assert kernels.shape == (8, 3, 3)
    assert draw_kernels(network) == draw_filters(kernels, pictures.NUM_FILTER_COLUMNS)
