"""MNIST's form, which all its 70,000 images share, and how any other digit is brought into it.

The ink's longer side is 20 pixels (19 in sixteen of the images), its centre of mass is at pixel (14, 14), to half a
pixel, and its brightest pixel is 254 or 255.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mnist.idx import IMAGE_SIZE
from tools.digit.ink import Pixels, box

INK_SIZE, CENTRE = 20, 14


def has_mnist_form(ink: Pixels) -> bool:
    """Tell whether light ink on 0 [H, W] has the form that all images of MNIST have."""
    if ink.shape != (IMAGE_SIZE, IMAGE_SIZE) or ink.max() < 254:
        return False
    in_place = np.abs(_centre_of_mass(ink) - CENTRE).max() < 0.55
    return bool(in_place) and max(ink[box(ink)].shape) in (INK_SIZE - 1, INK_SIZE)


def normalize(ink: Pixels) -> Pixels:
    """Bring the digit in the ink [H, W] to its size, strength and place in [28, 28]."""
    ink = ink[box(ink)]
    scale = INK_SIZE / max(ink.shape)
    height, width = (max(1, round(side * scale)) for side in ink.shape)
    small = np.asarray(Image.fromarray(ink).resize((width, height), Image.Resampling.BOX))
    small = np.rint(small * (255 / small.max())).astype(np.uint8)
    top, left = np.rint(CENTRE - _centre_of_mass(small)).astype(int).clip(0, (IMAGE_SIZE - height, IMAGE_SIZE - width))
    digit = np.zeros((IMAGE_SIZE, IMAGE_SIZE), np.uint8)
    digit[top : top + height, left : left + width] = small
    return digit


def _centre_of_mass(ink: Pixels) -> NDArray[np.float64]:
    """The mean row and column, weighted by the ink."""
    masses = ink.sum(axis=1, dtype=float), ink.sum(axis=0, dtype=float)
    return np.array([np.average(np.arange(len(mass)), weights=mass) for mass in masses])
