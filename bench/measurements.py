"""What is measured: each function returns rows, measured side by side in the clone that it is given."""

import statistics
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from bench.clone import Clone, Run, make_empty_pipeline, run
from bench.report import Row

NOTES_EPOCHS = 50  # What the notes' program trains; it ends at 94.45 %.


@dataclass(frozen=True)
class Training:
    """What is trained, under a title of its own; the mean test accuracy in percent to reach, and the target in time.

    The targets were fixed beforehand. docs/recipes.md says how what differs from the recipe was chosen.
    """

    title: str
    recipe: str
    epochs: int
    target_accuracy: float
    target_time: str = ""
    changes: dict[str, Any] = field(default_factory=dict)


SMALLER = {
    "network": {"widths": [[16, 16], [48]]},
    "augment": {"rotation_degrees": 5.0, "scale": 0.05, "shift_pixels": 1.0},
}
TRAININGS = (
    Training("`demo`, 1 epoch", "demo", 1, 94.45, ">= 100x"),
    Training("`fast`, smaller and half as distorted, 1 epoch", "fast", 1, 99.0, "<= 0.6 epochs", SMALLER),
    Training("`fast`, 3 epochs", "fast", 3, 99.4, "<= 2.2 epochs"),
    Training("`fast`, 12 epochs", "fast", 12, 99.5),
)
NUM_STAGES = 5
NUM_SEEDS = 5
PYTHON = sys.executable


def stages_of_demo(clone: Clone, num_rounds: int) -> list[Row]:
    """Whole stages of `demo`."""
    return _stages(clone, num_rounds, "demo", both_target="<= 6 epochs")[1]


def seed_and_fast(clone: Clone, num_rounds: int) -> list[Row]:
    """An epoch of `seed`, and whole stages of `fast`: in turns with the same epochs of the notes' program."""
    times, rows = _stages(
        clone,
        num_rounds,
        "fast",
        seed=lambda: float(clone.run(PYTHON, "-m", "bench.epoch").output.splitlines()[-1]),
    )
    title = "an epoch of `seed`, evaluated on the test images"
    faster = f"{ratio(times['notes'], times['seed']):.1f}x faster"
    return [Row(title, times["seed"], "s", "the notes' program", times["notes"], faster, ">= 4x"), *rows]


def _stages(
    clone: Clone, num_rounds: int, recipe: str, both_target: str = "", **more: Callable[[], float]
) -> tuple[dict[str, list[float]], list[Row]]:
    """Return the times of the stages, of the notes' program and of `more`, and the rows of the stages."""
    clone.choose(recipe)
    megabytes: list[float] = []

    def train() -> float:
        clone.forget()
        done = clone.run(PYTHON, "-m", "stages.train")
        megabytes.append(done.peak_megabytes)
        return done.seconds

    times = in_turns(
        num_rounds,
        train=train,
        evaluate=lambda: clone.run(PYTHON, "-m", "stages.evaluate").seconds,
        notes=lambda: notes_epoch(clone),
        torch=lambda: clone.run(PYTHON, "-c", "import mnist, torch").peak_megabytes,
        **more,
    )
    both = [sum(pair) for pair in zip(times["train"], times["evaluate"], strict=True)]
    excess = statistics.median(megabytes) - statistics.median(times["torch"])
    notes = ("an epoch of the notes' program", times["notes"])
    return times, [
        Row(f"`{recipe}`: train", times["train"], "s", *notes, _epochs(times["train"], times["notes"])),
        Row(f"`{recipe}`: train and evaluate", both, "s", *notes, _epochs(both, times["notes"]), both_target),
        Row(
            f"`{recipe}`: peak memory of train",
            megabytes,
            "MB",
            "`import torch`",
            times["torch"],
            f"+{excess:.0f} MB",
            "<= 200 MB",
        ),
    ]


def accuracies(clone: Clone, num_rounds: int) -> list[Row]:
    """Time to a mean test accuracy, over `NUM_SEEDS` seeds, however many rounds there are elsewhere."""
    seconds: dict[str, list[float]] = {training.title: [] for training in TRAININGS}
    percents: dict[str, list[float]] = {training.title: [] for training in TRAININGS}
    notes = []
    for seed in range(NUM_SEEDS):
        for training in TRAININGS:
            clone.choose(training.recipe, epochs=training.epochs, seed=seed, **training.changes)
            seconds[training.title].append(clone.run(PYTHON, "-m", "stages.train").seconds)
            clone.run(PYTHON, "-m", "stages.evaluate")
            percents[training.title].append(100 * clone.metrics()["last_test_accuracy"])
        notes.append(notes_epoch(clone))
    rows = []
    for training in TRAININGS:
        times, reached = seconds[training.title], percents[training.title]
        counterpart = ("an epoch of the notes' program", notes)
        rows.append(
            Row(f"{training.title}: train", times, "s", *counterpart, _epochs(times, notes), training.target_time)
        )
        mean = f"mean {statistics.mean(reached):.3f} %"
        target = f">= {training.target_accuracy} %"
        rows.append(Row(f"{training.title}: test accuracy", reached, "%", ratio=mean, target=target))
    return rows


def evaluation(clone: Clone, num_rounds: int) -> list[Row]:
    """The evaluation of 20 checkpoints on 15,000 images, against a DataLoader's."""
    clone.choose("demo")
    clone.run(PYTHON, "-m", "stages.train")
    times = in_turns(
        num_rounds,
        ours=lambda: clone.run(PYTHON, "-m", "stages.evaluate").seconds,
        loader=lambda: float(clone.run(PYTHON, "-m", "bench.notes", "evaluate").output),
    )
    part = f"{ratio(times['ours'], times['loader']):.2f}"
    return [
        Row("evaluate, 20 checkpoints", times["ours"], "s", "with a DataLoader", times["loader"], part, "<= 0.2"),
    ]


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
    """How time and memory grow with epochs (and so checkpoints) and with images: from x2 to x4 against x1 to x2.

    A cost that is linear doubles; the start-up, which is the same in all, falls out.
    """
    rows = []
    for what, stages, cases in (
        ("epochs", ("train", "evaluate"), {factor: (5 * factor, 4_000) for factor in (1, 2, 4)}),
        # Not evaluate: its images are those of test and validation, as many in all cases.
        ("images", ("train",), {factor: (1, 40_000 * factor) for factor in (1, 2, 4)}),
    ):
        runs: dict[str, dict[int, list[Run]]] = {stage: {} for stage in stages}
        for _ in range(num_rounds):
            for factor, (epochs, num_images) in cases.items():
                clone.choose("fast", epochs=epochs)
                clone.write_synthetic_images(num_images)
                for stage, by_factor in runs.items():
                    by_factor.setdefault(factor, []).append(clone.run(PYTHON, "-m", f"stages.{stage}"))
        for stage, by_factor in runs.items():
            seconds = {factor: statistics.median(run.seconds for run in done) for factor, done in by_factor.items()}
            megabytes = {
                factor: statistics.median(r.peak_megabytes for r in done) for factor, done in by_factor.items()
            }
            linear = f"{(seconds[4] - seconds[2]) / (seconds[2] - seconds[1]):.2f} (linear: 2)"
            title = f"{stage}: {what} x4"
            rows.append(
                Row(
                    title,
                    [r.seconds for r in by_factor[4]],
                    "s",
                    f"{what} x1",
                    [r.seconds for r in by_factor[1]],
                    linear,
                    "1.8 to 2.2" if stage == "train" else "",
                )
            )
            more = f"{megabytes[4] - megabytes[1]:+.0f} MB"
            rows.append(
                Row(
                    f"{title}: peak memory",
                    [r.peak_megabytes for r in by_factor[4]],
                    "MB",
                    f"{what} x1",
                    [r.peak_megabytes for r in by_factor[1]],
                    more,
                )
            )
    return rows


FULL = (seed_and_fast, stages_of_demo, accuracies, evaluation, dvc, growth)
QUICK = (seed_and_fast, dvc)


def in_turns(num_rounds: int, **cases: Callable[[], float]) -> dict[str, list[float]]:
    """Run the cases one after the other, `num_rounds` times; return each one's values."""
    values: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(num_rounds):
        for name, case in cases.items():
            values[name].append(case())
    return values


def notes_epoch(clone: Clone) -> float:
    """Seconds of an epoch of the notes' program, with its evaluation."""
    return float(clone.run(PYTHON, "-m", "bench.notes", "epoch").output)


def ratio(values: list[float], others: list[float]) -> float:
    """The median of the first in those of the second."""
    return statistics.median(values) / statistics.median(others)


def _epochs(values: list[float], notes: list[float]) -> str:
    """Times in epochs of the notes' program."""
    epochs = ratio(values, notes)
    return f"{epochs:.2f} epochs; {NOTES_EPOCHS / epochs:.0f}x faster than {NOTES_EPOCHS}"
