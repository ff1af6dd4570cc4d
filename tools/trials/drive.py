"""Has the trials of a plan run by workers, and says how each of them ended."""

import signal
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace

from distributed import CancelledError, Client, Future, wait
from distributed.comm import CommClosedError

from tools.store.objects import reason
from tools.trials.cluster import joined_workers, local_workers
from tools.trials.exchange import (
    collect,
    fetch_experiments,
    fetch_outputs,
    require_pushed,
    send_experiment,
    send_outputs,
)
from tools.trials.experiment import read_experiments, refs_of
from tools.trials.finished import finished_trials
from tools.trials.place import Place
from tools.trials.plan import Plan
from tools.trials.progress import Progress
from tools.trials.state import DONE, FAILED, RUNNING, WAITING, Row, write_state
from tools.trials.trial import Trial
from tools.trials.work import Outcome, run_trial

SECONDS_TO_LOOK = 0.5


def drive(plan: Plan, place: Place, scheduler: str | None) -> int:
    """Run what is not done yet, on this machine or on those that joined a scheduler; return how many trials failed."""
    commit = plan.trials[0].commit
    rows = {trial: Row(trial.name, str(trial)) for trial in plan.trials}
    if place.git_remote:
        require_pushed(commit, place.git_remote)
        _exchange(plan.trials, place)
    for experiment in finished_trials(commit):
        if row := rows.get(experiment.trial):
            row.state, row.detail = DONE, "was there"
    write_state(rows.values())
    left = [trial for trial, row in rows.items() if row.state != DONE]
    print(f"sweep: {len(rows)} trials, {len(rows) - len(left)} of them are there", flush=True)
    if left:
        place = replace(place, num_clones=min(place.num_clones, len(left)))
        with joined_workers(scheduler) if scheduler else local_workers(place) as client:
            futures = {client.submit(run_trial, trial, key=trial.name): rows[trial] for trial in left}
            with _interruptible():
                follow(client, futures, rows, place)
    return sum(row.state == FAILED for row in rows.values())


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let Ctrl-C end the body only; before and after, it ends the process, and that the workers."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def _exchange(trials: Collection[Trial], place: Place) -> None:
    """Bring what was done elsewhere here, and what was done here where others find it."""
    commit, destination = next(iter(trials)).commit, place.destination()
    there = fetch_experiments(commit, destination)
    fetch_outputs(each for each in read_experiments(refs_of(commit)) if each.trial in there and each.trial in trials)
    for experiment in finished_trials(commit):
        if experiment.trial not in there and experiment.trial in trials:
            send_outputs(experiment, place.project, place.project)
            send_experiment(experiment, place.project, destination)


def follow(client: Client, futures: Mapping[Future[Outcome], Row], rows: Mapping[Trial, Row], place: Place) -> None:
    """Note what becomes of the trials, until all have ended."""
    progress = Progress(list(rows.values()))
    pending, processing = set(futures), set[str]()
    while pending:
        with suppress(TimeoutError):
            wait(pending, timeout=SECONDS_TO_LOOK, return_when="FIRST_COMPLETED")
        with suppress(OSError):  # The scheduler has ended: the next look at the trials says so.
            processing = {key for keys in client.processing().values() for key in keys}
        for future in [future for future in pending if future.done()]:
            pending.remove(future)
            _note_end(futures[future], future, place)
            progress.ended(futures[future])
        for future in pending:
            futures[future].state = RUNNING if future.key in processing else WAITING
        progress.update()
        write_state(rows.values())
    progress.close()


def _note_end(row: Row, future: Future[Outcome], place: Place) -> None:
    try:
        outcome: Outcome = future.result()
        if place.git_remote:
            collect(outcome.experiment.trial, place.destination())
    except (CancelledError, CommClosedError):  # The scheduler has ended.
        raise
    except Exception as error:  # Whatever the worker raised; Dask's own, where it was killed again and again.
        row.state, row.detail = FAILED, reason(error)
        return
    seconds = outcome.experiment.seconds
    row.state = DONE
    row.detail = f"trained on {outcome.experiment.machine}" if outcome.has_trained else "nothing was left to train"
    if seconds:
        row.detail += f" in {seconds:.0f} s"
    if outcome.reproduced:
        row.detail += f"; a reproduction of what {outcome.reproduced} made, equal in every byte"
