"""The one exception that stands for a mistake its user can mend."""


class UserError(Exception):
    """Says in its message what is wrong, where, and what to do; shown without a traceback."""
