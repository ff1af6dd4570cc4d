"""The networks are what their parameters say; the fast form of TwoLayer is the plain form."""

from typing import Literal

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor, nn
from torch.nn import functional

from mnist.model import (
    ConvBlocksParams,
    NetworkParams,
    PixelsToLogits,
    StemParams,
    TwoLayer,
    TwoLayerParams,
    as_input,
    build_network,
)

FAST = ConvBlocksParams(
    name="conv_blocks", stem=StemParams(kernel_size=5, stride=2), widths=[[16, 32], [64]], head="flatten"
)
ACCURATE = ConvBlocksParams(
    name="conv_blocks", stem=StemParams(kernel_size=3, stride=1), widths=[[16, 16], [32, 32], [64]], head="average"
)


class PlainTwoLayer(nn.Module):
    """TwoLayer as the notes have it, layer by layer, under the same names."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, kernel_size=3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.conv2 = nn.Conv2d(8, 16, kernel_size=3, padding=1)
        self.linear = nn.Linear(3136, 10)

    def forward(self, images: Tensor) -> Tensor:
        maps = functional.relu(self.norm(functional.avg_pool2d(self.conv1(images), 2)))
        logits: Tensor = self.linear(functional.relu(self.conv2(maps)).flatten(1))
        return logits


def num_parameters(network: nn.Module) -> int:
    return sum(weight.numel() for weight in network.parameters())


def conv_blocks(
    kernel: Literal[3, 5], stride: Literal[1, 2], widths: list[list[int]], head: Literal["flatten", "average"]
) -> ConvBlocksParams:
    return ConvBlocksParams(
        name="conv_blocks", stem=StemParams(kernel_size=kernel, stride=stride), widths=widths, head=head
    )


@pytest.mark.parametrize("training", [True, False])
def test_two_layer_equals_its_plain_form_in_outputs_and_gradients(training: bool) -> None:
    torch.manual_seed(0)
    # In double precision, where the two orders of arithmetic agree to many digits.
    network, plain = TwoLayer().double(), PlainTwoLayer().double()
    network.norm.running_mean += torch.rand(8)  # type: ignore[operator]
    network.norm.running_var += torch.rand(8)  # type: ignore[operator]
    weights = network.state_dict()
    plain.load_state_dict(weights | {"linear.weight": weights["linear.weight"].flatten(1)})
    images, labels = torch.rand(16, 1, 28, 28, dtype=torch.float64), torch.arange(16) % 10
    outputs: list[Tensor] = []
    for each in (network, plain):
        each.train(training)
        outputs.append(each(images))
        functional.cross_entropy(outputs[-1], labels).backward()  # type: ignore[no-untyped-call]
    assert torch.allclose(outputs[0], outputs[1], rtol=1e-9, atol=1e-12)
    for (name, weight), plain_weight in zip(network.named_parameters(), plain.parameters(), strict=True):
        assert weight.grad is not None
        assert plain_weight.grad is not None
        assert torch.allclose(weight.grad.view_as(plain_weight), plain_weight.grad, rtol=1e-9, atol=1e-12), name
    for name, value in network.state_dict().items():
        assert torch.allclose(value.flatten(), plain.state_dict()[name].flatten(), rtol=1e-9), name


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        (TwoLayerParams(name="two_layer"), 32_634),
        (FAST, 55_034),
        (ACCURATE, 35_674),
        # 9 weights of the convolution, 2 of the norm, 10 of the linear layer and its 10 biases.
        (conv_blocks(3, 1, [[1]], "average"), 9 + 2 + 10 + 10),
        (conv_blocks(5, 2, [[1]], "flatten"), 25 + 2 + 10 * 14**2 + 10),
    ],
)
def test_network_has_as_many_parameters_as_counted_by_hand(params: NetworkParams, expected: int) -> None:
    assert num_parameters(build_network(params)) == expected


@pytest.mark.parametrize("head", ["flatten", "average"])
@pytest.mark.parametrize(("stride", "num_groups"), [(1, 1), (1, 2), (1, 3), (1, 4), (2, 1), (2, 2), (2, 3)])
@pytest.mark.parametrize("kernel", [3, 5])
def test_every_shape_of_conv_blocks_gives_ten_logits(
    kernel: Literal[3, 5], stride: Literal[1, 2], num_groups: int, head: Literal["flatten", "average"]
) -> None:
    network = build_network(conv_blocks(kernel, stride, [[2, 3]] * num_groups, head))
    assert network(torch.zeros(2, 1, 28, 28)).shape == (2, 10)


def test_network_that_shrinks_the_image_to_a_pixel_is_refused() -> None:
    with pytest.raises(ValidationError, match="four groups behind a stem of stride 2"):
        conv_blocks(3, 2, [[2]] * 4, "average")


@pytest.mark.parametrize("params", [TwoLayerParams(name="two_layer"), FAST, ACCURATE])
def test_same_seed_builds_the_same_weights(params: NetworkParams) -> None:
    networks = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        networks.append(torch.cat([weight.flatten() for weight in build_network(params).parameters()]))
    assert torch.equal(networks[0], networks[1])
    assert not torch.equal(networks[0], networks[2])


@pytest.mark.parametrize("params", [TwoLayerParams(name="two_layer"), ACCURATE])
def test_every_weight_gets_a_gradient(params: NetworkParams) -> None:
    torch.manual_seed(0)
    network = build_network(params)
    functional.cross_entropy(network(torch.rand(4, 1, 28, 28)), torch.arange(4)).backward()  # type: ignore[no-untyped-call]
    for name, weight in network.named_parameters():
        assert weight.grad is not None, name
        assert weight.grad.isfinite().all(), name


@pytest.mark.parametrize("params", [TwoLayerParams(name="two_layer"), FAST, ACCURATE])
def test_network_is_built_in_the_fast_memory_format(params: NetworkParams) -> None:
    kernels = [weight for weight in build_network(params).parameters() if weight.dim() == 4]
    assert len(kernels) >= 3
    assert all(kernel.is_contiguous(memory_format=torch.channels_last) for kernel in kernels)


def test_last_layer_copies_neither_maps_nor_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    layer = PixelsToLogits(4, 3).to(memory_format=torch.channels_last)
    maps = torch.rand(2, 4, 3, 3).contiguous(memory_format=torch.channels_last)
    expected = functional.linear(maps.flatten(1), layer.weight.flatten(1), layer.bias)
    addresses = []

    def linear(pixels: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        addresses.extend([pixels.data_ptr(), weight.data_ptr()])
        return pixels @ weight.t() + bias

    monkeypatch.setattr(functional, "linear", linear)
    assert torch.allclose(layer(maps), expected, atol=1e-6)
    assert addresses == [maps.data_ptr(), layer.weight.data_ptr()]


def test_every_grey_becomes_its_fraction_of_255() -> None:
    greys = torch.arange(256, dtype=torch.uint8).reshape(1, 1, 16, 16)
    images = as_input(greys)
    assert images.dtype == torch.float32
    assert torch.equal(images.flatten(), torch.arange(256, dtype=torch.float32) / 255)
    assert greys.flatten().tolist() == list(range(256))
