"""Measures training and evaluation, beside the notes' program."""

import statistics
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from bench.clone import PYTHON, Clone
from bench.report import Row
from bench.turns import in_epochs, in_turns, notes_epoch, ratio

NUM_SEEDS = 5


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


def stages_of_demo(clone: Clone, num_rounds: int) -> list[Row]:
    """Whole stages of `demo`."""
    return _stages(clone, num_rounds, "demo", both_target="<= 6 epochs")[1]


def notes_and_fast(clone: Clone, num_rounds: int) -> list[Row]:
    """An epoch of `notes`, and whole stages of `fast`: in turns with the same epochs of the notes' program."""
    times, rows = _stages(
        clone,
        num_rounds,
        "fast",
        notes_recipe=lambda: float(clone.run(PYTHON, "-m", "bench.epoch").output.splitlines()[-1]),
    )
    title = "an epoch of `notes`, evaluated on the test images"
    faster = f"{ratio(times['notes'], times['notes_recipe']):.1f}x faster"
    return [Row(title, times["notes_recipe"], "s", "the notes' program", times["notes"], faster, ">= 4x"), *rows]


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
    return times, _stage_rows(f"`{recipe}`", times, megabytes, both_target)


def _stage_rows(title: str, times: dict[str, list[float]], megabytes: list[float], both_target: str) -> list[Row]:
    both = [sum(pair) for pair in zip(times["train"], times["evaluate"], strict=True)]
    excess = f"+{statistics.median(megabytes) - statistics.median(times['torch']):.0f} MB"
    notes = ("an epoch of the notes' program", times["notes"])
    return [
        Row(f"{title}: train", times["train"], "s", *notes, in_epochs(times["train"], times["notes"])),
        Row(f"{title}: train and evaluate", both, "s", *notes, in_epochs(both, times["notes"]), both_target),
        Row(f"{title}: peak memory of train", megabytes, "MB", "`import torch`", times["torch"], excess, "<= 200 MB"),
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
            Row(f"{training.title}: train", times, "s", *counterpart, in_epochs(times, notes), training.target_time)
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
