"""Commands for people: one file is one command, run as `python -m tools.<name>`."""

import signal
import sys

import mnist  # noqa: F401  (before any tool imports torch: this fixes the CPU profile)

# Ctrl-C ends a command at once, also while libraries load, and without a traceback; those with something to tidy up
# take it back. Python writes "-m" there only while it looks for the command, so that importing a tool changes nothing.
if sys.argv[0] == "-m":
    signal.signal(signal.SIGINT, signal.SIG_DFL)
