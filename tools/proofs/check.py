"""Has epochs of a commit run again, here or elsewhere, and says what was found of each and what that is worth."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from dvc.repo import Repo

from pipeline.errors import UserError
from tools.proofs.commit import environment_in
from tools.proofs.epochs import Epochs, Verdict
from tools.proofs.processes import check_here
from tools.proofs.sampling import choose_epochs, describe_worth
from tools.store.git import git
from tools.store.objects import status_of
from tools.store.project import Project


def check_epochs(text: str, clone: Path, scheduler: str | None) -> int:
    """Check the epochs that `--epochs` asks for, and bring what is evaluated into the clone; return the problems' sum.

    Raises:
        UserError: the text asks for no epochs of this training, or these are not recorded one by one.
    """
    with Repo() as repo:
        epochs = Epochs(clone, Project(repo))
        num_epochs = len(epochs.numbers)
        chosen, are_drawn = choose_epochs(text, num_epochs)
        print(f"run again, each from the state before it: epoch {', '.join(map(str, chosen))}", flush=True)
        if scheduler:
            verdicts = _check_there(git("rev-parse", "HEAD", folder=clone), chosen, scheduler)
        else:
            verdicts = check_here(epochs, chosen, clone, environment_in(clone))
        status, num_genuine = 0, 0
        for verdict in verdicts:
            print(f"epoch {verdict.epoch} of {num_epochs}: {verdict.detail}", flush=True)
            status |= verdict.problem or 0
            num_genuine += verdict.problem is None
        print(f"{num_genuine} of {len(chosen)} epochs are genuine")
        if are_drawn and num_genuine == len(chosen):
            print(describe_worth(num_epochs, len(chosen)), flush=True)
        findings = epochs.bring_checkpoints()
    for finding in findings:
        print(finding)
    return status | status_of(findings)


def _check_there(commit: str, chosen: Sequence[int], scheduler: str) -> Iterator[Verdict]:
    try:
        from tools.proofs.workers import check_there
    except ModuleNotFoundError as error:
        raise UserError(f"--scheduler needs {error.name}: pip install -r requirements/sweep.txt") from None
    return check_there(commit, chosen, scheduler)
