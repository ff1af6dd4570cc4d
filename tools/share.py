"""Shares results through a DVC remote, and trusts it with nothing: `python -m tools.share push|pull`.

`push` sends the outputs that dvc.lock records and the run-cache of this commit's code, and ends with 0 only when all of
it was read back from the remote, right in every byte. `pull` brings them, checks every byte, and only then changes the
workspace. The exit status is the sum of 1 (something is corrupted), 2 (something is missing) and 4 (something could not
be checked, or the remote does not answer).
"""

import argparse
import logging
import os
import signal
import sys
from pathlib import Path

from dvc.exceptions import DvcException
from dvc.repo import Repo, lock_repo

from mnist.paths import OPTIMIZER, TRAIN_CSV
from pipeline.errors import UserError
from tools.command import command
from tools.store.fetch import Fetcher
from tools.store.lock import read_lock
from tools.store.notes import contradictions
from tools.store.objects import Finding, Problem, reason, status_of
from tools.store.project import Project
from tools.store.remote import NotConfigured, Unavailable, open_remote
from tools.store.resume import fill_history
from tools.store.send import Sender

SECRETS = Path(".dvc/config.local")
MOST_SHOWN = 10


def main() -> None:
    remote = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)  # Before or after the command.
    remote.add_argument("--remote", metavar="NAME", help="the DVC remote; without it the default one")
    description = "Share results through a DVC remote."
    parser = argparse.ArgumentParser(prog="python -m tools.share", description=description, parents=[remote])
    parser.set_defaults(optional=False)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("push", help="send what is here, and read it back", parents=[remote])
    pull_parser = commands.add_parser("pull", help="bring what dvc.lock records, and check it", parents=[remote])
    pull_parser.add_argument(
        "--optional", action="store_true", help="what cannot be had is no error; what is wrong still is"
    )
    arguments = parser.parse_args()
    logging.disable(logging.ERROR)  # What DVC would log on the way is said here, in one line.
    signal.signal(signal.SIGINT, signal.default_int_handler)  # DVC's lock is given back, and files on the way removed.
    with command("share", Problem.UNCHECKED, (UserError, DvcException, OSError)):
        sys.exit(share(arguments.command, getattr(arguments, "remote", None), arguments.optional))


def share(action: str, remote: str | None, optional: bool) -> int:
    """Push or pull in the current folder; return the exit status, with `optional` only for what is wrong."""
    protect_secrets()
    try:
        with Repo() as repo, lock_repo(repo):
            project = Project(repo)
            project.refuse_foreign()
            status = {"push": push, "pull": pull}[action](project, remote)
    except Unavailable as error:
        if not optional:
            raise
        if not isinstance(error, NotConfigured):
            print(f"share: {error}")
        return 0
    return status & Problem.CORRUPTED if optional else status


def push(project: Project, name: str | None) -> int:
    """Send outputs and run-cache."""
    if unrecorded := project.unrecorded():
        print(f"share: dvc.lock does not record {', '.join(unrecorded)}: run `dvc repro`")
        return Problem.MISSING
    if wrong := list(contradictions(read_lock(), project.cache.read_note)):
        return report(wrong, "nothing was sent")
    remote = open_remote(project.repo, name)
    sender = Sender(project, remote)
    findings = sender.outputs(project.outputs())
    num_runs = 0
    if not findings:
        runs = project.usable_runs()
        cleared = sender.clear_runs(runs)
        num_runs, findings = sender.runs(runs)
        findings += cleared
    if not status_of(findings):
        print(
            f"share: {remote.store.name} has all that dvc.lock records, and runs: {num_runs}; read back in full; "
            f"files sent: {len(sender.sent)}"
        )
    return report(findings, "mend what is named, and push again")


def pull(project: Project, name: str | None) -> int:
    """Bring outputs and run-cache, and check them out when all is right."""
    if unwritable := project.unwritable():
        raise UserError(
            f"you may not write into {unwritable}, which is part of the cache: nothing could be saved there"
        )
    remote = open_remote(project.repo, name)
    if not remote.is_there:
        raise Unavailable(f"{remote.store.name} holds nothing: nobody has pushed to it, or its URL is wrong")
    fetcher, outs = Fetcher(project, remote), project.outputs()
    findings = list(fetcher.outputs(outs).values())
    if not findings and OPTIMIZER.as_posix() in outs:
        if project.is_recorded(TRAIN_CSV):
            findings = fetcher.recorded_sha256(outs)
        else:  # The table is of another run, and says nothing of these epochs, whose md5s are right.
            print(f"share: {TRAIN_CSV} is not what dvc.lock records: `git checkout HEAD metrics` restores it")
    findings += contradictions(read_lock(), project.cache.read_note)
    findings += fetcher.runs(project.usable_runs())
    if status := report(findings, "nothing in the workspace was changed"):
        return status
    if unsaved := project.unsaved(outs):
        raise Unavailable(
            f"the workspace was left as it is, for what is nowhere else: {', '.join(unsaved)}; if a run was killed "
            "that made it, `dvc repro` records it, else `dvc checkout --force` takes what dvc.lock records"
        )
    project.checkout(outs)
    print(f"share: all is there and right; files fetched from {remote.store.name}: {len(fetcher.fetched)}")
    if OPTIMIZER.as_posix() in outs and (done := prepare_longer_training()):
        print(f"share: {done}")
    return 0


def prepare_longer_training() -> str:
    """Fill data/.resume from what was pulled; say in a line what was done, if anything was."""
    try:
        return fill_history()
    except (UserError, OSError) as error:  # No harm to what was pulled.
        return f"a training with another `epochs` will start anew: {reason(error)}"


def report(findings: list[Finding], advice: str) -> int:
    """Print findings, each once, warnings last; return the exit status."""
    findings = sorted(dict.fromkeys(findings), key=lambda finding: finding.problem is Problem.WARNING)
    for finding in findings[:MOST_SHOWN]:
        print(finding)
    if len(findings) > MOST_SHOWN:
        print(f"and {len(findings) - MOST_SHOWN} more")
    if status := status_of(findings):
        print(f"share: problems: {sum(finding.problem is not Problem.WARNING for finding in findings)}; {advice}")
    return status


def protect_secrets() -> None:
    """Let nobody else read the file in which DVC keeps credentials."""
    if SECRETS.is_file() and SECRETS.stat().st_mode & 0o077:
        os.chmod(SECRETS, 0o600)


if __name__ == "__main__":
    main()
