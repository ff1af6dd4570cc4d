"""Draws images in a grid, as PNG files; equal images are equal bytes, whatever the user's matplotlib is set to."""

import io
from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

# An image, the space around it and a line of the title above it. DVC's page shows a dot as a pixel of the screen: an
# image is twice its 28 pixels wide, and ten of them are 640, so that those of two commits stand side by side on 1,400.
IMAGE_INCHES, MARGIN_INCHES, LINE_INCHES = 0.56, 0.04, 0.14
DOTS_PER_INCH = 100
FONT_POINTS = 8  # 11 pixels.
INK = "gray_r"  # 0 is white and the largest value black, as on paper.
DIVERGING = "RdBu"  # Red below 0, white at 0, blue above.


def draw_images(images: NDArray[np.uint8], titles: Sequence[str], num_columns: int) -> bytes:
    """Return the PNG of images [N, H, W], row by row, each below its title; N at least 1."""
    return _draw_grid(images, titles, num_columns, INK, 0, 255)


def draw_filters(weights: NDArray[np.float32], num_columns: int) -> bytes:
    """Return the PNG of convolution kernels [N, H, W], numbered from 1, all on one scale around 0."""
    limit = float(np.abs(weights).max())
    return _draw_grid(weights, [str(i + 1) for i in range(len(weights))], num_columns, DIVERGING, -limit, limit)


def draw_text(text: str) -> bytes:
    """Return the PNG of a line that says why there is nothing to draw."""
    matplotlib.rcdefaults()
    figure = Figure(figsize=(5, IMAGE_INCHES), dpi=DOTS_PER_INCH)
    figure.text(0.5, 0.5, text, ha="center", va="center")
    return _encode(figure)


def _draw_grid(
    images: NDArray[np.generic], titles: Sequence[str], num_columns: int, colours: str, lowest: float, highest: float
) -> bytes:
    matplotlib.rcdefaults()
    num_lines = max(title.count("\n") + 1 for title in titles)
    tile_width = IMAGE_INCHES + 2 * MARGIN_INCHES
    tile_height = tile_width + num_lines * LINE_INCHES
    width, height = num_columns * tile_width, -(-len(images) // num_columns) * tile_height
    figure = Figure(figsize=(width, height), dpi=DOTS_PER_INCH)
    for index, (image, title) in enumerate(zip(images, titles, strict=True)):
        row, column = divmod(index, num_columns)
        left, bottom = column * tile_width + MARGIN_INCHES, height - (row + 1) * tile_height + MARGIN_INCHES
        axes = figure.add_axes((left / width, bottom / height, IMAGE_INCHES / width, IMAGE_INCHES / height))
        axes.imshow(image, cmap=colours, vmin=lowest, vmax=highest, interpolation="nearest")
        axes.set_title(title, fontsize=FONT_POINTS, pad=2)
        axes.set_xticks([])
        axes.set_yticks([])
    return _encode(figure)


def _encode(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    FigureCanvasAgg(figure)
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()
