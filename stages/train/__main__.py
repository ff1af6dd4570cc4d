"""Trains the chosen recipe's network, and keeps a checkpoint of every epoch.

Reads params.yaml (recipe, recipes.<recipe>, device, data), pyproject.toml (the pinned versions), data/checksums.txt and
data/raw; writes data/checkpoints, data/optimizer (the optimizer's state behind each of them), metrics/train.csv, whose
rows name the sha256 of both, and metrics/environment.json.
Epochs that were finished before, in a run that was killed or was shorter, are taken from data/.resume.
"""

from pipeline.start import DEPS  # isort: skip

from mnist.memory import keep_freed_memory
from mnist.paths import ENVIRONMENT_JSON
from pipeline.stage import stage
from pipeline.tables import write_json
from stages.train.history import History
from stages.train.job import read_job
from stages.train.launch import is_worker, launch, wants_workers
from stages.train.recorder import Recorder, announce, publish
from stages.train.training import read_state, train
from stages.train.work import work


def main() -> None:
    with stage(DEPS) as inputs:
        keep_freed_memory()
        job = read_job(inputs)
        training, validation = job.load()
        num_epochs = job.recipe.epochs

        history = History(job.origin)
        announce(history, num_epochs)
        if history.resumable(num_epochs) < num_epochs:
            if wants_workers():
                launch(is_first=True)
                history = History(job.origin)  # One of them has added to it.
            else:
                train(job, read_state(history, num_epochs), training, Recorder(history, job, validation))

        inputs.verify_unchanged()
        publish(history, num_epochs)
        write_json(ENVIRONMENT_JSON, job.environment | {"threads": job.recipe.threads})
        history.remove_old()


if __name__ == "__main__":
    work(DEPS) if is_worker() else main()
