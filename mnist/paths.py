"""Where training leaves what others read."""

from pathlib import Path

CHECKPOINTS = Path("data/checkpoints")
OPTIMIZER = Path("data/optimizer.safetensors")
TRAIN_CSV = Path("metrics/train.csv")


def checkpoint_name(epoch: int) -> str:
    """The file name of an epoch's checkpoint: three digits, so that text order is number order."""
    return f"epoch_{epoch:03d}.safetensors"
