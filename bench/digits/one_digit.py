"""Pictures, by kind, of single digits that are hard to read."""

from io import BytesIO

import numpy as np
from PIL import Image, ImageFilter

from bench.digits.sheet import Digits, Kind, between, cut_digit, paper, write


def sheet(generator: np.random.Generator, digits: Digits, height: int = 150, change: int = 0) -> Image.Image:
    """A digit in the middle of a sheet, its pen `change` pixels thicker, or thinner where that is below 0."""
    ink = cut_digit(generator, digits, height)
    picture = paper(2 * height, 2 * height)
    write(picture, ink, (picture.width - ink.width) / 2, height / 2)
    if change:
        size = 2 * abs(change) + 1
        picture = picture.filter(ImageFilter.MinFilter(size) if change > 0 else ImageFilter.MaxFilter(size))
    return picture


def thick(generator: np.random.Generator, digits: Digits) -> Image.Image:
    """A pen that is up to 14 pixels of 150 thicker."""
    return sheet(generator, digits, change=between(generator, 2, 8))


def thin(generator: np.random.Generator, digits: Digits) -> Image.Image:
    """A pen that is up to 8 pixels of 150 thinner, and breaks where it had been thinner than that."""
    return sheet(generator, digits, change=-between(generator, 1, 5))


def off_centre(generator: np.random.Generator, digits: Digits) -> Image.Image:
    """A digit anywhere on a larger sheet."""
    picture, height = paper(640, 480), between(generator, 60, 200)
    ink = cut_digit(generator, digits, height)
    write(picture, ink, generator.uniform(0, 640 - ink.width), generator.uniform(0, 480 - height))
    return picture


def coloured(generator: np.random.Generator, digits: Digits) -> Image.Image:
    """Ink and paper of any two colours that differ by 80 or more."""
    ink, ground = generator.integers(0, 256, (2, 3))
    while np.abs(ink - ground).max() < 80:
        ground = generator.integers(0, 256, 3)
    shade = np.asarray(sheet(generator, digits), float)[:, :, None] / 255
    return Image.fromarray((ink + (ground - ink) * shade).astype(np.uint8))


def jpeg(generator: np.random.Generator, digits: Digits) -> Image.Image:
    """The noise of a camera, and of JPEG at a quality of 10 to 50."""
    pixels = np.asarray(sheet(generator, digits), float) * 0.6 + 50
    noisy = Image.fromarray((pixels + generator.normal(0, 8, pixels.shape)).clip(0, 255).astype(np.uint8))
    content = BytesIO()
    noisy.save(content, "JPEG", quality=between(generator, 10, 50))
    return Image.open(content)


def vignette(generator: np.random.Generator, digits: Digits) -> Image.Image:
    """Light that falls off by up to a fifth, to one side or to the corners."""
    picture = np.asarray(sheet(generator, digits), float) * 0.8 + 40
    y, x = np.mgrid[-1 : 1 : picture.shape[0] * 1j, -1 : 1 : picture.shape[1] * 1j]
    fall = (x + y + 2) / 4 if generator.random() < 0.5 else (x**2 + y**2) / 2
    return Image.fromarray((picture * (1 - generator.uniform(0.05, 0.2) * fall)).astype(np.uint8))


def small(generator: np.random.Generator, digits: Digits) -> Image.Image:
    """A digit 12 to 24 pixels tall."""
    return sheet(generator, digits, height=between(generator, 12, 25))


def large(generator: np.random.Generator, digits: Digits) -> Image.Image:
    """A digit 800 to 1,600 pixels tall."""
    return sheet(generator, digits, height=between(generator, 800, 1601))


KINDS: tuple[Kind, ...] = (thick, thin, off_centre, coloured, jpeg, vignette, small, large)
