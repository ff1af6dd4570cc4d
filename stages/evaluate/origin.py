"""Checkpoints say what made them; it must be what params.yaml says now.

DVC takes the outputs of a training from a record, in its run-cache, of a run with these very parameters. A record can be
wrong.
"""

from pathlib import Path
from typing import Any

from mnist.checkpoint import Description
from mnist.data import DataParams
from pipeline.errors import UserError
from pipeline.params import PARAMS_FILE


def check_origin(path: Path, description: Description, recipe: dict[str, Any], data: DataParams) -> None:
    """Compare what a checkpoint at `path` says with the chosen recipe, as params.yaml has it, and the section `data`.

    Raises:
        UserError: they differ.
    """
    says = description.model_dump(mode="json", include={"network", "threads", "data"}) | description.training
    expected = {key: value for key, value in recipe.items() if key != "epochs"} | {"data": data.model_dump(mode="json")}
    if different := sorted(key for key in says.keys() | expected.keys() if says.get(key) != expected.get(key)):
        raise UserError(
            f"{path} was trained with another {', '.join(different)} than {PARAMS_FILE} has: the record of a run that "
            "gave it is wrong; `make doctor` finds it, and `dvc repro --force --single-item train` trains anew"
        )
