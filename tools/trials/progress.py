"""Shows how far a sweep is: a bar in a terminal; everywhere a line per trial that ends."""

import sys
import time
from collections import Counter
from collections.abc import Sequence

from tqdm import tqdm

from tools.trials.state import DONE, FAILED, RUNNING, Row


class Progress:
    """Knows the rows of all trials, and how many were done before."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows = rows
        self._before = self._num_ended()
        self._start = time.monotonic()
        self._bar = tqdm(
            total=len(rows),
            initial=self._before,
            unit="trial",
            dynamic_ncols=True,
            disable=not sys.stderr.isatty(),
        )

    def update(self) -> None:
        """Show how many trials are running now."""
        counts = Counter(row.state for row in self._rows)
        self._bar.set_postfix_str(f"running {counts[RUNNING]}, failed {counts[FAILED]}", refresh=False)
        self._bar.n = self._num_ended()
        self._bar.refresh()

    def ended(self, row: Row) -> None:
        """Print the line of a trial that has ended, and for how long the others will take at this pace."""
        num_ended = self._num_ended()
        seconds_each = (time.monotonic() - self._start) / (num_ended - self._before)
        left = tqdm.format_interval(seconds_each * (len(self._rows) - num_ended))
        self._bar.write(f"trial {num_ended}/{len(self._rows)}: {row.trial}: {row.state}: {row.detail}, {left} left")
        sys.stdout.flush()

    def close(self) -> None:
        """Leave the bar as it is."""
        self._bar.close()

    def _num_ended(self) -> int:
        return sum(row.state in (DONE, FAILED) for row in self._rows)
