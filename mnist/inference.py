"""What a trained network says of images, and how good that is; training and evaluation share it, to the bit."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from mnist.data import Examples
from mnist.model import as_input

BATCH_SIZE = 250  # Larger batches allocate memory anew each time, which costs more than it saves.


@dataclass(frozen=True)
class Score:
    """Mean cross entropy (nats) and fraction of right answers; both NaN where there were no examples."""

    loss: float
    accuracy: float


def predict(network: nn.Module, images: Tensor) -> Tensor:
    """Return the logits float32 [N, 10] of images uint8 [N, 1, 28, 28], on the CPU."""
    network.eval()
    with torch.inference_mode():
        logits = [network(as_input(batch)) for batch in torch.split(images, BATCH_SIZE)]
    return torch.cat(logits).cpu()


def score(logits: Tensor, labels: Tensor) -> Score:
    """Return loss and accuracy of logits [N, 10] against labels [N], rounded to the six decimals that are published.

    The loss is that of the network's probabilities, whatever it was trained on, so that recipes can be compared.
    """
    loss = functional.cross_entropy(logits.double(), labels.cpu()).item()
    accuracy = (logits.argmax(dim=1) == labels.cpu()).double().mean().item()
    return Score(round(loss, 6), round(accuracy, 6))


def evaluate(network: nn.Module, examples: Examples) -> Score:
    """Return the network's score on the examples."""
    if len(examples) == 0:
        return Score(float("nan"), float("nan"))
    return score(predict(network, examples.images), examples.labels)
