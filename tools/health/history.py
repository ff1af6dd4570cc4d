"""data/.resume, in which finished epochs are kept, and nothing else should be."""

from collections.abc import Iterator

from pipeline.links import refuse_foreign
from stages.train.history import RESUME, list_trainings, read_epochs
from tools.health.fault import Fault


def find_faults() -> Iterator[Fault]:
    """Whether the epochs of each training are whole, and all is of the project's making."""
    refuse_foreign([RESUME])
    trainings = list_trainings(RESUME)
    for path in sorted(RESUME.glob("*")):
        if path not in trainings:
            yield Fault(f"{path} was not made by this project: move it elsewhere")
        elif dropped := read_epochs(path)[1]:
            yield Fault(f"{path} is damaged from epoch {dropped[0]} on: the next training of it makes these anew")
