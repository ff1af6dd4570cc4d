"""Random affine distortions: each image of a batch is turned, scaled and shifted a little, differently."""

import math

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from pipeline.params import Section


class AugmentParams(Section):
    """The largest distortion either way; each image's own is uniform between none and that."""

    rotation_degrees: float = Field(ge=0, le=180, description="largest rotation either way")
    scale: float = Field(ge=0, lt=1, description="largest change of size either way, as a fraction")
    shift_pixels: float = Field(ge=0, le=28, description="largest shift either way, across and down")


def augment(images: Tensor, params: AugmentParams, generator: torch.Generator) -> Tensor:
    """Return distorted copies of images [N, 1, H, W]; bilinear, and empty where nothing was.

    `generator` lives on the CPU, wherever the images are, so that every device sees the same distortions.
    """
    num_images, _, height, width = images.shape
    uniform = torch.rand(4, num_images, 1, 1, generator=generator).mul_(2).sub_(1).to(images.device)
    angle = uniform[0] * math.radians(params.rotation_degrees)
    # grid_sample asks where each pixel comes from, in coordinates from -1 to 1: the inverse of the distortion.
    zoom = 1 / (1 + uniform[1] * params.scale)
    cos, sin = angle.cos() * zoom, angle.sin() * zoom
    shift_x, shift_y = uniform[2] * (2 * params.shift_pixels / width), uniform[3] * (2 * params.shift_pixels / height)
    x = _pixel_centres(width, images.device)
    y = _pixel_centres(height, images.device).unsqueeze(1)
    grid = torch.stack([x * cos - y * sin + shift_x, x * sin + y * cos + shift_y], dim=-1)
    return functional.grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def _pixel_centres(num_pixels: int, device: torch.device) -> Tensor:
    return (torch.arange(num_pixels, device=device) * 2 + 1) / num_pixels - 1
