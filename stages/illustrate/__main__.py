"""Draws what the network learned from, what it looks for, and where it goes wrong.

Reads params.yaml (recipe, the recipe's augment, device, data), pyproject.toml (the pinned versions),
data/checksums.txt, data/raw, data/model.safetensors and data/predictions.csv; writes metrics/samples.png,
metrics/augmented.png, metrics/mistakes.png and metrics/filters.png.
"""

from pipeline.start import DEPS  # isort: skip

import pandas as pd

from mnist.augment import AugmentParams
from mnist.checkpoint import load
from mnist.data import DataParams, load_test, load_training
from mnist.determinism import Device, make_deterministic
from mnist.paths import METRICS, MODEL, PREDICTIONS_CSV, RAW_DATA
from pipeline.files import write_file
from pipeline.stage import stage
from stages.illustrate.pictures import draw_augmented, draw_kernels, draw_mistakes, draw_samples


def main() -> None:
    with stage(DEPS) as inputs:
        data_params: DataParams = inputs.param("data", DataParams)
        recipe_name: str = inputs.param("recipe", str)
        augment_params: AugmentParams | None = inputs.param(f"recipes.{recipe_name}.augment", AugmentParams | None)
        inputs.versions("records", "numerics", "pictures")
        device = make_deterministic(1, inputs.param("device", Device))
        training, _ = load_training(RAW_DATA, data_params)
        network, _ = load(MODEL)
        pictures = {
            "samples.png": draw_samples(training),
            "augmented.png": draw_augmented(training, augment_params, device),
            "mistakes.png": draw_mistakes(load_test(RAW_DATA, data_params), pd.read_csv(PREDICTIONS_CSV)),
            "filters.png": draw_kernels(network),
        }
        inputs.verify_unchanged()
        for name, content in pictures.items():
            write_file(METRICS / name, content)


if __name__ == "__main__":
    main()
