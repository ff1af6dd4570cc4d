"""Measures what shards cost and what workers gain: `python -m bench.workers` prints two tables, in some four minutes.

Each case is a process, or two, of its own; the cases of a recipe are run in turns. The second table is calculated from
the first: what a step takes on more machines, each with a core for one worker, if a network is all that is between.
"""

import argparse
import os
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from statistics import median

from bench.clone import PYTHON
from bench.report import conditions
from bench.turns import in_turns
from stages.train.launch import IS_FIRST, STORE_FILE

NUM_ROUNDS = 3
NUM_STEPS = {"accurate": 30, "demo": 300}
CASES = ((1, 1), (2, 1), (4, 1), (2, 2), (4, 2))  # shards, workers
NUM_WORKERS = (4, 8, 16, 32, 64)
BYTES_PER_SECOND = {"1 Gbit/s": 125e6, "10 Gbit/s": 1.25e9, "100 Gbit/s": 12.5e9}


@dataclass(frozen=True)
class Steps:
    """Milliseconds of a step and of the exchange in it; bytes of a shard's row."""

    step: float
    exchange: float
    row_bytes: float


def main() -> None:
    argparse.ArgumentParser(prog="python -m bench.workers", description=(__doc__ or "").splitlines()[0]).parse_args()
    print(f"Measured with `python -m bench.workers` on {conditions()}; one thread a worker, {NUM_ROUNDS} rounds.\n")
    print("| recipe | shards | workers | a step (ms) | in a plain step's | in one worker's | of it, exchange (ms) |")
    print("|---|" + "---|" * 6)
    rows = {}
    for recipe in NUM_STEPS:
        cases = {f"{shards} {workers}": partial(run, recipe, shards, workers) for shards, workers in CASES}
        measured = in_turns(NUM_ROUNDS, **cases)
        steps = {case: median(value.step for value in values) for case, values in measured.items()}
        for case, values in measured.items():
            shards, workers = case.split()
            low, high = min(value.step for value in values), max(value.step for value in values)
            exchange = f"{median(value.exchange for value in values):.2f}" if workers == "2" else ""
            print(
                f"| `{recipe}` | {shards} | {workers} | {steps[case]:.2f} ({low:.2f} to {high:.2f}) "
                f"| {steps[case] / steps['1 1']:.2f} | {steps[case] / steps[f'{shards} 1']:.2f} | {exchange} |"
            )
        rows[recipe] = (steps["4 1"] / 4, measured["4 2"])
    print("\n| `accurate` with a shard for each worker | " + " | ".join(BYTES_PER_SECOND) + " |")
    print("|---|" + "---|" * len(BYTES_PER_SECOND))
    for line in predict(*rows["accurate"]):
        print(line)


def run(recipe: str, shards: int, workers: int) -> Steps:
    """Steps of a recipe on so many workers of this machine."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        command = [PYTHON, "-m", "bench.steps", recipe, str(shards), str(NUM_STEPS[recipe])]
        processes = []
        for rank in range(workers):
            own = {"RANK": str(rank), "WORLD_SIZE": str(workers), "GROUP_RANK": "0", STORE_FILE: f"{folder}/store"}
            team = own | {IS_FIRST: "yes", "GLOO_SOCKET_IFNAME": "lo"} if workers > 1 else {}
            processes.append(subprocess.Popen(command, env=os.environ | team, stdout=subprocess.PIPE, text=True))
        output = processes[0].communicate()[0]
        for process in processes[1:]:
            process.communicate()
    if any(process.returncode for process in processes):
        raise RuntimeError(f"{' '.join(command)} failed")
    return Steps(*map(float, output.splitlines()[-1].split()))


def predict(shard_step: float, measured: Sequence[Steps]) -> list[str]:
    """Lines of the second table: a step's time with 4 to 64 workers, by the speed of the network.

    Every worker computes one shard of 16 images, as of `accurate`'s four, so that batches grow with the workers, and
    receives the rows of all others. What gathering costs without a network is measured, and is in it.
    """
    row_bytes = measured[0].row_bytes
    copying = median(value.exchange for value in measured) / 4  # Of a row, through the loopback interface.
    lines = []
    for workers in NUM_WORKERS:
        cells = []
        for speed in BYTES_PER_SECOND.values():
            step = shard_step + workers * copying + 1000 * (workers - 1) * row_bytes / speed
            cells.append(f"{step:.0f} ms, {workers * shard_step / step:.1f}x")
        lines.append(f"| {workers} workers, {(workers - 1) * row_bytes / 1e6:.1f} MB a step | {' | '.join(cells)} |")
    return lines


if __name__ == "__main__":
    main()
