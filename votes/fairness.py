"""Drifts -> whether portraits change people of every skin tone alike: medians by group, and a table.

Pure functions. One sitter is one value, however many portraits. Model sets are never pooled.
"""

import csv
import io
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.stats import bootstrap

from pipelines.measure.likeness import MEASURES
from votes.export import cell
from votes.findings import RESAMPLES, SEED
from votes.schema import Drift

# Ten tones fill too slowly in one hall: the lightest three, the middle three, the darkest four.
GROUPS = {"light": range(1, 4), "mid": range(4, 7), "dark": range(7, 11)}
FEWEST_SITTERS = 30  # below it a group has no figure
COLUMNS = ("event", "band", "look", "model_set", "rehearsal", *MEASURES)


class Median(NamedTuple):
    """The median of a group with its 95 % interval (bootstrap over sitters), in its measure's unit.

    NaN where there are too few.
    """

    sitters: int
    value: float
    low: float
    high: float

    @property
    def too_few(self) -> bool:
        """Whether a figure would only mislead."""
        return self.sitters < FEWEST_SITTERS


def model_sets(drifts: Sequence[Drift]) -> tuple[str, ...]:
    """Those that drew, the one with most sitters first."""
    names = [drift.model_set for drift in drifts]
    return tuple(sorted(set(names), key=lambda name: (-names.count(name), name)))


def medians(drifts: Sequence[Drift], model_set: str, measure: str) -> dict[str, Median]:
    """By group of skin tones, signed as the measure is: skin (L*) above 0 came out lighter."""
    measured = [drift for drift in drifts if drift.model_set == model_set and measure in drift.measures]
    return {
        name: _median([drift.measures[measure] for drift in measured if drift.band in tones])
        for name, tones in GROUPS.items()
    }


def _median(values: Sequence[float]) -> Median:
    if len(values) < FEWEST_SITTERS:
        return Median(len(values), *[float("nan")] * 3)
    interval = bootstrap(
        (np.sort(values),),  # the draws go by place: whoever came first must not matter
        np.median,
        vectorized=True,
        n_resamples=RESAMPLES,
        batch=256,
        method="percentile",
        rng=np.random.default_rng(SEED),
    ).confidence_interval
    return Median(len(values), float(np.median(values)), float(interval.low), float(interval.high))


def as_csv(drifts: Sequence[Drift]) -> str:
    """RFC 4180 with a header: one sitter a row, sorted by what is in it, without voter and time."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS)
    writer.writeheader()
    writer.writerows(sorted(map(_row, drifts), key=lambda row: [str(row[column]) for column in COLUMNS]))
    return text.getvalue()


def _row(drift: Drift) -> dict[str, object]:
    measures = {name: round(drift.measures[name], 3) if name in drift.measures else None for name in MEASURES}
    return {name: cell(value) for name, value in {**vars(drift), **measures}.items() if name in COLUMNS}
