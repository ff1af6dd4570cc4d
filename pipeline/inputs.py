"""What a run of a stage is made from: parameters, pinned packages, the files it reads, and the code that is loaded.

DVC records the inputs of a stage as they are when the stage has ended. One that was edited in the meantime would be
recorded as the origin of results that it has no part in; so a stage notes what it used, looks again at its end, and
publishes the note. The last edits, between that look and DVC's, show when the note is compared with dvc.lock.
"""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from pipeline.deps import Deps
from pipeline.environment import PROJECT_FILE, pinned_versions
from pipeline.errors import UserError
from pipeline.files import read_regular, sha256_of
from pipeline.params import PARAMS_FILE, flatten, read_param


class Inputs:
    """Notes all that a stage reads through it, and the project's modules loaded so far.

    `deps` were read before those modules were loaded.

    Raises:
        UserError: a dep is missing, or was changed since then.
    """

    def __init__(self, deps: Deps) -> None:
        self._deps = deps
        self._params: dict[str, tuple[Any, Any]] = {}
        self._versions: dict[str, dict[str, str]] = {}
        if missing := [dep for dep, files in deps.files.items() if not files]:
            raise UserError(f"{missing[0]} is missing: run `dvc repro`, or fetch it with `dvc pull`")
        self._files = {path: sha256_of(path.read_bytes()) for path in _loaded_code()}
        self.verify_unchanged()

    def param(self, key: str, expected: Any) -> Any:
        """The value at a key of params.yaml as type `expected`; see `read_param`."""
        value = read_param(key, expected)
        self._params[key] = (expected, value)
        return value

    def versions(self, *groups: str) -> dict[str, str]:
        """The version of each package of the dependency groups; see `pinned_versions`."""
        for group in groups:
            self._versions[group] = pinned_versions(group)
        return {package: version for group in groups for package, version in self._versions[group].items()}

    def files(self, paths: Iterable[Path]) -> None:
        """Note files that the stage reads.

        Raises:
            UserError: one is missing, or no regular file.
        """
        for path in paths:
            try:
                self._files[path] = sha256_of(read_regular(path))
            except FileNotFoundError:
                raise UserError(f"{path} is missing: run `dvc repro`, or fetch it with `dvc pull`") from None

    def verify_unchanged(self) -> None:
        """Call before results are published.

        Raises:
            UserError: an input is no longer what it was when it was read.
        """
        changed = []
        for key, (expected, value) in self._params.items():
            if read_param(key, expected) != value:
                changed.append(f"{PARAMS_FILE}: {key}")
        for group, versions in self._versions.items():
            if pinned_versions(group) != versions:
                changed.append(f"{PROJECT_FILE}: {group}")
        changed += self._deps.changed()
        if changed:
            raise UserError(
                f"changed while the stage was running: {', '.join(changed)}; nothing was published, as it would count "
                "as made from the new version; run `dvc repro` again"
            )

    def note(self) -> dict[str, Any]:
        """What this run is made from.

        `deps` and `params` are what DVC should record of it, in the form of dvc.lock: hashes by dep, values by file;
        `files` has the sha256 of the code that was loaded and of what was read, by path.
        """
        pins = {
            f"dependency-groups.{group}": [f"{package}=={version}" for package, version in versions.items()]
            for group, versions in self._versions.items()
        }
        params = {PARAMS_FILE.name: self._plain_params(), PROJECT_FILE.name: pins}
        return {
            "deps": self._deps.hashes(),
            "params": {file: values for file, values in params.items() if values},
            "files": {path.as_posix(): sha256 for path, sha256 in self._files.items()},
        }

    def _plain_params(self) -> dict[str, Any]:
        return {key: TypeAdapter(Any).dump_python(value, mode="json") for key, (_, value) in self._params.items()}


def values_of(note: dict[str, Any]) -> dict[str, Any]:
    """All that is in a note, by name: parameters by dotted key, packages, files by path with their sha256."""
    pins = [pin for group in note["params"].get(PROJECT_FILE.name, {}).values() for pin in group]
    versions = dict(pin.split("==") for pin in pins)
    files: dict[str, str] = note["files"]
    return flatten(note["params"].get(PARAMS_FILE.name, {})) | versions | files


def _loaded_code() -> list[Path]:
    """The project's own files among the modules, relative to its root; an environment may lie inside the project."""
    root, installed = Path.cwd(), Path(sys.prefix)
    files = [Path(file) for module in list(sys.modules.values()) if (file := getattr(module, "__file__", None))]
    own = {file for file in files if file.is_relative_to(root) and not file.is_relative_to(installed)}
    return sorted(file.relative_to(root) for file in own)
