"""Distortions do what their parameters say, within their bounds, and are a function of the generator's seed."""

import math

import pytest
import torch
from torch import Tensor

from mnist.augment import AugmentParams, augment

NONE = AugmentParams(rotation_degrees=0, scale=0, shift_pixels=0)
ALL = AugmentParams(rotation_degrees=10, scale=0.1, shift_pixels=2)
CENTRE = 13.5
NOISE = torch.rand(8, 1, 28, 28, generator=torch.Generator().manual_seed(1))


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def square(left: int, top: int, size: int, num_images: int = 1) -> Tensor:
    images = torch.zeros(num_images, 1, 28, 28)
    images[:, :, top : top + size, left : left + size] = 1
    return images


def centroids(images: Tensor) -> tuple[Tensor, Tensor]:
    """The ink's mean x and y [N], from the centre of the image."""
    ink = images.squeeze(1)
    pixels = torch.arange(28) - CENTRE
    total = ink.sum(dim=(1, 2))
    return (ink.sum(dim=1) * pixels).sum(dim=1) / total, (ink.sum(dim=2) * pixels).sum(dim=1) / total


def draw(monkeypatch: pytest.MonkeyPatch, *, angle: float = 0, scale: float = 0, x: float = 0, y: float = 0) -> None:
    """Let the next draw be this for all images: -1 to 1, as parts of the largest distortion."""
    uniform = (torch.tensor([angle, scale, x, y]) + 1) / 2
    monkeypatch.setattr(torch, "rand", lambda *size, generator: uniform.reshape(4, 1, 1, 1).expand(size).clone())


def test_no_distortion_is_the_identity() -> None:
    assert torch.allclose(augment(NOISE, NONE, generator()), NOISE, atol=1e-5)


def test_images_keep_shape_type_and_range() -> None:
    images = augment(NOISE, ALL, generator())
    assert images.shape == (8, 1, 28, 28)
    assert images.dtype == torch.float32
    assert 0 <= images.min() < images.max() <= 1


def test_originals_are_left_alone() -> None:
    images = NOISE.clone()
    augment(images, ALL, generator())
    assert torch.equal(images, NOISE)


def test_same_seed_gives_the_same_bytes() -> None:
    first, again, other = (augment(NOISE, ALL, generator(seed)) for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_each_image_is_distorted_differently() -> None:
    images = augment(NOISE[:1].expand(8, 1, 28, 28), ALL, generator())
    assert len({image.numpy().tobytes() for image in images}) == 8


@pytest.mark.parametrize(("x", "y"), [(1, 0), (-1, 0), (0, 1), (0, -1), (1, -1)])
def test_shift_by_whole_pixels_moves_the_ink_against_the_draw(x: int, y: int, monkeypatch: pytest.MonkeyPatch) -> None:
    draw(monkeypatch, x=x, y=y)
    images = torch.zeros(2, 1, 28, 28)
    images[:, :, 6:22, 6:22] = NOISE[:2][:, :, 6:22, 6:22]
    shifted = augment(images, AugmentParams(rotation_degrees=0, scale=0, shift_pixels=3), generator())
    assert torch.allclose(shifted, images.roll((-3 * y, -3 * x), dims=(2, 3)), atol=1e-5)


def test_what_is_shifted_in_is_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    draw(monkeypatch, x=1)
    shifted = augment(torch.ones(1, 1, 28, 28), AugmentParams(rotation_degrees=0, scale=0, shift_pixels=3), generator())
    assert shifted[..., -3:].abs().max() < 1e-5
    assert shifted[..., :-3].min() > 1 - 1e-5


@pytest.mark.parametrize(("angle", "degrees", "quarters"), [(1, 90, 1), (-1, 90, -1), (1, 180, 2)])
def test_rotation_by_quarters_is_exact(
    angle: float, degrees: float, quarters: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw(monkeypatch, angle=angle)
    turned = augment(NOISE, AugmentParams(rotation_degrees=degrees, scale=0, shift_pixels=0), generator())
    assert torch.allclose(turned, NOISE.rot90(quarters, dims=(2, 3)), atol=1e-4)


@pytest.mark.parametrize(("part", "factor"), [(1.0, 1.5), (-1.0, 0.5), (0.5, 1.25)])
def test_scale_changes_the_area_by_its_square(part: float, factor: float, monkeypatch: pytest.MonkeyPatch) -> None:
    draw(monkeypatch, scale=part)
    scaled = augment(square(10, 10, 8), AugmentParams(rotation_degrees=0, scale=0.5, shift_pixels=0), generator())
    assert scaled.sum().item() == pytest.approx(64 * factor**2, rel=0.03)


def spread(params: AugmentParams, measure: str) -> Tensor:
    """What becomes of a square 8 pixels right of the centre, in 500 draws."""
    x, y = centroids(augment(square(20, 12, 4, num_images=500), params, generator()))
    return {"degrees": torch.atan2(y, x).rad2deg(), "radius": torch.hypot(x, y) / 8, "x": x - 8, "y": y}[measure]


@pytest.mark.parametrize(
    ("params", "measure", "low", "high"),
    [
        (AugmentParams(rotation_degrees=10, scale=0, shift_pixels=0), "degrees", -10, 10),
        (AugmentParams(rotation_degrees=0, scale=0.1, shift_pixels=0), "radius", 0.9, 1.1),
        (AugmentParams(rotation_degrees=0, scale=0, shift_pixels=2), "x", -2, 2),
        (AugmentParams(rotation_degrees=0, scale=0, shift_pixels=2), "y", -2, 2),
    ],
)
def test_distortions_fill_the_range_up_to_their_bounds(
    params: AugmentParams, measure: str, low: float, high: float
) -> None:
    values, margin = spread(params, measure), 0.03 * (high - low)
    assert low - margin <= values.min() <= low + margin
    assert high - margin <= values.max() <= high + margin
    assert math.isclose(values.mean().item(), (low + high) / 2, abs_tol=2 * margin)
