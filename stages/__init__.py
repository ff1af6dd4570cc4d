"""Entry points: one file is one stage of dvc.yaml, run as `python -m stages.<name>`."""

import ctypes
import signal
import sys

import mnist  # noqa: F401  (before any stage imports torch: this fixes the CPU profile)

# Until a stage handles it, Ctrl-C ends the process at once, also while torch loads, and without a traceback.
signal.signal(signal.SIGINT, signal.SIG_DFL)

SET_PARENT_DEATH_SIGNAL = 1  # of Linux' prctl

# The end of the parent (exactly: of the thread that started this process) sends SIGTERM: a killed `dvc` would otherwise
# leave its stage running.
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(SET_PARENT_DEATH_SIGNAL, signal.SIGTERM)
