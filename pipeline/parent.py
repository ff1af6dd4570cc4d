"""Ends a process with its parent: what a killed process started would go on otherwise, as Linux has it.

`python parent.py PARENT COMMAND...` becomes a command that ends so; PARENT is the id of the process that starts it.
"""

import ctypes
import os
import signal
import sys

SET_PARENT_DEATH_SIGNAL = 1  # of Linux' prctl


def end_with_parent(signal_number: int, parent_id: int | None = None) -> None:
    """Have Linux send this process a signal when its parent (exactly: the thread that started it) ends.

    Exits if the parent, where its id is known, has ended already: there is no signal then. A program that takes this
    process's place gets the signal, too.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(SET_PARENT_DEATH_SIGNAL, signal_number)
    if parent_id not in (None, os.getppid()):
        sys.exit("the parent has ended")


if __name__ == "__main__":
    end_with_parent(signal.SIGTERM, int(sys.argv[1]))
    os.execvp(sys.argv[2], sys.argv[2:])
