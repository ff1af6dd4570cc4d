"""Epochs are run again one by one: genuine ones are, and those that are not, or cannot be run, are named."""

import json
import re
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
import yaml

from mnist.paths import TRAIN_CSV, checkpoint_path, optimizer_path
from pipeline.files import sha256_of
from tests.project import NUM_EPOCHS, Once, Project
from tests.sweeps import gate_of
from tests.tools.test_joined import Machines
from tests.tools.test_verify import CORRUPTED, MISSING, UNCHECKED, cached_object, flip_last_byte, verify
from tools.proofs.sampling import choose_epochs, escape_probability

NUM_LONG_EPOCHS = 8


@pytest.fixture(scope="session")
def long_template(once: Once) -> Project:
    """A project of eight epochs, without the stages that draw, trained and committed."""

    def make(project: Project) -> None:
        document = yaml.safe_load((project.folder / "dvc.yaml").read_text())
        for stage in ("illustrate", "report"):
            del document["stages"][stage]
        (project.folder / "dvc.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
        project.set_param("recipes.demo.epochs", NUM_LONG_EPOCHS)
        project.repro()
        project.commit()

    return once("proofs", make)


@pytest.fixture
def long(long_template: Project, tmp_path: Path) -> Project:
    return long_template.copy(tmp_path / "long")


def alter_weight(path: Path) -> None:
    """Alter one weight of a state by one unit in the last place, as somebody does who knows the format."""
    content = bytearray(path.read_bytes())
    length = int.from_bytes(content[:8], "little")
    tensors = [tensor for name, tensor in json.loads(content[8 : 8 + length]).items() if name != "__metadata__"]
    start = 8 + length + next(tensor["data_offsets"][0] for tensor in tensors if tensor["dtype"] == "F32")
    weight = np.frombuffer(content, "<f4", 1, start)
    content[start : start + 4] = np.nextafter(weight, np.float32(9)).tobytes()
    path.unlink()
    path.write_bytes(content)


def forge(project: Project, path: Path) -> None:
    """Alter a state, and have metrics/train.csv, dvc.lock, the cache and all that is made from it fit, in a commit."""
    before = sha256_of((project.folder / path).read_bytes())
    alter_weight(project.folder / path)
    project.edit(TRAIN_CSV.as_posix(), before, sha256_of((project.folder / path).read_bytes()))
    project.run("dvc", "commit", "--force", "train")
    project.repro()
    project.commit()
    assert verify(project, "--outputs")[0] == 0


def epochs_named(output: str, said: str) -> list[int]:
    return sorted(int(number) for number in re.findall(rf"^epoch (\d+) of \d+: {said}", output, flags=re.MULTILINE))


def test_genuine_epochs_and_what_is_made_from_them_are_run_again_alone(project: Project) -> None:
    status, output = verify(project, "--epochs", "2")
    assert status == 0, output
    assert len(epochs_named(output, r"the same bytes, \d+\.\d s$")) == 2
    assert "2 of 2 epochs are genuine\n" in output
    assert ("2 of 3 epochs: a training with 1 epoch that is not genuine escapes with probability 0.33\n") in output
    assert re.findall(r"^Running stage '(\w+)':", output, flags=re.MULTILINE) == ["evaluate", "illustrate", "report"]
    assert re.search(r"^metrics/report.html .* yes$", output, flags=re.MULTILINE)
    assert not re.search(r"^data/checkpoints ", output, flags=re.MULTILINE), "they were not all made again"
    assert output.endswith(" outputs compared, 0 differ\n")


def test_forged_epoch_and_the_next_are_named_and_samples_find_them_as_often_as_is_said(long: Project) -> None:
    forge(long, checkpoint_path(4))
    status, output = verify(long, "--epochs", "all")
    assert status == CORRUPTED
    assert epochs_named(output, "NOT what metrics/train.csv records: data/checkpoints/epoch_") == [4, 5], output
    assert re.search(
        r"epoch_004.safetensors: \S+(weight|bias) differs in 1 of \d+ elements, by 1 unit in the last place at most",
        output,
    )
    genuine = set(epochs_named(output, "the same bytes"))
    assert genuine == {1, 2, 3, 6, 7, 8}
    assert output.endswith("6 of 8 epochs are genuine\nthe stages behind train are not run\n")

    num_draws, num_found = 200, 0
    for _ in range(num_draws):
        drawn, _ = choose_epochs("3", NUM_LONG_EPOCHS)
        num_found += not set(drawn) <= genuine
    expected = 1 - escape_probability(NUM_LONG_EPOCHS, 3, 2)
    standard_error = (expected * (1 - expected) / num_draws) ** 0.5
    assert abs(num_found / num_draws - expected) < 5 * standard_error


def test_forged_optimizer_state_is_found_too(long: Project) -> None:
    forge(long, optimizer_path(8))
    status, output = verify(long, "--epochs", "7,8")
    assert status == CORRUPTED
    assert epochs_named(output, "NOT what metrics/train.csv records: data/optimizer/epoch_008.safetensors: ") == [8]
    assert "escapes with probability" not in output, "nothing was drawn"


def test_missing_and_damaged_states_are_named_and_the_others_are_run(long: Project) -> None:
    cached_object(long, optimizer_path(2)).unlink()
    flip_last_byte(cached_object(long, checkpoint_path(5)))
    status, output = verify(long, "--epochs", "3,6,1")
    assert status == MISSING | CORRUPTED, output
    assert epochs_named(output, r"cannot be run: .*data/optimizer/epoch_002.safetensors .* is not there$") == [3]
    assert epochs_named(output, r"cannot be run: .*data/checkpoints/epoch_005.safetensors .* has md5 ") == [6]
    assert epochs_named(output, "the same bytes") == [1]
    assert "1 of 3 epochs are genuine\n" in output


def test_state_that_the_cache_lacks_is_brought_from_the_remote(long: Project, tmp_path: Path) -> None:
    long.run("dvc", "remote", "add", "--default", "share", str(tmp_path / "remote"))
    long.run("python", "-m", "tools.share", "push")
    cached_object(long, optimizer_path(2)).unlink()
    status, output = verify(long, "--epochs", "3,")
    assert status == 0, output


def test_epochs_that_are_not_there_and_commits_without_states_are_refused_in_one_line(project: Project) -> None:
    status, output = verify(project, "--epochs", f"{NUM_EPOCHS + 1}")
    assert (status, output.splitlines()[-1]) == (
        UNCHECKED,
        "verify: --epochs 4: expected how many of the 3 epochs are to be drawn, or which ones, with a comma (1,7 or "
        "7,), or all",
    )


def test_code_that_fails_is_the_reason(project: Project) -> None:
    project.edit("stages/train/epoch.py", "    network.train()\n", '    raise OSError("no luck")\n')
    project.commit()
    status, output = verify(project, "--epochs", "2,")
    assert status == UNCHECKED
    assert "epoch 2 of 3: could not be run: no luck\n" in output


def test_workers_that_joined_a_scheduler_check_epochs_too(long: Project) -> None:
    gate_of(long).touch()
    with ExitStack() as programs:
        machines = Machines(long, programs)
        long.run("python", "-m", "tools.share", "push")
        forge(long, checkpoint_path(4))
        long.run("git", "push", "--quiet", "origin", "main")
        long.run("python", "-m", "tools.share", "push")
        machines.start_scheduler()
        machines.start_worker(long)
        status, output = verify(long.fresh(), "--epochs", "3,4,5", "--scheduler", machines.scheduler)
    assert status == CORRUPTED, output
    assert epochs_named(output, r"the same bytes, \d+\.\d s, on \S+$") == [3]
    assert epochs_named(output, "NOT what metrics/train.csv records: .* differs in ") == [4, 5]
