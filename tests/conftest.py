"""What tests share: tiny data in MNIST's format, and a copy of the project that learns it in seconds."""

import mnist  # isort: skip  # noqa: F401  (before torch, for the CPU profile)
