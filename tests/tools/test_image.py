"""Pictures of all kinds come into MNIST's form; what shows no digit is refused with what is wrong."""

import os
import struct
import zlib
from collections.abc import Callable
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageOps

from mnist.idx import IMAGE_SIZE, parse_images
from pipeline.errors import UserError
from tests.project import Project
from tools.digit.form import has_mnist_form
from tools.digit.image import ALLOWED, read_digit, to_mnist_form


def draw_seven(size: int = 200, canvas: tuple[int, int] = (200, 200), left: int = 0, top: int = 0) -> Image.Image:
    """A black 7 on white; `size` is that of the square it is drawn in."""
    image = Image.new("L", canvas, 255)
    points = [(left + size * x, top + size * y) for x, y in ((0.3, 0.2), (0.7, 0.2), (0.45, 0.8))]
    ImageDraw.Draw(image).line(points, fill=0, width=max(1, size // 12), joint="curve")
    return image


def recolour(image: Image.Image, ink: str, paper: str) -> Image.Image:
    return ImageOps.colorize(image, ink, paper)


def see_through(image: Image.Image, ink: str) -> Image.Image:
    """The ink alone, on nothing."""
    result = Image.new("RGBA", image.size, ink)
    result.putalpha(ImageOps.invert(image))
    return result


def lie_on_its_side(image: Image.Image) -> Image.Image:
    """The picture as a camera held sideways saves it: turned, with an EXIF tag that says so."""
    turned, content = image.transpose(Image.Transpose.ROTATE_90), BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    turned.save(content, "PNG", exif=exif)
    return Image.open(content)


def largest_difference(digit: NDArray[np.uint8], other: NDArray[np.uint8]) -> int:
    return int(np.abs(digit.astype(int) - other.astype(int)).max())


def test_image_in_mnist_form_keeps_every_pixel(tmp_path: Path) -> None:
    digit = to_mnist_form(draw_seven())
    for name, image in {
        "grey": Image.fromarray(digit),
        "inverted": ImageOps.invert(Image.fromarray(digit)),
        "colour": Image.fromarray(digit).convert("RGB"),
        "blue on black": Image.merge("RGB", [Image.new("L", digit.shape)] * 2 + [Image.fromarray(digit)]),
    }.items():
        path = tmp_path / f"{name}.png"
        image.save(path)
        assert read_digit(path).tobytes() == digit.tobytes(), name


@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "WEBP", "GIF", "BMP"])
def test_file_of_any_named_format_is_read(tmp_path: Path, file_format: str) -> None:
    assert file_format in ALLOWED.upper()
    (tmp_path / "image").write_bytes(encode(draw_seven(), file_format))
    difference = read_digit(tmp_path / "image").astype(float) - to_mnist_form(draw_seven())
    assert np.abs(difference).mean() < 10


@pytest.mark.parametrize("file_format", ["GIF", "WEBP", "PNG"])
def test_first_of_several_frames_is_read(tmp_path: Path, file_format: str) -> None:
    frames = [Image.new("L", (200, 200), value) for value in (0, 255)]
    draw_seven().save(tmp_path / "image", file_format, save_all=True, append_images=frames)
    difference = read_digit(tmp_path / "image").astype(float) - to_mnist_form(draw_seven())
    assert np.abs(difference).mean() < 10


@pytest.mark.network
def test_all_real_images_have_mnist_form(mnist_project: Project) -> None:
    raw = mnist_project.folder / "data/raw/MNIST/raw"
    for name in ("train-images-idx3-ubyte", "t10k-images-idx3-ubyte"):
        assert all(map(has_mnist_form, parse_images((raw / name).read_bytes(), name)))


@pytest.mark.parametrize(
    "image",
    [
        draw_seven(size=60, canvas=(300, 100), left=200, top=30),
        draw_seven(size=IMAGE_SIZE, canvas=(IMAGE_SIZE, IMAGE_SIZE)),
        draw_seven(size=3000, canvas=(4000, 3000)),
        draw_seven().point(lambda value: 100 + value // 4),
    ],
    ids=["off-centre", "28x28, another size of ink", "large", "pale"],
)
def test_any_picture_comes_into_mnist_form(image: Image.Image) -> None:
    digit = to_mnist_form(image)
    assert (str(digit.dtype), digit.shape) == ("uint8", (IMAGE_SIZE, IMAGE_SIZE))
    assert has_mnist_form(digit)


@pytest.mark.parametrize(
    "change",
    [
        ImageOps.invert,
        lambda image: recolour(image, "red", "green"),
        lambda image: recolour(image, "yellow", "navy"),
        lambda image: image.convert("P"),
        lambda image: recolour(image, "red", "white").quantize(),
        lambda image: image.convert("1", dither=Image.Dither.NONE),
        lambda image: image.convert("LA"),
        lambda image: image.convert("CMYK"),
        lambda image: Image.fromarray(np.asarray(image).astype(np.uint16) * 257),
        lambda image: see_through(image, "black"),
        lambda image: see_through(image, "white"),
        lie_on_its_side,
    ],
    ids=[
        *("inverted", "red on green", "yellow on navy", "palette", "palette of colours", "1 bit", "grey with alpha"),
        *("CMYK", "16 bit", "black on nothing", "white on nothing", "EXIF-rotated"),
    ],
)
def test_mode_and_colour_do_not_matter(change: Callable[[Image.Image], Image.Image]) -> None:
    assert largest_difference(to_mnist_form(change(draw_seven())), to_mnist_form(draw_seven())) <= 40


def test_noise_and_uneven_light_do_not_matter() -> None:
    sharp = np.asarray(draw_seven(canvas=(300, 200)), float) / 2 + 60
    light = np.linspace(-20, 20, sharp.shape[1])
    noise = np.random.default_rng(0).normal(0, 6, sharp.shape)
    photo = Image.fromarray((sharp + light + noise).clip(0, 255).astype(np.uint8))
    difference = to_mnist_form(photo).astype(float) - to_mnist_form(draw_seven(canvas=(300, 200)))
    assert np.abs(difference).mean() < 10


def encode(image: Image.Image, file_format: str) -> bytes:
    content = BytesIO()
    image.save(content, file_format)
    return content.getvalue()


def half_white() -> Image.Image:
    image = Image.new("L", (28, 28))
    image.paste(255, (14, 0, 28, 28))
    return image


def png_of_size(side: int) -> bytes:
    """A PNG file of a few bytes whose header announces side x side pixels."""
    header = b"IHDR" + struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    checksum = struct.pack(">I", zlib.crc32(header))
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + checksum + struct.pack(">I", 0) + b"IDAT"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", r"is empty \(0 bytes\); expected a PNG, JPEG, WebP, GIF or BMP image of one digit on a plain background"),
        (b"seven", "is no PNG, JPEG, WebP, GIF or BMP image; expected"),
        (encode(draw_seven(), "TIFF"), "is no PNG, JPEG, WebP, GIF or BMP image; expected"),
        (encode(draw_seven(), "PNG")[:200], "is damaged"),
        (encode(draw_seven(), "JPEG")[:800], "is damaged"),
        (png_of_size(100_000), "has too many pixels; expected at most 89,478,485"),
        (png_of_size(9_500), "has too many pixels; expected at most 89,478,485"),
        (encode(Image.new("RGB", (300, 200), "white"), "PNG"), "shows no single digit"),
        (encode(Image.new("RGBA", (300, 200)), "PNG"), "shows no single digit"),
        (encode(Image.new("L", (1, 1)), "PNG"), "shows no single digit"),
        (encode(half_white(), "PNG"), "shows no single digit"),
        (encode(draw_seven(size=8, canvas=(200, 200), left=50, top=50), "PNG"), "shows no single digit"),
    ],
    ids=["empty", "text", "TIFF", "cut PNG", "cut JPEG", "bomb", "large", "white", "nothing", "1x1", "halves", "speck"],
)
def test_file_without_a_digit_is_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "image").write_bytes(content)
    with pytest.raises(UserError, match=reason):
        read_digit(tmp_path / "image")


def test_missing_file_and_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cannot be read \(No such file or directory\); expected"):
        read_digit(tmp_path / "none.png")
    with pytest.raises(UserError, match="is no regular file; expected"):
        read_digit(tmp_path)


def test_named_pipe_keeps_nobody_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(UserError, match="is no regular file; expected"):
        read_digit(tmp_path / "pipe.png")


@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "WEBP", "GIF", "BMP"])
def test_damage_anywhere_is_a_digit_or_a_user_error(tmp_path: Path, file_format: str) -> None:
    sound, generator = encode(lie_on_its_side(draw_seven(60, (60, 60))), file_format), np.random.default_rng(0)
    for _ in range(300):
        content = np.frombuffer(sound, np.uint8).copy()
        content[generator.integers(8, len(sound), 3)] = generator.integers(0, 256, 3)
        (tmp_path / "image").write_bytes(content.tobytes())
        with suppress(UserError):
            assert read_digit(tmp_path / "image").shape == (IMAGE_SIZE, IMAGE_SIZE)
