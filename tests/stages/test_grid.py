"""Pictures show the pixels they were given, the same bytes each time."""

import io

import matplotlib
import numpy as np
import pytest
from matplotlib.image import imread
from numpy.typing import NDArray

from stages.illustrate.grid import draw_filters, draw_images, draw_text


def pixels(png: bytes) -> NDArray[np.float32]:
    """Red, green and blue from 0 to 1 of a picture, [H, W, 3]."""
    return np.asarray(imread(io.BytesIO(png)))[:, :, :3]


def noise(num_images: int) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (num_images, 28, 28)).astype(np.uint8)


def test_equal_images_are_equal_bytes_whatever_matplotlib_is_set_to(monkeypatch: pytest.MonkeyPatch) -> None:
    first = draw_images(noise(3), ["1", "2", "3"], num_columns=2)
    monkeypatch.setitem(matplotlib.rcParams, "axes.titlecolor", "red")
    monkeypatch.setitem(matplotlib.rcParams, "figure.facecolor", "black")
    assert draw_images(noise(3), ["1", "2", "3"], num_columns=2) == first


def test_ink_is_dark_and_background_is_light() -> None:
    ink = pixels(draw_images(np.full((1, 28, 28), 255, np.uint8), [""], 1))
    paper = pixels(draw_images(np.zeros((1, 28, 28), np.uint8), [""], 1))
    centre = tuple(size // 2 for size in ink.shape[:2])
    assert ink[centre].tolist() == [0, 0, 0]
    assert paper[centre].tolist() == [1, 1, 1]


def test_title_of_several_lines_stays_off_the_image_above_it() -> None:
    blank, titled = (
        pixels(draw_images(np.zeros((2, 28, 28), np.uint8), [title] * 2, 1)) for title in ("\n\n", "8\n8\n8")
    )
    row_height = titled.shape[0] // 2
    rows_of_titles = np.flatnonzero((blank != titled).any(axis=(1, 2))) % row_height
    assert len(rows_of_titles) > 0
    assert max(rows_of_titles) < row_height - 56, "the image is below"


def test_rows_are_filled_from_the_left_and_the_top() -> None:
    images = np.zeros((3, 28, 28), np.uint8)
    images[2] = 255
    picture = pixels(draw_images(images, ["", "", ""], num_columns=2)).mean(axis=2)
    height, width = picture.shape
    halves = picture[height // 2 :, : width // 2], picture[height // 2 :, width // 2 :], picture[: height // 2]
    third, empty, first_row = (half.mean() for half in halves)
    assert third < 0.5 < first_row <= empty == 1


def test_filters_share_one_scale_around_zero() -> None:
    weights = np.zeros((2, 3, 3), np.float32)
    weights[0], weights[1] = 0.5, -1.0
    picture = pixels(draw_filters(weights, num_columns=2))
    height, width = picture.shape[:2]
    half_positive, negative = picture[height * 2 // 3, width // 4], picture[height * 2 // 3, width * 3 // 4]
    assert half_positive[2] > half_positive[0], "blue is positive"
    assert negative[0] > negative[2], "red is negative"
    assert negative.sum() < half_positive.sum(), "the larger weight is the darker one"


def test_text_is_drawn() -> None:
    assert pixels(draw_text("nothing to see")).min() < 0.5
