"""What a stage's process needs before anything else is loaded; its entry point, and nothing else, imports this.

`DEPS` are the stage's deps as they are before its code is loaded, which takes seconds.
"""

import gc
import signal
import sys
from pathlib import Path

from pipeline.deps import read_deps
from pipeline.errors import UserError
from pipeline.parent import end_with_parent

# Until `pipeline.stage.stage` is entered, when all is imported: searching what torch's import makes for garbage, again
# and again, takes 0.5 s of 3.1 s (2 cores of an AMD EPYC of the Zen 3 generation, torch 2.14.1, medians of 10 runs).
gc.disable()

# Until a stage handles it, Ctrl-C ends the process at once, also while torch loads, and without a traceback.
signal.signal(signal.SIGINT, signal.SIG_DFL)

# A killed `dvc` would otherwise leave its stage running.
end_with_parent(signal.SIGTERM)

STAGE = Path(sys.argv[0]).parent.name
# All that a stage does stands in params.yaml, which DVC tracks, unlike a command line.
if sys.argv[1:]:
    sys.exit(f"{STAGE}: {sys.argv[1]!r} is not allowed: a stage takes no arguments; see README.md")

try:
    DEPS = read_deps(STAGE)
except UserError as error:
    sys.exit(f"{STAGE}: {error}")
