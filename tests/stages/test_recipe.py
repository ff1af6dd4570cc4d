"""Every recipe in the repository's params.yaml is valid and can be built."""

import pytest
import torch
import yaml

from mnist.data import DataParams
from mnist.model import build_network
from pipeline.params import read_param
from stages.train.recipe import Recipe
from tests import ROOT

RECIPES = list(yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))["recipes"])


@pytest.fixture(autouse=True)
def _in_repository(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def read_recipe(name: str) -> Recipe:
    recipe: Recipe = read_param(f"recipes.{name}", Recipe)
    return recipe


def test_chosen_recipe_exists() -> None:
    assert read_param("recipe", str) in RECIPES


def test_data_section_is_valid() -> None:
    assert read_param("data", DataParams).validation_size < 60_000


@pytest.mark.parametrize("name", RECIPES)
def test_recipe_gives_a_network_of_ten_logits(name: str) -> None:
    network = build_network(read_recipe(name).network)
    assert network(torch.zeros(3, 1, 28, 28)).shape == (3, 10)


@pytest.mark.parametrize("name", RECIPES)
def test_recipe_survives_being_written_and_read(name: str) -> None:
    recipe = read_recipe(name)
    assert Recipe.model_validate_json(recipe.model_dump_json()) == recipe


def test_seed_recipe_is_the_notes_bug_for_bug() -> None:
    recipe = read_recipe("notes")
    assert (recipe.network.name, recipe.epochs, recipe.batch_size, recipe.augment) == ("two_layer", 50, 32, None)
    assert recipe.optimizer.model_dump() == {"learning_rate": 0.01, "betas": [0.9, 0.999], "weight_decay": 0.0}
    assert recipe.schedule.name == "constant"
    assert recipe.loss.input == "probabilities"
