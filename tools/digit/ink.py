"""The ink of a picture, [H, W] on 0, and whether it can be that of one digit."""

from itertools import groupby

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

LEAST_CONTRAST = 32  # of 255, between ink and paper
# The steepest change within a twentieth of the picture: at least 1.06 in 3,000 images of MNIST, 0.83 where strokes are
# blurred by a third of their width, at most 0.43 in 95 of 100 gradients.
LEAST_STEEPNESS = 0.6  # of the contrast
SMALLEST_DIGIT = 8  # pixels on the longer side; what is smaller is a speck
# Where a digit of MNIST is cut to its ink, 1 in 250 meets the picture's edge in more places, or for longer at once.
LARGEST_NUM_STRETCHES = 8
LARGEST_STRETCH = 0.25  # of the picture's edge
LARGEST_SHARE = 0.75  # of the square around the ink; 2 of MNIST's 70,000 have more
LARGEST_WIDTH = 2.5  # of the height; in MNIST 2.38
# A digit may be written in pieces, such as a 5 with its bar apart: shapes count as several digits only where they are
# alike in height and stand apart, as in 4 of MNIST's 10,000 test images.
LEAST_HEIGHT = 0.6  # of the tallest shape's
LEAST_GAP = 0.1  # of the tallest shape's height, between the two that lie furthest apart

Pixels = NDArray[np.uint8]


def find_ink(colours: Pixels) -> Pixels:
    """How far each pixel [H, W] is from the paper, whose colour is the median along the four edges."""
    edges = np.concatenate([colours[0], colours[-1], colours[:, 0], colours[:, -1]])
    distance: Pixels = np.abs(colours - np.median(edges, axis=0)).max(axis=2).astype(np.uint8)
    return distance


def without_noise(ink: Pixels) -> Pixels:
    """Return the ink [H, W] with the paper's noise at 0; all is 0 where no ink stands out."""
    level = _threshold(ink)
    paper, pen = ink[ink <= level], ink[ink > level]
    contrast = pen.mean() - paper.mean() if pen.size and paper.size else 0
    if contrast < LEAST_CONTRAST or _steepest_change(ink) < LEAST_STEEPNESS * contrast:
        return np.zeros_like(ink)
    noise = np.median(paper) + 6 * np.median(np.abs(paper - np.median(paper)))
    return np.where(ink > np.clip(noise, level / 2, level), ink, 0).astype(np.uint8)


def why_no_single_digit(ink: Pixels) -> str:
    """Return what keeps the ink [H, W] from being one digit; nothing if it may be one."""
    if not ink.any():
        return "no ink stands out from the paper"
    height, width = ink[box(ink)].shape
    if max(height, width) < SMALLEST_DIGIT:
        return f"all its ink is a speck of {max(height, width)} pixels"
    stretches = _stretches_along_the_edge(ink > 0)
    if len(stretches) > LARGEST_NUM_STRETCHES or max(stretches, default=0) > LARGEST_STRETCH:
        return "ink runs over its edges, as a shadow, lines or an uneven background do"
    if np.count_nonzero(ink) > LARGEST_SHARE * max(height, width) ** 2:
        return "ink covers most of it"
    num_digits = _count_digits(ink > 0)
    if num_digits > 1:
        return f"it has {num_digits} separate shapes of a digit's size"
    return f"its ink is {width / height:.1f} times as wide as tall" if width > LARGEST_WIDTH * height else ""


def box(ink: Pixels) -> tuple[slice, slice]:
    """The smallest rectangle that holds all pixels above 0."""
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def _threshold(ink: Pixels) -> int:
    """The level between ink and paper: the one that leaves the least variance on its two sides (Otsu's)."""
    counts = np.bincount(ink.ravel(), minlength=256).astype(float)
    num_below, sum_below = counts.cumsum(), (counts * np.arange(256)).cumsum()
    num_above, sum_above = num_below[-1] - num_below, sum_below[-1] - sum_below
    distance = sum_above / num_above.clip(1) - sum_below / num_below.clip(1)
    return int((num_below * num_above * distance**2).argmax())


def _steepest_change(ink: Pixels) -> int:
    """The largest difference between two pixels of a row or column that lie a twentieth of the picture apart."""
    reach, values = max(2, max(ink.shape) // 20), ink.astype(int)
    down, across = values[reach:] - values[:-reach], values[:, reach:] - values[:, :-reach]
    return int(max(np.abs(down).max(initial=0), np.abs(across).max(initial=0)))


def _stretches_along_the_edge(is_ink: NDArray[np.bool]) -> list[float]:
    """The length of each run of ink around the picture's edge, as a part of the edge."""
    edge = np.concatenate([is_ink[0], is_ink[1:, -1], is_ink[-1, -2::-1], is_ink[-2:0:-1, 0]])
    edge = np.roll(edge, -edge.argmin())  # Starts at paper, so that no run is cut in two.
    return [len(list(run)) / len(edge) for value, run in groupby(edge) if value]


def _count_digits(is_ink: NDArray[np.bool]) -> int:
    """The number of shapes of a digit's size that stand beside or above one another; 1 if none stands apart."""
    shapes = ndimage.find_objects(ndimage.label(is_ink, np.ones((3, 3)))[0])
    top, bottom, left, right = np.array([(y.start, y.stop, x.start, x.stop) for y, x in shapes]).T
    tallest = (bottom - top).max()
    is_tall = bottom - top >= LEAST_HEIGHT * tallest
    gap = max(top[is_tall].max() - bottom[is_tall].min(), left[is_tall].max() - right[is_tall].min())
    return int(is_tall.sum()) if gap > LEAST_GAP * tallest else 1
