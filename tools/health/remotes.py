"""DVC's remotes: whether each of them answers, found out in a bounded time."""

from collections.abc import Iterator
from functools import cache
from queue import Empty, Queue
from threading import Thread

from dvc.repo import Repo

from pipeline.errors import UserError
from tools.health.fault import Fault
from tools.health.lock import recorded
from tools.store.objects import reason
from tools.store.remote import open_remote

SECONDS = 10


def find_faults() -> Iterator[Fault]:
    """Whether each configured remote can be used."""
    recorded()  # DVC reads dvc.lock to know where a remote must not lie.
    for name in configured():
        if problem := ask(name):
            yield Fault(f"{problem}; see docs/sharing.md")


def configured() -> list[str]:
    """The names of the remotes."""
    with Repo() as repo:
        return list(repo.config["remote"])


@cache
def ask(name: str) -> str | None:
    """Why a remote cannot be used; None if it answers."""
    answers: Queue[str | None] = Queue()
    Thread(target=lambda: answers.put(_find_problem(name)), daemon=True).start()  # Ends with the process, if it hangs.
    try:
        return answers.get(timeout=SECONDS)
    except Empty:
        return f"remote {name} did not answer within {SECONDS} s"


def _find_problem(name: str) -> str | None:
    try:
        with Repo() as repo:
            open_remote(repo, name)
    except UserError as error:
        return str(error)
    except Exception as error:  # A remote's library raises what it likes.
        return f"remote {name} could not be asked: {reason(error)}"
    return None
