"""Has epochs checked by the workers that joined a sweep's scheduler, each in a clone of its own."""

import fcntl
import platform
from collections.abc import Iterator, Sequence
from dataclasses import replace

from distributed import CancelledError, as_completed
from distributed.comm import CommClosedError
from dvc.repo import Repo

from tools.proofs.epochs import Epochs, Verdict
from tools.proofs.processes import COMMAND, read_replayed
from tools.store.git import environment
from tools.store.objects import Problem, reason
from tools.store.project import Project
from tools.trials.clone import claim
from tools.trials.cluster import joined_workers
from tools.trials.place import my_place
from tools.trials.process import start
from tools.trials.versions import refuse_other_versions

CLONES = "proofs"  # Apart from those of trials, which keep what was trained in them.


def check_there(commit: str, chosen: Sequence[int], scheduler: str) -> Iterator[Verdict]:
    """Yield the verdict on each of the chosen epochs, as they come."""
    with joined_workers(scheduler) as client:
        # Not pure: what a worker found some time ago is no answer.
        futures = {client.submit(check_epoch, commit, epoch, pure=False): epoch for epoch in chosen}
        for future in as_completed(futures):
            try:
                yield future.result()
            except (CancelledError, CommClosedError):  # The scheduler has ended.
                raise
            except Exception as error:  # Whatever the worker raised; Dask's own, where it was killed again and again.
                yield Verdict(futures[future], Problem.UNCHECKED, f"could not be run: {reason(error)}")


def check_epoch(commit: str, epoch: int) -> Verdict:
    """Check one epoch in this worker; raise UserError with the reason if that cannot be done."""
    place = my_place()
    folder = place.clones / CLONES
    with claim(folder, place.num_clones, commit) as clone:
        clone.prepare(place.project, place.destination(), commit)
        refuse_other_versions(clone.folder)
        with Repo(str(place.project)) as repo:
            with (folder / "fetching").open("a") as alone:  # Two workers may want the same object.
                fcntl.flock(alone, fcntl.LOCK_EX)
                epochs = Epochs(clone.folder, Project(repo))
                verdict = epochs.bring(epoch)
            if verdict is None:
                with start([*COMMAND, str(epoch)], clone.folder, environment(), clone.lock) as process:
                    [(_, said)] = read_replayed(process.stdout or (), [epoch])
                verdict = epochs.judge(epoch, said)
    return replace(verdict, detail=f"{verdict.detail}, on {platform.node()}")
