"""Tables in docs/ that are made from the code and the results: `python -m tests.pages` writes them anew.

A table stands behind the line `<!-- NAME: python -m tests.pages -->` and ends with the first empty line.
"""

import mnist  # isort: skip  # noqa: F401  (before torch, for the CPU profile)

import json
import re
import tomllib
from collections.abc import Iterator
from typing import Any

import pandas as pd
import yaml

from mnist.augment import AugmentParams
from mnist.model import build_network
from mnist.paths import CLASSES_CSV, ENVIRONMENT_JSON, EVALUATE_JSON, MODEL, TRAIN_CSV
from stages.train.recipe import Recipe
from tests import ROOT

Node = dict[str, Any]  # Of a JSON schema.
Row = tuple[str, ...]

PAGES = sorted((ROOT / "docs").glob("*.md"))
NUM_TRAINING = 60_000  # In each of the data sets.
TYPES = {"integer": "whole number", "number": "number", "string": "text", "array": "list"}


def fill(text: str) -> str:
    """Return a page's text with its tables as they should be."""
    for name, rows in {"model facts": model_facts, "recipe keys": recipe_keys}.items():
        before, mark, after = text.partition(f"<!-- {name}: python -m tests.pages -->\n")
        if mark:
            head, *body = rows()
            table = "".join(f"| {' | '.join(cells)} |\n" for cells in (head, ["---"] * len(head), *body))
            text = before + mark + table + re.sub(r"\A(\|.*\n)*", "", after)
    return text


def model_facts() -> Iterator[Row]:
    """What the files in git say of the network in data/model.safetensors."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    lock = yaml.safe_load((ROOT / "dvc.lock").read_text(encoding="utf-8"))["stages"]
    params = lock["train"]["params"]["params.yaml"]
    recipe = Recipe.model_validate(params[f"recipes.{params['recipe']}"])
    num_parameters = sum(weight.numel() for weight in build_network(recipe.network).parameters())
    num_validation = params["data"]["validation_size"]
    metrics, environment = (json.loads((ROOT / path).read_text()) for path in (EVALUATE_JSON, ENVIRONMENT_JSON))
    classes = pd.read_csv(ROOT / CLASSES_CSV, index_col="label")
    num_test, recall = classes["num_images"].sum(), classes["recall"]
    sha256 = pd.read_csv(ROOT / TRAIN_CSV, index_col="epoch")["sha256"][metrics["best_epoch"]]
    (file,) = (out for out in lock["evaluate"]["outs"] if out["path"] == str(MODEL))
    low, high = percent(metrics["test_accuracy_low"]), percent(metrics["test_accuracy_high"])

    yield "", ""
    yield "network", f"`{recipe.network.name}`, {num_parameters:,} parameters"
    yield "trained by", f"recipe `{params['recipe']}`, seed {recipe.seed}, epoch {metrics['best_epoch']}"
    yield "distortions in training", describe_augment(recipe.augment)
    yield (
        "data",
        f"`{params['data']['dataset']}`: {NUM_TRAINING - num_validation:,} images to train on, {num_validation:,} to "
        f"choose the epoch by, {num_test:,} to test",
    )
    yield "test accuracy", f"{percent(metrics['test_accuracy'])} ({metrics['test_errors']} errors)"
    yield "its 95 % interval (Wilson)", f"{low} to {high}"
    yield (
        "found of each class",
        f"from {percent(recall.min())} (class {recall.idxmin()}) to {percent(recall.max())} (class {recall.idxmax()})",
    )
    if "validation_accuracy" in metrics:
        yield "validation accuracy", percent(metrics["validation_accuracy"])
    yield "test loss", f"{metrics['test_loss']:.4f} nats"
    yield "calibration error", f"{metrics['test_calibration_error']:.4f}"
    yield "version of reproducible-mnist", version
    yield "computed with", ", ".join(f"{name} {value}" for name, value in environment.items())
    yield f"`{MODEL}`", f"{file['size']:,} bytes"
    yield "its md5, as DVC counts", f"`{file['md5']}`"
    yield "its sha256", f"`{sha256}`"


def recipe_keys() -> Iterator[Row]:
    """What the models say of the keys of a recipe."""
    yield "key", "type", "allowed", "meaning"
    schema = Recipe.model_json_schema()
    yield from _rows([schema], schema["$defs"], "")


def percent(fraction: float) -> str:
    """A fraction as the pages show it."""
    return f"{100 * fraction:.2f} %"


def describe_augment(params: AugmentParams | None) -> str:
    """The distortions in words."""
    if params is None:
        return "none"
    return (
        f"rotations up to {params.rotation_degrees:g} degrees, scales up to {100 * params.scale:g} %, shifts up to "
        f"{params.shift_pixels:g} pixels"
    )


def _rows(sections: list[Node], definitions: dict[str, Node], prefix: str, where: str = "") -> Iterator[Row]:
    """The rows of the keys of a section, or of sections of which `name` chooses one; `where` says with which names."""
    for key in dict.fromkeys(key for section in sections for key in section["properties"]):
        having = [section for section in sections if key in section["properties"]]
        node = having[0]["properties"][key]
        inner = [definitions[member["$ref"].split("/")[-1]] for member in _members(node) if "$ref" in member]
        names = [f"`{_name(section)}`" for section in having] if having != sections else []
        note = f"({', '.join(names)}) " if names else where
        if key == "name":
            about = {f"`{_name(section)}`": section["description"].split("\n")[0] for section in sections}
            meaning = " ".join(f"{name}: {text}" for name, text in about.items())
            yield f"`{prefix}{key}`", "text", ", ".join(about), meaning
        elif not inner or "description" in node:
            kind, allowed = ("section", "the keys below, or null") if inner else (TYPES[node["type"]], _allowed(node))
            yield f"`{prefix}{key}`", kind, allowed, note + node["description"]
        if inner:
            yield from _rows(inner, definitions, f"{prefix}{key}.", note)


def _members(node: Node) -> list[Node]:
    members: list[Node] = node.get("oneOf") or node.get("anyOf") or [node]
    return members


def _name(section: Node) -> str:
    name: str = section["properties"]["name"]["const"]
    return name


def _allowed(node: Node) -> str:
    if "enum" in node:
        return ", ".join(f"`{value}`" for value in node["enum"])
    if node["type"] == "array":
        least, most = node["minItems"], node["maxItems"]
        number = str(least) if least == most else f"{least} to {most}"
        return f"{number} {TYPES[node['items']['type']]}s, each {_allowed(node['items'])}"
    low = f"{node['minimum']}" if "minimum" in node else f"above {node['exclusiveMinimum']}"
    if "maximum" in node:
        return f"{low} to {node['maximum']:,}"
    below = node.get("exclusiveMaximum")
    return f"{low} or more" if below is None else f"{low} to below {'2^63' if below == 2**63 else below}"


if __name__ == "__main__":
    for page in PAGES:
        page.write_text(fill(page.read_text(encoding="utf-8")), encoding="utf-8")
