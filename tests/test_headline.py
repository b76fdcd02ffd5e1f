"""What a report says first: one thing, and nothing beside it that contradicts it."""

import pytest

from pages.booth.report import render_headlines, render_reports, render_steps
from pipelines.measure.headline import headline_of
from pipelines.measure.likeness import MEASURE_KINDS, Level, LikenessReport, Measure, MeasureKind, thresholds
from words import read_words

WORDS = read_words()
LANGUAGES = ("en", "de", "fr", "es")
LOST = "likeness.recognition_clearly"


def measure(kind: MeasureKind, share: float) -> Measure:
    """Changed by so much of what is called clear."""
    limits = thresholds()[kind.name]
    value = share * limits.clearly
    level = Level.UNCHANGED
    if abs(value) >= limits.flag:
        level = Level.CLEARLY if abs(value) >= limits.clearly else Level.A_LITTLE
    key = kind.key(level, value > 0)
    return Measure(kind.name, level, key, {"percent": 1}, value, limits.unit, limits.noise, limits.pair)


def report(**shares: float) -> LikenessReport:
    """Nothing changed but what is named."""
    tone = (50.0, 10.0, 10.0)
    measures = {kind.name: measure(kind, shares.get(kind.name, 0.0)) for kind in MEASURE_KINDS}
    return LikenessReport(measures, (tone, tone), {}, (0.0, 0.0), 60.0, (8, 10))


def test_the_largest_certain_change_comes_first() -> None:
    assert headline_of(report(skin=1.2, hair=0.5)).key == "likeness.skin_clearly_more"
    assert headline_of(report(skin=0.7, hair=1.1)).key == "likeness.hair_clearly_more"
    assert headline_of(report(jaw=0.6)).key == "result.unsure"  # another photo could differ as much
    assert headline_of(report()).key == "result.unchanged"
    assert headline_of(None).key == "result.unseen"


@pytest.mark.parametrize(("shares", "between"), [({}, "bridge_same"), ({"jaw": 0.6}, "bridge_small")])
@pytest.mark.parametrize("language", LANGUAGES)
def test_unchanged_and_not_recognised_do_not_stand_beside_each_other_without_a_word(
    shares: dict[str, float], between: str, language: str
) -> None:
    found = report(**shares)
    first = headline_of(found, Level.CLEARLY)
    assert (first.key, first.then) == (LOST, f"likeness.{between}")
    sentence = WORDS.say(first.then, language)
    assert language == "en" or sentence != WORDS.say(first.then, "en")

    def say(key: str, **values: object) -> str:
        return WORDS.say(key, language, **values)

    found.outlines.update(face=([], []), hair=([], []))  # type: ignore[attr-defined]
    shown = render_reports(say, [found], ["picture"], 0, "", {0: Level.CLEARLY})
    assert say(LOST) in shown and sentence in shown
    assert sentence not in render_reports(say, [found], ["picture"], 0, "", {})
    assert sentence in render_steps(say, [found], ["90 %"], [Level.CLEARLY])


def test_the_title_is_the_programs_answer_once_it_was_asked() -> None:
    both = [report(skin=1.2), report()]
    assert WORDS.say(LOST) in render_headlines(WORDS.say, both, 0, "", {0: Level.CLEARLY})
    assert WORDS.say(LOST) not in render_headlines(WORDS.say, both, 0)
    first = headline_of(both[0], Level.UNCHANGED)
    assert (first.key, first.then) == ("likeness.recognition_unchanged", "likeness.skin_clearly_more")


def test_figures_are_words() -> None:
    found = report(jaw=-0.5, hair=0.6)
    found.outlines.update(face=([], []), hair=([], []))  # type: ignore[attr-defined]
    shown = render_reports(WORDS.say, [found], ["picture"], 0, "")
    assert "of 100 narrower" in shown and "of 100 of the outline" in shown
    assert "IoU" not in shown
    assert not any("IoU" in limits.unit for limits in thresholds().values())
