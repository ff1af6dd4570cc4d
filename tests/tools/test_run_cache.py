"""An entry of the run-cache is used only if it is what its name says, of this code, and at one with dvc.lock."""

from copy import deepcopy
from typing import Any

import pytest
import yaml

from tools.store.run_cache import Runs, entry_of, parse_entry

MD5_A, MD5_B, MD5_C = "a" * 32, "b" * 32, "c" * 32
STAGE: dict[str, Any] = {
    "cmd": "exec python -m stages.train",
    "deps": [
        {"path": "data/raw", "hash": "md5", "md5": f"{MD5_A}.dir", "size": 9, "nfiles": 4},
        {"path": "mnist", "hash": "md5", "md5": f"{MD5_B}.dir", "size": 8, "nfiles": 2},
        {"path": "stages/train/step.py", "hash": "md5", "md5": MD5_B, "size": 5},
    ],
    "params": {"params.yaml": {"recipe": "demo"}},
    "outs": [{"path": "data/checkpoints", "hash": "md5", "md5": f"{MD5_C}.dir", "size": 7, "nfiles": 3}],
}
CODE = {"mnist": f"{MD5_B}.dir", "stages/train/step.py": MD5_B}


def edited(**parts: Any) -> dict[str, Any]:
    return deepcopy(STAGE) | parts


def dump(stage: object) -> bytes:
    return yaml.safe_dump(stage, sort_keys=False).encode()


def test_entry_is_read() -> None:
    entry = parse_entry(entry_of(STAGE).name, dump(STAGE))
    assert entry == entry_of(STAGE)
    assert entry.outs == {"data/checkpoints": f"{MD5_C}.dir"}
    assert entry.key == entry.name.split("/")[1]


@pytest.mark.parametrize(
    "altered",
    [
        edited(cmd="rm -r data"),
        edited(params={"params.yaml": {"recipe": "notes"}}),
        edited(outs=[STAGE["outs"][0] | {"md5": f"{MD5_B}.dir"}]),
        edited(outs=[STAGE["outs"][0] | {"path": "README.md"}]),
        edited(deps=STAGE["deps"][:1]),
    ],
)
def test_altered_entry_is_refused_whatever_was_altered(altered: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="altered, or misplaced"):
        parse_entry(entry_of(STAGE).name, dump(altered))


def test_misplaced_entry_is_refused() -> None:
    first, key, value = entry_of(STAGE).name.split("/")
    for name in (f"{first}/{value}/{key}", f"00/{key}/{value}", value):
        with pytest.raises(ValueError, match="misplaced"):
            parse_entry(name, dump(STAGE))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0",
        b"\xff",
        b"[",
        b"[]",
        b"cmd: x",
        dump(STAGE)[:10],
        dump(edited(outs=[])),
        dump(edited(outs=[{"path": "a", "md5": "../x"}])),
        dump(edited(deps=5)),
        dump(edited(cmd=["a"])),
        dump(STAGE) + b"when: 2026-01-01\n",
        b"cmd: x\ndeps: []\nouts: &a [*a, *a]\n",
        b"[" * 100_000,
        dump(STAGE) + b"#" * (1 << 20),
    ],
)
def test_malformed_entry_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match="no run-cache entry"):
        parse_entry(entry_of(STAGE).name, content)


RUNS = Runs(frozenset({entry_of(STAGE).shape}), CODE, (entry_of(STAGE),))


def test_entry_of_this_code_fits_whatever_its_parameters() -> None:
    assert RUNS.fit(entry_of(STAGE))
    assert RUNS.fit(entry_of(edited(params={"params.yaml": {"recipe": "notes"}})))


@pytest.mark.parametrize(
    "other",
    [
        edited(cmd="rm -r data"),
        edited(outs=[STAGE["outs"][0] | {"path": "README.md"}]),
        edited(deps=[*STAGE["deps"][:2], STAGE["deps"][2] | {"md5": MD5_A}]),
        edited(deps=[STAGE["deps"][0], STAGE["deps"][1] | {"md5": f"{MD5_A}.dir"}, STAGE["deps"][2]]),
        edited(deps=STAGE["deps"][1:]),
    ],
)
def test_entry_of_other_code_or_another_stage_does_not_fit(other: dict[str, Any]) -> None:
    assert not RUNS.fit(entry_of(other))


def test_entry_that_restores_something_else_for_locked_inputs_contradicts() -> None:
    other = entry_of(edited(outs=[STAGE["outs"][0] | {"md5": f"{MD5_B}.dir"}]))
    assert RUNS.contradiction(other) == "for the inputs in dvc.lock it restores another data/checkpoints"
    assert RUNS.contradiction(entry_of(STAGE)) is None
    assert RUNS.contradiction(entry_of(edited(params={}))) is None
