"""The sizes on the page are those of the network and of the data set."""

from pathlib import Path

import numpy as np
import pytest
import yaml
from pydantic import TypeAdapter

from mnist.checkpoint import encode_tensors
from mnist.model import NetworkParams, build_network
from pipeline.errors import UserError
from stages.report.sizes import count_labels, count_parameters
from tests import ROOT
from tests.tiny import idx_labels

RECIPES = yaml.safe_load((ROOT / "params.yaml").read_text())["recipes"]


@pytest.mark.parametrize("name", RECIPES)
def test_parameters_are_those_that_training_changes(tmp_path: Path, name: str) -> None:
    network = build_network(TypeAdapter(NetworkParams).validate_python(RECIPES[name]["network"]))
    checkpoint = tmp_path / "checkpoint.safetensors"
    checkpoint.write_bytes(encode_tensors(network.state_dict()))
    assert count_parameters(checkpoint) == sum(parameter.numel() for parameter in network.parameters())


def test_labels_are_counted(tmp_path: Path) -> None:
    labels = tmp_path / "labels"
    labels.write_bytes(idx_labels(np.zeros(7, np.uint8)))
    assert count_labels(labels) == 7


@pytest.mark.parametrize("content", [b"", b"not a checkpoint at all", b"\xff" * 100])
def test_file_that_is_no_checkpoint_is_one_clear_error(tmp_path: Path, content: bytes) -> None:
    checkpoint = tmp_path / "checkpoint.safetensors"
    checkpoint.write_bytes(content)
    with pytest.raises(
        UserError, match=r"checkpoint\.safetensors is no checkpoint .*: run `dvc repro --force evaluate`"
    ):
        count_parameters(checkpoint)
