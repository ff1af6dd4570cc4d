"""What one of several workers does: it takes its part in the training that `launch` hands over."""

import gc
import os
import signal
import sys
from typing import NoReturn

import torch

from mnist.determinism import Device
from mnist.memory import keep_freed_memory
from pipeline.deps import Deps
from pipeline.errors import UserError
from pipeline.inputs import Inputs
from pipeline.parent import end_with_parent
from stages.train.history import History
from stages.train.job import read_job
from stages.train.launch import IS_FIRST, PARENT, STORE_FILE, WORKERS
from stages.train.recorder import Recorder
from stages.train.reports import GO_ON, Kind, report
from stages.train.training import read_state, train
from stages.train.workers import Lost, find_workers


def work(deps: Deps) -> None:
    """Train together with the other workers; if that fails, leave a report and end with status 1."""
    end_with_parent(signal.SIGKILL, int(os.environ[PARENT]))  # Also one that is stopped.
    gc.enable()  # Off since pipeline/start.py.
    rank = int(os.environ["RANK"])
    try:
        _train_with_others(deps)
    except UserError as error:
        _end(Kind.REFUSAL, str(error), rank)
    except OSError as error:  # A full disk, or a file that may not be read or written.
        _end(Kind.REFUSAL, f"{error}: put that right, and {GO_ON}", rank)
    except Lost as error:
        _end(Kind.LOST, f"worker {rank} cannot go on: {error}", rank)


def _end(kind: Kind, reason: str, rank: int) -> NoReturn:
    report(kind, reason, rank)
    sys.stdout.flush()
    os._exit(1)  # At the usual end, threads of gloo that wait for others abort the process.


def _train_with_others(deps: Deps) -> None:
    keep_freed_memory()
    workers = find_workers(os.environ.get(STORE_FILE))
    try:
        inputs = Inputs(deps)
        if inputs.param("device", Device) == "cuda":
            _take_gpu(int(os.environ["LOCAL_RANK"]))  # Before the job says on which it is.
        job = read_job(inputs)
        training, validation = job.load()
    except (UserError, OSError) as error:
        workers.refuse(error)
    workers.agree(job, is_first=bool(os.environ[IS_FIRST]))
    history = History(job.origin) if workers.writes else None
    if history:
        print(f"{workers.size} workers share {job.recipe.shards} shards of each batch", flush=True)
    state = workers.share(read_state(history, job.recipe.epochs) if history else None)
    train(job, state, training, Recorder(history, job, validation), workers)
    workers.leave()


def _take_gpu(index: int) -> None:
    """Compute on the GPU of this number from now on; UserError if there is none."""
    if index >= (number := torch.cuda.device_count()):
        raise UserError(
            f"each worker takes a GPU of its own, and torch finds {number} here: start no more workers than that "
            f"({WORKERS})"
        )
    torch.cuda.set_device(index)
