"""One epoch of training: a pure function of the weights and optimizer state before it, the recipe and its number."""

import torch
from torch import nn

from mnist.augment import augment
from mnist.data import Examples
from mnist.determinism import derive_seed, generator_for
from mnist.model import as_input
from mnist.optimizer import AdamW
from mnist.recipe import Recipe
from mnist.schedule import rate_factor
from mnist.step import train_step


def train_epoch(network: nn.Module, optimizer: AdamW, examples: Examples, recipe: Recipe, epoch: int) -> float:
    """Train on every example once, in an order of this epoch's own; return the mean loss.

    `epoch` counts from 1. Network, optimizer and examples are on one device; the last batch may be smaller.
    """
    torch.manual_seed(derive_seed(recipe.seed, epoch, "network"))
    augment_generator = generator_for(recipe.seed, epoch, "augment")
    order = torch.randperm(len(examples), generator=generator_for(recipe.seed, epoch, "order"))
    batches = torch.split(order.to(examples.labels.device), recipe.batch_size)
    network.train()
    total_loss = torch.zeros((), dtype=torch.float64, device=examples.labels.device)
    for index, batch in enumerate(batches):
        images = as_input(examples.images[batch])
        if recipe.augment is not None:
            images = augment(images, recipe.augment, augment_generator)
        learning_rate = recipe.optimizer.learning_rate * rate_factor(recipe.schedule, epoch - 1 + index / len(batches))
        loss = train_step(network, optimizer, learning_rate, recipe.loss, images, examples.labels[batch])
        total_loss += len(batch) * loss
    return total_loss.item() / len(examples)
