"""What a run of a stage is made from: its parameters, the files it reads, and the code that is loaded.

DVC records the inputs of a stage as they are when the stage ends. One that was edited in the meantime would be
recorded as the origin of results that it has no part in; so a stage notes what it read and looks again at its end.
"""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from mnist.errors import UserError
from mnist.files import sha256_of
from mnist.params import PARAMS_FILE, read_param

CODE_PACKAGES = ("mnist", "stages")


class Inputs:
    """Notes every parameter and file that a stage reads through it, and the project's modules loaded so far."""

    def __init__(self) -> None:
        self._params: dict[str, tuple[Any, Any]] = {}
        self._files = {path: sha256_of(path.read_bytes()) for path in _loaded_code()}

    def param(self, key: str, expected: Any) -> Any:
        """The value at a key of params.yaml as type `expected`; see `read_param`."""
        value = read_param(key, expected)
        self._params[key] = (expected, value)
        return value

    def files(self, paths: Iterable[Path]) -> None:
        """Note files that the stage reads.

        Raises:
            UserError: one is missing.
        """
        for path in paths:
            try:
                self._files[path] = sha256_of(path.read_bytes())
            except FileNotFoundError:
                raise UserError(f"{path} is missing: run `dvc repro`, or fetch it with `dvc pull`") from None

    def values(self, without: frozenset[str] = frozenset()) -> dict[str, Any]:
        """All that was noted, by name: parameters by dotted key, files by path with their sha256.

        `without` names fields to leave out of the sections that have them.
        """
        params = {key: TypeAdapter(Any).dump_python(value, mode="json") for key, (_, value) in self._params.items()}
        kept = {key: _without(value, without) for key, value in params.items()}
        return dict(_flatten(kept)) | {path.as_posix(): sha256 for path, sha256 in self._files.items()}

    def verify_unchanged(self) -> None:
        """Call before results are published.

        Raises:
            UserError: an input is no longer what it was when it was read.
        """
        changed = [f"{PARAMS_FILE}: {key}" for key, read in self._params.items() if read_param(key, read[0]) != read[1]]
        for path, sha256 in self._files.items():
            if not path.is_file() or sha256_of(path.read_bytes()) != sha256:
                changed.append(path.as_posix())
        if changed:
            raise UserError(
                f"changed while the stage was running: {', '.join(changed)}; nothing was published, as it would count "
                "as made from the new version; run `dvc repro` again"
            )


def _loaded_code() -> list[Path]:
    root = Path.cwd()
    files = [Path(file) for module in list(sys.modules.values()) if (file := getattr(module, "__file__", None))]
    inside = [file.relative_to(root) for file in files if file.is_relative_to(root)]
    return sorted({file for file in inside if file.parts[0] in CODE_PACKAGES})


def _without(value: Any, fields: frozenset[str]) -> Any:
    return {name: part for name, part in value.items() if name not in fields} if isinstance(value, dict) else value


def _flatten(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _flatten(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
