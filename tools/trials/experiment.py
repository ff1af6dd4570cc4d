"""A finished trial as git keeps it: DVC's ref of an experiment, and a commit whose message says what made it."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from pipeline.errors import UserError
from tools.store.git import git, show
from tools.store.lock import LOCK, locked_outputs, parse_lock
from tools.trials.trial import PREFIX, Trial

REFS = "refs/exps"
FETCHED = "refs/sweep/fetched"  # Where those of another repository lie until they are compared.
END_OF_RECORD = "\x1e"


@dataclass(frozen=True)
class Experiment:
    """`revision` is a commit on top of the trial's, with all that its run gave; `seconds` is that of its training."""

    trial: Trial
    revision: str
    machine: str
    seconds: float | None


def ref_of(trial: Trial, root: str = REFS) -> str:
    """Where DVC looks for the trial's experiment."""
    return f"{root}/{trial.commit[:2]}/{trial.commit[2:]}/{trial.name}"


def refs_of(commit: str, root: str = REFS) -> str:
    """The pattern of such refs of all trials of a commit."""
    return f"{root}/{commit[:2]}/{commit[2:]}/{PREFIX}*"


def commit_experiment(trial: Trial, tree: str, machine: str, seconds: float | None, folder: Path) -> Experiment:
    """Make the commit, in a clone; no ref names it yet."""
    origin = json.dumps({"trial": asdict(trial), "machine": machine, "seconds": seconds}, sort_keys=True)
    message = ["-m", f"dvc: commit experiment {trial.name}", "-m", origin]
    revision = git("commit-tree", tree, "-p", trial.commit, *message, folder=folder)
    return Experiment(trial, revision, machine, seconds)


def read_experiments(pattern: str, folder: Path = Path()) -> list[Experiment]:
    """The trials of which a repository has an experiment below refs of a pattern, see `refs_of`."""
    line = f"%(refname:lstrip=-1) %(objectname) %(contents:body){END_OF_RECORD}"
    listed = git("for-each-ref", f"--format={line}", pattern, folder=folder).split(END_OF_RECORD)
    found = [_parse(*record.strip().split(" ", maxsplit=2)) for record in listed if record.strip()]
    return [experiment for experiment in found if experiment]


def read_outputs(revision: str, folder: Path = Path()) -> dict[str, str]:
    """The md5 of every output that a revision's dvc.lock records, by path."""
    return locked_outputs(parse_lock(show(revision, LOCK, folder).decode(errors="replace")))


def cached_outputs(revision: str, folder: Path = Path()) -> dict[str, str]:
    """Those of them that are in DVC's cache, not in git."""
    in_git = set(git("ls-tree", "-r", "--name-only", revision, folder=folder).splitlines())
    return {path: oid for path, oid in read_outputs(revision, folder).items() if path not in in_git}


def refuse_difference(new: Experiment, old: Experiment, folder: Path = Path()) -> None:
    """Raise UserError if two experiments of one trial did not give the same."""
    if difference := _first_difference(new.revision, old.revision, folder):
        raise UserError(
            f"{difference} is not the same on {new.machine} as on {old.machine}, where the trial was run before: "
            f"find out why; `dvc exp remove {old.trial.name}` forgets the earlier result"
        )


def _first_difference(new: str, old: str, folder: Path) -> str | None:
    """The first output that two revisions do not share, in the order of the stages, else another file."""
    changed = git("diff", "--name-only", new, old, folder=folder).splitlines()
    outputs = read_outputs(old, folder)
    differing = [path for path, md5 in read_outputs(new, folder).items() if outputs.get(path) != md5]
    return next(iter([*differing, *changed]), None)


def _parse(name: str, revision: str, body: str = "") -> Experiment | None:
    try:
        origin = json.loads(body)
        trial = Trial(**origin["trial"] | {"settings": tuple(origin["trial"]["settings"])})
        return Experiment(trial, revision, origin["machine"], origin["seconds"]) if trial.name == name else None
    except (ValueError, LookupError, TypeError):  # An experiment that somebody else gave such a name.
        return None
