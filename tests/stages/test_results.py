"""The best epoch is chosen by validation alone, and the tables say what the predictions are."""

import math

import pandas as pd
import pytest
import torch

from stages.evaluate.results import choose_best, classes_table, confusion_table, predictions_table, summarize
from stages.evaluate.statistics import wilson_interval

NAN = float("nan")


def checkpoints(validation: list[tuple[float, float]], test_accuracies: list[float] | None = None) -> pd.DataFrame:
    """A row per epoch from (validation accuracy, validation loss)."""
    return pd.DataFrame(
        {
            "epoch": range(1, len(validation) + 1),
            "validation_loss": [loss for _, loss in validation],
            "validation_accuracy": [accuracy for accuracy, _ in validation],
            "test_loss": [0.1 * epoch for epoch in range(1, len(validation) + 1)],
            "test_accuracy": test_accuracies or [0.5] * len(validation),
        }
    )


def predictions(*pairs: tuple[int, int]) -> pd.DataFrame:
    """A row per (label, prediction)."""
    labels, predicted = zip(*pairs, strict=True)
    return pd.DataFrame({"index": range(len(pairs)), "label": labels, "prediction": predicted, "confidence": 0.9})


@pytest.mark.parametrize(
    ("validation", "expected"),
    [
        pytest.param([(0.9, 0.3), (0.99, 0.2), (0.95, 0.1)], 2, id="highest-accuracy"),
        pytest.param([(0.9, 0.3), (0.99, 0.2), (0.99, 0.1)], 3, id="tie-goes-to-the-lower-loss"),
        pytest.param([(0.9, 0.3), (0.99, 0.2), (0.99, 0.2)], 2, id="tie-of-both-goes-to-the-earlier"),
        pytest.param([(NAN, NAN), (NAN, NAN), (NAN, NAN)], 3, id="without-validation-the-last"),
        pytest.param([(0.9, 0.3)], 1, id="only-one"),
    ],
)
def test_best_epoch_is_chosen_by_validation(validation: list[tuple[float, float]], expected: int) -> None:
    best = choose_best(checkpoints(validation))
    assert best == expected
    assert type(best) is int


@pytest.mark.parametrize("accuracies", [[0.9, 0.1, 0.2], [0.1, 0.2, 0.9], [0.2, 0.9, 0.1]])
def test_test_images_choose_nothing(accuracies: list[float]) -> None:
    assert choose_best(checkpoints([(0.9, 0.3), (0.95, 0.1), (0.95, 0.2)], accuracies)) == 2


def test_choice_does_not_depend_on_the_order_of_rows() -> None:
    table = checkpoints([(0.9, 0.3), (0.99, 0.2), (0.99, 0.2)])
    assert choose_best(table.iloc[::-1]) == 2


def test_predictions_say_which_image_was_taken_for_what_how_surely() -> None:
    logits = torch.zeros(3, 10)
    logits[0, 4] = math.log(91)
    logits[1, 9] = math.log(11)
    logits[2, 0] = 1000
    table = predictions_table(logits, torch.tensor([4, 7, 0]))
    assert list(table) == ["index", "label", "prediction", "confidence"]
    assert table["index"].tolist() == [0, 1, 2]
    assert table["label"].tolist() == [4, 7, 0]
    assert table["prediction"].tolist() == [4, 9, 0]
    assert table["confidence"].tolist() == pytest.approx([0.91, 0.55, 1.0], abs=1e-6)


def test_precision_is_of_what_was_taken_for_a_class_and_recall_of_what_is_one() -> None:
    table = classes_table(predictions((3, 3), (3, 3), (3, 5), (5, 5), (9, 0)))
    assert list(table) == ["label", "num_images", "precision", "recall"]
    assert table["label"].tolist() == list(range(10))
    by_label = dict(zip(table["label"], table.drop(columns="label").to_numpy().tolist(), strict=True))
    assert by_label[3] == pytest.approx([3, 1, 2 / 3])
    assert by_label[5] == pytest.approx([1, 1 / 2, 1])
    assert by_label[0] == [0, 0, 0], "taken for it, wrongly"
    assert by_label[9] == [1, 0, 0], "never found"
    assert by_label[7] == [0, 0, 0], "not there at all"


def test_confusion_has_a_row_for_every_pair_and_counts_every_image() -> None:
    table = confusion_table(predictions((3, 3), (3, 3), (3, 5), (9, 0)))
    assert list(table) == ["label", "prediction", "count"]
    pairs = list(zip(table["label"], table["prediction"], strict=True))
    assert pairs == [(label, prediction) for label in range(10) for prediction in range(10)]
    counts = dict(zip(pairs, table["count"], strict=True))
    assert {pair: count for pair, count in counts.items() if count} == {(3, 3): 2, (3, 5): 1, (9, 0): 1}
    assert all(isinstance(count, int) for count in table["count"].tolist())


def test_summary_is_that_of_the_best_epoch() -> None:
    table = checkpoints([(0.9, 0.3), (0.99, 0.2), (0.95, 0.1)], [0.91, 0.75, 0.93])
    summary = summarize(table, 2, predictions((1, 1), (2, 2), (3, 3), (4, 9)))
    low, high = wilson_interval(3, 4)
    assert summary == {
        "best_epoch": 2,
        "validation_accuracy": 0.99,
        "validation_loss": 0.2,
        "test_accuracy": 0.75,
        "test_accuracy_low": low,
        "test_accuracy_high": high,
        "test_loss": 0.2,
        "test_errors": 1,
        "test_calibration_error": pytest.approx(0.15),
        "last_test_accuracy": 0.93,
    }


def test_summary_without_validation_leaves_its_numbers_out() -> None:
    summary = summarize(checkpoints([(NAN, NAN), (NAN, NAN)]), 2, predictions((1, 1), (2, 3)))
    assert not [name for name in summary if name.startswith("validation")]
    assert summary["best_epoch"] == 2
    assert summary["test_errors"] == 1
