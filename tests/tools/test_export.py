"""The ONNX file computes what the checkpoint does, and tells nothing of the machine that wrote it."""

import json
import math
import sys
from pathlib import Path

import onnx
import pandas as pd
import pytest
import torch
import yaml

from mnist.checkpoint import METADATA_KEY, Description, load
from mnist.data import DataParams, load_test
from mnist.inference import predict
from mnist.model import build_network
from pipeline.errors import UserError
from stages.train.recipe import Recipe
from tests import ROOT
from tests.project import Project
from tests.tiny import tiny_images
from tools import export
from tools.digit import portable

RECIPES = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))["recipes"]
OTHER_RECIPES = [name for name, recipe in RECIPES.items() if recipe["network"]["name"] != "two_layer"]


def test_exported_network_gives_the_pipelines_predictions(project: Project) -> None:
    shown = project.run("python", "-m", "tools.export").stdout
    assert "the same answer as torch for 200 of 200 test images" in shown
    content = (project.folder / "data/model.onnx").read_bytes()
    _, description = load(project.folder / "data/model.safetensors")
    images = load_test(project.folder / "data/raw", description.data).images
    predictions = pd.read_csv(project.folder / "data/predictions.csv")
    assert portable.predict(content, images).argmax(dim=1).tolist() == predictions["prediction"].tolist()
    model = onnx.load_from_string(content)
    onnx.checker.check_model(model)
    assert {entry.key: json.loads(entry.value) for entry in model.metadata_props} == {
        METADATA_KEY: description.model_dump(mode="json")
    }
    for folder in (str(project.folder), sys.prefix):
        assert folder.encode() not in content
    assert project.run("git", "status", "--porcelain").stdout == ""


@pytest.mark.parametrize("name", OTHER_RECIPES)
def test_network_of_other_recipes_is_exported_to_equal_bytes(name: str, deterministic: None) -> None:
    torch.manual_seed(0)
    recipe = Recipe.model_validate(RECIPES[name])
    network = build_network(recipe.network)
    description = Description(
        epoch=1,
        network=recipe.network,
        threads=1,
        training={},
        data=DataParams(dataset="mnist", validation_size=0, split_seed=0),
        environment={},
    )
    content = portable.encode(network, description)
    images = torch.tensor(tiny_images(3, seed=0)[0]).unsqueeze(1)
    assert torch.allclose(portable.predict(content, images), predict(network, images), atol=1e-5)
    assert content == portable.encode(network, description)


@pytest.mark.parametrize(("logit", "difference"), [(0, r"1.0e\+00"), (math.nan, "nan")])
def test_file_that_computes_something_else_is_not_written(
    project: Project, monkeypatch: pytest.MonkeyPatch, logit: float, difference: str
) -> None:
    monkeypatch.chdir(project.folder)
    monkeypatch.setattr(portable, "encode", lambda network, description: b"")
    monkeypatch.setattr(portable, "predict", lambda content, images: torch.full((len(images), 10), logit))
    with pytest.raises(UserError, match=f"data/model.onnx was not written: its logits differ by {difference}"):
        export.export()
    assert not Path("data/model.onnx").exists()


def test_missing_package_is_named_with_what_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "tools.digit.portable")
    monkeypatch.delattr("tools.digit.portable")
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(UserError, match="onnx is not installed: run `make export`"):
        export.export()
