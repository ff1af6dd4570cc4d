"""What determines a training is all that was noted, but for how many epochs were asked for."""

from typing import Any

from stages.train.origin import origin_of


def note(epochs: int, seed: int = 0) -> dict[str, Any]:
    recipe = {"seed": seed, "epochs": epochs, "schedule": {"epochs": 20}}
    return {
        "deps": {"stages/train": f"{epochs}"},
        "params": {
            "params.yaml": {"recipe": "demo", "recipes.demo": recipe},
            "pyproject.toml": {"dependency-groups.numerics": ["torch==2"]},
        },
        "files": {"stages/train/step.py": "a1"},
    }


def test_all_that_was_noted_determines_a_training_but_for_the_number_of_epochs() -> None:
    origin = origin_of(note(epochs=3), "CPU")
    assert origin == {
        "recipe": "demo",
        "recipes.demo.seed": 0,
        "recipes.demo.schedule.epochs": 20,
        "torch": "2",
        "stages/train/step.py": "a1",
        "device": "CPU",
    }
    assert origin_of(note(epochs=5), "CPU") == origin
    assert origin_of(note(epochs=3, seed=1), "CPU") != origin
    assert origin_of(note(epochs=3), "GPU") != origin
