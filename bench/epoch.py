"""An epoch of the recipe `notes` and the evaluation of its checkpoint on the test images, on the images that the notes'
program uses; `python -m bench.epoch` prints seconds, start-up excluded.
"""

import mnist  # isort: skip  # noqa: F401  (before torch, for the CPU profile)

import time

import torch

from mnist.data import DataParams, load_test, load_training
from mnist.determinism import derive_seed, make_deterministic
from mnist.inference import evaluate
from mnist.memory import keep_freed_memory
from mnist.model import build_network
from mnist.paths import RAW_DATA
from pipeline.params import read_param
from stages.train.epoch import make_step, train_epoch
from stages.train.optimizer import AdamW
from stages.train.recipe import Recipe


def main() -> None:
    recipe: Recipe = read_param("recipes.notes", Recipe)
    keep_freed_memory()
    device = make_deterministic(recipe.threads, "cpu")
    params = DataParams(dataset="mnist", validation_size=0, split_seed=0)
    training, test = load_training(RAW_DATA, params)[0].to(device), load_test(RAW_DATA, params).to(device)
    torch.manual_seed(derive_seed(recipe.seed, epoch=0, purpose="network"))
    network = build_network(recipe.network).to(device)
    step = make_step(network, AdamW(network.parameters(), recipe.optimizer), recipe)
    start = time.perf_counter()
    train_epoch(step, network, training, recipe, epoch=1)
    evaluate(network, test)
    print(time.perf_counter() - start)


if __name__ == "__main__":
    main()
