"""Where a worker runs trials, and where it brings what they give."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import dask.config

from tools.store.git import git


@dataclass(frozen=True)
class Place:
    """A machine's project, the folder of its workers' clones, and how many of them there are.

    `git_remote` is the project's remote through which machines exchange results, None if there is but this machine.
    """

    project: Path
    clones: Path
    num_clones: int
    git_remote: str | None = None

    def settings(self) -> dict[str, Any]:
        """Dask's settings that tell it to the workers that are started with them."""
        return {"sweep": asdict(self)}

    def destination(self) -> str:
        """The repository that commits come from, and experiments are brought to."""
        return git("remote", "get-url", self.git_remote, folder=self.project) if self.git_remote else str(self.project)


def my_place() -> Place:
    """That of the worker in which this runs."""
    return Place(**dask.config.get("sweep"))
