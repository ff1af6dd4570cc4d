"""Measures the pipeline: `python -m bench` prints a table and writes it to bench/results.md; `--quick` only prints.

Everything runs in a clone of the last commit, one process at a time, and what is compared is run in turns: machines
are shared and noisy, so a ratio of two things measured side by side says more than either time. Run it with nothing
else running.
"""

import argparse
import tempfile
from pathlib import Path

from tqdm import tqdm

from bench.clone import ROOT, Clone
from bench.overhead import dvc, growth
from bench.report import Row, conditions, markdown
from bench.training import accuracies, evaluation, notes_and_fast, stages_of_demo

RESULTS = ROOT / "bench/results.md"
NUM_ROUNDS = 3
FULL = (notes_and_fast, stages_of_demo, accuracies, evaluation, dvc, growth)
QUICK = (notes_and_fast, dvc)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="about three minutes: the main ratios, once each")
    quick = parser.parse_args().quick
    measurements = QUICK if quick else FULL
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="bench-") as scratch:
        clone = Clone(Path(scratch) / "clone")
        for measure in tqdm(measurements, unit="measurement"):
            rows += measure(clone, 1 if quick else NUM_ROUNDS)
    # The notes' program takes as many threads as there are cores, ours as many as the recipe says.
    text = f"Measured with `make bench{' QUICK=1' if quick else ''}` on {conditions()}.\n\n{markdown(rows)}\n"
    print(text)
    if not quick:
        # What other programs measured, such as bench.gpu, stands behind it and stays.
        _, heading, others = RESULTS.read_text(encoding="utf-8").partition("\n## ")
        RESULTS.write_text(f"# Measurements\n\n{text}{heading}{others}", encoding="utf-8")


if __name__ == "__main__":
    main()
