"""Checkpoints say what made them; it must be what params.yaml says now.

DVC takes the outputs of a training from its record of a run with these very parameters; and a record can be wrong.
"""

from typing import Any

from mnist.checkpoint import Description
from mnist.data import DataParams
from mnist.determinism import Device, device_of
from mnist.trained import EpochRecord
from pipeline.errors import UserError
from pipeline.params import PARAMS_FILE


def check_origin(
    trained: list[EpochRecord], description: Description, recipe: dict[str, Any], data: DataParams, device: Device
) -> None:
    """Compare a training's epochs, and what its first checkpoint says, with the chosen recipe, the section `data` and
    the `device`.

    Raises:
        UserError: they differ.
    """
    says = description.model_dump(mode="json", include={"network", "threads", "data"}) | description.training
    says |= {"epochs": len(trained), "device": device_of(description.environment["device"])}
    expected = recipe | {"data": data.model_dump(mode="json"), "device": device}
    if different := sorted(key for key in says.keys() | expected.keys() if says.get(key) != expected.get(key)):
        raise UserError(
            f"the checkpoints were trained with another {', '.join(different)} than {PARAMS_FILE} has: DVC's record "
            "of their run is wrong; `make doctor` finds it, and `dvc repro --force --single-item train` trains anew"
        )
