"""Shares results through a DVC remote, and trusts it with nothing: `python -m tools.share push|pull|status`.

`push` sends the outputs that dvc.lock records and the run-cache of this commit's code, and ends with 0 only when all of
it was read back from the remote, right in every byte. `pull` brings them, checks every byte, and only then changes the
workspace. `status` reads what lies where. The exit status is the sum of 1 (something is corrupted), 2 (something is
missing) and 4 (something could not be checked, or the remote does not answer).
"""

import argparse
import functools
import logging
import operator
import os
import signal
import sys
from pathlib import Path

from dvc.exceptions import DvcException
from dvc.repo import Repo, lock_repo

from mnist.paths import CHECKPOINTS, TRAIN_CSV
from pipeline.errors import UserError
from pipeline.stage import INTERRUPTED_STATUS
from tools.store.fetch import Fetcher
from tools.store.objects import Finding, Problem, Store, reason
from tools.store.project import Project, Runs
from tools.store.remote import NotConfigured, Unavailable, open_remote
from tools.store.send import Sender

SECRETS = Path(".dvc/config.local")
MOST_SHOWN = 10


class LeftAlone(Exception):
    """The workspace was not changed, since that would lose something; the message says what, and what to do."""


def main() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # DVC's lock is given back, and files on the way removed.
    parser = argparse.ArgumentParser(prog="python -m tools.share", description="Share results through a DVC remote.")
    parser.add_argument("--remote", help="the DVC remote; without it the default one")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("push", help="send what is here, and read it back")
    pull_parser = commands.add_parser("pull", help="bring what dvc.lock records, and check it")
    pull_parser.add_argument(
        "--optional", action="store_true", help="what cannot be had is no error; what is wrong still is"
    )
    commands.add_parser("status", help="read what lies where")
    arguments = parser.parse_args()
    logging.disable(logging.ERROR)  # What DVC would log on the way is said here, in one line.
    optional = getattr(arguments, "optional", False)
    sys.exit(share(arguments.command, arguments.remote, optional))


def share(command: str, remote: str | None, optional: bool) -> int:
    """Do the command in the current folder; return the exit status, with `optional` only for what is wrong."""
    protect_secrets()
    try:
        with Repo() as repo, lock_repo(repo):
            found = {"push": push, "pull": pull, "status": status}[command](Project(repo), remote)
            return found & Problem.CORRUPTED if optional else found
    except (Unavailable, LeftAlone) as error:
        if optional and isinstance(error, NotConfigured):
            return 0
        print(f"share: {error}")
        return 0 if optional else Problem.UNCHECKED
    except (UserError, DvcException, OSError) as error:
        print(f"share: {reason(error)}")
    except KeyboardInterrupt:
        print("share: interrupted", file=sys.stderr)
        return INTERRUPTED_STATUS
    return Problem.UNCHECKED


def push(project: Project, name: str | None) -> int:
    """Send outputs and run-cache."""
    if unrecorded := project.unrecorded():
        print(f"share: dvc.lock does not record {', '.join(unrecorded)}: run `dvc repro`")
        return Problem.MISSING
    remote = open_remote(project.repo, name)
    sender = Sender(project, remote)
    findings = sender.outputs(project.outputs())
    num_runs = 0
    if not findings:
        num_runs, findings = sender.runs(Runs(project.repo))
    if not findings:
        print(
            f"share: {remote.store.name} has all that dvc.lock records, and runs: {num_runs}; read back in full; "
            f"files sent: {sender.num_sent}"
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
    fetcher = Fetcher(project, remote)
    outs = project.outputs()
    findings = list(fetcher.outputs(outs).values())
    if not findings and (checkpoints := outs.get(CHECKPOINTS.as_posix())):
        if project.is_recorded(TRAIN_CSV):
            findings += fetcher.recorded_sha256(checkpoints)
        else:  # The table is of another run, and says nothing of these checkpoints, whose md5s are right.
            print(f"share: {TRAIN_CSV} is not what dvc.lock records: `git checkout HEAD metrics` restores it")
    findings += fetcher.runs(Runs(project.repo))
    if findings:
        return report(list(dict.fromkeys(findings)), "nothing in the workspace was changed")
    project.repo.drop_data_index()  # DVC would remember a folder's listing as it was before.
    # Named one by one: DVC would remove those that dvc.lock does not record.
    try:
        changes = project.repo.checkout(targets=list(outs))["stats"] if outs else {}
    except DvcException as error:
        if type(error) is not DvcException:  # This refusal has no class of its own.
            raise
        files = ", ".join(sorted(Path(line).relative_to(Path.cwd()).as_posix() for line in str(error).splitlines()[1:]))
        raise LeftAlone(
            f"the workspace was left as it is, for what is nowhere else: {files}; if a run was killed that made it, "
            "`dvc repro` records it, else `dvc checkout --force` takes what dvc.lock records"
        ) from None
    print(f"share: all is there and right; files fetched from {remote.store.name}: {fetcher.num_fetched}")
    if fetcher.num_fetched or any(changes.values()):
        from tools.store.resume import fill_history  # Imports torch, which nothing else here needs.

        try:
            print(f"share: {fill_history()}")
        except UserError as error:  # No harm to what was pulled.
            print(f"share: a longer training would start anew: {error}")
    return 0


def status(project: Project, name: str | None) -> int:
    """Read cache and remote."""
    findings: list[Finding] = []
    for store in (project.cache, open_remote(project.repo, name).store):
        wrong = check_outputs_in(store, project.outputs())
        print(f"share: {store.name}: {'all right' if not wrong else f'problems: {len(wrong)}'}")
        findings += wrong
    return report(findings, "`push` mends a remote from the cache, `pull` the cache from a remote")


def check_outputs_in(store: Store, outs: dict[str, str]) -> list[Finding]:
    """What is wrong in a store with the outputs, files of folders included."""
    wrong = store.check_all(outs)
    for path, oid in outs.items():
        if oid.endswith(".dir") and path not in wrong:
            try:
                wrong |= store.check_all(store.files_of(path, oid))
            except ValueError as error:
                wrong[path] = Finding(Problem.CORRUPTED, f"{store.name} {path} ({oid})", str(error))
    return list(wrong.values())


def report(findings: list[Finding], advice: str) -> int:
    """Print findings; return the exit status."""
    for finding in findings[:MOST_SHOWN]:
        print(finding)
    if len(findings) > MOST_SHOWN:
        print(f"and {len(findings) - MOST_SHOWN} more")
    if findings:
        print(f"share: problems: {len(findings)}; {advice}")
    return functools.reduce(operator.or_, (finding.problem for finding in findings), 0)


def protect_secrets() -> None:
    """Let nobody else read the file in which DVC keeps credentials."""
    if SECRETS.is_file() and SECRETS.stat().st_mode & 0o077:
        os.chmod(SECRETS, 0o600)


if __name__ == "__main__":
    main()
