"""The epochs that are checked are the ones asked for, or a sample; and what that is worth is said."""

from collections import Counter
from itertools import combinations

import pytest

from pipeline.errors import UserError
from tools.proofs.sampling import choose_epochs, describe_worth, escape_probability


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("all", ([1, 2, 3, 4], True)),
        ("4", ([1, 2, 3, 4], True)),
        ("2,", ([2], False)),
        ("4,1,4", ([1, 4], False)),
    ],
)
def test_epochs_asked_for_are_chosen(text: str, expected: tuple[list[int], bool]) -> None:
    assert choose_epochs(text, 4) == expected


@pytest.mark.parametrize("text", ["", "0", "5", "-1", "1,5", "1,,2", "x", "1-3", "²"])
def test_what_is_not_there_is_refused(text: str) -> None:
    with pytest.raises(UserError, match=rf"^--epochs {text}: expected how many of the 4 epochs"):
        choose_epochs(text, 4)


def test_every_sample_is_drawn_equally_often() -> None:
    counts = Counter(tuple(choose_epochs("2", 4)[0]) for _ in range(1200))
    assert counts.keys() == set(combinations(range(1, 5), 2))
    assert all(100 < count < 300 for count in counts.values())  # 200 are expected, with a standard deviation of 13.


def test_worth_is_the_probability_of_samples_without_a_forged_epoch() -> None:
    samples = list(combinations(range(20), 3))
    escapes = sum(min(sample) >= 5 for sample in samples)
    assert escape_probability(20, 3, 5) == escapes / len(samples)
    assert describe_worth(20, 3) == (
        "3 of 20 epochs: a training with 5 epochs that are not genuine escapes with probability 0.40"
    )
    assert describe_worth(20, 12).endswith(" with probability 0.004")
    assert describe_worth(20, 20).endswith(" with probability 0")
    assert describe_worth(3, 1) == (
        "1 of 3 epochs: a training with 1 epoch that is not genuine escapes with probability 0.67"
    )
