"""The images that are shown are those that the predictions say."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.runs import make_runs
from tests.tiny import SEED, tiny_images, write_tiny_dataset
from tools.verdicts.groups import Group, group_runs
from tools.verdicts.images import always_wrong, count_wrong, load_images, most_disputed

LABELS = np.array([0, 1, 2, 3, 4])


def group(name: str, *predictions: list[int]) -> Group:
    """A group with a run for each list of predictions."""
    runs = make_runs(name, [1.0] * len(predictions), LABELS)
    (group,) = group_runs(
        replace(run, predictions=run.predictions.assign(prediction=named))
        for run, named in zip(runs, predictions, strict=True)
    )
    return group


DEMO = group("demo", [0, 7, 2, 8, 4], [0, 7, 2, 8, 5], [0, 7, 2, 9, 4])
FAST = group("fast", [0, 7, 3, 3, 4], [0, 7, 3, 8, 4])


def test_images_that_no_run_gets_right_are_found() -> None:
    (case,) = always_wrong([DEMO, FAST])
    assert (case.index, case.label, case.taken_for) == (1, 1, [(7, 5)])
    assert [case.index for case in always_wrong([DEMO])] == [1, 3], "the one on which more agree is first"
    assert [case.index for case in always_wrong([FAST])] == [1, 2]


def test_images_on_which_seeds_of_a_group_disagree_are_found() -> None:
    # Of the 3 + 1 pairs of runs of a group, 2 + 1 differ on image 3, and 2 on image 4; the groups differ on image 2.
    cases = most_disputed([DEMO, FAST])
    assert [(case.index, case.disagreement) for case in cases] == [(3, 3 / 4), (4, 2 / 4)]
    assert cases[0].taken_for == [(8, 3), (9, 1), (3, 1)]


def test_one_run_disagrees_with_none() -> None:
    assert most_disputed([group("demo", [9, 9, 9, 9, 9])]) == []


def test_wrong_images_are_counted() -> None:
    assert count_wrong(DEMO) == (2, 3)
    assert count_wrong(FAST) == (2, 3)


def test_images_are_those_with_the_labels_of_the_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_tiny_dataset(Path("data/raw/KMNIST/raw"))
    images, labels = tiny_images(200, seed=SEED + 1)
    (known,) = group_runs(make_runs("demo", [0.9], labels))
    loaded = load_images(known)
    assert loaded is not None
    assert (loaded == images).all()
    (unknown,) = group_runs(make_runs("demo", [0.9], labels[::-1]))
    assert load_images(unknown) is None
