"""params.yaml is exactly what the types say, or the error names file, key, value and what is allowed."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Literal

import pytest
import yaml
from dvc.utils.hydra import apply_overrides
from dvc.utils.serialize import modify_yaml
from pydantic import Field

from pipeline.errors import UserError
from pipeline.params import Section, flatten, read_param
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
"""


class Example(Section):
    number: int = Field(ge=1, le=9)
    fraction: float = Field(ge=0, le=1)
    word: Literal["one", "two"]
    pair: list[int] | None = None


@pytest.fixture(autouse=True)
def _in_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def read(text: str, key: str = "section", expected: Any = Example) -> Any:
    Path("params.yaml").write_text(text, encoding="utf-8")
    return read_param(key, expected)


def error(text: str, key: str = "section", expected: Any = Example) -> str:
    with pytest.raises(UserError) as raised:
        read(text, key, expected)
    return str(raised.value)


def error_in_demo(old: str, new: str) -> str:
    assert old in DEMO
    return error(DEMO.replace(old, new), "recipes.demo", Recipe)


def test_valid_section_is_read() -> None:
    section = read("section: {number: 9, fraction: 0.5, word: two, pair: [1, 2]}\n")
    assert section == Example(number=9, fraction=0.5, word="two", pair=[1, 2])


def test_whole_number_is_accepted_where_a_fraction_is_expected() -> None:
    assert read("section: {number: 1, fraction: 1, word: one}\n").fraction == 1.0


@pytest.mark.parametrize("written", ["0.001", "1.0e-3", "1.e-3"])
def test_small_number_can_be_written(written: str) -> None:
    assert read(f"section: {{number: 1, fraction: {written}, word: one}}\n").fraction == 0.001


def test_small_number_as_dvc_writes_it_is_read() -> None:
    Path("params.yaml").write_text("section: {number: 1, fraction: 0.5, word: one}\n")
    with modify_yaml("params.yaml") as params:  # As `dvc exp run -S section.fraction=0.00005` does it.
        params["section"]["fraction"] = 0.00005
    assert "5e-05" in Path("params.yaml").read_text()
    assert read_param("section", Example).fraction == 0.00005


@pytest.mark.parametrize("written", ["!!timestamp x", "!!int ''", "!!bool x", "&a [*a]", "[" * 3000, "0x" + 6000 * "f"])
def test_value_that_yaml_cannot_construct_is_one_clear_error(written: str) -> None:
    message = error(f"section: {{number: 1, fraction: 0.5, word: one}}\nother: {written}\n", "section.pair")
    assert message.startswith("params.yaml")


def test_value_inside_a_section_can_be_read_alone() -> None:
    assert read("section: {number: 9}\n", "section.number", int) == 9


def test_section_cannot_be_changed_after_reading() -> None:
    section = read("section: {number: 1, fraction: 0.5, word: one}\n")
    with pytest.raises(ValueError, match="frozen"):
        section.number = 2


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("true", "True"),
        ("1.0", "1.0"),
        ("'1'", "'1'"),
        ("one", "'one'"),
        ("null", "None"),
        ("[1]", "[1]"),
        ("0", "0"),
        ("10", "10"),
        ("2026-01-01", "2026"),
    ],
)
def test_wrong_number_is_refused(written: str, shown: str) -> None:
    message = error(f"section: {{number: {written}, fraction: 0.5, word: one}}\n")
    assert message.startswith("params.yaml: section.number is ")
    assert shown in message
    assert "integer" in message or "than or equal to" in message


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("true", "is True; input should be a valid number"),
        ("'0.5'", "is '0.5'; input should be a valid number"),
        ("null", "is None; input should be a valid number"),
        ("-0.1", "is -0.1; input should be greater than or equal to 0"),
        ("1.5", "is 1.5; input should be less than or equal to 1"),
        (".inf", "is inf; input should be a finite number"),
        ("-.inf", "is -inf; input should be a finite number"),
    ],
)
def test_wrong_fraction_is_refused(written: str, expected: str) -> None:
    message = error(f"section: {{number: 1, fraction: {written}, word: one}}\n")
    assert message == f"params.yaml: section.fraction {expected}"


def test_nan_is_refused() -> None:
    message = error("section: {number: 1, fraction: .nan, word: one}\n")
    assert message.startswith("params.yaml: section.fraction is ")
    assert "nan" in message


@pytest.mark.parametrize(("written", "shown"), [("three", "'three'"), ("1", "1"), ("One", "'One'")])
def test_wrong_word_is_refused_with_those_allowed(written: str, shown: str) -> None:
    message = error(f"section: {{number: 1, fraction: 0.5, word: {written}}}\n")
    assert message == f"params.yaml: section.word is {shown}; input should be 'one' or 'two'"


@pytest.mark.parametrize(
    ("written", "by_yaml_1_1", "by_yaml_1_2"),
    [
        ("1e-3", "'1e-3'", "0.001"),
        ("010", "8", "10"),
        ("0o10", "'0o10'", "8"),
        ("on", "True", "'on'"),
        ("no", "False", "'no'"),
        ("12:30", "750", "'12:30'"),
    ],
)
@pytest.mark.parametrize("key", ["number", "fraction", "word", "pair"])
def test_value_that_dvc_reads_differently_is_refused(
    key: str, written: str, by_yaml_1_1: str, by_yaml_1_2: str
) -> None:
    values = {"number": "1", "fraction": "0.5", "word": "one", "pair": "[1, 2]"}
    values[key] = f"\n  - 1\n  - {written}" if key == "pair" else written
    message = error("section:\n" + "".join(f"  {name}: {value}\n" for name, value in values.items()))
    path = "section.pair.1" if key == "pair" else f"section.{key}"
    assert message.startswith(
        f"params.yaml: {path} is read as {by_yaml_1_1} by YAML 1.1 and as {by_yaml_1_2} by YAML 1.2"
    )
    assert "not 1e-3" in message


def test_ambiguous_key_is_refused() -> None:
    message = error("section: {number: 1, fraction: 0.5, word: one, on: 1}\n")
    assert "params.yaml: section is read as" in message
    assert "True: 1" in message
    assert "'on': 1" in message


def test_ambiguous_value_elsewhere_does_not_matter() -> None:
    assert read("section: {number: 1, fraction: 0.5, word: one}\nother: 010\n").number == 1


def test_missing_key_is_named() -> None:
    message = error("section: {number: 1, word: one}\n")
    assert message == "params.yaml: section.fraction is missing; add it"


def test_unknown_key_is_named() -> None:
    message = error("section: {number: 1, fraction: 0.5, word: one, wrod: two}\n")
    assert message == (
        "params.yaml: section.wrod (here 'two') is not a known key; remove it, or take one of "
        "number, fraction, word, pair"
    )


def test_all_problems_are_listed_one_a_line() -> None:
    lines = error("section: {number: 0, fraction: x, more: 1}\n").splitlines()
    assert [line.split(" is ")[0] for line in lines] == [
        "params.yaml: section.number",
        "params.yaml: section.fraction",
        "params.yaml: section.word",
        "params.yaml: section.more (here 1)",
    ]


def test_missing_section_is_named_with_those_there_are() -> None:
    message = error("selection: {number: 1}\nother: 2\n")
    assert message.startswith("params.yaml: section is missing")
    assert "selection, other" in message


def test_recipe_that_does_not_exist_is_named_with_those_there_are() -> None:
    message = error("recipes: {slow: {seed: 0}, fast: {seed: 0}}\n", "recipes.demo", Recipe)
    assert message.startswith("params.yaml: recipes.demo is missing")
    assert "slow, fast" in message


@pytest.mark.parametrize("written", ["", "3", "[1, 2]", "text"])
def test_section_that_is_no_mapping_is_refused(written: str) -> None:
    message = error(f"section: {written}\n")
    assert message.startswith("params.yaml: section is ")
    assert "dictionary" in message


@pytest.mark.parametrize("text", ["", "# nothing\n", "[1, 2]\n", "text\n", "3\n"])
def test_file_that_is_no_mapping_is_refused(text: str) -> None:
    assert error(text).startswith("params.yaml: section is missing")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("section: {number: 1, number: 2, fraction: 0.5, word: one}\n", 'duplicate key "number"'),
        ("section: {number: 1}\nsection: {number: 2}\n", 'duplicate key "section"'),
        ("section: {number: 1\n", "line 2"),
        ("section: {}\n---\nsection: {}\n", "another document"),
        ("section:\n\tnumber: 1\n", "'\\t'"),
    ],
)
def test_file_that_is_not_plain_yaml_is_refused_in_one_line(text: str, reason: str) -> None:
    message = error(text)
    assert message.startswith("params.yaml is not valid YAML: ")
    assert reason in message
    assert "\n" not in message


def test_file_that_is_no_text_is_refused() -> None:
    Path("params.yaml").write_bytes(b"section: \xff\xfe\n")
    with pytest.raises(UserError, match=r"params\.yaml is not valid YAML"):
        read_param("section", Example)


def test_missing_file_is_named_with_how_to_restore_it() -> None:
    with pytest.raises(UserError, match=r"params\.yaml is missing: restore it with `git checkout params\.yaml`"):
        read_param("section", Example)


def test_reading_is_audited_with_its_key() -> None:
    events: list[Any] = []
    # An audit hook stays for good, so it notes only the key that no other test reads.
    sys.addaudithook(lambda event, args: events.append(event) if args == ("section.audited",) else None)
    read("section: {audited: 9}\n", "section.audited", int)
    assert events == ["pipeline.read_param"]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("    epochs: 20", "    epoch: 5", ["epochs is missing; add it", "epoch (here 5) is not a known key"]),
        ("batch_size: 128", "batch_size: 0", ["batch_size is 0; input should be greater than or equal to 1"]),
        ("batch_size: 128", "batch_size: 60001", ["batch_size is 60001; input should be less than or equal to 60000"]),
        ("epochs: 20\n", "epochs: 1000\n", ["epochs is 1000; input should be less than or equal to 999"]),
        ("seed: 0", "seed: -1", ["seed is -1; input should be greater than or equal to 0"]),
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


def test_list_that_is_too_short_is_refused() -> None:
    message = error_in_demo(
        "{name: two_layer}", "{name: conv_blocks, stem: {kernel_size: 3}, widths: [[16]], head: flatten}"
    )
    assert message.startswith("params.yaml: recipes.demo.network.stem")


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


def test_file_that_dvc_cannot_read_is_refused() -> None:
    message = error("section: {number: 1, fraction: 0.5, word: one, pair: [1, 12:30]}\n")  # PyYAML reads 750.
    assert message.startswith("params.yaml is not valid YAML: ")
    assert "line 1" in message


def changed_lines(before: str) -> list[str]:
    """The lines of params.yaml that are not what they were; there are as many."""
    after = Path("params.yaml").read_text().splitlines()
    return [new for old, new in zip(before.splitlines(), after, strict=True) if old != new]


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


def test_nested_values_are_named_by_their_path() -> None:
    assert flatten({"a": 1, "b": {"c": [1, 2], "d": {"e": None}}}) == {"a": 1, "b.c": [1, 2], "b.d.e": None}
