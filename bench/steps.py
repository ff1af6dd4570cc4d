"""Steps of a recipe's training on random images: `python -m bench.steps RECIPE SHARDS NUM_STEPS` prints milliseconds.

Of a step, in the median, and of the exchange with the others in it; both start-up excluded. The process is one of
several workers where torchrun's variables say so; then the first prints.
"""

import mnist  # isort: skip  # noqa: F401  (before torch, for the CPU profile)

import os
import statistics
import sys
import time

import torch

from mnist.data import DataParams
from mnist.determinism import make_deterministic
from mnist.memory import keep_freed_memory
from mnist.model import build_network
from pipeline.params import read_param
from stages.train.epoch import make_step
from stages.train.job import Job
from stages.train.launch import STORE_FILE
from stages.train.optimizer import AdamW
from stages.train.recipe import Recipe
from stages.train.team import ALONE, Team
from stages.train.workers import Workers, find_workers

NUM_WARM_UPS = 5


def main() -> None:
    name, shards, num_steps = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    recipe: Recipe = read_param(f"recipes.{name}", Recipe)
    recipe = recipe.model_copy(update={"shards": shards, "threads": 1})
    keep_freed_memory()
    device = make_deterministic(recipe.threads, "cpu")
    job = Job(name, recipe, DataParams(dataset="mnist", validation_size=0, split_seed=0), device, {}, {})
    rank, team = int(os.environ.get("RANK", 0)), join(job)
    torch.manual_seed(0)
    network = build_network(recipe.network)
    step = make_step(network, AdamW(network.parameters(), recipe.optimizer), recipe, team)
    images = torch.rand(recipe.batch_size, 1, 28, 28).to(memory_format=torch.channels_last)
    labels = torch.randint(10, (recipe.batch_size,))
    times = []
    for _ in range(NUM_WARM_UPS + num_steps):
        start = time.perf_counter()
        step(images, labels, torch.tensor(0.001))
        times.append(time.perf_counter() - start)
    num_numbers = 1 + sum(value.numel() for value in network.state_dict().values() if value.is_floating_point())
    exchange = 0.0
    if isinstance(team, Workers):
        exchange = measure_exchange(team, shards, num_numbers, num_steps)
        team.leave()
    if rank == 0:
        print(1000 * statistics.median(times[NUM_WARM_UPS:]), 1000 * exchange, 4 * num_numbers)


def join(job: Job) -> Team:
    """The team of this process."""
    if "RANK" not in os.environ:
        return ALONE
    workers = find_workers(os.environ[STORE_FILE])
    workers.agree(job, is_first=True)
    return workers


def measure_exchange(team: Team, shards: int, num_numbers: int, num_steps: int) -> float:
    """Seconds to gather rows that are ready."""
    rows = torch.zeros(len(team.own(shards)), num_numbers)
    times = []
    for _ in range(num_steps):
        start = time.perf_counter()
        team.gather(rows, shards)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


if __name__ == "__main__":
    main()
