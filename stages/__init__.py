"""The stages of dvc.yaml: one folder is one stage, run as `python -m stages.<name>`."""

import mnist  # noqa: F401  (before any stage imports torch: this fixes the CPU profile)
