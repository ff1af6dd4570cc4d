"""The charts show the numbers that they were given, and say them in words, too."""

import itertools
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from stages.report.charts import COLOURS, confusion_chart, curves, loss_charts

NAN = float("nan")
COLUMNS = {"validation_accuracy": "validation", "test_accuracy": "test"}
# What red, green and blue light become for those who lack a kind of cone. Source: Machado, Oliveira and Fernandes, "A
# Physiologically-based Model for Simulation of Color Vision Deficiency" (2009), severity 1.
VISION = {
    "all cones": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    "no red": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "no green": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "no blue": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
# Source: IEC 61966-2-1 (sRGB), and CIE 1976 with the white of D65.
XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def values(chart: dict[str, Any]) -> list[dict[str, Any]]:
    """All rows of data in a chart's specification."""
    return [row for rows in chart["datasets"].values() for row in rows]


def table(validation: list[float]) -> pd.DataFrame:
    epochs = range(1, len(validation) + 1)
    return pd.DataFrame(
        {"epoch": epochs, "test_accuracy": [0.5 + 0.1 * e for e in epochs], "validation_accuracy": validation}
    )


def test_curves_hold_every_value_and_mark_the_best_epoch() -> None:
    chart = curves(table([0.7, 0.9, 0.8]), COLUMNS, "accuracy", 2)
    rows = values(chart)
    assert [row["value"] for row in rows if row.get("curve") == "validation"] == [0.7, 0.9, 0.8]
    assert [row["epoch"] for row in rows if row.get("curve") == "test"] == [1, 2, 3]
    assert {"epoch": 2} in rows
    assert chart["description"] == (
        "Accuracy by epoch: validation goes from 0.7000 to 0.8000, test goes from 0.6000 to 0.8000. "
        "Epoch 2, the chosen one, is marked."
    )


def test_curve_without_values_is_left_out() -> None:
    chart = curves(table([NAN, NAN]), COLUMNS, "accuracy", 2)
    assert {row["curve"] for row in values(chart) if "curve" in row} == {"test"}
    assert "validation" not in chart["description"]


def test_loss_of_zero_is_drawn_on_a_logarithmic_scale() -> None:
    chart = curves(table([0.7, 0.0]), {"validation_accuracy": "validation"}, "loss", 2, log=True)
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


def light(colour: str) -> NDArray[np.float64]:
    """Red, green and blue of `#rrggbb` as amounts of light, 0 to 1."""
    channels = np.array([int(colour[start : start + 2], 16) for start in (1, 3, 5)]) / 255
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


def lab(rgb: NDArray[np.float64]) -> NDArray[np.float64]:
    """CIE L*a*b* of amounts of light; a distance of 2 is just seen."""
    x, y, z = np.cbrt(XYZ @ rgb.clip(0, 1) / XYZ.sum(axis=1))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("vision", VISION)
def test_colours_of_the_series_are_told_apart_with_any_eyes(vision: str) -> None:
    seen = [lab(np.array(VISION[vision]) @ light(colour)) for colour in COLOURS.values()]
    assert min(float(np.linalg.norm(first - second)) for first, second in itertools.combinations(seen, 2)) > 40


def test_colours_of_the_series_stand_out_on_white_and_on_black() -> None:
    for colour in COLOURS.values():
        luminance = float(XYZ[1] @ light(colour))
        assert min(1.05 / (luminance + 0.05), (luminance + 0.05) / 0.05) >= 3, "WCAG 2.2, 1.4.11"


def test_series_has_its_own_colour_in_every_chart() -> None:
    for label, colour in COLOURS.items():
        chart = curves(table([0.7]), {"test_accuracy": label}, "accuracy", 1)
        assert f"'domain': ['{label}'], 'range': ['{colour}']" in str(chart)


def losses(validation: float) -> pd.DataFrame:
    return pd.DataFrame({"epoch": [1], "train_loss": [1.5], "validation_loss": [validation]})


def drawn(charts: dict[str, Any]) -> dict[str, list[float]]:
    """The values of the curves of each chart."""
    return {name: [row["value"] for row in values(chart) if "curve" in row] for name, chart in charts.items()}


def test_losses_share_an_axis_only_where_they_are_the_same_quantity() -> None:
    assert drawn(loss_charts(losses(300.0), 1, True)) == {"loss": [1.5, 300.0]}
    assert drawn(loss_charts(losses(300.0), 1, False)) == {"training_loss": [1.5], "loss": [300.0]}
    assert drawn(loss_charts(losses(NAN), 1, False)) == {"training_loss": [1.5]}


def test_equal_tables_are_equal_charts() -> None:
    assert curves(table([0.7, 0.9]), COLUMNS, "accuracy", 2) == curves(table([0.7, 0.9]), COLUMNS, "accuracy", 2)
