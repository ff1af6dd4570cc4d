"""Runs epochs again with the code of a commit, in processes of a clone."""

import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from itertools import zip_longest
from pathlib import Path
from typing import Any

from tools.proofs.epochs import Epochs, Verdict
from tools.store.scratch import running

# It is the clone's module: this project's own may be of another commit.
COMMAND = (sys.executable, "-m", "stages.train.replay")


def check_here(epochs: Epochs, chosen: Sequence[int], clone: Path, environment: Mapping[str, str]) -> Iterator[Verdict]:
    """Yield the verdict on each of the chosen epochs, as they come."""
    lacking = {epoch: verdict for epoch in chosen if (verdict := epochs.bring(epoch))}
    yield from lacking.values()
    left = [epoch for epoch in chosen if epoch not in lacking]
    for epoch, said in _replay(left, clone, environment, epochs.num_processes):
        yield epochs.judge(epoch, said)


def read_replayed(lines: Iterable[str], epochs: Iterable[int]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield each epoch with what lines of stages/train/replay.py say of it; at the end those that none speaks of."""
    left = set(epochs)
    reason = "its process was ended"
    for line in lines:
        if not line.startswith("{"):  # What a library prints.
            continue
        said = json.loads(line)
        if "error" in said:
            reason = said["error"]
        else:
            left.remove(said["epoch"])
            yield said["epoch"], said
    for epoch in sorted(left):
        yield epoch, {"error": reason}


def _replay(
    epochs: Sequence[int], clone: Path, environment: Mapping[str, str], num_processes: int
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Run epochs, so many processes at a time; yield each with what was said of it."""
    shares = [share for first in range(num_processes) if (share := epochs[first::num_processes])]
    with ExitStack() as stack:
        started = []
        for share in shares:  # Each has a pipe of its own: what two write to one may be mixed.
            reader, writer = os.pipe()
            lines = stack.enter_context(os.fdopen(reader, encoding="utf-8"))
            try:
                command = [*COMMAND, *map(str, share)]
                process = stack.enter_context(running(command, clone, environment, writer))
            finally:
                os.close(writer)
            started.append((process, read_replayed(lines, share)))
        for turn in zip_longest(*(said for _, said in started)):
            yield from filter(None, turn)
        for process, _ in started:
            process.wait()
