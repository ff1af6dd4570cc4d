"""Trains epochs alone, each from the state before it in data/: `python -m stages.train.replay EPOCH...`.

What comes of them is written to data/replayed, and a line of JSON on stdout says so of each, or why there is none.
Nothing that DVC or a training knows is touched, so that several such processes can work in one folder.
"""

import json
import sys
import time
from dataclasses import replace
from pathlib import Path

from mnist.memory import keep_freed_memory
from mnist.paths import checkpoint_path, optimizer_path
from pipeline.deps import read_deps
from pipeline.errors import UserError
from pipeline.files import sha256_of, write_file
from pipeline.inputs import Inputs
from stages.train.job import Job, read_job
from stages.train.training import State, train

REPLAYED = Path("data/replayed")


def main() -> None:
    keep_freed_memory()
    try:
        job = read_job(Inputs(read_deps("train")))
        training, _ = job.load()
        for epoch in map(int, sys.argv[1:]):
            start = time.monotonic()
            after = train(_until(epoch, job), _read_state(epoch - 1), training, None)
            write_file(REPLAYED / checkpoint_path(epoch), after.checkpoint)
            write_file(REPLAYED / optimizer_path(epoch), after.optimizer)
            said = {
                "epoch": epoch,
                "checkpoint_sha256": sha256_of(after.checkpoint),
                "optimizer_sha256": sha256_of(after.optimizer),
                "device": job.environment["device"],
                "seconds": time.monotonic() - start,
            }
            print(json.dumps(said), flush=True)
    except (UserError, OSError) as error:
        print(json.dumps({"error": str(error)}), flush=True)
        sys.exit(1)


def _until(epoch: int, job: Job) -> Job:
    """The same training, asked for so many epochs."""
    return replace(job, recipe=job.recipe.model_copy(update={"epochs": epoch}))


def _read_state(epoch: int) -> State:
    """The state behind an epoch; 0 is the beginning, of which there are no files."""
    if epoch == 0:
        return State(0)
    return State(epoch, checkpoint_path(epoch).read_bytes(), optimizer_path(epoch).read_bytes())


if __name__ == "__main__":
    main()
