"""What stands below charts and pictures is true of the recipe."""

from typing import Any

import yaml

from stages.report.captions import captions, losses_are_comparable
from tests import ROOT

RECIPES: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "params.yaml").read_text())["recipes"]


def changed(name: str, **values: Any) -> dict[str, Any]:
    return RECIPES[name] | values


def test_distortions_are_those_of_the_recipe() -> None:
    augment = {"rotation_degrees": 7.5, "scale": 0.2, "shift_pixels": 0.0}
    texts = captions(changed("demo", augment=augment))
    assert texts["augmented"].endswith("turned by up to 7.5 degrees, scaled by up to 20 %, shifted by up to 0 pixels")
    assert "distorted" in texts["loss"]


def test_recipe_without_distortions_claims_none() -> None:
    texts = captions(changed("demo", augment=None))
    assert "augmented" not in texts
    assert "distorted" not in " ".join(texts.values())


def test_losses_that_are_not_the_same_quantity_are_told_apart() -> None:
    assert "training_loss" not in captions(RECIPES["demo"])
    for loss, reason in (
        ({"input": "probabilities", "label_smoothing": 0.0}, "of the probabilities, as if they were logits"),
        ({"input": "logits", "label_smoothing": 0.1}, "labels smoothed by 0.1"),
    ):
        assert not losses_are_comparable(loss)
        texts = captions(changed("demo", loss=loss))
        assert reason in texts["training_loss"]
        assert "not to be compared with the validation loss" in texts["training_loss"]
        assert "training" not in texts["loss"]
