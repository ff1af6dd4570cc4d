"""Says what may be concluded of finished runs: for a terminal, a Markdown page, or a program."""

import json
from dataclasses import asdict
from typing import Any, Literal

import pandas as pd

from pipeline.errors import UserError
from tools.trials.runs import Run
from tools.verdicts.groups import TEST, VALIDATION, group_runs, summarize
from tools.verdicts.pairs import compare_groups
from tools.verdicts.table import (
    GROUP_COLUMNS,
    PAIR_COLUMNS,
    PURPOSES,
    format_legend,
    format_rows,
    group_row,
    pair_row,
    reasons,
)

Form = Literal["text", "json", "markdown", "csv"]


def show(runs: list[Run], form: Form) -> str:
    """Return the verdicts, or, as CSV, what they are made from: a line per run.

    Raises:
        UserError: there are no runs.
    """
    if not runs:
        raise UserError("no trial has finished, so there is nothing to show: `python -m tools.sweep run` trains some")
    if form == "csv":
        return runs_table(runs).to_csv(index=False, lineterminator="\n").removesuffix("\n")
    if form == "json":
        return json.dumps(verdicts(runs), indent=2, allow_nan=False)
    return tables(runs, markdown=form == "markdown")


def tables(runs: list[Run], markdown: bool) -> str:
    """Return the table of groups and, where there are two and more, those of pairs, each with its purpose."""
    groups = group_runs(runs)
    parts = [format_rows(GROUP_COLUMNS, [group_row(group) for group in groups], markdown)]
    if len(groups) > 1:
        for metric, purpose in PURPOSES.items():
            pairs = compare_groups(groups, metric)
            parts += [f"{purpose}:", format_rows(PAIR_COLUMNS, [pair_row(pair) for pair in pairs], markdown)]
            if lines := reasons(pairs):
                parts.append("\n".join(f"- {line}" for line in lines))
        parts.append(format_legend(markdown))
    return "\n\n".join(parts)


def verdicts(runs: list[Run]) -> dict[str, Any]:
    """Return all that is known of groups and pairs; None is what the runs do not tell."""
    groups = group_runs(runs)
    return {
        "groups": [
            {
                "name": group.name,
                "commit": group.runs[0].trial.commit,
                "recipe": group.runs[0].trial.recipe,
                "settings": group.runs[0].trial.settings,
                "seeds": group.seeds,
                "training_seconds": group.seconds(),
                **{
                    metric: None if (summary := summarize(group, metric)) is None else asdict(summary)
                    for metric in (TEST, VALIDATION, "test_errors")
                },
            }
            for group in groups
        ],
        "pairs": {metric: [asdict(pair) for pair in compare_groups(groups, metric)] for metric in PURPOSES},
    }


def runs_table(runs: list[Run]) -> pd.DataFrame:
    """Return a row per run, by group and seed: its trial, its metrics, what it took where."""
    return pd.DataFrame(
        {
            "name": run.trial.name,
            "commit": run.trial.commit,
            "recipe": run.trial.recipe,
            "settings": " ".join(run.trial.settings),
            "seed": run.trial.seed,
            **run.metrics,
            "seconds": run.seconds,
            "machine": run.machine,
        }
        for group in group_runs(runs)
        for run in group.runs
    )
