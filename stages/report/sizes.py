"""How large the network and the data set are, read without torch."""

import math
from pathlib import Path

from safetensors import SafetensorError, safe_open

from pipeline.errors import UserError

# Of a batch norm, what is counted rather than learned: torch calls it buffers, and keeps it beside the parameters.
BUFFERS = ("running_mean", "running_var", "num_batches_tracked")
LABELS_HEADER_LENGTH = 8  # A byte per label follows; see mnist/idx.py.


def count_parameters(checkpoint: Path) -> int:
    """Return the number of parameters of the network in a checkpoint file; only its header is read.

    Raises:
        UserError: the file is no checkpoint.
    """
    try:
        with safe_open(checkpoint, framework="numpy") as file:
            names = [name for name in file.keys() if not name.endswith(BUFFERS)]  # noqa: SIM118 (no mapping)
            return sum(math.prod(file.get_slice(name).get_shape()) for name in names)
    except SafetensorError as error:
        raise UserError(f"{checkpoint} is no checkpoint ({error}): run `dvc repro --force evaluate`") from None


def count_labels(path: Path) -> int:
    """Return the number of labels in an idx file."""
    return len(path.read_bytes()) - LABELS_HEADER_LENGTH
