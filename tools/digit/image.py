"""Brings a picture of one digit into MNIST's form: uint8 [28, 28], light ink on 0.

MNIST's form is what all its 70,000 images share: the ink's longer side is 20 pixels (19 in sixteen of them), its centre
of mass is at pixel (14, 14), to half a pixel, and its brightest pixel is 254 or 255. A picture that has this form, or
has it once inverted, keeps every pixel. Any other is cut to its ink, scaled, stretched and centred.
"""

import struct
import warnings
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from mnist.idx import IMAGE_SIZE
from pipeline.errors import UserError

FORMATS = ("PNG", "JPEG")
ALLOWED = "a PNG or JPEG image of one digit on a plain background"
INK_SIZE, CENTRE = 20, 14
LARGEST_SIDE = 400  # pixels; a larger picture is scaled down first, which also averages its noise away
SMALLEST_DIGIT = 8  # pixels on the longer side; what is smaller is a speck
LEAST_CONTRAST = 32  # of 255, between ink and background

Pixels = NDArray[np.uint8]


def read_digit(file: Path | BytesIO) -> Pixels:
    """Return the digit [28, 28] in an image file, or in the content of one, in MNIST's form.

    Raises:
        UserError: the file cannot be read, is no PNG or JPEG image, is too large, or shows no digit.
    """
    try:
        if isinstance(file, Path) and file.is_file() and file.stat().st_size == 0:
            raise UserError(f"is empty (0 bytes); expected {ALLOWED}")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Of damaged metadata, which is not needed.
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(file, formats=FORMATS) as image:
                return to_mnist_form(image)
    except UnidentifiedImageError:
        raise UserError(f"is no PNG or JPEG image; expected {ALLOWED}") from None
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise UserError(f"has too many pixels; expected at most {Image.MAX_IMAGE_PIXELS:,}") from None
    except OSError as error:
        problem = f"cannot be read ({error.strerror})" if error.strerror else f"is damaged ({error})"
        raise UserError(f"{problem}; expected {ALLOWED}") from None
    except (SyntaxError, ValueError, struct.error) as error:
        raise UserError(f"is damaged ({error}); expected {ALLOWED}") from None


def to_mnist_form(image: Image.Image) -> Pixels:
    """Return the digit [28, 28] in an image of any mode and size.

    Raises:
        UserError: it shows no digit.
    """
    ink = _ink(_colours(ImageOps.exif_transpose(image)))
    return ink if has_mnist_form(ink) else _normalize(ink)


def has_mnist_form(ink: Pixels) -> bool:
    """Tell whether light ink on 0 [H, W] has the form that all images of MNIST have."""
    if ink.shape != (IMAGE_SIZE, IMAGE_SIZE) or ink.max() < 254:
        return False
    in_place = np.abs(_centre_of_mass(ink) - CENTRE).max() < 0.55
    return bool(in_place) and max(ink[_box(ink)].shape) in (INK_SIZE - 1, INK_SIZE)


def _colours(image: Image.Image) -> Pixels:
    """The colours [H, W, 3]; what is transparent gets black or white, whichever is further from the opaque pixels."""
    if image.mode.startswith("I"):  # 16 bits
        image = Image.fromarray((np.asarray(image).clip(0, 65535) // 257).astype(np.uint8))
    image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    image.thumbnail((LARGEST_SIDE, LARGEST_SIDE), Image.Resampling.BOX)
    if image.mode == "RGBA":
        opacity = np.asarray(image.getchannel("A"), float)
        is_light = np.average(np.asarray(image.convert("L")), weights=opacity) > 127 if opacity.any() else False
        canvas = Image.new("RGBA", image.size, "black" if is_light else "white")
        image = Image.alpha_composite(canvas, image).convert("RGB")
    return np.asarray(image)


def _ink(colours: Pixels) -> Pixels:
    """How far each pixel [H, W] is from the background, whose colour is the median along the four edges."""
    edges = np.concatenate([colours[0], colours[-1], colours[:, 0], colours[:, -1]])
    distance: Pixels = np.abs(colours - np.median(edges, axis=0)).max(axis=2).astype(np.uint8)
    return distance


def _normalize(ink: Pixels) -> Pixels:
    """Cut the digit out of the ink [H, W]; bring it to its size, strength and place in [28, 28]."""
    level = _threshold(ink)
    paper, pen = ink[ink <= level], ink[ink > level]
    if pen.size == 0 or paper.size == 0 or pen.mean() - paper.mean() < LEAST_CONTRAST:
        raise UserError(f"shows no digit; expected {ALLOWED}")
    noise = np.median(paper) + 6 * np.median(np.abs(paper - np.median(paper)))
    ink = np.where(ink > np.clip(noise, level / 2, level), ink, 0).astype(np.uint8)
    ink = ink[_box(ink)]
    if max(ink.shape) < SMALLEST_DIGIT:
        raise UserError(f"shows no digit but a speck of {max(ink.shape)} pixels; expected {ALLOWED}")
    scale = INK_SIZE / max(ink.shape)
    height, width = (max(1, round(side * scale)) for side in ink.shape)
    small = np.asarray(Image.fromarray(ink).resize((width, height), Image.Resampling.BOX))
    small = np.rint(small * (255 / small.max())).astype(np.uint8)
    top, left = np.rint(CENTRE - _centre_of_mass(small)).astype(int).clip(0, (IMAGE_SIZE - height, IMAGE_SIZE - width))
    digit = np.zeros((IMAGE_SIZE, IMAGE_SIZE), np.uint8)
    digit[top : top + height, left : left + width] = small
    return digit


def _threshold(ink: Pixels) -> int:
    """The level between ink and background: the one that leaves the least variance on its two sides (Otsu's)."""
    counts = np.bincount(ink.ravel(), minlength=256).astype(float)
    num_below, sum_below = counts.cumsum(), (counts * np.arange(256)).cumsum()
    num_above, sum_above = num_below[-1] - num_below, sum_below[-1] - sum_below
    distance = sum_above / num_above.clip(1) - sum_below / num_below.clip(1)
    return int((num_below * num_above * distance**2).argmax())


def _box(ink: Pixels) -> tuple[slice, slice]:
    """The smallest rectangle that holds all pixels above 0."""
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def _centre_of_mass(ink: Pixels) -> NDArray[np.float64]:
    """The mean row and column, weighted by the ink."""
    masses = ink.sum(axis=1, dtype=float), ink.sum(axis=0, dtype=float)
    return np.array([np.average(np.arange(len(mass)), weights=mass) for mass in masses])
