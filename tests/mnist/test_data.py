"""Images and labels are those of the files; the split is complete, disjoint and a function of its seed."""

import shutil
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from mnist.data import DataParams, Examples, load_test, load_training
from mnist.dataset import FILES, TEST_LABELS, TRAINING_IMAGES
from pipeline.errors import UserError
from tests.tiny import checksums, tiny_images
from tests.tools.test_verify import flip_last_byte

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import torchvision


def data_params(validation_size: int = 0, split_seed: int = 0) -> DataParams:
    return DataParams(dataset="mnist", validation_size=validation_size, split_seed=split_seed)


def copy(raw: Path, folder: Path) -> Path:
    """A copy of a folder like data/raw, and of the checksums beside it, that the test may change."""
    shutil.copy(raw.parent / "checksums.txt", folder)
    return Path(shutil.copytree(raw, folder / "raw"))


def rows(examples: Examples) -> list[bytes]:
    pairs = zip(examples.images, examples.labels, strict=True)
    return [image.numpy().tobytes() + bytes([int(label)]) for image, label in pairs]


def test_examples_have_the_documented_types(tiny_raw: Path) -> None:
    for examples, num_examples in (
        (load_training(tiny_raw, data_params())[0], 600),
        (load_test(tiny_raw, data_params()), 200),
    ):
        assert examples.images.shape == (num_examples, 1, 28, 28)
        assert examples.images.dtype == torch.uint8
        assert examples.labels.shape == (num_examples,)
        assert examples.labels.dtype == torch.int64
        assert len(examples) == num_examples


@pytest.mark.parametrize("train", [True, False])
def test_torchvision_reads_the_same_images_and_labels(tiny_raw: Path, train: bool) -> None:
    peer = torchvision.datasets.MNIST(tiny_raw, train=train)
    examples = load_training(tiny_raw, data_params())[0] if train else load_test(tiny_raw, data_params())
    assert torch.equal(examples.images.squeeze(1), peer.data)
    assert torch.equal(examples.labels, peer.targets)


def test_split_uses_every_training_image_once(tiny_raw: Path) -> None:
    whole, none = load_training(tiny_raw, data_params(0))
    training, validation = load_training(tiny_raw, data_params(150))
    assert (len(none), len(training), len(validation)) == (0, 450, 150)
    assert len(set(rows(whole))) == 600
    assert sorted(rows(training) + rows(validation)) == sorted(rows(whole))


def test_parts_keep_the_order_of_the_file(tiny_raw: Path) -> None:
    position = {row: index for index, row in enumerate(rows(load_training(tiny_raw, data_params(0))[0]))}
    for part in load_training(tiny_raw, data_params(150)):
        positions = [position[row] for row in rows(part)]
        assert positions == sorted(positions)


def test_split_is_a_function_of_its_seed(tiny_raw: Path) -> None:
    first, again, other = (load_training(tiny_raw, data_params(150, seed))[1] for seed in (0, 0, 1))
    assert rows(first) == rows(again)
    assert set(rows(first)) != set(rows(other))


def test_split_does_not_touch_the_test_images(tiny_raw: Path) -> None:
    images, labels = tiny_images(200, seed=29)
    test = load_test(tiny_raw, data_params(150, split_seed=7))
    assert test.images.numpy().tobytes() == images.tobytes()
    assert test.labels.tolist() == labels.tolist()


def test_selection_follows_the_order_of_its_indices() -> None:
    examples = Examples(torch.arange(5, dtype=torch.uint8).reshape(5, 1, 1, 1), torch.arange(5))
    chosen = examples.select(torch.tensor([4, 0, 4]))
    assert chosen.images.flatten().tolist() == chosen.labels.tolist() == [4, 0, 4]


@pytest.mark.parametrize("size", [600, 601, 5000])
def test_validation_that_leaves_nothing_to_train_on_is_refused(tiny_raw: Path, size: int) -> None:
    with pytest.raises(UserError) as raised:
        load_training(tiny_raw, data_params(size))
    assert str(raised.value).startswith(f"params.yaml: data.validation_size is {size}; expected 0 to 599")


def test_one_training_image_is_enough(tiny_raw: Path) -> None:
    training, validation = load_training(tiny_raw, data_params(599))
    assert (len(training), len(validation)) == (1, 599)


def test_missing_file_is_named(tiny_raw: Path, tmp_path: Path) -> None:
    raw = copy(tiny_raw, tmp_path)
    missing = raw / "MNIST/raw" / TEST_LABELS
    missing.unlink()
    with pytest.raises(UserError, match="is missing: run `dvc repro download`") as raised:
        load_test(raw, data_params())
    assert str(missing) in str(raised.value)


@pytest.mark.parametrize("name", FILES)
def test_flipped_bit_of_any_file_is_noticed_where_it_is_read(tiny_raw: Path, tmp_path: Path, name: str) -> None:
    raw = copy(tiny_raw, tmp_path)
    flip_last_byte(raw / "MNIST/raw" / name)
    load, other = (load_training, load_test) if name.startswith("train") else (load_test, load_training)
    with pytest.raises(UserError, match=f"{name} is damaged"):
        load(raw, data_params())
    other(raw, data_params())


@pytest.mark.parametrize(
    ("damage", "complaint"), [(lambda content: content[:-1], "bytes long"), (lambda content: b"", "is not an idx file")]
)
def test_malformed_file_is_named_even_if_its_md5_is_the_known_one(
    tiny_raw: Path, tmp_path: Path, damage: Callable[[bytes], bytes], complaint: str
) -> None:
    raw = copy(tiny_raw, tmp_path)
    damaged = raw / "MNIST/raw" / TRAINING_IMAGES
    damaged.write_bytes(damage(damaged.read_bytes()))
    (tmp_path / "checksums.txt").write_text(checksums(raw / "MNIST/raw"))
    with pytest.raises(UserError, match=f"{TRAINING_IMAGES} .*{complaint}"):
        load_training(raw, data_params())


def test_other_data_set_is_looked_for_in_its_own_folder(tiny_raw: Path) -> None:
    with pytest.raises(UserError, match="KMNIST/raw"):
        load_test(tiny_raw, DataParams(dataset="kmnist", validation_size=0, split_seed=0))
