"""What a portrait changed, in HTML: one sentence, three frames with a word each, all figures on request."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import assert_never

import cv2
import numpy as np

from pages import markup
from pipelines.ladder import RUNGS
from pipelines.measure.headline import ORDER, bridge, headline_of
from pipelines.measure.likeness import (
    FRAMES,
    MEASURE_KINDS,
    Lab,
    Level,
    LikenessReport,
    Measure,
    MeasureKind,
    Outline,
)
from words import write_number

Say = Callable[..., str]

# What a frame shows of the portrait, in distances between the pupils: a side, and how far its middle lies
# below the eyes. Frames are wider than high: a face is whole in their height, hair in their width.
WINDOWS = {"face": (2.9, 0.35, "meet"), "hair": (4.6, -0.4, "slice")}
LINES = 65  # outlines are a 65th of their frame wide
COLUMNS = ("what", "is", "noise", "pair")


@dataclass(frozen=True)
class ReportLine:
    """A measure in words: what it is of, how far it changed, and a sentence."""

    title: str
    word: str
    box: int | None  # which of three boxes is filled; None where nothing was measured
    sentence: str


def render_headlines(
    say: Say,
    reports: Sequence[LikenessReport | None],
    chosen: int,
    note: str = "",
    recognised: Mapping[int, str] = {},
) -> str:
    """What each portrait's report says first, as the screen's title; that of the large one is visible.

    `recognised` is what a face-recognition program said of the portraits that it was asked about.
    """
    sentences = [say_first(say, report, recognised.get(i, ""))[0] for i, report in enumerate(reports)]
    return str(markup.render("booth/headlines.html", sentences=sentences, chosen=chosen, note=note))


def render_reports(
    say: Say,
    reports: Sequence[LikenessReport | None],
    pictures: Sequence[str],
    chosen: int,
    note: str,
    recognised: Mapping[int, str] = {},
) -> str:
    """One a portrait; `portraits.js` shows that of the one that is large. `note` is about all of them."""
    views = [
        _view(say, report, picture, recognised.get(i, "")) if report else None
        for i, (report, picture) in enumerate(zip(reports, pictures, strict=True))
    ]
    words = {column: say(f"result.col_{column}") for column in COLUMNS}
    words |= {key: say(f"result.{key}") for key in ("unseen", "figures")}
    return str(
        markup.render(
            "booth/report.html", views=views, chosen=chosen, note=note, words=words, sign=markup.sign
        )
    )


def render_steps(
    say: Say,
    reports: Sequence[LikenessReport | None],
    shares: Sequence[str] = (),
    levels: Sequence[str] = (),
) -> str:
    """The same in words alone, one a step of the ladder; the last one visible, as its picture is.

    `levels` is what a face-recognition program said of each step; empty where nobody asked it. `shares` names
    the steps.
    """
    steps = []
    for index, report in enumerate(reports):
        lines = [_line(say, report, name) for name in FRAMES] if report else []
        if index < len(levels):
            between = bridge(report, levels[index])
            loss = explain_loss(say, "ladder", shares, levels[: index + 1])
            lines.append(_recognition(say, levels[index], say(between) if between else "", loss))
        steps.append((report is not None, lines))
    return str(markup.render("booth/steps.html", steps=steps, unseen=say("result.unseen")))


def explain_loss(say: Say, page: str, shares: Sequence[str], levels: Sequence[str]) -> str:
    """At which step a face-recognition program first loses the sitter, or that it knows them at all six.

    Empty where neither is known: nobody asked it, or it is still at an earlier step, or found no face.
    """
    if Level.CLEARLY in levels:
        at = shares[levels.index(Level.CLEARLY)].replace(" ", "\N{NO-BREAK SPACE}")
        return say(f"{page}.lost", left=at)
    is_whole = len(levels) == len(RUNGS) and Level.NOT_MEASURED not in levels
    return say(f"{page}.kept") if is_whole else ""


def find_clear_changes(report: LikenessReport | None) -> dict[str, str]:
    """The measures that changed clearly, and so make a portrait one for the wall of misfires."""
    measures = report.measures.values() if report else ()
    return {measure.name: measure.level.value for measure in measures if measure.level == Level.CLEARLY}


def say_first(say: Say, report: LikenessReport | None, recognised: str) -> tuple[str, str]:
    """The headline in words, and the sentence after it, which may be empty."""
    first = headline_of(report, recognised)
    return say(first.key, **first.values), say(first.then, **first.then_values) if first.then else ""


def _view(say: Say, report: LikenessReport, picture: str, recognised: str) -> Mapping[str, object]:
    is_unsure = any(measure.unsure for measure in report.measures.values())
    first, then = say_first(say, report, recognised)
    return {
        "first": first,
        "then": then,
        "frames": [_frame(say, report, name, picture) for name in FRAMES],
        "doubt": say("likeness.unsure") if is_unsure else "",
        "rows": [_figures(say, kind, report.measures[kind.name]) for kind in MEASURE_KINDS],
    }


def _figures(say: Say, kind: MeasureKind, measure: Measure) -> Mapping[str, str]:
    """One measure in figures, as a visitor reads them."""

    def told(value: float | None) -> str:
        key, n = kind.figure(value or 0.0)
        return say(key, n=write_number(say, n))

    return {
        "name": say(f"likeness.{measure.name}"),
        "value": "–" if measure.value is None else told(measure.value),
        "sentence": say(measure.key, **measure.values),
        "noise": write_number(say, kind.figure(measure.noise)[1]),
        "pair": write_number(say, kind.figure(measure.pair)[1]),
    }


def _frame(say: Say, report: LikenessReport, name: str, picture: str) -> Mapping[str, object]:
    """One frame: skin as two fields beside each other, the others with their outlines."""
    worst = _worst([report.measures[measure] for measure in FRAMES[name]])
    is_measured = worst.level != Level.NOT_MEASURED
    frame = {"line": _line(say, report, name), "tones": (), "outline": None}
    if name == "skin" and is_measured:
        return frame | {
            "tones": tuple(zip(("photograph", "generated"), map(_css, report.tones), strict=True))
        }
    outlined = "face" if name == "skin" else name
    return frame | {"outline": _outline(report, outlined, picture, is_measured)}


def _line(say: Say, report: LikenessReport, name: str) -> ReportLine:
    worst = _worst([report.measures[measure] for measure in FRAMES[name]])
    word = say(f"likeness.level_{worst.level.replace(' ', '_')}")
    return ReportLine(say(f"result.frame_{name}"), word, _box(worst.level), say(worst.key, **worst.values))


def _recognition(say: Say, level: str, *more: str) -> ReportLine:
    """A face-recognition program's answer about one step, and what else is to be said of it."""
    key = "unseen" if level == Level.NOT_MEASURED else level.replace(" ", "_")
    word = say(f"stage.step_{level.replace(' ', '_')}")  # "clearly" would read as clearly recognised
    sentence = " ".join(filter(None, (say(f"likeness.recognition_{key}"), *more)))
    return ReportLine(say("likeness.recognition"), word, _box(Level(level)), sentence)


def _box(level: Level) -> int | None:
    """Which of three boxes is filled."""
    match level:
        case Level.UNCHANGED:
            return 0
        case Level.A_LITTLE:
            return 1
        case Level.CLEARLY:
            return 2
        case Level.NOT_MEASURED:
            return None
        case unknown:
            assert_never(unknown)


def _worst(measures: Sequence[Measure]) -> Measure:
    """The one that changed most; of two that changed alike the first."""
    return max(measures, key=lambda measure: ORDER.index(measure.level))


def _css(tone: Lab) -> Mapping[str, str]:
    """A skin tone as CSS, and what is read on it."""
    colour = cv2.cvtColor(np.array([[tone]], np.float32), cv2.COLOR_Lab2RGB)[0, 0]
    red, green, blue = (round(255 * float(part)) for part in colour.clip(0, 1))
    return {"ground": f"#{red:02x}{green:02x}{blue:02x}", "ink": "#000" if tone[0] > 50 else "#fff"}


def _outline(report: LikenessReport, name: str, picture: str, is_measured: bool) -> Mapping[str, object]:
    """The portrait, dimmed below both outlines: the photograph's solid, its own dashed."""
    first, second = report.outlines[name]
    sides, below, fit = WINDOWS[name]
    side = sides * report.pupil_distance
    left = report.eyes[0] - side / 2
    top = report.eyes[1] + below * report.pupil_distance - side / 2
    has_lines = is_measured and len(first) and len(second)
    width, height = report.size
    return {
        "window": f"{left:.1f} {top:.1f} {side:.1f} {side:.1f}",
        "fit": fit,
        "line": f"{side / LINES:.2f}",
        "picture": picture,
        "width": width,
        "height": height,
        "paths": (_path(first), _path(second)) if has_lines else (),
    }


def _path(points: Outline) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points) + "Z"
