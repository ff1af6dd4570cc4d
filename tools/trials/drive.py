"""Has the trials of a plan run by workers, and says how each of them ended."""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from distributed import Client, Future, wait

from tools.store.objects import reason
from tools.trials.cluster import local_cluster
from tools.trials.finished import finished_trials
from tools.trials.plan import Plan
from tools.trials.progress import Progress
from tools.trials.state import DONE, FAILED, RUNNING, SWEEP, WAITING, Row, write_state
from tools.trials.trial import Trial
from tools.trials.work import Outcome, Place, run_trial

SECONDS_TO_LOOK = 0.5


def drive(plan: Plan, clones: Path, num_workers: int) -> int:
    """Run what is not done yet on so many workers of this machine; return how many trials failed."""
    rows = {trial: Row(trial.name, str(trial)) for trial in plan.trials}
    for experiment in finished_trials(plan.trials[0].commit):
        if row := rows.get(experiment.trial):
            row.state, row.detail = DONE, "was there"
    write_state(rows.values())
    left = [trial for trial, row in rows.items() if row.state != DONE]
    print(f"sweep: {len(rows)} trials, {len(rows) - len(left)} of them are there", flush=True)
    if left:
        place = Place(Path.cwd(), clones.resolve(), min(num_workers, len(left)))
        with local_cluster(place.num_clones, SWEEP / "dask") as client:
            futures = {client.submit(run_trial, trial, place, key=trial.name): rows[trial] for trial in left}
            _follow(client, futures, rows)
    return sum(row.state == FAILED for row in rows.values())


def _follow(client: Client, futures: Mapping[Future[Outcome], Row], rows: Mapping[Trial, Row]) -> None:
    """Note what becomes of the trials, until all have ended."""
    progress = Progress(list(rows.values()))
    pending = set(futures)
    while pending:
        with suppress(TimeoutError):
            wait(pending, timeout=SECONDS_TO_LOOK, return_when="FIRST_COMPLETED")
        processing = {key for keys in client.processing().values() for key in keys}
        for future in [future for future in pending if future.done()]:
            pending.remove(future)
            _note_end(futures[future], future)
            progress.ended(futures[future])
        for future in pending:
            futures[future].state = RUNNING if future.key in processing else WAITING
        progress.update()
        write_state(rows.values())
    progress.close()


def _note_end(row: Row, future: Future[Outcome]) -> None:
    if error := future.exception():
        row.state, row.detail = FAILED, reason(error)
        return
    outcome: Outcome = future.result()
    seconds = outcome.experiment.seconds
    row.state = DONE
    row.detail = f"trained on {outcome.experiment.machine}" if outcome.has_trained else "nothing was left to train"
    if seconds:
        row.detail += f" in {seconds:.0f} s"
    if outcome.reproduced:
        row.detail += f"; a reproduction of what {outcome.reproduced} made, equal in every byte"
