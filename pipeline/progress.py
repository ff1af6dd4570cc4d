"""Shows how far a loop is: a bar in a terminal, plain lines elsewhere."""

import sys
import time

from tqdm import tqdm


class Progress:
    """Counts `total` units, of which `done` were there before; `advance` shows the latest values and the time left."""

    def __init__(self, unit: str, total: int, done: int = 0) -> None:
        self._in_terminal = sys.stderr.isatty()
        self._bar = tqdm(total=total, initial=done, unit=unit, disable=not self._in_terminal, dynamic_ncols=True)
        self._unit, self._total, self._done = unit, total, done
        self._first, self._start = done, time.monotonic()

    def advance(self, **values: float) -> None:
        """One unit is done; `values` are shown with four decimals."""
        self._done += 1
        shown = {name.replace("_", " "): f"{value:.4f}" for name, value in values.items()}
        self._bar.set_postfix(shown, refresh=False)
        self._bar.update()
        if self._done == self._total:
            self._bar.close()
        if not self._in_terminal:
            seconds_each = (time.monotonic() - self._start) / (self._done - self._first)
            left = tqdm.format_interval(seconds_each * (self._total - self._done))
            texts = ", ".join(f"{name} {value}" for name, value in shown.items())
            print(f"{self._unit} {self._done}/{self._total}: {texts}, {left} left", flush=True)
