"""Runs workers on this machine for a training that `dvc repro` runs and records on another one."""

from pipeline.start import STAGE  # isort: skip

from pipeline.errors import UserError
from pipeline.stage import only_process
from stages.train.launch import MACHINES, launch, wants_workers


def main() -> None:
    with only_process(STAGE):
        if not wants_workers():
            raise UserError(f"{MACHINES} is not set; expected the number of machines, as on the first of them")
        launch(is_first=False)


if __name__ == "__main__":
    main()
