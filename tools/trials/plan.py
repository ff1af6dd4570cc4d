"""Makes trials of what a user asks for, and refuses what a stage would refuse, before anything starts."""

import re
import tempfile
from collections.abc import Sequence
from contextlib import chdir
from dataclasses import dataclass

import yaml
from dvc.exceptions import DvcException
from dvc.utils.hydra import apply_overrides, get_hydra_sweeps
from hydra.errors import HydraException

from mnist.data import DataParams
from pipeline.errors import UserError
from pipeline.params import PARAMS_FILE, read_param
from stages.train.recipe import Recipe
from tools.store.git import show
from tools.trials.trial import Trial

SETTING = re.compile(r"(?:recipes\.([^.=]+)|data)\.[^=]+=.+")


@dataclass(frozen=True)
class Plan:
    """Trials to be done, and the most threads that one of them computes with."""

    trials: list[Trial]
    threads: int


def make_plan(commit: str, recipes: Sequence[str], num_seeds: int, settings: Sequence[str]) -> Plan:
    """Every recipe with the seeds 0 to `num_seeds` - 1, and with each combination of the values in its settings.

    Settings are written as for `dvc exp run -S`, several values with commas between them; `recipes.NAME.KEY` is for
    the trials of that recipe, `data.KEY` for all.

    Raises:
        UserError: a recipe, key or value is not what is allowed; the message says which.
    """
    params = show(commit, PARAMS_FILE)
    known = list(yaml.safe_load(params)["recipes"])
    if unknown := [recipe for recipe in recipes if recipe not in known]:
        raise UserError(f"{PARAMS_FILE} of the commit has no recipe {unknown[0]!r}; expected one of {', '.join(known)}")
    for setting in settings:
        found = SETTING.fullmatch(setting)
        if not found or found[1] not in (None, *recipes) or setting.startswith(f"recipes.{found[1]}.seed="):
            raise UserError(
                f"-S {setting}: expected recipes.NAME.KEY=VALUE, NAME one of {', '.join(recipes)}, or data.KEY=VALUE; "
                "for the seeds there is --seeds"
            )
    trials: dict[Trial, None] = {}
    threads = 1
    for recipe in recipes:
        own = [setting for setting in settings if setting.startswith(("data.", f"recipes.{recipe}."))]
        for combination in _combinations(own):
            seeds = [Trial(commit, recipe, seed, combination) for seed in range(num_seeds)]
            threads = max(threads, _check(seeds[-1], params).threads)
            trials |= dict.fromkeys(seeds)
    return Plan(list(trials), threads)


def _combinations(settings: Sequence[str]) -> list[tuple[str, ...]]:
    try:
        return [tuple(sorted(sweep[""])) for sweep in get_hydra_sweeps({"": list(settings)})]
    except (DvcException, HydraException) as error:
        raise UserError(f"-S {' '.join(settings)}: {str(error).splitlines()[0]}") from None


def _check(trial: Trial, params: bytes) -> Recipe:
    """Read the parameters as the stages of a trial will."""
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        PARAMS_FILE.write_bytes(params)
        try:
            apply_overrides(PARAMS_FILE, trial.overrides)
        except DvcException as error:  # Its cause says what is wrong, and how Hydra would have it.
            raise UserError(f"{trial}: {str(error.__cause__).splitlines()[0]}") from None
        read_param("data", DataParams)
        recipe: Recipe = read_param(f"recipes.{trial.recipe}", Recipe)
        return recipe
