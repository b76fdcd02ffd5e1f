"""Drifts -> whether portraits change people of every skin tone alike: medians by group, and a table.

Pure functions. One sitter is one value, however many portraits. Model sets are never pooled.
"""

import csv
import io
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.stats import bootstrap

from votes.export import cell
from votes.findings import RESAMPLES, SEED
from votes.schema import Drift

# Ten tones fill too slowly in one hall: the lightest three, the middle three, the darkest four.
GROUPS = {"light": range(1, 4), "mid": range(4, 7), "dark": range(7, 11)}
FEWEST = 30  # sitters; below it a group has no figure
MEASURES = ("skin", "jaw", "face", "eyes", "hair", "hair_colour", "pose")
COLUMNS = ("event", "band", "look", "model_set", "rehearsal", *MEASURES)


class Middle(NamedTuple):
    """The median of a group with its 95 % interval (bootstrap over sitters); NaN where there are too few."""

    sitters: int
    value: float
    low: float
    high: float

    @property
    def too_few(self) -> bool:
        """Whether a figure would only mislead."""
        return self.sitters < FEWEST


def model_sets(drifts: Sequence[Drift]) -> tuple[str, ...]:
    """Those that drew, the one with most sitters first."""
    names = [one.model_set for one in drifts]
    return tuple(sorted(set(names), key=lambda name: (-names.count(name), name)))


def middles(drifts: Sequence[Drift], model_set: str, measure: str) -> dict[str, Middle]:
    """By group of skin tones, signed as the measure is: skin above 0 came out lighter."""
    found = [one for one in drifts if one.model_set == model_set and measure in one.measures]
    return {
        name: _middle([one.measures[measure] for one in found if one.band in tones])
        for name, tones in GROUPS.items()
    }


def _middle(values: Sequence[float]) -> Middle:
    if len(values) < FEWEST:
        return Middle(len(values), *[float("nan")] * 3)
    drawn = bootstrap(
        (np.sort(values),),  # the draws go by place: whoever came first must not matter
        np.median,
        vectorized=True,
        n_resamples=RESAMPLES,
        batch=256,
        method="percentile",
        rng=np.random.default_rng(SEED),
    ).confidence_interval
    return Middle(len(values), float(np.median(values)), float(drawn.low), float(drawn.high))


def as_csv(drifts: Sequence[Drift]) -> str:
    """RFC 4180 with a header: one sitter a row, sorted by what is in it, without voter and time."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS)
    writer.writeheader()
    writer.writerows(
        sorted((_row(one) for one in drifts), key=lambda row: [str(row[one]) for one in COLUMNS])
    )
    return text.getvalue()


def _row(one: Drift) -> dict[str, object]:
    told = {name: round(one.measures[name], 3) if name in one.measures else None for name in MEASURES}
    return {name: cell(value) for name, value in {**vars(one), **told}.items() if name in COLUMNS}
