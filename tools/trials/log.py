"""Reads what `dvc exp run` prints, as it comes: whether it trains and how long, and why it fails."""

import re
import time

RUNNING = re.compile(r"Running stage '(\w+)':")


class Log:
    """`seconds` is the wall time of the train stage, if all epochs were trained in it."""

    def __init__(self) -> None:
        self.has_trained = False
        self.seconds: float | None = None
        self._lines: list[str] = []
        self._stage, self._start, self._is_whole = "", 0.0, False

    def add(self, line: str) -> None:
        """A line that was printed just now."""
        self._lines.append(line)
        if running := RUNNING.match(line):
            self._end_stage()
            self._stage, self._start = running[1], time.monotonic()
        elif self._stage == "train" and line.startswith(("starting at epoch", "continuing at epoch")):
            self.has_trained, self._is_whole = True, line.startswith("starting")
        elif line.startswith("Updating lock file"):
            self._end_stage()

    def _end_stage(self) -> None:
        """DVC updates its lock file, or, where that is right already, goes on with the next stage."""
        if self._stage == "train" and self._is_whole:
            self.seconds = round(time.monotonic() - self._start, 1)
        self._stage = ""

    def reason(self) -> str:
        """Why the run failed: what the stage said of it, else DVC, else the last line."""
        starts = [f"{self._stage}: ", "ERROR: ", ""]
        said = [line for start in starts for line in reversed(self._lines) if line.strip() and line.startswith(start)]
        return said[0] if said else "it said nothing"
