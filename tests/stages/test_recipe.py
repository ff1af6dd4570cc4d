"""Every recipe in the repository's params.yaml is valid and can be built; a wrong one is refused, and says why."""

import os
import subprocess
from pathlib import Path

import pytest
import torch
import yaml
from dvc.utils.hydra import apply_overrides

from mnist.data import DataParams
from mnist.model import build_network
from pipeline.errors import UserError
from pipeline.params import read_param
from stages.train.recipe import Recipe
from tests import ROOT

RECIPES = list(yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))["recipes"])
DEMO = """\
recipes:
  demo:
    seed: 0
    network: {name: two_layer}
    epochs: 20
    batch_size: 128
    optimizer: {learning_rate: 0.01, betas: [0.9, 0.999], weight_decay: 0.0}
    schedule: {name: one_cycle, epochs: 20, warm_up_fraction: 0.25, final_fraction: 0.001}
    loss: {input: logits, label_smoothing: 0.0}
    augment: {rotation_degrees: 10.0, scale: 0.1, shift_pixels: 2.0}
    threads: 2
    shards: 1
"""


@pytest.fixture(autouse=True)
def _in_repository(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


@pytest.fixture
def in_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def error_in_demo(old: str, new: str) -> str:
    assert old in DEMO
    Path("params.yaml").write_text(DEMO.replace(old, new), encoding="utf-8")
    with pytest.raises(UserError) as raised:
        read_param("recipes.demo", Recipe)
    return str(raised.value)


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


@pytest.mark.usefixtures("in_empty_folder")
@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("    epochs: 20", "    epoch: 5", ["epochs is missing; add it", "epoch (here 5) is not a known key"]),
        ("batch_size: 128", "batch_size: 0", ["batch_size is 0; input should be greater than or equal to 1"]),
        ("batch_size: 128", "batch_size: 60001", ["batch_size is 60001; input should be less than or equal to 60000"]),
        ("epochs: 20\n", "epochs: 1000\n", ["epochs is 1000; input should be less than or equal to 999"]),
        ("seed: 0", "seed: -1", ["seed is -1; input should be greater than or equal to 0"]),
        ("shards: 1", "shards: 0", ["shards is 0; input should be greater than or equal to 1"]),
        (
            "shards: 1",
            "shards: 129",
            ["shards is 129; the number should be at most batch_size, which is 128"],
        ),
        ("threads: 2", "threads: true", ["threads is True; input should be a valid integer"]),
        ("learning_rate: 0.01", "learning_rate: 0", ["optimizer.learning_rate is 0; input should be greater than 0"]),
        ("learning_rate: 0.01", "learning_rate: 1e-2", ["optimizer.learning_rate is read as '1e-2'", "not 1e-3"]),
        ("[0.9, 0.999]", "[0.9, 1.0]", ["optimizer.betas.1 is 1.0; input should be less than 1"]),
        ("[0.9, 0.999]", "[0.9]", ["optimizer.betas is [0.9]", "at least 2 items"]),
        ("input: logits", "input: logit", ["loss.input is 'logit'; input should be 'logits' or 'probabilities'"]),
        (
            "warm_up_fraction: 0.25",
            "warm_up: 0.25",
            ["schedule.warm_up_fraction is missing", "schedule.warm_up (here 0.25) is not"],
        ),
        (
            "name: one_cycle",
            "name: constant",
            ["schedule.epochs (here 20) is not a known key", "one of name"],
        ),
        ("name: one_cycle", "name: cycle", ["schedule", "'cycle'", "'constant', 'cosine', 'one_cycle'"]),
        ("name: two_layer", "name: two_layers", ["network", "'two_layers'", "'two_layer', 'conv_blocks'"]),
        ("{name: two_layer}", "two_layer", ["network is 'two_layer'", "dictionary"]),
        (
            "{name: two_layer}",
            "{name: two_layer, head: flatten}",
            ["network.head (here 'flatten') is not", "of name"],
        ),
        ("name: two_layer", "name: conv_blocks", ["network.stem is missing", "widths is missing", "head is missing"]),
        ("{rotation_degrees: 10.0,", "{rotation_degrees: 200.0,", ["augment.rotation_degrees is 200.0", "180"]),
        (
            "scale: 0.1",
            "zoom: 0.1",
            ["augment.zoom (here 0.1) is not a known key; remove it, or take one of rotation_degrees, scale, shift_p"],
        ),
        ("scale: 0.1", "scale: 1", ["augment.scale is 1; input should be less than 1"]),
    ],
)
def test_wrong_recipe_is_refused_with_key_value_and_what_is_allowed(old: str, new: str, expected: list[str]) -> None:
    message = error_in_demo(old, new)
    assert all(line.startswith("params.yaml: recipes.demo.") for line in message.splitlines())
    for part in expected:
        assert part in message


@pytest.mark.usefixtures("in_empty_folder")
@pytest.mark.parametrize(
    ("network", "expected"),
    [
        ("stem: {kernel_size: 9, stride: 2}, widths: [[16]], head: flatten", "network.stem.kernel_size is 9"),
        ("stem: 3, widths: [[16]], head: flatten", "network.stem is 3"),
        (
            "stem: {kernel_size: 3, stride: 1}, widths: [16], head: flatten",
            "network.widths.0 is 16; input should be a valid list",
        ),
        ("stem: {kernel_size: 3, stride: 1}, widths: [[16], []], head: flatten", "network.widths.1 is []"),
        ("stem: {kernel_size: 3, stride: 1}, widths: [[16, 0]], head: flatten", "network.widths.0.1 is 0"),
        ("stem: {kernel_size: 3, stride: 1}, widths: [], head: flatten", "network.widths is []"),
        (
            "stem: {kernel_size: 3, stride: 1}, widths: [[16]], head: max",
            "network.head is 'max'; input should be 'flatten' or 'average'",
        ),
    ],
)
def test_wrong_network_is_refused_with_key_value_and_what_is_allowed(network: str, expected: str) -> None:
    message = error_in_demo("{name: two_layer}", f"{{name: conv_blocks, {network}}}")
    assert f"params.yaml: recipes.demo.{expected}" in message


@pytest.mark.usefixtures("in_empty_folder")
def test_list_that_is_too_short_is_refused() -> None:
    message = error_in_demo(
        "{name: two_layer}", "{name: conv_blocks, stem: {kernel_size: 3}, widths: [[16]], head: flatten}"
    )
    assert message.startswith("params.yaml: recipes.demo.network.stem")


@pytest.mark.usefixtures("in_empty_folder")
@pytest.mark.parametrize(
    ("stem", "path"),
    [
        ("{kernel_size: 5.0, stride: 2}", "stem.kernel_size is 5.0"),
        ("{kernel_size: 3, stride: true}", "stem.stride is True"),
        ("{kernel_size: 4, stride: 1}", "stem.kernel_size is 4"),
    ],
)
def test_mistyped_choice_of_numbers_is_refused(stem: str, path: str) -> None:
    message = error_in_demo("{name: two_layer}", f"{{name: conv_blocks, stem: {stem}, widths: [[16]], head: flatten}}")
    assert message.startswith(f"params.yaml: recipes.demo.network.{path}")


def changed_lines(before: str) -> list[str]:
    """The lines of params.yaml that are not what they were; there are as many."""
    after = Path("params.yaml").read_text().splitlines()
    return [new for old, new in zip(before.splitlines(), after, strict=True) if old != new]


@pytest.mark.usefixtures("in_empty_folder")
@pytest.mark.parametrize(
    ("override", "line"),
    [
        *((f"recipe={name}", f"recipe: {name}") for name in RECIPES),
        ("data.validation_size=6000", "  validation_size: 6000"),
        *((f"recipes.{name}.seed=7", "    seed: 7") for name in RECIPES),
        ("recipes.demo.optimizer.weight_decay=0.5", "    optimizer: {learning_rate: 0.01, betas: [0.9, 0.999], "),
        ("recipes.fast.network.stem.stride=1", "      stem: {kernel_size: 5, stride: 1}"),
        ("recipes.accurate.network.head=flatten", "      head: flatten"),
    ],
)
def test_experiment_changes_one_line_of_the_file_for_one_value(override: str, line: str) -> None:
    before = (ROOT / "params.yaml").read_text()
    Path("params.yaml").write_text(before)
    apply_overrides(
        "params.yaml", [override]
    )  # What `dvc exp run -S` calls; below it runs itself, which takes seconds.
    changed = changed_lines(before)
    assert [new for new in changed if not new.startswith(line)] == []
    assert len(changed) == 1 or line in before


@pytest.mark.usefixtures("in_empty_folder")
def test_real_experiment_leaves_the_file_in_its_form() -> None:
    text = (ROOT / "params.yaml").read_text()
    Path("params.yaml").write_text(text)
    Path("dvc.yaml").write_text("stages: {learn: {cmd: echo, params: [recipe]}}\n")
    person = {f"GIT_{role}_{key}": "a@b" for role in ("AUTHOR", "COMMITTER") for key in ("NAME", "EMAIL")}
    for command in (
        ["git", "init", "--quiet"],
        ["dvc", "init", "--quiet"],
        ["git", "add", "--all"],
        ["git", "commit", "--quiet", "--message", "before"],
        ["dvc", "exp", "run", "--quiet", "-S", "recipe=accurate"],
    ):
        environment = os.environ | person | {"DVC_SITE_CACHE_DIR": str(Path("site").resolve())}
        subprocess.run(command, env=environment, check=True, capture_output=True)
    [line] = changed_lines(text)
    assert line.startswith("recipe: accurate ")
