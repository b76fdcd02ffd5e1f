"""Whether portraits change everyone alike: what is kept when a sitter tells a skin tone, and what it says."""

import csv
import io
import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pages.host.fairness import fairness_chart
from votes.__main__ import main
from votes.fairness import COLUMNS, FEWEST_SITTERS, GROUPS, as_csv, medians, model_sets
from votes.schema import MONK_TONES, Drift
from votes.store import Store
from words import read_words

WORDS = read_words()


def drift(number: int, band: int, skin: float, model_set: str = "mini") -> Drift:
    return Drift(f"sitter {number}", band, "grey", model_set, True, {"skin": skin}, "Hall 3")


def test_every_tone_is_in_one_group() -> None:
    assert sorted(tone for tones in GROUPS.values() for tone in tones) == list(range(1, MONK_TONES + 1))


@settings(max_examples=15, deadline=None)
@given(st.lists(st.floats(-20, 20), min_size=FEWEST_SITTERS, max_size=80))
def test_a_group_of_thirty_has_a_median_within_its_interval(values: list[float]) -> None:
    found = medians([drift(i, 8, value) for i, value in enumerate(values)], "mini", "skin")["dark"]
    assert found.sitters == len(values) and not found.too_few
    assert min(values) <= found.low <= found.value <= found.high <= max(values)
    assert (
        found
        == medians([drift(i, 9, value) for i, value in enumerate(reversed(values))], "mini", "skin")["dark"]
    )


def test_a_smaller_group_has_no_figure() -> None:
    found = medians([drift(i, 2, 1.0) for i in range(FEWEST_SITTERS - 1)], "mini", "skin")["light"]
    assert found.sitters == FEWEST_SITTERS - 1 and found.too_few and math.isnan(found.value)


def test_model_sets_and_missing_measures_are_kept_apart() -> None:
    drifts = [drift(i, 5, 2.0) for i in range(FEWEST_SITTERS)] + [
        drift(100 + i, 5, 9.0, "xl") for i in range(FEWEST_SITTERS + 1)
    ]
    assert model_sets(drifts) == ("xl", "mini")
    assert medians(drifts, "mini", "skin")["mid"].value == 2.0
    assert medians(drifts, "mini", "jaw")["mid"].sitters == 0


@pytest.mark.parametrize("band", [0, -1, 11])
def test_a_tone_that_is_none_is_refused(band: int) -> None:
    with pytest.raises(ValueError, match="band"):
        drift(1, band, 0.0)


def test_a_second_choice_takes_the_place_of_the_first_and_can_be_taken_back() -> None:
    with Store("sqlite://") as store:
        store.keep_drift(drift(1, 3, 1.0))
        store.keep_drift(drift(2, 4, 1.0))
        store.keep_drift(drift(1, 7, 2.0))
        assert [(one.sitter, one.band, one.measures) for one in store.drifts()] == [
            ("sitter 1", 7, {"skin": 2.0}),
            ("sitter 2", 4, {"skin": 1.0}),
        ]
        store.forget_drift("sitter 1")
        assert [one.sitter for one in store.drifts()] == ["sitter 2"]


def test_the_table_tells_no_voter_and_no_time() -> None:
    text = as_csv([drift(2, 9, -1.5), drift(1, 3, 0.25)])
    rows = list(csv.DictReader(io.StringIO(text)))
    assert "sitter" not in text
    assert [(row["band"], row["skin"], row["jaw"]) for row in rows] == [("3", "0.25", ""), ("9", "-1.5", "")]
    assert tuple(rows[0]) == COLUMNS


def test_the_export_writes_it_where_somebody_told_a_skin_tone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACE_VALUE_DATABASE", f"sqlite:///{tmp_path}/votes.sqlite3")
    with Store(f"sqlite:///{tmp_path}/votes.sqlite3") as store:
        store.keep_drift(drift(1, 3, 1.0))
    assert main(["export", "--out", str(tmp_path / "out")]) == 0
    assert "Hall 3,3,grey,mini,true,1.0" in (tmp_path / "out" / "drift.csv").read_text()


def test_the_hosts_chart_has_figures_only_where_they_mean_something() -> None:
    drifts = [drift(i, 2, 0.5) for i in range(FEWEST_SITTERS)] + [drift(100 + i, 8, 3.0) for i in range(3)]
    chart = fairness_chart(WORDS.say, drifts, {"mini": "Small offline model"})
    assert "Small offline model: 33 sitters" in chart
    assert "+0.50 (+0.50 to +0.50), 30 sitters" in chart
    assert WORDS.say("fair.few", n=3) in chart and WORDS.say("fair.few", n=0) in chart
    assert chart.count('class="dot"') == 1
    assert fairness_chart(WORDS.say, [], {}).count(WORDS.say("fair.none")) == 1
