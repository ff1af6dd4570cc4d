"""Commands for people, run as `python -m tools.<name>`."""

import mnist  # noqa: F401  (before any tool imports torch: this fixes the CPU profile)
