"""Trains the chosen recipe's network, and keeps a checkpoint of every epoch.

Reads params.yaml (recipe, recipes.<recipe>, device, data), pyproject.toml (the pinned versions), data/checksums.txt and
data/raw; writes data/checkpoints, data/optimizer.safetensors (the optimizer's state behind the last of them),
metrics/train.csv, whose rows name the sha256 of each checkpoint, and metrics/environment.json.
Epochs that were finished before, in a run that was killed or was shorter, are taken from data/.resume.
"""

from pipeline.start import DEPS  # isort: skip

from functools import partial

from mnist.checkpoint import Description
from mnist.data import DataParams, list_training_files, load_training
from mnist.determinism import Device, describe_device, make_deterministic
from mnist.memory import keep_freed_memory
from mnist.paths import ENVIRONMENT_JSON, RAW_DATA
from pipeline.stage import stage
from pipeline.tables import write_json
from stages.train.history import History
from stages.train.recipe import Recipe
from stages.train.training import announce, publish, train


def main() -> None:
    with stage(DEPS) as inputs:
        data_params: DataParams = inputs.param("data", DataParams)
        recipe: Recipe = inputs.param(f"recipes.{inputs.param('recipe', str)}", Recipe)
        inputs.files(list_training_files(RAW_DATA, data_params.dataset))
        inputs.versions("records")
        keep_freed_memory()
        device = make_deterministic(recipe.threads, inputs.param("device", Device))
        training, validation = (part.to(device) for part in load_training(RAW_DATA, data_params))
        environment = {"device": describe_device(device)} | inputs.versions("numerics")

        history = History(inputs.values(without="epochs") | environment)
        announce(history, recipe.epochs)
        if history.resumable(recipe.epochs) < recipe.epochs:
            describe = partial(
                Description,
                network=recipe.network,
                threads=recipe.threads,
                training=recipe.model_dump(exclude={"epochs", "network", "threads"}),
                data=data_params,
                environment=environment,
            )
            train(history, recipe, training, validation, describe)

        inputs.verify_unchanged()
        publish(history, recipe.epochs)
        write_json(ENVIRONMENT_JSON, environment | {"threads": recipe.threads})
        history.remove_old()


if __name__ == "__main__":
    main()
