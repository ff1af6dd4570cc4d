"""Writes one page that shows the results and opens anywhere: no network, no other file.

Reads params.yaml (recipe and its values, data), pyproject.toml (the pinned versions), the templates beside this file,
data/model.safetensors and the training labels in data/raw (how many there are), and in metrics evaluate.json,
environment.json, train.csv, checkpoints.csv, classes.csv, confusion.csv and the pictures; writes metrics/report.html.
"""

from pipeline.start import DEPS  # isort: skip

import json
from typing import Any

import pandas as pd

from mnist.dataset import FOLDERS, TRAINING_LABELS
from mnist.paths import (
    CHECKPOINTS_CSV,
    CLASSES_CSV,
    CONFUSION_CSV,
    ENVIRONMENT_JSON,
    EVALUATE_JSON,
    METRICS,
    MODEL,
    RAW_DATA,
    TRAIN_CSV,
)
from pipeline.files import sha256_of, write_file
from pipeline.params import flatten
from pipeline.stage import stage
from stages.report.captions import captions, losses_are_comparable
from stages.report.charts import accuracy_chart, confusion_chart, loss_charts
from stages.report.page import TEMPLATE, embed_picture, render
from stages.report.sizes import count_labels, count_parameters

REPORT = METRICS / "report.html"


def main() -> None:
    with stage(DEPS) as inputs:
        recipe_name: str = inputs.param("recipe", str)
        recipe: dict[str, Any] = inputs.param(f"recipes.{recipe_name}", dict[str, Any])
        data: dict[str, Any] = inputs.param("data", dict[str, Any])
        inputs.versions("records", "numerics", "report")
        training_labels = RAW_DATA / FOLDERS[data["dataset"]] / TRAINING_LABELS
        metrics = json.loads(EVALUATE_JSON.read_text(encoding="utf-8"))
        train, checkpoints, confusion = map(pd.read_csv, (TRAIN_CSV, CHECKPOINTS_CSV, CONFUSION_CSV))
        best_epoch = metrics["best_epoch"]
        page = render(
            TEMPLATE,
            recipe_name=recipe_name,
            recipe=flatten(recipe),
            data=data,
            environment=json.loads(ENVIRONMENT_JSON.read_text(encoding="utf-8")),
            metrics=metrics,
            num_training=count_labels(training_labels) - data["validation_size"],
            num_test=int(confusion["count"].sum()),
            num_parameters=count_parameters(MODEL),
            model={"file": MODEL, "sha256": sha256_of(MODEL.read_bytes())},
            checkpoints=checkpoints.to_dict("records"),
            classes=pd.read_csv(CLASSES_CSV).to_dict("records"),
            captions=captions(recipe),
            charts={
                **loss_charts(train, best_epoch, losses_are_comparable(recipe["loss"])),
                "accuracy": accuracy_chart(checkpoints, best_epoch),
                "confusion": confusion_chart(confusion),
            },
            picture=embed_picture,
        )
        inputs.verify_unchanged()
        write_file(REPORT, page.encode())


if __name__ == "__main__":
    main()
