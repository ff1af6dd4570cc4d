"""Measures an epoch of each recipe on a GPU, with and without CUDA graphs: `python -m bench.gpu` prints a table.

A recipe's trainings are run in turns, and must end with the same bytes. It needs data/raw: `dvc repro download`.
"""

import mnist  # isort: skip  # noqa: F401  (before torch, for the CPU profile)

import argparse
import hashlib
import time
from functools import partial

import torch

from bench.report import Row, conditions, markdown
from bench.turns import in_turns, ratio
from mnist.data import DataParams, Examples, load_training
from mnist.determinism import describe_device, make_deterministic
from mnist.model import build_network
from mnist.paths import RAW_DATA
from pipeline.params import read_param
from stages.train.epoch import make_step, train_epoch
from stages.train.graph import Record, record_cuda_graph
from stages.train.optimizer import AdamW
from stages.train.recipe import Recipe
from stages.train.step import state_of

NUM_ROUNDS = 2
CASES = (("notes", 1), ("demo", 1), ("fast", 1), ("accurate", 1), ("accurate", 4))  # recipes and shards


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.gpu", description=(__doc__ or "").splitlines()[0])
    parser.parse_args()
    if not torch.cuda.is_available():
        parser.error("torch finds no usable GPU here")
    device = make_deterministic(1, "cuda")
    data: DataParams = read_param("data", DataParams)
    training = load_training(RAW_DATA, data)[0].to(device)
    rows = []
    for name, shards in CASES:
        recipe: Recipe = read_param(f"recipes.{name}", Recipe).model_copy(update={"shards": shards})
        plain, graphs = (partial(second_epoch, training, recipe, record) for record in (None, record_cuda_graph))
        measured = in_turns(NUM_ROUNDS, graphs=graphs, plain=plain)
        digests = {digest for values in measured.values() for _, digest in values}
        if len(digests) > 1:
            raise RuntimeError(f"{name}: {len(digests)} different results of the same training")
        times = {case: [seconds for seconds, _ in values] for case, values in measured.items()}
        gain = f"{ratio(times['plain'], times['graphs']):.1f}x faster"
        what = f"an epoch of `{name}`, shards {shards}: CUDA graphs"
        rows.append(Row(what, times["graphs"], "s", "without", times["plain"], gain))
    print(f"Measured with `python -m bench.gpu` on {describe_device(device)}, {conditions()}.\n\n{markdown(rows)}")


def second_epoch(training: Examples, recipe: Recipe, record: Record | None) -> tuple[float, str]:
    """Train two epochs; return the seconds of the second, and the sha256 of what it leaves."""
    torch.manual_seed(recipe.seed)
    network = build_network(recipe.network).to(training.labels.device)
    optimizer = AdamW(network.parameters(), recipe.optimizer)
    step = make_step(network, optimizer, recipe, record=record)
    train_epoch(step, network, training, recipe, 1)
    start = time.perf_counter()
    train_epoch(step, network, training, recipe, 2)
    seconds = time.perf_counter() - start
    content = b"".join(tensor.cpu().numpy().tobytes() for tensor in state_of(network, optimizer))
    return seconds, hashlib.sha256(content).hexdigest()


if __name__ == "__main__":
    main()
