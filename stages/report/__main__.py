"""Writes one page that shows the results and opens anywhere: no network, no other file.

Reads params.yaml (recipe and its values, data), pyproject.toml (the pinned versions), the template beside this file,
and in metrics evaluate.json, environment.json, train.csv, checkpoints.csv, classes.csv, confusion.csv and the pictures;
writes metrics/report.html.
"""

import pipeline.start  # isort: skip  # noqa: F401

import json
from typing import Any

import pandas as pd

from mnist.paths import CHECKPOINTS_CSV, CLASSES_CSV, CONFUSION_CSV, ENVIRONMENT_JSON, EVALUATE_JSON, METRICS, TRAIN_CSV
from pipeline.files import write_file
from pipeline.params import flatten
from pipeline.stage import stage
from stages.report.charts import accuracy_chart, confusion_chart, loss_chart
from stages.report.page import CAPTIONS, PICTURES, TEMPLATE, embed_picture, render

REPORT = METRICS / "report.html"


def main() -> None:
    with stage("report") as inputs:
        recipe_name: str = inputs.param("recipe", str)
        recipe: dict[str, Any] = inputs.param(f"recipes.{recipe_name}", dict[str, Any])
        data: dict[str, Any] = inputs.param("data", dict[str, Any])
        inputs.versions("records", "report")
        results = [EVALUATE_JSON, ENVIRONMENT_JSON, TRAIN_CSV, CHECKPOINTS_CSV, CLASSES_CSV, CONFUSION_CSV]
        inputs.files([TEMPLATE, *results, *PICTURES.values()])
        metrics = json.loads(EVALUATE_JSON.read_text(encoding="utf-8"))
        checkpoints, confusion = pd.read_csv(CHECKPOINTS_CSV), pd.read_csv(CONFUSION_CSV)
        page = render(
            recipe_name=recipe_name,
            recipe=flatten(recipe),
            data=data,
            environment=json.loads(ENVIRONMENT_JSON.read_text(encoding="utf-8")),
            metrics=metrics,
            num_test=int(confusion["count"].sum()),
            checkpoints=checkpoints.to_dict("records"),
            classes=pd.read_csv(CLASSES_CSV).to_dict("records"),
            captions=CAPTIONS,
            charts={
                "loss": loss_chart(pd.read_csv(TRAIN_CSV), metrics["best_epoch"]),
                "accuracy": accuracy_chart(checkpoints, metrics["best_epoch"]),
                "confusion": confusion_chart(confusion),
            },
            picture=embed_picture,
        )
        inputs.verify_unchanged()
        write_file(REPORT, page.encode())


if __name__ == "__main__":
    main()
