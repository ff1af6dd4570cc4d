"""Digits in ink on paper, from which the pictures of all kinds are made.

A kind is a function of a random generator and digits [N, 28, 28] in MNIST's form; the same ones give the same picture.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Digits = NDArray[np.uint8]
Kind = Callable[[np.random.Generator, Digits], Image.Image]


def between(generator: np.random.Generator, low: int, high: int) -> int:
    """A whole number from `low` to `high` - 1."""
    return int(generator.integers(low, high))


def cut_digit(generator: np.random.Generator, digits: Digits, height: int) -> Image.Image:
    """One of the digits as light ink on 0, cut to its box and scaled to a height."""
    digit = Image.fromarray(digits[between(generator, 0, len(digits))])
    digit = digit.crop(digit.getbbox())
    return digit.resize((max(3, round(digit.width * height / digit.height)), height), Image.Resampling.BICUBIC)


def write(picture: Image.Image, ink: Image.Image, left: float, top: float) -> None:
    """Put ink on the picture, in black."""
    picture.paste(0, (round(left), round(top)), ink)


def paper(width: float, height: float) -> Image.Image:
    """A blank sheet."""
    return Image.new("L", (round(width), round(height)), 255)
