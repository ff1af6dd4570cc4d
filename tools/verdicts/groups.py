"""Runs of the same recipe and settings, which differ in their seed alone, and what they amount to."""

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import mean, median, stdev

from tools.trials.runs import Run
from tools.verdicts.statistics import Interval, t_interval

TEST, VALIDATION = "test_accuracy", "validation_accuracy"


@dataclass(frozen=True)
class Group:
    """Runs of one commit, recipe and settings, one per seed."""

    name: str
    runs: tuple[Run, ...]

    @property
    def seeds(self) -> list[int]:
        """The seeds, in the order of the runs."""
        return [run.trial.seed for run in self.runs]

    @property
    def test_labels(self) -> bytes:
        """What tells one set of test images from another."""
        return self.runs[0].predictions["label"].to_numpy("uint8").tobytes()

    @property
    def data_settings(self) -> list[str]:
        """Settings on which the validation images depend."""
        return [setting for setting in self.runs[0].trial.settings if setting.startswith("data.")]

    def values(self, metric: str) -> list[float]:
        """A metric of each run; empty if a run does not have it, as validation accuracy without validation images."""
        if not all(metric in run.metrics for run in self.runs):
            return []
        return [run.metrics[metric] for run in self.runs]

    def seconds(self) -> float | None:
        """The median of the training times that are known."""
        known = [run.seconds for run in self.runs if run.seconds is not None]
        return median(known) if known else None


@dataclass(frozen=True)
class Summary:
    """A metric over the seeds of a group; one seed has no standard deviation, and tells no interval of the mean."""

    mean: float
    interval: Interval | None
    standard_deviation: float | None
    lowest: float
    highest: float


def group_runs(runs: Iterable[Run]) -> list[Group]:
    """Return the groups in the order of their first run, their runs by seed; each trial must be there only once."""
    alike: dict[tuple[str, str, tuple[str, ...]], list[Run]] = {}
    for run in runs:
        alike.setdefault((run.trial.commit, run.trial.recipe, run.trial.settings), []).append(run)
    has_many_commits = len({commit for commit, _, _ in alike}) > 1
    return [
        Group(_name(*key, has_many_commits), tuple(sorted(group, key=lambda run: run.trial.seed)))
        for key, group in alike.items()
    ]


def summarize(group: Group, metric: str) -> Summary | None:
    """Return the summary of a metric; None if the runs do not all have it."""
    values = group.values(metric)
    if not values:
        return None
    deviation = stdev(values) if len(values) > 1 else None
    return Summary(mean(values), t_interval(values), deviation, min(values), max(values))


def _name(commit: str, recipe: str, settings: tuple[str, ...], with_commit: bool) -> str:
    """Short: a setting of the group's own recipe without `recipes.<recipe>.`."""
    words = [recipe, *(setting.removeprefix(f"recipes.{recipe}.") for setting in settings)]
    return " ".join(words + [f"@{commit[:7]}"] * with_commit)
