"""params.yaml is exactly what the types say, or the error names file, key, value and what is allowed."""

import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from dvc.utils.serialize import modify_yaml
from pydantic import AfterValidator, Field

from pipeline.errors import UserError
from pipeline.params import Section, flatten, read_param


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


def test_valid_section_is_read() -> None:
    section = read("section: {number: 9, fraction: 0.5, word: two, pair: [1, 2]}\n")
    assert section == Example(number=9, fraction=0.5, word="two", pair=[1, 2])


def test_what_a_validator_says_is_said_and_nothing_before_it() -> None:
    def refuse(value: str) -> str:
        raise ValueError("One is too few: take two")

    said = error("word: one\n", "word", Annotated[str, AfterValidator(refuse)])
    assert said == "params.yaml: word is 'one'; one is too few: take two"


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


@pytest.mark.parametrize(
    "written",
    ["!!timestamp x", "!!int ''", "!!bool x", "&a [*a]", "[" * 3000, "0x" + 6000 * "f"],
    ids=["date", "no number", "no truth value", "alias of itself", "too deep", "too long"],
)
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
    message = error("recipes: {slow: {seed: 0}, fast: {seed: 0}}\n", "recipes.demo", Any)
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


def test_file_that_dvc_cannot_read_is_refused() -> None:
    message = error("section: {number: 1, fraction: 0.5, word: one, pair: [1, 12:30]}\n")  # PyYAML reads 750.
    assert message.startswith("params.yaml is not valid YAML: ")
    assert "line 1" in message


def test_nested_values_are_named_by_their_path() -> None:
    assert flatten({"a": 1, "b": {"c": [1, 2], "d": {"e": None}}}) == {"a": 1, "b.c": [1, 2], "b.d.e": None}
