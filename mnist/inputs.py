"""What a run of a stage is made from: its parameters, the files it reads, and the code that is loaded.

DVC records the inputs of a stage as they are when the stage ends. One that was edited in the meantime would be
recorded as the origin of results that it has no part in; so a stage notes what it read and looks again at its end.
"""

import hashlib
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mnist.errors import UserError
from mnist.params import PARAMS_FILE, read_param

CODE_PACKAGES = ("mnist", "stages")


class Inputs:
    """Notes every parameter and file that a stage reads through it, and the project's modules loaded so far."""

    def __init__(self) -> None:
        self._params: dict[str, tuple[Any, Any]] = {}
        self._files = {path: _sha256(path.read_bytes()) for path in _loaded_code()}

    def param(self, key: str, expected: Any) -> Any:
        """The value at a key of params.yaml as type `expected`; see `read_param`."""
        value = read_param(key, expected)
        self._params[key] = (expected, value)
        return value

    def files(self, paths: Iterable[Path]) -> None:
        """Note files that the stage reads."""
        for path in paths:
            self._files[path] = _sha256(path.read_bytes())

    def digest(self, *, environment: dict[str, Any], without: frozenset[str] = frozenset()) -> str:
        """A sha256 over all that was noted and `environment`; `without` names fields of sections to leave out."""
        params = {
            key: value.model_dump(exclude=set(without)) if hasattr(value, "model_dump") else value
            for key, (_, value) in self._params.items()
        }
        files = {path.as_posix(): sha256 for path, sha256 in self._files.items()}
        noted = {"params": params, "files": files, "environment": environment}
        return _sha256(json.dumps(noted, sort_keys=True).encode())

    def verify_unchanged(self) -> None:
        """Call before results are published.

        Raises:
            UserError: an input is no longer what it was when it was read.
        """
        changed = [f"{PARAMS_FILE}: {key}" for key, read in self._params.items() if read_param(key, read[0]) != read[1]]
        for path, sha256 in self._files.items():
            if not path.is_file() or _sha256(path.read_bytes()) != sha256:
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


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
