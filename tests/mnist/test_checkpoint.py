"""Checkpoints are read back exactly, are the same bytes for the same weights, and are refused when damaged."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from torch import Tensor, nn

from mnist.checkpoint import METADATA_KEY, Description, encode, encode_tensors, load
from mnist.data import DataParams
from mnist.model import ConvBlocksParams, NetworkParams, StemParams, TwoLayerParams, build_network
from pipeline.errors import UserError
from tests import ROOT

TWO_LAYER = TwoLayerParams(name="two_layer")
STEM = StemParams(kernel_size=5, stride=2)
CONV_BLOCKS = ConvBlocksParams(name="conv_blocks", stem=STEM, widths=[[4, 8], [8]], head="flatten")

# Gigabytes, were they taken before the weights are looked at.
LARGEST = ConvBlocksParams(name="conv_blocks", stem=STEM, widths=[[1024] * 16] * 3, head="flatten")


def describe(network: NetworkParams = TWO_LAYER) -> Description:
    return Description(
        epoch=7,
        network=network,
        threads=2,
        training={"seed": 0, "batch_size": 128, "augment": None},
        data=DataParams(dataset="mnist", validation_size=5000, split_seed=0),
        environment={"torch": "1.2.3", "numpy": "4.5.6", "device": "cpu"},
    )


def build(params: NetworkParams = TWO_LAYER) -> nn.Module:
    """A network whose buffers are not those of a new one."""
    torch.manual_seed(0)
    network = build_network(params)
    network(torch.rand(4, 1, 28, 28))
    return network


def header(content: bytes) -> dict[str, Any]:
    length = int.from_bytes(content[:8], "little")
    result: dict[str, Any] = json.loads(content[8 : 8 + length])
    return result


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "epoch_007.safetensors"


@pytest.mark.parametrize("params", [TWO_LAYER, CONV_BLOCKS])
def test_network_and_description_are_read_back_exactly(params: NetworkParams, path: Path) -> None:
    network = build(params)
    content = encode(network, describe(params))
    path.write_bytes(content)
    loaded, description = load(path, hashlib.sha256(content).hexdigest())
    assert description == describe(params)
    assert loaded.state_dict().keys() == network.state_dict().keys()
    for name, value in network.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value), name
    assert encode(loaded, description) == content


def test_loaded_network_has_the_memory_format_and_so_the_bytes_of_the_trained_one(path: Path) -> None:
    network = build(CONV_BLOCKS)
    path.write_bytes(encode(network, describe(CONV_BLOCKS)))
    loaded, _ = load(path)
    for weight in loaded.parameters():
        if weight.dim() == 4:
            assert weight.is_contiguous(memory_format=torch.channels_last)
    images = torch.rand(8, 1, 28, 28).contiguous(memory_format=torch.channels_last)
    assert torch.equal(loaded.eval()(images), network.eval()(images))


def test_same_network_is_the_same_bytes_in_another_process() -> None:
    code = (
        "import hashlib\nfrom tests.mnist.test_checkpoint import build, describe, encode\n"
        "print(hashlib.sha256(encode(build(), describe())).hexdigest())"
    )
    result = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=os.environ | {"PYTHONHASHSEED": "1", "OMP_NUM_THREADS": str(torch.get_num_threads())},
        capture_output=True,
        text=True,
        timeout=120,
    )
    expected = hashlib.sha256(encode(build(), describe())).hexdigest()
    assert result.stdout == f"{expected}\n", result.stderr


def test_metadata_is_one_key_of_sorted_json() -> None:
    metadata = header(encode(build(), describe()))["__metadata__"]
    assert list(metadata) == [METADATA_KEY]
    description = json.loads(metadata[METADATA_KEY])
    assert json.dumps(description, sort_keys=True) == metadata[METADATA_KEY]
    assert description == describe().model_dump(mode="json")


def test_other_libraries_can_read_it(path: Path) -> None:
    network = build()
    path.write_bytes(encode(network, describe()))
    tensors = safetensors.torch.load_file(path)
    assert tensors.keys() == network.state_dict().keys()


@pytest.mark.parametrize("position", [0, 100, -1])
def test_flipped_bit_is_noticed(position: int, path: Path) -> None:
    content = encode(build(), describe())
    damaged = bytearray(content)
    damaged[position] ^= 1
    path.write_bytes(damaged)
    recorded, actual = hashlib.sha256(content).hexdigest(), hashlib.sha256(damaged).hexdigest()
    with pytest.raises(UserError) as raised:
        load(path, recorded)
    assert str(raised.value).startswith(f"{path} is damaged: its sha256 is {actual}, recorded is {recorded}")
    assert "dvc" in str(raised.value)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda tensors, values: tensors["norm.weight"].fill_(torch.nan), "norm.weight is not finite"),
        (lambda tensors, values: tensors.pop("norm.weight"), "norm.weight is not that of its network"),
        (lambda tensors, values: values.update(threads=0), "threads"),
        (lambda tensors, values: values.update(threads=2**40), "threads"),
        (
            lambda tensors, values: values.update(network=LARGEST.model_dump()),
            "0.weight is not that of its network",
        ),
    ],
)
def test_content_that_asks_for_too_much_or_is_not_finite_is_refused(
    path: Path, change: Callable[[dict[str, Tensor], dict[str, Any]], object], reason: str
) -> None:
    tensors, values = build().state_dict(), describe().model_dump(mode="json")
    change(tensors, values)
    path.write_bytes(encode_tensors(tensors, {METADATA_KEY: json.dumps(values)}))
    with pytest.raises(UserError, match="is not a checkpoint of this project") as raised:
        load(path)
    assert reason in str(raised.value)


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo])
def test_folder_or_fifo_in_the_place_of_the_file_is_said(path: Path, make: Callable[[Path], None]) -> None:
    make(path)
    with pytest.raises(UserError, match=f"{path} is no regular file"):
        load(path)


def test_missing_file_is_named_with_how_to_get_it(path: Path) -> None:
    with pytest.raises(UserError) as raised:
        load(path)
    assert str(raised.value) == f"{path} is missing: run `dvc repro`, or fetch it with `dvc pull`"


WHOLE = encode(build(), describe())
WEIGHTS = {"weight": torch.zeros(3)}


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"This is a text.\n" * 100, id="text"),
        pytest.param(b"\x80\x04\x95" + bytes(1000), id="pickle"),
        pytest.param(WHOLE[:5], id="length-cut"),
        pytest.param(WHOLE[:300], id="header-cut"),
        pytest.param(WHOLE[:-1], id="tensors-cut"),
        pytest.param(WHOLE + b"\0", id="longer"),
        pytest.param(safetensors.torch.save(WEIGHTS), id="no-metadata"),
        pytest.param(safetensors.torch.save(WEIGHTS, {"format": "pt"}), id="foreign-metadata"),
        pytest.param(safetensors.torch.save(WEIGHTS, {METADATA_KEY: "no json"}), id="metadata-not-json"),
        pytest.param(safetensors.torch.save(WEIGHTS, {METADATA_KEY: '{"epoch": 1}'}), id="metadata-incomplete"),
        pytest.param(encode(nn.Linear(3, 3), describe()), id="weights-of-another-network"),
        pytest.param(encode(build(CONV_BLOCKS), describe()), id="description-of-another-network"),
    ],
)
def test_what_is_no_checkpoint_is_refused_with_its_name(content: bytes, path: Path) -> None:
    path.write_bytes(content)
    with pytest.raises(UserError) as raised:
        load(path)
    message = str(raised.value)
    assert message.startswith(f"{path} is not a checkpoint of this project: ")
    assert "\n" not in message
