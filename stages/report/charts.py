"""The report's charts, as Vega-Lite specifications: one column wide, in the colours of the page around them."""

from typing import Any, Literal

import altair as alt
import pandas as pd

# A series has its colour and its dashes in every chart. The colour-blind tell the three colours apart, and each has a
# contrast of at least 3 on white and on black (WCAG 2.2, 1.4.11).
COLOURS = {"training": "#a855e0", "validation": "#268a8a", "test": "#e65c00"}
DASHES = {"training": [1, 0], "validation": [6, 2], "test": [2, 2]}
TEXT = "currentColor"  # The page's own, so that charts follow it into the dark.
HEIGHT = 260
SMALLEST = 1e-6  # What a table with six decimals can hold, above the zero that a logarithmic scale cannot show.
STRONGEST_SHADE, RIGHT_SHADE = 0.6, 0.12  # Texts on them stay readable.


def loss_charts(train: pd.DataFrame, best_epoch: int, is_comparable: bool) -> dict[str, Any]:
    """Return the charts of the losses in metrics/train.csv, by name.

    `is_comparable` says whether both are the same quantity; otherwise each has a chart and a scale of its own.
    """
    training, validation = {"train_loss": "training"}, {"validation_loss": "validation"}
    if is_comparable:
        return {"loss": curves(train, training | validation, "cross entropy", best_epoch, log=True)}
    charts = {"training_loss": curves(train, training, "training loss", best_epoch)}
    if train["validation_loss"].notna().any():
        charts["loss"] = curves(train, validation, "cross entropy", best_epoch, log=True)
    return charts


def accuracy_chart(checkpoints: pd.DataFrame, best_epoch: int) -> Any:
    """Return the chart of metrics/checkpoints.csv."""
    columns = {"validation_accuracy": "validation", "test_accuracy": "test"}
    return curves(checkpoints, columns, "accuracy", best_epoch)


def curves(table: pd.DataFrame, columns: dict[str, str], y_title: str, best_epoch: int, log: bool = False) -> Any:
    """Return the chart of some columns (name: label) by epoch, with a rule at the best epoch; NaNs are left out.

    `table` has a row per epoch.
    """
    columns = {name: label for name, label in columns.items() if table[name].notna().any()}
    long = (
        table.rename(columns=columns)
        .melt("epoch", list(columns.values()), var_name="curve", value_name="value")
        .dropna(subset=["value"])
    )
    if log:
        long["value"] = long["value"].clip(lower=SMALLEST)
    epochs = alt.X("epoch:Q", title="epoch", axis=alt.Axis(tickMinStep=1, format="d"))
    scale = alt.Scale(type="log") if log else alt.Scale(zero=False)
    lines = _lines(long, list(columns.values())).encode(epochs, alt.Y("value:Q", title=y_title, scale=scale))
    best = alt.Chart(pd.DataFrame({"epoch": [best_epoch]})).encode(epochs)
    rule = best.mark_rule(color=TEXT, strokeDash=[2, 3])
    align: Literal["left", "right"] = "right" if 2 * best_epoch > len(table) else "left"
    shift = -4 if align == "right" else 4
    chosen = best.mark_text(text=f"chosen: {best_epoch}", color=TEXT, align=align, dx=shift, fontSize=12, y=HEIGHT - 8)
    courses = [
        f"{label} goes from {curve['value'].iloc[0]:.4f} to {curve['value'].iloc[-1]:.4f}"
        for label, curve in long.groupby("curve", sort=False)
    ]
    description = f"{y_title.capitalize()} by epoch: {', '.join(courses)}."
    return finish(lines + rule + chosen, f"{description} Epoch {best_epoch}, the chosen one, is marked.")


def confusion_chart(table: pd.DataFrame) -> Any:
    """Return the chart of the confusion matrix; `table` has label, prediction and count, a row per pair."""
    is_error = table["label"] != table["prediction"]
    errors = table[is_error].sort_values("count", ascending=False, kind="stable")
    most, num_errors = errors.iloc[0], errors["count"].sum()
    shades = table["count"].where(is_error) / max(most["count"], 1)
    table = table.assign(shade=(STRONGEST_SHADE * shades).fillna(RIGHT_SHADE), is_error=is_error)
    base = alt.Chart(table).encode(
        alt.X("prediction:O", title="prediction", axis=alt.Axis(labelAngle=0)), alt.Y("label:O", title="label")
    )
    cells = base.mark_rect(stroke=TEXT, strokeOpacity=0.15).encode(
        color=alt.condition("datum.is_error", alt.value(COLOURS["test"]), alt.value(TEXT)),
        opacity=alt.Opacity("shade:Q", scale=None),
        tooltip=["label", "prediction", "count"],
    )
    counts = base.mark_text(color=TEXT, fontSize=11).encode(
        text="count:Q", opacity=alt.condition(alt.datum.count > 0, alt.value(1), alt.value(0.25))
    )
    worst = f", most often {most['label']} taken for {most['prediction']} ({most['count']} times)" if num_errors else ""
    return finish(
        cells + counts, f"Confusion matrix of labels and predictions: {num_errors} errors{worst}.", height=340
    )


def finish(chart: Any, description: str, height: int = HEIGHT) -> Any:
    """Return the specification, with texts and lines in the page's colour."""
    axis = dict.fromkeys(("labelColor", "titleColor", "domainColor", "tickColor", "gridColor"), TEXT)
    return (
        chart.properties(width="container", height=height, description=description, background="transparent")
        .configure_axis(**axis, gridOpacity=0.15, labelFontSize=12, titleFontSize=12)
        .configure_legend(labelColor=TEXT, labelFontSize=12, orient="top", symbolType="stroke", symbolSize=400)
        .configure_view(stroke=None)
        .to_dict()
    )


def _lines(long: pd.DataFrame, labels: list[str]) -> Any:
    """A line per curve; `long` has curve, epoch and value, a row per point."""
    colours = alt.Scale(domain=labels, range=[COLOURS[label] for label in labels])
    dashes = alt.Scale(domain=labels, range=[DASHES[label] for label in labels])
    return (
        alt.Chart(long)
        .mark_line(point={"size": 18, "filled": True}, strokeWidth=1.5)
        .encode(
            alt.Color("curve:N", title=None, scale=colours),
            alt.StrokeDash("curve:N", title=None, scale=dashes),
            tooltip=["curve", "epoch", alt.Tooltip("value:Q", format=".4f")],
        )
    )
