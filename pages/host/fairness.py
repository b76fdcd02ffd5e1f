"""The event's fairness as a chart: what portraits changed, by the skin tone that sitters chose to tell."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from markupsafe import Markup

from pages.markup import render
from pipelines.measure.likeness import MEASURES, thresholds
from votes.fairness import Median, medians, model_sets
from votes.schema import Drift
from words import write_number

Say = Callable[..., str]


class Group(NamedTuple):
    """A group of tones: in words, and low end, median, high end on a scale of 0..100; None for too few."""

    name: str
    words: str
    marks: tuple[float, float, float] | None


class Table(NamedTuple):
    """One model set's."""

    caption: str
    measures: list["MeasureRows"]


class MeasureRows(NamedTuple):
    """A row a group. `unchanged` is how far from the middle, 50, nobody sees a change."""

    name: str
    unit: str
    unchanged: float
    groups: list[Group]


def fairness_chart(say: Say, drifts: Sequence[Drift], titles: dict[str, str]) -> Markup:
    """One table a model set; `titles` names the sets for people."""
    tables = [_table(say, drifts, name, titles.get(name, name)) for name in model_sets(drifts)]
    return render("host/fairness.html", tables=tables, care=say("fair.care"), nothing=say("fair.none"))


def _table(say: Say, drifts: Sequence[Drift], name: str, title: str) -> Table:
    n = sum(drift.model_set == name for drift in drifts)
    rows = [_rows(say, measure, medians(drifts, name, measure)) for measure in MEASURES]
    return Table(say("fair.set", model=title, n=n), rows)


def _rows(say: Say, measure: str, groups: dict[str, Median]) -> MeasureRows:
    """The scale ends where changes are clear."""
    limits = thresholds()[measure]

    def at(value: float) -> float:
        return 50 + 50 * max(-1.0, min(1.0, value / limits.clearly))

    drawn = [
        Group(
            say(f"fair.group_{name}"),
            _sentence(say, middle),
            None if middle.too_few else (at(middle.low), at(middle.value), at(middle.high)),
        )
        for name, middle in groups.items()
    ]
    return MeasureRows(say(f"likeness.{measure}"), limits.unit, 50 * limits.flag / limits.clearly, drawn)


def _sentence(say: Say, middle: Median) -> str:
    if middle.too_few:
        return say("fair.few", n=middle.sitters)
    figures = (f"{figure:+.2f}".replace("-", "\u2212") for figure in middle[1:])
    value, low, high = (write_number(say, figure) for figure in figures)
    return say("fair.middle", value=value, low=low, high=high, n=middle.sitters)
