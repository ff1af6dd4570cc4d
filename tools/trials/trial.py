"""What a trial is: a commit, and what a sweep changes of its params.yaml."""

import hashlib
import json
from dataclasses import asdict, dataclass

PREFIX = "sweep-"
NUM_DIGITS = 12


@dataclass(frozen=True)
class Trial:
    """One training of a recipe; `settings` are sorted, in the words of `dvc exp run -S`, without recipe and seed."""

    commit: str
    recipe: str
    seed: int
    settings: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The name of its DVC experiment: equal trials have the same one, wherever they run."""
        content = json.dumps(asdict(self), sort_keys=True).encode()
        return f"{PREFIX}{hashlib.sha256(content).hexdigest()[:NUM_DIGITS]}"

    @property
    def overrides(self) -> list[str]:
        """All that it changes of params.yaml."""
        return [f"recipe={self.recipe}", f"recipes.{self.recipe}.seed={self.seed}", *self.settings]

    def __str__(self) -> str:
        return " ".join([self.recipe, f"seed {self.seed}", *self.settings])
