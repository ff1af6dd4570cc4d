"""The page of a sweep: verdicts, runs, learning curves and images in one HTML file that needs no network."""

from pathlib import Path
from statistics import mean
from typing import Any

from pipeline.errors import UserError
from pipeline.files import write_file
from stages.report.page import embed, render
from tools.trials.runs import Run
from tools.verdicts.charts import learning_curves, pairs_chart, runs_chart
from tools.verdicts.groups import TEST, VALIDATION, Group, group_runs
from tools.verdicts.images import Case, always_wrong, count_wrong, draw, load_images, most_disputed
from tools.verdicts.pairs import Pair, compare_groups
from tools.verdicts.table import GROUP_COLUMNS, LEGEND, PAIR_COLUMNS, PURPOSES, group_row, pair_row, percent, reasons

TEMPLATE = Path("tools/verdicts/sweep.html.jinja")
NUM_IMAGES = 24  # Of each kind.


def write_page(runs: list[Run], path: Path) -> None:
    """Write the page of finished runs; works in the project's root, and takes the test images from data/raw.

    Raises:
        UserError: there are no runs.
    """
    if not runs:
        raise UserError("no trial has finished, so there is no page to write: `python -m tools.sweep run` trains some")
    groups = group_runs(runs)
    pairs = {metric: compare_groups(groups, metric) for metric in PURPOSES}
    curves = {f"curves-{number}": chart for number, chart in enumerate(learning_curves(groups))}
    page = render(
        TEMPLATE,
        headline=_headline(groups, pairs),
        conclusions={metric: conclude(compared) for metric, compared in pairs.items() if compared},
        num_runs=len(runs),
        groups=groups,
        group_columns=GROUP_COLUMNS,
        group_rows=list(map(group_row, groups)),
        purposes=PURPOSES,
        pair_columns=PAIR_COLUMNS,
        pair_rows={metric: [(pair.verdict, pair_row(pair)) for pair in pairs[metric]] for metric in pairs},
        reasons={metric: reasons(pairs[metric]) for metric in pairs},
        legend=LEGEND,
        curves=dict(zip(curves, groups, strict=True)),
        charts={**_charts(groups, pairs), **curves},
        test_sets=[_describe_images(alike) for alike in _with_same_images(groups)],
    )
    write_file(path, page.encode())


def conclude(pairs: list[Pair]) -> str:
    """Return in a few words what is known of the pairs, of which there is at least one."""
    if len(pairs) > 1:
        return f"{sum(pair.verdict in ('better', 'worse') for pair in pairs)} of {len(pairs)} pairs decided"
    (pair,) = pairs
    is_decided = pair.verdict in ("better", "worse")
    return f"{pair.first} is {pair.conclusion} than {pair.second}" if is_decided else pair.conclusion


def _headline(groups: list[Group], pairs: dict[str, list[Pair]]) -> str:
    """Of validation, on which a choice must be made; of the test, where the runs have no validation accuracy."""
    if len(groups) == 1:
        return percent(mean(groups[0].values(TEST)))
    has_validation = any(pair.difference is not None for pair in pairs[VALIDATION])
    return conclude(pairs[VALIDATION if has_validation else TEST])


def _charts(groups: list[Group], pairs: dict[str, list[Pair]]) -> dict[str, Any]:
    """The charts of runs and of pairs, as far as there are such."""
    charts = {}
    for metric, compared in pairs.items():
        if measured := [group for group in groups if group.values(metric)]:
            charts[f"runs-{metric}"] = runs_chart(measured, metric)
        if different := [pair for pair in compared if pair.difference is not None]:
            charts[f"pairs-{metric}"] = pairs_chart(different)
    return charts


def _with_same_images(groups: list[Group]) -> list[list[Group]]:
    """The groups, those with the same test images together."""
    alike: dict[bytes, list[Group]] = {}
    for group in groups:
        alike.setdefault(group.test_labels, []).append(group)
    return list(alike.values())


def _describe_images(groups: list[Group]) -> dict[str, Any]:
    """What the page says of the test images of some groups, and the pictures that it shows."""
    images = load_images(groups[0])
    kinds = {"wrong": always_wrong(groups), "disputed": most_disputed(groups)}

    def picture(case: Case) -> str | None:
        return None if images is None else embed(draw(images[case.index]))

    return {
        "groups": [(group.name, *count_wrong(group)) for group in groups],
        "num_runs": sum(len(group.runs) for group in groups),
        "num_images": len(groups[0].test_labels),
        "has_pictures": images is not None,
        "numbers": {kind: len(cases) for kind, cases in kinds.items()},
        "cases": {kind: [(case, picture(case)) for case in cases[:NUM_IMAGES]] for kind, cases in kinds.items()},
    }
