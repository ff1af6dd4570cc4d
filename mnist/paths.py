"""Every path of data/ and metrics/ that more than one module names."""

from pathlib import Path

RAW_DATA = Path("data/raw")
CHECKPOINTS = Path("data/checkpoints")
OPTIMIZER = Path("data/optimizer")
MODEL = Path("data/model.safetensors")
PREDICTIONS_CSV = Path("data/predictions.csv")

METRICS = Path("metrics")
TRAIN_CSV = METRICS / "train.csv"
ENVIRONMENT_JSON = METRICS / "environment.json"
EVALUATE_JSON = METRICS / "evaluate.json"
CHECKPOINTS_CSV = METRICS / "checkpoints.csv"
CLASSES_CSV = METRICS / "classes.csv"
CONFUSION_CSV = METRICS / "confusion.csv"


def checkpoint_name(epoch: int) -> str:
    """The file name of an epoch's checkpoint, and of its optimizer state: three digits put text in order."""
    return f"epoch_{epoch:03d}.safetensors"


def checkpoint_path(epoch: int) -> Path:
    """Where an epoch's checkpoint lies."""
    return CHECKPOINTS / checkpoint_name(epoch)


def optimizer_path(epoch: int) -> Path:
    """Where the state of the optimizer behind an epoch lies."""
    return OPTIMIZER / checkpoint_name(epoch)
