"""Commands for people, run as `python -m tools.<name>`."""

import signal

import mnist  # noqa: F401  (before any tool imports torch: this fixes the CPU profile)

# Ctrl-C ends a command at once, also while libraries load, and without a traceback; those with something to tidy up
# take it back.
signal.signal(signal.SIGINT, signal.SIG_DFL)
