"""Measures what a sweep costs beside its trainings: `python -m bench.scale` prints two tables, in some four minutes.

The first is measured in a clone of the last commit on the real MNIST, whose recipe `demo` is one epoch long, with a git
remote and a DVC remote that are folders, one thing at a time. The second is calculated from it.
"""

import argparse
import contextlib
import io
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any
from unittest import mock

import dask.config
import yaml

from bench.clone import PYTHON, ROOT
from bench.report import Row, conditions, markdown
from mnist.dataset import FOLDERS
from mnist.paths import RAW_DATA
from tools.store.git import git
from tools.trials import work
from tools.trials.clone import Clone
from tools.trials.cluster import local_workers
from tools.trials.drive import follow
from tools.trials.exchange import collect, fetch_experiments
from tools.trials.experiment import Experiment, commit_experiment, read_experiments, ref_of, refs_of
from tools.trials.place import Place
from tools.trials.state import SWEEP
from tools.trials.state import Row as TrialRow
from tools.trials.trial import Trial

NUM_TRIALS = 6  # The first finds no clone yet.
NUM_MANY = 1000
NUM_MACHINES = (10, 100, 1000)
TRAININGS = {
    "`demo`, 60 s, 9 MB": (60.0, 9e6),
    "`accurate`, 41 min, 71 MB": (2460.0, 71e6),
}  # Seconds; bytes of outputs.
PARTS = ("_run_experiment", "problem_of", "send_outputs", "send_experiment")  # of tools/trials/work.py
NETWORK = 125e6  # Bytes per second: 1 Gbit/s.

Times = dict[str, list[float]]


def main() -> None:
    argparse.ArgumentParser(prog="python -m bench.scale", description=(__doc__ or "").splitlines()[0]).parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-") as scratch:
        folder = Path(scratch)
        commit = make_project(folder)
        place = Place(folder / "project", folder / "clones", 1, git_remote="origin")
        times = measure_trials(place, commit)
        times |= measure_scheduler(commit)
        times |= measure_refs(commit)
    rows = [Row(what, values, "s") for what, values in times.items()]
    print(f"Measured with `python -m bench.scale` on {conditions()}.\n\n{markdown(rows)}\n")
    for line in predict({what: median(values) for what, values in times.items()}):
        print(line)


def make_project(folder: Path) -> str:
    """A clone with remotes, in which this process works from then on; return its commit."""
    if not (ROOT / RAW_DATA / FOLDERS["mnist"]).is_dir():
        sys.exit(f"bench: {RAW_DATA / FOLDERS['mnist']} is missing: run `dvc repro download`")
    project = folder / "project"
    subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", ROOT, project], check=True)
    os.environ["MNIST_DIR"] = str(ROOT / RAW_DATA / FOLDERS["mnist"])
    os.environ["DVC_SITE_CACHE_DIR"] = str(folder / "site")
    os.environ["PATH"] = f"{Path(PYTHON).parent}{os.pathsep}{os.environ['PATH']}"
    os.chdir(project)
    params = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))
    params["recipes"]["demo"]["epochs"] = 1
    Path("params.yaml").write_text(yaml.safe_dump(params, sort_keys=False), encoding="utf-8")
    git("commit", "--quiet", "--all", "--message", "one epoch")
    git("init", "--quiet", "--bare", "../remote.git")
    git("remote", "set-url", "origin", str(folder / "remote.git"))
    git("push", "--quiet", "origin", "HEAD:refs/heads/main")
    subprocess.run(["dvc", "remote", "add", "--quiet", "--local", "--default", "share", folder / "dvc"], check=True)
    return git("rev-parse", "HEAD")


def measure_trials(place: Place, commit: str) -> Times:
    """Seconds of each part of a trial, as a worker and then the driver do it."""
    seconds: dict[str, list[float]] = {}
    beside: list[float] = []

    def timed(what: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            with stopwatch(seconds, what):
                return function(*arguments)

        return call

    with contextlib.ExitStack() as stack:
        stack.enter_context(dask.config.set(place.settings()))
        for name in PARTS:
            stack.enter_context(mock.patch.object(work, name, timed(name, getattr(work, name))))
        prepare = Clone.prepare
        stack.enter_context(mock.patch.object(Clone, "prepare", lambda *given: timed("prepare", prepare)(*given)))
        for seed in range(NUM_TRIALS):
            outcome = work.run_trial(Trial(commit, "demo", seed))
            beside.append(seconds["_run_experiment"][-1] - (outcome.experiment.seconds or 0.0))
            with stopwatch(seconds, "collect"):
                collect(outcome.experiment.trial, place.destination())
    return {
        "a worker's clone, made": seconds["prepare"][:1],
        "a clone that is there, brought to the commit": seconds["prepare"][1:],
        "`dvc exp run`, but for the stage train": beside[1:],
        "its outputs in the cache, looked at": seconds["problem_of"][1:],
        "outputs sent to the DVC remote, and read back": seconds["send_outputs"][1:],
        "experiment pushed to the git remote, and looked for": seconds["send_experiment"][1:],
        "the driver brings both, and checks every byte": seconds["collect"][1:],
    }


@contextlib.contextmanager
def stopwatch(seconds: dict[str, list[float]], what: str) -> Iterator[None]:
    """Add the time of the body."""
    start = time.perf_counter()
    yield
    seconds.setdefault(what, []).append(time.perf_counter() - start)


def measure_scheduler(commit: str) -> Times:
    """Seconds of each of many trials of nothing, handed to two workers and followed as a sweep does."""
    trials = [Trial(commit, "demo", seed) for seed in range(NUM_MANY)]
    place = Place(Path.cwd(), SWEEP / "clones", 2)
    rows = {trial: TrialRow(trial.name, str(trial)) for trial in trials}
    SWEEP.mkdir(parents=True, exist_ok=True)
    with local_workers(place) as client, contextlib.redirect_stdout(io.StringIO()):
        start = time.perf_counter()
        follow(client, {client.submit(do_nothing, trial, key=trial.name): rows[trial] for trial in trials}, rows, place)
        seconds = time.perf_counter() - start
    return {f"a trial of nothing, of {NUM_MANY:,} on two workers": [seconds / NUM_MANY]}


def do_nothing(trial: Trial) -> work.Outcome:
    """What a trial gives that took no time."""
    return work.Outcome(Experiment(trial, "", "here", None), False, None)


def measure_refs(commit: str) -> Times:
    """Seconds of what a sweep does with git, where there are many experiments."""
    tree = git("rev-parse", f"{commit}^{{tree}}")
    experiments = [commit_experiment(Trial(commit, "fast", n), tree, "here", 1.0, Path()) for n in range(NUM_MANY)]
    names = [f"{experiment.revision}:{ref_of(experiment.trial)}" for experiment in experiments]
    times: Times = {}
    with stopwatch(times, f"{NUM_MANY:,} experiments pushed at once"):
        git("push", "--quiet", "origin", *names)
    one = commit_experiment(Trial(commit, "fast", NUM_MANY), tree, "here", 1.0, Path())
    with stopwatch(times, f"one more pushed, beside {NUM_MANY:,}"):
        git("push", "--quiet", "origin", f"{one.revision}:{ref_of(one.trial)}")
    fetch_experiments(commit, "origin")
    with stopwatch(times, f"the driver asks for new ones, of {NUM_MANY:,}"):
        fetch_experiments(commit, "origin")
    with stopwatch(times, f"{NUM_MANY:,} experiments read"):
        read_experiments(refs_of(commit))
    with stopwatch(times, f"`dvc exp list` of {NUM_MANY:,}"):
        subprocess.run(["dvc", "exp", "list", "--name-only"], check=True, stdout=subprocess.DEVNULL)
    return times


def predict(seconds: dict[str, float]) -> list[str]:
    """Lines of the second table: how busy each part is that all machines share, each machine with a trial at a time."""
    names = list(seconds)
    of_worker = sum(seconds[name] for name in names[1:6])
    shared = {"driver": seconds[names[6]], "git remote": seconds[names[5]], "scheduler": seconds[names[7]]}
    heads = ["machines", "training", "trials an hour", "beside training", *shared, "DVC remote at 1 Gbit/s"]
    lines = [f"| {' | '.join(heads)} |", "|---|" + "---|" * (len(heads) - 1)]
    for machines in NUM_MACHINES:
        for name, (training, num_bytes) in TRAININGS.items():
            rate = machines / (training + of_worker)
            costs = [*shared.values(), 3 * num_bytes / NETWORK]  # Sent, read back, and fetched by the driver.
            percents = [100 * rate * cost for cost in costs]
            cells = [f"{percent:.2g} %" if percent < 10 else f"{percent:.0f} %" for percent in percents]
            part = of_worker / (training + of_worker)
            lines.append(f"| {machines:,} | {name} | {3600 * rate:,.0f} | {100 * part:.0f} % | {' | '.join(cells)} |")
    return lines


if __name__ == "__main__":
    main()
