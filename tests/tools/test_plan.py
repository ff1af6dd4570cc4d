"""Trials are all that was asked for, each once; what a stage would refuse is refused before anything starts."""

import subprocess

import pytest

from pipeline.errors import UserError
from tests import ROOT
from tools.trials.plan import make_plan
from tools.trials.trial import Trial

HEAD = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture(autouse=True)
def _in_the_project(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def test_every_combination_is_a_trial_and_settings_are_of_their_recipe_or_of_all() -> None:
    settings = ["recipes.demo.batch_size=32,64", "data.split_seed=1", "recipes.demo.optimizer.betas=[0.8,0.9]"]
    plan = make_plan(HEAD, ["demo", "fast", "demo"], 2, settings)
    betas = "recipes.demo.optimizer.betas=[0.8,0.9]"
    assert plan.trials == [
        Trial(HEAD, "demo", 0, ("data.split_seed=1", "recipes.demo.batch_size=32", betas)),
        Trial(HEAD, "demo", 1, ("data.split_seed=1", "recipes.demo.batch_size=32", betas)),
        Trial(HEAD, "demo", 0, ("data.split_seed=1", "recipes.demo.batch_size=64", betas)),
        Trial(HEAD, "demo", 1, ("data.split_seed=1", "recipes.demo.batch_size=64", betas)),
        Trial(HEAD, "fast", 0, ("data.split_seed=1",)),
        Trial(HEAD, "fast", 1, ("data.split_seed=1",)),
    ]
    assert plan.threads == 2
    assert make_plan(HEAD, ["demo"], 1, ["recipes.demo.threads=1,4"]).threads == 4


@pytest.mark.parametrize(
    ("recipe", "setting", "message"),
    [
        ("dmo", None, "params.yaml of the commit has no recipe 'dmo'; expected one of notes, demo, fast, accurate"),
        (
            "demo",
            "recipes.fast.epochs=1",
            "-S recipes.fast.epochs=1: expected recipes.NAME.KEY=VALUE, NAME one of demo",
        ),
        ("demo", "recipes.demo.seed=7", "for the seeds there is --seeds"),
        ("demo", "recipe=fast", "-S recipe=fast: expected recipes.NAME.KEY=VALUE"),
        ("demo", "device=cuda", "-S device=cuda: expected recipes.NAME.KEY=VALUE"),
        ("demo", "+recipes.demo.lr=1", r"-S \+recipes.demo.lr=1: expected"),
        ("demo", "recipes.demo.epochs=", "-S recipes.demo.epochs=: expected"),
        ("demo", "recipes.demo.epochs=1,", "-S recipes.demo.epochs=1,: mismatched input"),
        ("demo", "recipes.demo.epoch=1", "demo seed 1 recipes.demo.epoch=1: Could not override 'recipes.demo.epoch'"),
        ("demo", "recipes.demo.batch_size=64,0", "params.yaml: recipes.demo.batch_size is 0; input should be greater"),
        ("demo", "data.validation_size=x", "params.yaml: data.validation_size is 'x'; input should be a valid integer"),
        ("demo", "data.split_seed={a:1}", "params.yaml: data.split_seed is {'a': 1}; input should be a valid integer"),
    ],
)
def test_what_is_wrong_is_named(recipe: str, setting: str | None, message: str) -> None:
    with pytest.raises(UserError, match=message.replace("{", r"\{")):
        make_plan(HEAD, [recipe], 2, [setting] if setting else [])


def test_name_is_of_commit_recipe_seed_and_settings() -> None:
    trial = Trial("0" * 40, "demo", 0, ("data.split_seed=1",))
    assert trial.name == Trial("0" * 40, "demo", 0, ("data.split_seed=1",)).name == "sweep-f15c4c9b8cef"
    others = [
        Trial("1" * 40, "demo", 0, ("data.split_seed=1",)),
        Trial("0" * 40, "fast", 0, ("data.split_seed=1",)),
        Trial("0" * 40, "demo", 1, ("data.split_seed=1",)),
        Trial("0" * 40, "demo", 0),
    ]
    assert len({trial.name, *(other.name for other in others)}) == 5
