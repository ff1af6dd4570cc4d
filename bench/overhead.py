"""Measures what grows with the work, and what DVC takes where there is none."""

import statistics
from functools import partial
from pathlib import Path

from bench.clone import PYTHON, Clone, Run, make_empty_pipeline, run
from bench.report import Row
from bench.turns import in_turns, ratio

NUM_STAGES = 5
FACTORS = (1, 2, 4)


def dvc(clone: Clone, num_rounds: int) -> list[Row]:
    """What DVC takes where nothing is to be computed, against a pipeline of as many empty stages."""
    empty = clone.folder.parent / "empty"
    make_empty_pipeline(empty, NUM_STAGES)
    clone.choose("fast", epochs=1)
    for folder in (clone.folder, empty):
        run(folder, "dvc", "repro")

    def repro(folder: Path, without_lock: bool) -> float:
        if without_lock:
            (folder / "dvc.lock").unlink()
        return run(folder, "dvc", "repro").seconds

    rows = []
    for title, without_lock, target in (
        ("no-op `dvc repro`", False, "<= 1.3"),
        ("`dvc repro` without dvc.lock: restores from the run-cache", True, ""),
    ):
        times = in_turns(
            2 * num_rounds,
            ours=partial(repro, clone.folder, without_lock),
            empty=partial(repro, empty, without_lock),
        )
        factor = f"{ratio(times['ours'], times['empty']):.2f}"
        rows.append(Row(title, times["ours"], "s", f"{NUM_STAGES} empty stages", times["empty"], factor, target))
    return rows


def growth(clone: Clone, num_rounds: int) -> list[Row]:
    """How time and memory grow with epochs (and so checkpoints) and with images."""
    with_epochs = {factor: (5 * factor, 4_000) for factor in FACTORS}
    with_images = {factor: (1, 40_000 * factor) for factor in FACTORS}
    # Not evaluate with the images: its own are those of test and validation, as many in all cases.
    return [
        *_growth(clone, num_rounds, "epochs", ("train", "evaluate"), with_epochs),
        *_growth(clone, num_rounds, "images", ("train",), with_images),
    ]


def _growth(
    clone: Clone, num_rounds: int, what: str, stages: tuple[str, ...], cases: dict[int, tuple[int, int]]
) -> list[Row]:
    """Rows of each stage; `cases` has epochs and training images by factor."""
    runs: dict[str, dict[int, list[Run]]] = {stage: {factor: [] for factor in FACTORS} for stage in stages}
    for _ in range(num_rounds):
        for factor, (epochs, num_images) in cases.items():
            clone.choose("fast", epochs=epochs)
            clone.write_synthetic_images(num_images)
            for stage in stages:
                runs[stage][factor].append(clone.run(PYTHON, "-m", f"stages.{stage}"))
    return [row for stage in stages for row in _growth_rows(f"{stage}: {what}", what, runs[stage])]


def _growth_rows(title: str, what: str, runs: dict[int, list[Run]]) -> list[Row]:
    """How much x2 to x4 adds, in what x1 to x2 does: 2 where the cost is linear; the start-up falls out."""
    seconds = {factor: [run.seconds for run in runs[factor]] for factor in FACTORS}
    megabytes = {factor: [run.peak_megabytes for run in runs[factor]] for factor in FACTORS}
    one, two, four = (statistics.median(seconds[factor]) for factor in FACTORS)
    linear = f"{(four - two) / (two - one):.2f} (linear: 2)"
    more = f"{statistics.median(megabytes[4]) - statistics.median(megabytes[1]):+.0f} MB"
    target = "1.8 to 2.2" if title.startswith("train") else ""
    once = f"{what} x1"
    return [
        Row(f"{title} x4", seconds[4], "s", once, seconds[1], linear, target),
        Row(f"{title} x4: peak memory", megabytes[4], "MB", once, megabytes[1], more),
    ]
