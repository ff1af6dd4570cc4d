"""Writes one page that shows the results and opens anywhere: no network, no other file.

Reads params.yaml (recipe and its values, data), pyproject.toml (the pinned versions), the template beside this file,
and in metrics evaluate.json, environment.json, train.csv, checkpoints.csv, classes.csv, confusion.csv and the pictures;
writes metrics/report.html.
"""

import base64
import json
import math
from pathlib import Path
from typing import Any

import pandas as pd
import vl_convert
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from mnist.charts import confusion, curves
from mnist.environment import pinned_versions
from mnist.files import write_file
from mnist.stage import stage

METRICS = Path("metrics")
EVALUATE_JSON, ENVIRONMENT_JSON = METRICS / "evaluate.json", METRICS / "environment.json"
TRAIN_CSV, CHECKPOINTS_CSV = METRICS / "train.csv", METRICS / "checkpoints.csv"
CLASSES_CSV, CONFUSION_CSV = METRICS / "classes.csv", METRICS / "confusion.csv"
TEMPLATE = Path("stages/report.html.jinja")
REPORT = METRICS / "report.html"
DEPENDENCY_GROUPS = ("records", "report")
# What each picture shows; also its alternative text.
PICTURES = {
    "mistakes": "The mistakes of which it was most sure: label, prediction, confidence",
    "samples": "Training images and their labels",
    "augmented": "Training images, and as an epoch may show them: turned, scaled, shifted",
    "filters": "The kernels of the first convolution: blue counts for a feature, red against it",
}


def main() -> None:
    with stage("report") as inputs:
        recipe_name: str = inputs.param("recipe", str)
        recipe: dict[str, Any] = inputs.param(f"recipes.{recipe_name}", dict[str, Any])
        data: dict[str, Any] = inputs.param("data", dict[str, Any])
        pinned_versions(*DEPENDENCY_GROUPS)
        pictures = {name: METRICS / f"{name}.png" for name in PICTURES}
        results = [EVALUATE_JSON, ENVIRONMENT_JSON, TRAIN_CSV, CHECKPOINTS_CSV, CLASSES_CSV, CONFUSION_CSV]
        inputs.files([TEMPLATE, *results, *pictures.values()])
        metrics = json.loads(EVALUATE_JSON.read_text(encoding="utf-8"))
        checkpoints, confusion_counts = pd.read_csv(CHECKPOINTS_CSV), pd.read_csv(CONFUSION_CSV)
        charts = {
            "loss": loss_chart(pd.read_csv(TRAIN_CSV), metrics["best_epoch"]),
            "accuracy": accuracy_chart(checkpoints, metrics["best_epoch"]),
            "confusion": confusion(confusion_counts),
        }
        page = render(
            recipe_name=recipe_name,
            recipe=flatten(recipe),
            data=data,
            environment=json.loads(ENVIRONMENT_JSON.read_text(encoding="utf-8")),
            metrics=metrics,
            num_test=int(confusion_counts["count"].sum()),
            checkpoints=checkpoints.to_dict("records"),
            classes=pd.read_csv(CLASSES_CSV).to_dict("records"),
            captions={
                "loss": "Cross entropy in nats, on a logarithmic scale",
                "accuracy": "Accuracy of the checkpoint after each epoch",
                "confusion": "Test images by label and prediction; orange cells are errors",
            },
            charts=charts,
            picture=lambda name: _figure(PICTURES[name], pictures[name].read_bytes()),
            vega=Markup(vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")),
        )
        inputs.verify_unchanged()
        pinned_versions(*DEPENDENCY_GROUPS)  # Again: DVC records the pins as they are now.
        write_file(REPORT, page.encode())


def loss_chart(train: pd.DataFrame, best_epoch: int) -> Any:
    """Return the chart of metrics/train.csv; its losses are those that the training saw."""
    return curves(
        train, {"train_loss": "training", "validation_loss": "validation"}, "cross entropy", best_epoch, log=True
    )


def accuracy_chart(checkpoints: pd.DataFrame, best_epoch: int) -> Any:
    """Return the chart of metrics/checkpoints.csv."""
    return curves(checkpoints, {"validation_accuracy": "validation", "test_accuracy": "test"}, "accuracy", best_epoch)


def render(**values: Any) -> str:
    """Return the page; every text in `values` is escaped."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    return template.render(percent=percent, number=number, **values) + "\n"


def percent(fraction: float) -> str:
    """Return a fraction as the page shows it."""
    return f"{100 * fraction:.2f} %"


def number(value: float) -> str:
    """Return a loss or accuracy as the page's table shows it; nothing for NaN."""
    return "" if math.isnan(value) else f"{value:.4f}"


def flatten(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return the values of nested mappings by dotted key."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        flat |= flatten(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return flat


def _figure(caption: str, png: bytes) -> Markup:
    source = f"data:image/png;base64,{base64.b64encode(png).decode()}"
    return Markup('<figure><img src="{}" alt="{}"><figcaption>{}</figcaption></figure>').format(
        source, caption, caption
    )


if __name__ == "__main__":
    main()
