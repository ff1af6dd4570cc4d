"""The network that the pipeline chose, as it was recorded: tools.predict, tools.demo and tools.export use it."""

import io

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from mnist.checkpoint import Description, load
from mnist.idx import IMAGE_SIZE
from mnist.inference import predict
from mnist.paths import MODEL, TRAIN_CSV
from pipeline.errors import UserError
from pipeline.files import sha256_of
from tools.store.lock import LOCK, locked_outputs, read_lock
from tools.store.objects import md5_of

RESTORE = "`dvc checkout` or `dvc repro` brings the recorded one back"


def load_model() -> tuple[nn.Module, Description]:
    """Return the network in data/model.safetensors, on the CPU, and its description.

    Raises:
        UserError: the file is missing, is not one that was recorded, or no network of this project.
    """
    return load(MODEL, _recorded_sha256())


class Classifier:
    """Gives the probability of each digit; on the CPU, where a single image is quickest."""

    def __init__(self) -> None:
        """Read the network.

        Raises:
            UserError: see `load_model` and `probabilities`; or the network knows no digits.
        """
        self.network, description = load_model()
        if description.data.dataset != "mnist":
            raise UserError(
                f"{MODEL} was trained on {description.data.dataset}, which has no digits; set data.dataset to mnist in "
                "params.yaml and run `dvc repro`"
            )
        torch.set_num_threads(description.threads)  # As in training and evaluation: results depend on it.
        # The most ink that there can be: what is not finite then, ends a command before it begins.
        self.probabilities(np.full((1, IMAGE_SIZE, IMAGE_SIZE), 255, np.uint8))

    def probabilities(self, images: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Return the probabilities [N, 10] of the digits for images [N, 28, 28] in MNIST's form.

        Raises:
            UserError: one is not finite.
        """
        logits = predict(self.network, torch.tensor(images).unsqueeze(1))
        probabilities: NDArray[np.float64] = logits.double().softmax(dim=1).numpy()
        if not np.isfinite(probabilities).all():
            raise UserError(
                f"{MODEL} gives probabilities that are not finite, as its weights are too large: set a smaller "
                "learning_rate in params.yaml and run `dvc repro`"
            )
        return probabilities


def _recorded_sha256() -> str:
    """The sha256 of data/model.safetensors, if dvc.lock knows its md5 or metrics/train.csv that very sha256.

    DVC records a run's model in dvc.lock. Before it does, as when it is killed, and where stages are run without it,
    the table of the checkpoints, of which the model is a copy, knows it. Both are searched as texts: in a merge they
    hold the lines of both sides.

    Raises:
        UserError: neither does, or it is no file.
    """
    if MODEL.exists() and not MODEL.is_file():  # A FIFO would keep its reader waiting.
        raise UserError(f"{MODEL} is no regular file: remove it, and {RESTORE}")
    try:
        content = MODEL.read_bytes()
    except OSError:
        return ""  # No file has it; and why this one cannot be read, says who loads it.
    md5, sha256 = md5_of(io.BytesIO(content)), sha256_of(content)
    for path, digest in ((LOCK, md5), (TRAIN_CSV, sha256)):
        if path.is_file() and digest.encode() in path.read_bytes():
            return sha256
    recorded = locked_outputs(read_lock()).get(MODEL.as_posix())
    raise UserError(
        f"{MODEL} is not the one that {LOCK} records: its md5 is {md5}, recorded is {recorded}; "
        f"remove it, and {RESTORE}"
    )
