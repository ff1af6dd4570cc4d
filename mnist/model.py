"""The networks: images float32 [N, 1, 28, 28] from 0 to 1 in, logits [N, 10] out."""

from typing import Annotated, Literal, Self

import torch
from pydantic import AfterValidator, Field, model_validator
from torch import Tensor, nn
from torch.nn import functional

from mnist.idx import IMAGE_SIZE, NUM_CLASSES
from pipeline.params import Section

Width = Annotated[int, Field(ge=1, le=1024)]


def _odd(number: int) -> int:
    if number % 2 == 0:
        raise ValueError("the number should be odd, so that the maps keep their size")
    return number


class TwoLayerParams(Section):
    """The network of the notes that this project started from."""

    name: Literal["two_layer"]


class StemParams(Section):
    """The first convolution: it alone may have a larger kernel, and stride 2."""

    kernel_size: Annotated[int, Field(ge=3, le=7), AfterValidator(_odd)] = Field(
        description="pixels along the first convolution's kernel; an odd number"
    )
    stride: int = Field(ge=1, le=2, description="the first convolution's step; 2 halves the image")


class ConvBlocksParams(Section):
    """Groups of 3x3 blocks (convolution, batch norm, ReLU), a max pool between groups; one number is one block's width.

    The first block's convolution is `stem`. `head` says what the linear layer at the end sees: all pixels of the last
    maps (flatten), or each map's average.
    """

    name: Literal["conv_blocks"]
    stem: StemParams
    widths: list[Annotated[list[Width], Field(min_length=1, max_length=16)]] = Field(
        min_length=1, max_length=4, description="channels of each convolution, group by group; three groups at stride 2"
    )
    head: Literal["flatten", "average"] = Field(
        description="what the linear layer at the end sees: all pixels of the last maps, or each map's average"
    )

    @model_validator(mode="after")
    def _maps_are_larger_than_a_pixel(self) -> Self:
        if self.stem.stride == 2 and len(self.widths) == 4:
            raise ValueError("four groups behind a stem of stride 2 shrink the image to a pixel; take three")
        return self


NetworkParams = Annotated[TwoLayerParams | ConvBlocksParams, Field(discriminator="name")]


def build_network(params: NetworkParams) -> nn.Module:
    """Return a new network; its initial weights come from torch's global generator."""
    network = TwoLayer() if isinstance(params, TwoLayerParams) else _conv_blocks(params)
    return network.to(memory_format=torch.channels_last)


def as_input(images: Tensor) -> Tensor:
    """Images uint8 [N, 1, 28, 28] as the networks take them: float32 from 0 to 1."""
    return images.to(torch.float32, memory_format=torch.channels_last).div_(255)


class TwoLayer(nn.Module):
    """Conv 1->8, average pool, batch norm, ReLU, conv 8->16, ReLU, linear to 10; 32,634 parameters.

    The first convolution (3x3, padding 1) and the average pool (2x2) behind it equal one convolution of 4x4 with
    stride 2, whose kernel is the 3x3 one averaged over the four pixels of the pool: less than half the arithmetic.
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, kernel_size=3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.conv2 = nn.Conv2d(8, 16, kernel_size=3, padding=1)
        self.linear = PixelsToLogits(16, IMAGE_SIZE // 2)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits [N, 10] of images [N, 1, 28, 28]."""
        pooled_kernel = functional.avg_pool2d(functional.pad(self.conv1.weight, (1, 1, 1, 1)), 2, stride=1)
        maps = functional.conv2d(images, pooled_kernel, self.conv1.bias, stride=2, padding=1)
        maps = functional.relu(self.norm(maps))
        maps = functional.relu(self.conv2(maps))
        logits: Tensor = self.linear(maps)
        return logits


class PixelsToLogits(nn.Conv2d):
    """A linear layer on all pixels of maps [N, C, H, W]; its weights [10, C, H, W] are a kernel as large as the maps.

    Both lie pixel by pixel in memory (channels_last), so flattening them in that order copies nothing. In the order of
    `Tensor.flatten`, a training step of `two_layer` at batch 128 took 8.4 ms instead of 7.2 ms (2 cores of an AMD EPYC
    of the Zen 3 generation, torch 2.14.1, medians of 15 times 40 steps).
    """

    def __init__(self, channels: int, size: int) -> None:
        super().__init__(channels, NUM_CLASSES, kernel_size=size)

    def forward(self, input: Tensor) -> Tensor:
        """Return logits [N, 10] of maps [N, C, H, W]."""
        pixels, weight = (tensor.permute(0, 2, 3, 1).flatten(1) for tensor in (input, self.weight))
        return functional.linear(pixels, weight, self.bias)


def _conv_blocks(params: ConvBlocksParams) -> nn.Sequential:
    kernel_size, stride = params.stem.kernel_size, params.stem.stride
    layers: list[nn.Module] = []
    channels = 1
    for group, widths in enumerate(params.widths):
        if group:
            layers.append(nn.MaxPool2d(2))
        for width in widths:
            convolution = nn.Conv2d(channels, width, kernel_size, stride, padding=kernel_size // 2, bias=False)
            layers += [convolution, nn.BatchNorm2d(width), nn.ReLU()]
            channels, kernel_size, stride = width, 3, 1
    if params.head == "average":
        layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, NUM_CLASSES)]
    else:
        size = IMAGE_SIZE // params.stem.stride // 2 ** (len(params.widths) - 1)
        layers += [PixelsToLogits(channels, size)]
    return nn.Sequential(*layers)
