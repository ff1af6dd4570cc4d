"""The one exception that stands for a mistake its user can mend, and what its message is made of."""

from collections.abc import Sequence

MOST_NAMED = 3


class UserError(Exception):
    """Says in its message what is wrong, where, and what to do; shown without a traceback."""


def one_line(error: object) -> str:
    """What an error, not one of ours, says, in one line; its type if it says nothing."""
    return " ".join(str(error).split()) or type(error).__name__


def name_some(names: Sequence[str]) -> str:
    """The first of them, and how many more there are: for a line that stays short."""
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return f"{', '.join(names[:MOST_NAMED])}{more}"
