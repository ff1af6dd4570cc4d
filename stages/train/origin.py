"""What determines a training, and why it starts at its first epoch: what of that is not as in an earlier one."""

import json
from pathlib import Path
from typing import Any

from pipeline.errors import UserError, name_some
from pipeline.files import read_regular
from pipeline.inputs import values_of

LARGEST_BYTES = 1 << 20  # A hundred times what there is.


def origin_of(note: dict[str, Any], device: str) -> dict[str, Any]:
    """Return all that determines an epoch, by name: what the stage noted, and the kind of device.

    How many epochs were asked for is no part of it.
    """
    values = values_of(note)
    del values[f"recipes.{values['recipe']}.epochs"]
    return values | {"device": device}


def explain_start(inputs: dict[str, Any], paths: list[Path]) -> str:
    """Return what differs from the earlier training that is most like this one; `paths` hold the inputs of them all."""
    if not paths:
        return "nothing was trained here before"
    earlier = [read for path in paths if (read := _read_inputs(path)) is not None]
    if not earlier:
        return f"{paths[0]} cannot be read, so what changed since the last training is not known"
    changed = min((differences(inputs, other) for other in earlier), key=len)
    return f"changed since the nearest earlier training: {name_some(changed)}"


def differences(inputs: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """The names whose values differ: those of `inputs`, and what only `other` has.

    Recipes are compared key by key, whatever they are called.
    """
    before = {_role(name): value for name, value in other.items()}
    changed = [name for name, value in inputs.items() if before.pop(_role(name), None) != value]
    return sorted(changed) + sorted(before)


def _read_inputs(path: Path) -> dict[str, Any] | None:
    """The inputs of a training; None where the file is damaged, or no file."""
    try:
        inputs = json.loads(read_regular(path, LARGEST_BYTES))
    except (UserError, ValueError, RecursionError):
        return None
    return inputs if isinstance(inputs, dict) else None


def _role(name: str) -> str:
    """`recipes.epochs` for `recipes.demo.epochs`; any other name as it is."""
    section, *path = name.split(".")
    return ".".join([section, *path[1:]]) if section == "recipes" else name
