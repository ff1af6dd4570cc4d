"""Pictures, by kind, that show no single digit."""

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from bench.digits.sheet import Digits, Kind, between, cut_digit, paper, write


def gradient(generator: np.random.Generator, digits: Digits) -> Image.Image:
    """Light that changes steadily along a line or from a point."""
    y, x = np.mgrid[-1:1:200j, -1:1:300j]
    angle, (row, column) = generator.uniform(0, 2 * np.pi), generator.uniform(-1, 1, 2)
    light = x * np.cos(angle) + y * np.sin(angle) if generator.random() < 0.5 else np.hypot(x - column, y - row)
    low, high = np.sort(generator.choice(np.arange(0, 256, 5), 2, replace=False))
    return Image.fromarray(np.interp(light, (light.min(), light.max()), (low, high)).astype(np.uint8))


def noise(generator: np.random.Generator, digits: Digits) -> Image.Image:
    """Independent pixels, grey or coloured, from weak to strong."""
    shape = (200, 300) if generator.random() < 0.5 else (200, 300, 3)
    return Image.fromarray(generator.normal(128, generator.uniform(5, 120), shape).clip(0, 255).astype(np.uint8))


def specks(generator: np.random.Generator, digits: Digits) -> Image.Image:
    """Paper with up to a dozen specks of dirt."""
    picture = paper(400, 300)
    pen = ImageDraw.Draw(picture)
    for _ in range(between(generator, 0, 13)):
        pen.circle((generator.uniform(0, 400), generator.uniform(0, 300)), generator.uniform(0.5, 4), fill=60)
    return picture


def page(generator: np.random.Generator, digits: Digits) -> Image.Image:
    """Two to six rows of two to eight digits."""
    num_rows, num_columns = between(generator, 2, 7), between(generator, 2, 9)
    height = between(generator, 20, 80)
    cell = height * generator.uniform(1.2, 2)
    picture = paper(cell * (num_columns + 0.5), cell * (num_rows + 0.5))
    for row, column in np.ndindex(num_rows, num_columns):
        ink = cut_digit(generator, digits, height)
        write(
            picture,
            ink.crop((0, 0, min(ink.width, round(0.9 * cell)), height)),
            cell * (column + 0.5),
            cell * (row + 0.5),
        )
    return picture


def number(generator: np.random.Generator, digits: Digits) -> Image.Image:
    """Two to four digits side by side, touching, or up to six tenths of their height apart."""
    height, spacing = between(generator, 20, 150), generator.uniform(0, 0.6)
    inks = [cut_digit(generator, digits, height) for _ in range(between(generator, 2, 5))]
    width = sum(ink.width + spacing * height for ink in inks)
    margin = generator.uniform(0.3, 1) * height
    picture, left = paper(width + 2 * margin, height * 1.2 + 2 * margin), margin
    for ink in inks:
        write(picture, ink, left, margin + generator.uniform(0, 0.2) * height)
        left += ink.width + spacing * height
    return picture


def column(generator: np.random.Generator, digits: Digits) -> Image.Image:
    """Two or three digits above one another."""
    height, spacing = between(generator, 20, 150), generator.uniform(0.1, 0.6)
    num_digits = between(generator, 2, 4)
    picture = paper(3 * height, height * (num_digits * (1 + spacing) + 1))
    for row in range(num_digits):
        ink = cut_digit(generator, digits, height)
        write(picture, ink, (picture.width - ink.width) / 2, height * (0.5 + row * (1 + spacing)))
    return picture


def word(generator: np.random.Generator, digits: Digits) -> Image.Image:
    """Three to eight printed letters."""
    letters = "".join(generator.choice(list("abcdefghiklmnoprstuvwxyzABDEGHKLMNPRSTV"), between(generator, 3, 9)))
    size = between(generator, 20, 100)
    picture = paper(size * (len(letters) + 1), 2 * size)
    ImageDraw.Draw(picture).text((size / 2, size / 2), letters, fill=0, font=ImageFont.load_default(size))
    return picture


def lines(generator: np.random.Generator, digits: Digits) -> Image.Image:
    """Ruled or squared paper, with a digit on it or without."""
    picture, step, width = paper(300, 300), between(generator, 20, 60), between(generator, 1, 5)
    pen = ImageDraw.Draw(picture)
    is_squared = generator.random() < 0.5
    for position in range(step // 2, 300, step):
        pen.line((0, position, 300, position), fill=90, width=width)
        if is_squared:
            pen.line((position, 0, position, 300), fill=90, width=width)
    if generator.random() < 0.5:
        write(picture, cut_digit(generator, digits, 150), 90, 75)
    return picture


def texture(generator: np.random.Generator, digits: Digits) -> Image.Image:
    """Clouds with detail of all sizes, as in a photo of leaves, stone or cloth."""
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(300), np.fft.fftfreq(200))).clip(1 / 300)
    spectrum = np.fft.fft2(generator.normal(size=(200, 300))) / frequency ** generator.uniform(0.5, 2)
    clouds = np.fft.ifft2(spectrum).real
    spread = generator.uniform(20, 60) / clouds.std()
    return Image.fromarray((128 + spread * (clouds - clouds.mean())).clip(0, 255).astype(np.uint8))


def shadow(generator: np.random.Generator, digits: Digits) -> Image.Image:
    """A digit on a sheet of which a hard shadow covers a tenth to nine tenths."""
    picture, height = paper(300, 300), between(generator, 80, 200)
    ink = cut_digit(generator, digits, height)
    write(picture, ink, *generator.uniform(30, 270 - np.array([min(ink.width, 220), height])))
    y, x = np.mgrid[-1:1:300j, -1:1:300j]
    angle = generator.uniform(0, 2 * np.pi)
    depth = x * np.cos(angle) + y * np.sin(angle)
    is_dark = depth > np.quantile(depth, generator.uniform(0.1, 0.9))
    return Image.fromarray((np.asarray(picture) * np.where(is_dark, generator.uniform(0.3, 0.7), 1)).astype(np.uint8))


def letter(generator: np.random.Generator, digits: Digits) -> Image.Image:
    """One printed letter."""
    picture = paper(200, 200)
    name = str(generator.choice(list("ABCDEFGHJKLMNPQRTUVWXYabcdefghkmnprtuvwxy")))
    ImageDraw.Draw(picture).text((60, 30), name, fill=0, font=ImageFont.load_default(120))
    return picture


KINDS: tuple[Kind, ...] = (gradient, noise, specks, page, number, column, word, lines, texture, shadow)
