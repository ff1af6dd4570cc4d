"""The page's charts, as Vega-Lite specifications: all runs, all pairs, the learning curves of all seeds."""

from collections.abc import Sized
from typing import Any

import altair as alt
import pandas as pd

from stages.report.charts import COLOURS, TEXT, finish
from tools.trials.runs import Run
from tools.verdicts.groups import TEST, VALIDATION, Group, summarize
from tools.verdicts.pairs import Pair
from tools.verdicts.statistics import Interval

SERIES = {VALIDATION: COLOURS["validation"], TEST: COLOURS["test"]}
VERDICTS = {"better": COLOURS["validation"], "worse": COLOURS["test"], "not decided": TEXT, "none": TEXT}
# A row has lines of text, below them a mean with its interval, and below that a dot for each run.
ROW_HEIGHT = 72
TEXT_SHIFT, DOTS_SHIFT = -0.5, 0.22  # In rows, from where the mean is.
TEXT_LIMIT = 340  # A phone's width.
FEW_TICKS = alt.Axis(tickCount=5)
WHOLE = alt.Axis(
    labelExpr="datum.value % 1 ? '' : format(datum.value, 'd')"
)  # Of few epochs, halves would have ticks, too.
ENDS = ("percent", "low", "high")


def runs_chart(groups: list[Group], metric: str) -> Any:
    """Return the chart of a metric, which the groups have: each run a dot, and the means with their intervals."""
    kind = metric.replace("_", " ")
    means = pd.DataFrame(
        _mean(group, metric) | {"row": row, "colour": SERIES[metric]} for row, group in enumerate(groups)
    )
    runs = pd.DataFrame(
        {"text": group.name, "seed": run.trial.seed, "percent": 100 * run.metrics[metric], "row": row + DOTS_SHIFT}
        for row, group in enumerate(groups)
        for run in group.runs
    )
    x = alt.X("percent:Q", title=f"{kind} (%)", scale=alt.Scale(zero=False), axis=FEW_TICKS)
    dots = (
        alt.Chart(runs)
        .mark_circle(size=70, opacity=0.6, color=SERIES[metric])
        .encode(x, _row(groups), tooltip=["text", "seed", alt.Tooltip("percent", format=".2f")])
    )
    described = "; ".join(f"{row.text}, mean {row.percent:.2f} %" for row in means.itertuples())
    return finish(
        _intervals(means, x) + dots, f"{kind.capitalize()} of all runs: {described}.", ROW_HEIGHT * len(groups)
    )


def pairs_chart(pairs: list[Pair]) -> Any:
    """Return the chart of the differences of means, with their intervals; all of the pairs must have one."""
    differences = pd.DataFrame(_difference(pair) | {"row": row} for row, pair in enumerate(pairs))
    x = alt.X("percent:Q", title="difference of the means (points)", axis=FEW_TICKS)
    none = alt.Chart(pd.DataFrame({"percent": [0]})).mark_rule(color=TEXT, strokeDash=[2, 3]).encode(x)
    described = "; ".join(f"{row.text}, {row.percent:+.3f}" for row in differences.itertuples()).replace("\n", ", ")
    return finish(none + _intervals(differences, x), f"Differences of the means: {described}.", ROW_HEIGHT * len(pairs))


def learning_curves(groups: list[Group]) -> list[Any]:
    """Return a chart for each group: the error after each epoch, a line per seed, all on one logarithmic scale.

    It is the error on the validation images, or on the test images, if the group has no others.
    """
    tables = [pd.concat([_errors(run) for run in group.runs]) for group in groups]
    percents = pd.concat(tables)["percent"]
    above_zero = percents[percents > 0]
    smallest = above_zero.min() / 2 if len(above_zero) else 1.0  # There zero is drawn, which has no logarithm.
    scale = alt.Scale(type="log", domain=[max(percents.min(), smallest), max(percents.max(), smallest)], nice=True)
    return [
        _learning_curve(group, table.assign(percent=table["percent"].clip(lower=smallest)), scale)
        for group, table in zip(groups, tables, strict=True)
    ]


def _learning_curve(group: Group, table: pd.DataFrame, scale: alt.Scale) -> Any:
    metric = table["metric"].iloc[0]
    lines = (
        alt.Chart(table)
        .mark_line(point={"size": 14, "color": SERIES[metric]}, strokeWidth=1.2, opacity=0.6, color=SERIES[metric])
        .encode(
            alt.X("epoch:Q", title="epoch", axis=WHOLE),
            alt.Y("percent:Q", title=f"{metric.partition('_')[0]} error (%)", scale=scale),
            alt.Detail("seed:N"),
            tooltip=["seed", "epoch", alt.Tooltip("percent:Q", format=".2f")],
        )
    )
    last = table[table["epoch"] == table["epoch"].max()]["percent"]
    return finish(
        lines,
        f"Error of {group.name} by epoch, {len(group.runs)} runs: {last.min():.2f} to {last.max():.2f} % at the end.",
    )


def _errors(run: Run) -> pd.DataFrame:
    metric = VALIDATION if run.checkpoints[VALIDATION].notna().all() else TEST
    table = run.checkpoints[["epoch"]].assign(percent=100 * (1 - run.checkpoints[metric]), metric=metric)
    return table.round({"percent": 4}).assign(seed=run.trial.seed)


def _mean(group: Group, metric: str) -> dict[str, Any]:
    summary = summarize(group, metric)
    assert summary is not None
    return {"text": group.name, "percent": 100 * summary.mean, **_ends(summary.interval)}


def _difference(pair: Pair) -> dict[str, Any]:
    assert pair.difference is not None
    text = f"{pair.first} against {pair.second}\n{pair.conclusion}"
    return {
        "text": text,
        "percent": 100 * pair.difference.mean,
        "colour": VERDICTS[pair.verdict],
        **_ends(pair.difference.interval),
    }


def _ends(interval: Interval | None) -> dict[str, float | None]:
    low, high = interval or (None, None)
    return {"low": None if low is None else 100 * low, "high": None if high is None else 100 * high}


def _intervals(means: pd.DataFrame, x: alt.X) -> Any:
    """Each mean with its interval, below its text; `means` has text, percent, low, high, colour and row."""
    y, colours = _row(means), alt.Color("colour:N", scale=None)
    texts = (
        alt.Chart(means.assign(row=means["row"] + TEXT_SHIFT))
        .mark_text(align="left", baseline="top", lineBreak="\n", fontSize=12, color=TEXT, limit=TEXT_LIMIT)
        .encode(x=alt.value(0), y=y, text="text")
    )
    known = means.dropna(subset=["low"])
    intervals = alt.Chart(known).mark_rule(strokeWidth=2).encode(alt.X("low:Q"), alt.X2("high:Q"), y, colours)
    points = (
        alt.Chart(means)
        .mark_point(shape="diamond", filled=True, size=120, opacity=1)
        .encode(x, y, colours, tooltip=["text", *(alt.Tooltip(f"{name}:Q", format=".3f") for name in ENDS)])
    )
    return texts + intervals + points


def _row(rows: Sized) -> alt.Y:
    return alt.Y("row:Q", axis=None, scale=alt.Scale(domain=[len(rows) - 0.5, -0.5], nice=False))
