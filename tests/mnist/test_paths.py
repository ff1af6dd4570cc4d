"""Checkpoints are named so that any listing shows them in order."""

from mnist.paths import checkpoint_name


def test_names_sort_as_their_numbers() -> None:
    names = [checkpoint_name(epoch) for epoch in range(1, 1000)]
    assert names == sorted(names)
    assert names[0] == "epoch_001.safetensors"
