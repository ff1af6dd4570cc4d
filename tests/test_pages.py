"""The tables of docs/ are those of the code and of the results that git has."""

from pathlib import Path

import pytest
import yaml

from pipeline.params import flatten
from stages.train.recipe import Recipe
from tests import ROOT
from tests.pages import PAGES, describe_augment, fill, recipe_keys

PARAMS = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
TABLES = [page for page in PAGES if "python -m tests.pages -->" in page.read_text(encoding="utf-8")]


@pytest.mark.parametrize("page", TABLES, ids=lambda page: page.name)
def test_tables_are_up_to_date(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert text == fill(text), f"docs/{page.name}: run `python -m tests.pages`, which writes its tables anew"


def test_model_card_and_recipes_have_a_table_each() -> None:
    assert [page.name for page in TABLES] == ["model-card.md", "recipes.md"]


def test_outdated_table_is_replaced_and_nothing_else() -> None:
    for page in TABLES:
        text = page.read_text(encoding="utf-8")
        before, mark, after = text.partition(" python -m tests.pages -->\n")
        _, second, third, *rest = after.splitlines(keepends=True)
        outdated = "".join([before, mark, second, third.replace("|", "| 99.99 % |"), *rest])
        assert fill(outdated) == text


def test_results_in_git_are_those_of_params_yaml() -> None:
    lock = yaml.safe_load((ROOT / "dvc.lock").read_text(encoding="utf-8"))["stages"]["train"]["params"]["params.yaml"]
    name = PARAMS["recipe"]
    wanted = {"recipe": name, f"recipes.{name}": PARAMS["recipes"][name]}
    wanted |= {key: PARAMS[key] for key in ("device", "data")}
    assert lock == wanted, "run `dvc repro`, then `python -m tests.pages`"


def test_every_key_of_a_recipe_is_in_the_table() -> None:
    keys = {row[0].strip("`") for row in recipe_keys()}
    for name, recipe in PARAMS["recipes"].items():
        assert flatten(recipe).keys() <= keys, name


def test_no_key_of_a_recipe_has_a_default() -> None:
    schema = Recipe.model_json_schema()
    for section in (schema, *schema["$defs"].values()):
        assert section["required"] == list(section["properties"]), section["title"]


def test_recipe_without_distortions_says_so() -> None:
    assert describe_augment(None) == "none"
