"""Reads a picture of one digit as the network sees it: uint8 [28, 28], light ink on 0.

A picture that has MNIST's form (tools.digit.form), or has it once inverted, keeps every pixel. Any other is cut to its
ink, scaled, stretched and centred, if its ink can be that of one digit (tools.digit.ink).
"""

import struct
import warnings
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from pipeline.errors import UserError
from tools.digit.form import has_mnist_form, normalize
from tools.digit.ink import Pixels, find_ink, why_no_single_digit, without_noise

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP")  # Pillow's names; of several frames, the first is read.
FORMAT_NAMES = "PNG, JPEG, WebP, GIF or BMP"
ALLOWED = f"a {FORMAT_NAMES} image of one digit on a plain background"
LARGEST_SIDE = 400  # pixels; a larger picture is scaled down first, which also averages its noise away


def read_digit(path: Path) -> Pixels:
    """Return the digit [28, 28] in an image file, in MNIST's form.

    Raises:
        UserError: the file cannot be read, or see `decode_digit`.
    """
    try:
        if path.exists() and not path.is_file():  # A named pipe would keep its reader waiting.
            raise UserError(f"is no regular file; expected {ALLOWED}")
        with path.open("rb") as file:
            return decode_digit(file)
    except OSError as error:
        raise UserError(f"cannot be read ({error.strerror}); expected {ALLOWED}") from None


def decode_digit(file: BinaryIO) -> Pixels:
    """Return the digit [28, 28] in an image file's content, in MNIST's form.

    Raises:
        UserError: it is empty, damaged, too large, of another format, or shows no single digit.
    """
    if not file.read(1):
        raise UserError(f"is empty (0 bytes); expected {ALLOWED}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Of damaged metadata, which is not needed.
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(file, formats=FORMATS) as image:
                return to_mnist_form(image)
    except UnidentifiedImageError:
        raise UserError(f"is no {FORMAT_NAMES} image; expected {ALLOWED}") from None
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise UserError(f"has too many pixels; expected at most {Image.MAX_IMAGE_PIXELS:,}") from None
    except (OSError, SyntaxError, ValueError, struct.error) as error:
        raise UserError(f"is damaged ({error}); expected {ALLOWED}") from None


def to_mnist_form(image: Image.Image) -> Pixels:
    """Return the digit [28, 28] in an image of any mode and size.

    Raises:
        UserError: it shows no single digit.
    """
    ink = find_ink(_colours(ImageOps.exif_transpose(image)))
    if has_mnist_form(ink):
        return ink
    ink = without_noise(ink)
    if problem := why_no_single_digit(ink):
        raise UserError(f"shows no single digit: {problem}; expected {ALLOWED}")
    return normalize(ink)


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
