"""Entry points: one file is one stage of dvc.yaml, run as `python -m stages.<name>`."""

import signal

import mnist  # noqa: F401  (before any stage imports torch: this fixes the CPU profile)

# Until a stage handles it, Ctrl-C ends the process at once, also while torch loads, and without a traceback.
signal.signal(signal.SIGINT, signal.SIG_DFL)
