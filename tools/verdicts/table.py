"""Groups and pairs as rows of texts, for a terminal, a Markdown page and the page in HTML."""

from statistics import mean

from tools.verdicts.groups import TEST, VALIDATION, Group, summarize
from tools.verdicts.pairs import Pair
from tools.verdicts.statistics import Interval

Row = list[str]

GROUP_COLUMNS = [
    "recipe",
    "seeds",
    "test accuracy",
    "95 % interval",
    "deviation",
    "range",
    "errors",
    "validation accuracy",
    "training",
]
PAIR_COLUMNS = [
    "pair",
    "difference",
    "95 % interval",
    "p",
    "first beats second",
    "verdict",
    "would find",
    "seeds needed",
]
# By which accuracy pairs are compared, and what that is good for.
PURPOSES = {
    VALIDATION: "By validation accuracy, on which a choice must be made",
    TEST: "By test accuracy, which tells how good the choice is",
}

UNKNOWN = "-"
LEGEND = {
    "difference": "of the mean accuracies, first minus second, in points; the interval is Welch's",
    "p": "permutation test of the means, exact (~: of 99,999 ways, drawn); with several pairs corrected after Holm",
    "first beats second": "how probably a run of the first has the higher accuracy; the interval is a bootstrap's",
    "verdict": "better or worse if p < 0.05; what is not decided need not be equal",
    "would find": "the smallest difference that so many seeds decide in 4 of 5 sweeps",
    "seeds needed": "of each, to decide a difference as large as the one seen in 4 of 5 sweeps",
}


def group_row(group: Group) -> Row:
    """Return what is known of a group, a text for each of GROUP_COLUMNS."""
    test, validation, seconds = summarize(group, TEST), summarize(group, VALIDATION), group.seconds()
    assert test is not None
    on_validation = UNKNOWN
    if validation is not None:
        on_validation = percent(validation.mean)
        if validation.interval is not None:
            on_validation += f" ({interval_text(validation.interval)})"
    return [
        group.name,
        str(len(group.runs)),
        percent(test.mean),
        interval_text(test.interval),
        UNKNOWN if test.standard_deviation is None else f"{100 * test.standard_deviation:.3f}",
        interval_text((test.lowest, test.highest)),
        f"{mean(group.values('test_errors')):.1f}",
        on_validation,
        UNKNOWN if seconds is None else f"{seconds:.0f} s",
    ]


def pair_row(pair: Pair) -> Row:
    """Return what is known of a pair, a text for each of PAIR_COLUMNS."""
    row = [f"{pair.first} against {pair.second}", *[UNKNOWN] * 4, pair.conclusion, UNKNOWN, UNKNOWN]
    if pair.difference is not None:
        row[1] = points(pair.difference.mean)
        if pair.difference.interval is not None:
            row[2] = " to ".join(map(points, pair.difference.interval))
        row[4] = f"{100 * pair.difference.probability:.0f} %"
        if pair.difference.probability_interval is not None:
            low, high = pair.difference.probability_interval
            row[4] += f" ({100 * low:.0f} to {100 * high:.0f})"
    if pair.test is not None:
        row[3] = f"{'' if pair.test.is_exact else '~'}{pair.test.p_value:.2g}"
        if pair.test.smallest_difference is not None:
            row[6] = f"{100 * pair.test.smallest_difference:.3f}"
        if pair.test.seeds_needed is not None:
            row[7] = f"{pair.test.seeds_needed:,}"
    return row


def reasons(pairs: list[Pair]) -> list[str]:
    """Return what is to be said beside the verdicts, a line for each pair of which there is something."""
    return [f"{pair.first} against {pair.second}: {pair.conclusion}: {pair.reason}" for pair in pairs if pair.reason]


def format_rows(columns: Row, rows: list[Row], markdown: bool) -> str:
    """Return the table for a terminal, or for a Markdown page."""
    cells = [columns, *rows]
    if markdown:
        cells.insert(1, ["---"] * len(columns))
        return "\n".join(f"| {' | '.join(row)} |" for row in cells)
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    padded = [[cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in cells]
    return "\n".join("  ".join(row).rstrip() for row in padded)


def format_legend(markdown: bool) -> str:
    """Return what the columns of pairs mean, a line each."""
    if markdown:
        return "\n".join(f"- *{column}*: {meaning}" for column, meaning in LEGEND.items())
    width = max(map(len, LEGEND))
    return "\n".join(f"{column.ljust(width)}  {meaning}" for column, meaning in LEGEND.items())


def percent(fraction: float) -> str:
    """Return an accuracy as tables show it."""
    return f"{100 * fraction:.2f} %"


def points(difference: float) -> str:
    """Return a difference of accuracies as tables show it."""
    return f"{100 * difference:+.3f}"


def interval_text(interval: Interval | None) -> str:
    """Return an interval of accuracies as tables show it."""
    return UNKNOWN if interval is None else " to ".join(f"{100 * end:.2f}" for end in interval)
