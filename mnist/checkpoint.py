"""Checkpoints: safetensors files that say themselves what they are, the same bytes for the same weights."""

import json
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from mnist.data import DataParams
from mnist.determinism import Threads
from mnist.model import NetworkParams, build_network
from pipeline.errors import UserError
from pipeline.files import read_regular, sha256_of
from pipeline.params import Section

# One key that holds all: the order of several keys in the file's header is random (safetensors issue 584).
METADATA_KEY = "checkpoint"


class Description(Section):
    """What a checkpoint is and what made it. No time, host or path, and not the number of epochs that were asked for.

    `training` is the rest of the recipe.
    """

    epoch: int
    network: NetworkParams
    threads: Threads
    training: dict[str, Any]
    data: DataParams
    environment: dict[str, str]

    def metadata(self, key: str) -> dict[str, str]:
        """What a safetensors file keeps of it, below one key."""
        return {key: json.dumps(self.model_dump(mode="json"), sort_keys=True)}


def encode(network: nn.Module, description: Description) -> bytes:
    """Return the content of a checkpoint file."""
    return encode_tensors(network.state_dict(), description.metadata(METADATA_KEY))


def encode_tensors(tensors: dict[str, Tensor], metadata: dict[str, str] | None = None) -> bytes:
    """Return the content of a safetensors file; whatever their memory layout, equal tensors are equal bytes."""
    return safetensors.torch.save(
        {name: value.detach().cpu().contiguous() for name, value in tensors.items()}, metadata
    )


def decode_tensors(content: bytes) -> dict[str, Tensor]:
    """Return the tensors of a safetensors file's content, on the CPU."""
    return safetensors.torch.load(content)


def load(path: Path, sha256: str | None = None) -> tuple[nn.Module, Description]:
    """Return the network, on the CPU, and the description from a checkpoint file.

    Raises:
        UserError: the file is missing, is no checkpoint of this project, or differs from `sha256` where that is given.
    """
    try:
        content = read_regular(path)
    except FileNotFoundError:
        raise UserError(f"{path} is missing: run `dvc repro`, or fetch it with `dvc pull`") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None
    if sha256 is not None and (actual := sha256_of(content)) != sha256:
        raise UserError(
            f"{path} is damaged: its sha256 is {actual}, recorded is {sha256}; remove it and `dvc checkout --force`, "
            "or train anew with `dvc repro --force train`"
        )
    try:
        tensors = decode_tensors(content)
        description = Description.model_validate_json(_metadata(content)[METADATA_KEY])
        _check_tensors(tensors, description.network)
        network = build_network(description.network)
        network.load_state_dict(tensors)
    except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        reason = f"it has no {error}" if isinstance(error, KeyError) else " ".join(str(error).split())
        raise UserError(f"{path} is not a checkpoint of this project: {reason}") from None
    return network, description


def _check_tensors(tensors: dict[str, Tensor], params: NetworkParams) -> None:
    """Raise ValueError if these are not finite weights of the network; before memory is taken for it."""
    with torch.device("meta"):
        expected = {name: value.shape for name, value in build_network(params).state_dict().items()}
    if (shapes := {name: value.shape for name, value in tensors.items()}) != expected:
        names = sorted(name for name in shapes.keys() | expected.keys() if shapes.get(name) != expected.get(name))
        raise ValueError(f"{names[0]} is not that of its network")
    if wrong := [name for name, value in tensors.items() if not value.isfinite().all()]:
        raise ValueError(f"{wrong[0]} is not finite")


def _metadata(content: bytes) -> dict[str, str]:
    """The texts in the header of a safetensors file, which starts with its length as a little-endian 64-bit integer."""
    header_length = int.from_bytes(content[:8], "little")
    metadata: dict[str, str] = json.loads(content[8 : 8 + header_length])["__metadata__"]
    return metadata
