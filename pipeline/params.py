"""Reads params.yaml, strictly: a key is exactly what its pydantic type says, or nothing runs.

A section's model stands beside the code it configures; here is only what all of them share.
"""

import sys
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from pipeline.errors import UserError

PARAMS_FILE = Path("params.yaml")


class Section(BaseModel):
    """Base of every section's model: no unknown key, no silent conversion, no NaN, no change after reading."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


def read_param(key: str, expected: Any) -> Any:
    """Return the value at a dotted `key` of params.yaml, checked against `expected` (a pydantic type).

    Each call raises the audit event `pipeline.read_param` with the key, so that a test can compare what a stage reads
    with what dvc.yaml says it reads.

    Raises:
        UserError: the file or key is missing, or a value is not what is allowed; the message lists every such value.
    """
    sys.audit("pipeline.read_param", key)
    value = _value_at(key)
    try:
        return TypeAdapter(expected).validate_python(value)
    except ValidationError as error:
        problems = [_describe(key, value, problem, expected) for problem in error.errors()]
        raise UserError("\n".join(problems)) from None


def flatten(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return the values of nested mappings by dotted key."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        flat |= flatten(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return flat


def _value_at(key: str) -> Any:
    """The raw value as DVC reads it (YAML 1.2), if YAML 1.1 (PyYAML) means the same one."""
    try:
        text = PARAMS_FILE.read_text(encoding="utf-8")
        document = yaml.safe_load(text)
        document_of_dvc = YAML(typ="safe").load(text)
    except FileNotFoundError:
        raise UserError(f"{PARAMS_FILE} is missing: restore it with `git checkout {PARAMS_FILE}`") from None
    # Not only what YAML names: a text that is no UTF-8, a date that there is not, an alias of itself.
    except (yaml.YAMLError, YAMLError, ValueError, AttributeError, LookupError, RecursionError) as error:
        reason = " ".join(str(error).split("To suppress this check")[0].split())
        raise UserError(f"{PARAMS_FILE} is not valid YAML: {reason}") from None
    path = ""
    for part in key.split("."):
        path = f"{path}.{part}" if path else part
        if not isinstance(document, dict) or part not in document or part not in document_of_dvc:
            there = f"the keys {', '.join(map(str, document))}" if isinstance(document, dict) else repr(document)
            raise UserError(f"{PARAMS_FILE}: {path} is missing; in its place there is {there}")
        document, document_of_dvc = document[part], document_of_dvc[part]
    _refuse_ambiguity(key, document, document_of_dvc)
    return document_of_dvc


def _refuse_ambiguity(key: str, value: Any, value_of_dvc: Any) -> None:
    if isinstance(value, dict) and isinstance(value_of_dvc, dict) and value.keys() == value_of_dvc.keys():
        for part in value:
            _refuse_ambiguity(f"{key}.{part}", value[part], value_of_dvc[part])
    elif isinstance(value, list) and isinstance(value_of_dvc, list) and len(value) == len(value_of_dvc):
        for index, pair in enumerate(zip(value, value_of_dvc, strict=True)):
            _refuse_ambiguity(f"{key}.{index}", *pair)
    elif isinstance(value_of_dvc, float) and value == repr(value_of_dvc):
        pass  # 5e-05: a text to YAML 1.1, but what `dvc exp run -S` makes of 0.00005.
    elif type(value) is not type(value_of_dvc) or repr(value) != repr(value_of_dvc):
        raise UserError(
            f"{PARAMS_FILE}: {key} is read as {value!r} by YAML 1.1 and as {value_of_dvc!r} by YAML 1.2, which DVC "
            "uses; write it so that both agree: numbers plainly (0.001, not 1e-3; 10, not 010), texts in quotes"
        )


def _describe(key: str, value: Any, problem: Any, expected: Any) -> str:
    """One line for one problem that pydantic found in `value`: file, key, value, what is allowed."""
    path = [key]
    for part in problem["loc"]:
        # The location of a problem in a union also names the member; only real keys belong into the message.
        if (isinstance(value, dict) and part in value) or (
            isinstance(value, list) and isinstance(part, int) and part < len(value)
        ):
            value = value[part]
            path.append(str(part))
        elif problem["type"] == "missing" and part == problem["loc"][-1]:
            path.append(str(part))
    name = f"{PARAMS_FILE}: {'.'.join(path)}"
    if problem["type"] == "missing":
        return f"{name} is missing; add it"
    if problem["type"] == "union_tag_not_found":
        return f"{name}.name is missing; add it"
    if problem["type"] == "union_tag_invalid":
        return f"{name}.name is {problem['ctx']['tag']!r}; expected {problem['ctx']['expected_tags']}"
    if problem["type"] == "extra_forbidden":
        known = ", ".join(_known_keys(expected, problem["loc"][:-1]))
        return f"{name} (here {problem['input']!r}) is not a known key; remove it, or take one of {known}"
    allowed = problem["msg"].removeprefix("Value error, ")  # So begins what our own validators say.
    return f"{name} is {problem['input']!r}; {allowed[0].lower()}{allowed[1:]}"


def _known_keys(expected: Any, location: tuple[int | str, ...]) -> list[str]:
    """The keys of the section at a location of pydantic's, inside the type `expected`."""
    schema = TypeAdapter(expected).json_schema()

    def sections(node: dict[str, Any]) -> list[dict[str, Any]]:
        """What a node stands for: itself, or the section that it refers to, or the members of a union."""
        if "$ref" in node:
            return sections(schema["$defs"][node["$ref"].split("/")[-1]])
        members = node.get("oneOf", node.get("anyOf"))
        return [section for member in members for section in sections(member)] if members else [node]

    found = sections(schema)
    for part in location:
        inner = [section["properties"][part] for section in found if part in section.get("properties", {})]
        if inner:
            found = [section for node in inner for section in sections(node)]
        else:  # The location names the member of a union, by the model's name or by its `name`.
            found = [s for s in found if part in (s.get("title"), s.get("properties", {}).get("name", {}).get("const"))]
    return [key for section in found for key in section.get("properties", {})]
