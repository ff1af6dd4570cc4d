"""The charts show the numbers that they were given, and say them in words, too."""

from typing import Any

import pandas as pd

from stages.report.charts import confusion_chart, curves

NAN = float("nan")


def values(chart: dict[str, Any]) -> list[dict[str, Any]]:
    """All rows of data in a chart's specification."""
    return [row for rows in chart["datasets"].values() for row in rows]


def table(validation: list[float]) -> pd.DataFrame:
    epochs = range(1, len(validation) + 1)
    return pd.DataFrame({"epoch": epochs, "test": [0.5 + 0.1 * e for e in epochs], "validation": validation})


def test_curves_hold_every_value_and_mark_the_best_epoch() -> None:
    chart = curves(table([0.7, 0.9, 0.8]), {"validation": "on validation", "test": "on test"}, "accuracy", 2)
    rows = values(chart)
    assert [row["value"] for row in rows if row.get("curve") == "on validation"] == [0.7, 0.9, 0.8]
    assert [row["epoch"] for row in rows if row.get("curve") == "on test"] == [1, 2, 3]
    assert {"epoch": 2} in rows
    assert chart["description"] == (
        "Accuracy by epoch: on validation goes from 0.7000 to 0.8000, on test goes from 0.6000 to 0.8000. "
        "Epoch 2, the chosen one, is marked."
    )


def test_curve_without_values_is_left_out() -> None:
    chart = curves(table([NAN, NAN]), {"validation": "on validation", "test": "on test"}, "accuracy", 2)
    assert {row["curve"] for row in values(chart) if "curve" in row} == {"on test"}
    assert "on validation" not in str(chart)


def test_loss_of_zero_is_drawn_on_a_logarithmic_scale() -> None:
    chart = curves(table([0.7, 0.0]), {"validation": "on validation"}, "loss", 2, log=True)
    assert [row["value"] for row in values(chart) if "curve" in row] == [0.7, 1e-6]


def confusion_table(counts: dict[tuple[int, int], int]) -> pd.DataFrame:
    pairs = [(label, prediction) for label in range(10) for prediction in range(10)]
    return pd.DataFrame([(*pair, counts.get(pair, 0)) for pair in pairs], columns=["label", "prediction", "count"])


def test_confusion_shades_errors_by_their_number_and_says_the_most_frequent() -> None:
    chart = confusion_chart(confusion_table({(1, 1): 90, (4, 9): 6, (3, 5): 3}))
    shades = {(row["label"], row["prediction"]): row["shade"] for row in values(chart)}
    assert shades[4, 9] == 2 * shades[3, 5] > shades[0, 1] == 0
    assert chart["description"] == (
        "Confusion matrix of labels and predictions: 9 errors, most often 4 taken for 9 (6 times)."
    )


def test_confusion_without_errors_is_drawn() -> None:
    chart = confusion_chart(confusion_table({(label, label): 5 for label in range(10)}))
    assert chart["description"] == "Confusion matrix of labels and predictions: 0 errors."


def test_equal_tables_are_equal_charts() -> None:
    columns = {"validation": "on validation", "test": "on test"}
    assert curves(table([0.7, 0.9]), columns, "accuracy", 2) == curves(table([0.7, 0.9]), columns, "accuracy", 2)
