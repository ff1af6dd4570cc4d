"""Tests, named as promises; test_<module>.py mirrors the module."""

from pathlib import Path

ROOT = Path(__file__).parents[1]
