"""The network that the pipeline chose, for single images: tools.predict and tools.demo share it."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from mnist.checkpoint import load
from mnist.inference import predict
from mnist.paths import MODEL
from pipeline.errors import UserError


class Classifier:
    """Gives the probability of each digit; on the CPU, where a single image is quickest."""

    def __init__(self, path: Path = MODEL) -> None:
        """Read the network.

        Raises:
            UserError: the file is missing, or no network of this project, or one that knows no digits.
        """
        self.network, description = load(path)
        if description.data.dataset != "mnist":
            raise UserError(
                f"{path} was trained on {description.data.dataset}, which has no digits; set data.dataset to mnist in "
                "params.yaml and run `dvc repro`"
            )
        torch.set_num_threads(description.threads)  # As in training and evaluation: results depend on it.

    def probabilities(self, images: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Return the probabilities [N, 10] of the digits for images [N, 28, 28] in MNIST's form."""
        logits = predict(self.network, torch.tensor(images).unsqueeze(1))
        probabilities: NDArray[np.float64] = logits.double().softmax(dim=1).numpy()
        return probabilities
