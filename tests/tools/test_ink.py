"""Ink that cannot be one digit's is told from ink that can, by kind of picture; bench.digits measures it on more."""

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from bench.digits import no_digit, one_digit
from bench.digits.sheet import Digits, Kind
from mnist.idx import parse_images
from pipeline.errors import UserError
from tests.project import Project
from tests.tools.test_image import draw_seven
from tools.digit.form import has_mnist_form
from tools.digit.image import to_mnist_form

Line = list[tuple[int, int]]


def print_text(text: str, size: int = 60) -> Image.Image:
    font = ImageFont.load_default(size)
    image = Image.new("L", (size * 8, size * 8), 255)
    ImageDraw.Draw(image).text((size, size), text, fill=0, font=font)
    return image


def draw_lines(*lines: Line) -> Image.Image:
    image = Image.new("L", (200, 200), 255)
    for line in lines:
        ImageDraw.Draw(image).line(line, fill=0, width=14, joint="curve")
    return image


def shade(picture: Image.Image) -> Image.Image:
    """The picture with its lower left half in the shade, hard along the diagonal."""
    shadow = Image.new("L", picture.size, 255)
    ImageDraw.Draw(shadow).polygon([(0, 0), (0, picture.height), picture.size], fill=110)
    return Image.composite(picture, shadow, shadow.point(lambda value: 255 if value == 255 else 128))


def radial(near: int, far: int) -> Image.Image:
    y, x = np.mgrid[-1:1:200j, -1:1:200j]
    return Image.fromarray((near + (far - near) * np.hypot(x, y).clip(0, 1)).astype(np.uint8))


@pytest.fixture(scope="module")
def printed_digits() -> Digits:
    return np.stack([to_mnist_form(print_text(str(digit))) for digit in range(10)])


@pytest.mark.parametrize(
    ("picture", "reason"),
    [
        (Image.linear_gradient("L"), "no ink stands out"),
        (Image.linear_gradient("L").rotate(90).resize((28, 28)), "no ink stands out"),
        (radial(0, 255), "no ink stands out"),
        (radial(200, 40), "no ink stands out"),
        (Image.new("L", (200, 200), 255), "no ink stands out"),
        (print_text("1999"), "4 separate shapes of a digit's size"),
        (print_text("11"), "2 separate shapes of a digit's size"),
        (print_text("7\n4"), "2 separate shapes of a digit's size"),
        (print_text("\n".join(["123456"] * 5)), "30 separate shapes of a digit's size"),
        (draw_lines([(20, 50), (180, 50), (180, 90)]), "3.6 times as wide as tall"),
        (shade(draw_seven()), "ink runs over its edges"),
        (draw_lines(*([(0, y), (200, y)] for y in range(20, 200, 40))), "ink runs over its edges"),
        (draw_lines([(100, 60), (100, 140)]).resize((900, 200)).crop((350, 0, 550, 200)), "ink covers most of it"),
        (draw_lines([(97, 100), (101, 100)]).resize((80, 80)), "a speck of"),
    ],
    ids=[
        *("gradient", "gradient of 28x28", "dark spot", "light spot", "blank", "1999", "11", "7 above 4", "page of 30"),
        *("long line", "hard shadow", "ruled paper", "block", "speck"),
    ],
)
def test_what_is_no_single_digit_is_refused_with_the_reason(picture: Image.Image, reason: str) -> None:
    with pytest.raises(UserError, match=f"shows no single digit: .*{reason}.*; expected a PNG"):
        to_mnist_form(picture)


@pytest.mark.parametrize(
    "picture",
    [
        draw_lines([(140, 40), (70, 40)], [(70, 60), (70, 100), (130, 110), (130, 160), (60, 160)]),
        draw_lines([(70, 30), (60, 100), (110, 100)], [(122, 60), (122, 170)]),
        draw_lines([(100, 20), (100, 95)], [(100, 100), (100, 180)]),
        draw_lines([(95, 30), (60, 60), (60, 140), (95, 170)], [(105, 30), (140, 60), (140, 140), (105, 170)]),
    ],
    ids=["5 with its bar apart", "4 of two strokes", "1 broken in two", "0 in halves"],
)
def test_digit_in_pieces_is_one_digit(picture: Image.Image) -> None:
    assert has_mnist_form(to_mnist_form(picture))


def test_digit_cut_to_its_ink_is_one_digit(printed_digits: Digits) -> None:
    for digit in printed_digits:
        picture = Image.fromarray(digit).resize((140, 140))
        assert has_mnist_form(to_mnist_form(picture.crop(picture.getbbox())))


@pytest.mark.parametrize("kind", no_digit.KINDS, ids=lambda kind: kind.__name__)
def test_pictures_without_a_single_digit_are_refused(kind: Kind, printed_digits: Digits) -> None:
    assert num_refused(kind, printed_digits) >= 7  # Of 8.


@pytest.mark.parametrize("kind", one_digit.KINDS, ids=lambda kind: kind.__name__)
def test_single_digits_are_read_however_they_are_written(kind: Kind, printed_digits: Digits) -> None:
    assert num_refused(kind, printed_digits) == 0


def num_refused(kind: Kind, digits: Digits, num_pictures: int = 8) -> int:
    return sum(is_refused(kind(np.random.default_rng(seed), digits)) for seed in range(num_pictures))


def is_refused(picture: Image.Image) -> bool:
    try:
        to_mnist_form(picture)
    except UserError:
        return True
    return False


@pytest.mark.network
def test_one_real_digit_in_a_thousand_is_refused_at_most(mnist_project: Project) -> None:
    name = "t10k-images-idx3-ubyte"
    images = parse_images((mnist_project.folder / "data/raw/MNIST/raw" / name).read_bytes(), name)[:1000]
    pictures = (Image.fromarray(image).resize((200, 200), Image.Resampling.BICUBIC) for image in images)
    assert sum(map(is_refused, pictures)) <= 1  # In MNIST's own form, none is: see test_image.
