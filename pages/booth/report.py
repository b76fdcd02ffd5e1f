"""What a portrait changed, as three frames with a word and a sentence each, and all figures on request."""

from collections.abc import Callable, Sequence
from html import escape

import cv2
import numpy as np

from pages import markup
from pipelines.ladder import RUNGS
from pipelines.measure.likeness import Lab, Level, LikenessReport, Measure, Outline

Say = Callable[..., str]

# A frame each: its outline in the report, and the measures it tells the worst of.
FRAMES = {"skin": ("skin",), "face": ("jaw", "face", "eyes"), "hair": ("hair", "hair_colour")}
ORDER = (Level.NOT_MEASURED, Level.UNCHANGED, Level.A_LITTLE, Level.CLEARLY)
BOXES = {Level.UNCHANGED: 0, Level.A_LITTLE: 1, Level.CLEARLY: 2}
# What a frame shows of the portrait, in distances between the pupils: a side, and how far its middle lies
# below the eyes. Frames are wider than high: a face is whole in their height, hair in their width.
WINDOWS = {"face": (2.9, 0.35, "meet"), "hair": (4.6, -0.4, "slice")}


def reports(say: Say, found: Sequence[LikenessReport | None], pictures: Sequence[str]) -> str:
    """One a portrait, the first one visible; `portraits.js` shows that of the portrait that is large."""
    inside = []
    for i, (report, picture) in enumerate(zip(found, pictures, strict=True)):
        told = _report(say, report, picture) if report else markup.note(say("result.unseen"))
        hidden = " hidden" if i else ""
        inside.append(f'<section class="likeness" data-portrait="{i}"{hidden}>{told}</section>')
    return "".join(inside)


def briefly(
    say: Say, found: Sequence[LikenessReport | None], left: Sequence[str] = (), levels: Sequence[str] = ()
) -> str:
    """The same in words alone, one a step of the ladder; the last one visible, as its picture is.

    `levels` is what a face-recognition program said of each step; empty where nobody asked it. `left` names
    the steps.
    """
    inside = []
    for i, report in enumerate(found):
        hidden = "" if i + 1 == len(found) else " hidden"
        told = "" if report else markup.note(say("result.unseen"))
        lines = [_line(say, report, name) for name in FRAMES] if report else []
        if i < len(levels):
            lines.append(_recognition(say, levels[i], lost(say, "ladder", left, levels[: i + 1])))
        if lines:
            told += f'<ul class="brief">{"".join(lines)}</ul>'
        inside.append(f'<section class="likeness" data-portrait="{i}"{hidden}>{told}</section>')
    return "".join(inside)


def lost(say: Say, page: str, left: Sequence[str], levels: Sequence[str]) -> str:
    """At which step a face-recognition program first loses the sitter, or that it knows them at all six.

    Empty where neither is known: nobody asked it, or it is still at an earlier step, or found no face.
    """
    if Level.CLEARLY in levels:
        at = left[levels.index(Level.CLEARLY)].replace(" ", "\N{NO-BREAK SPACE}")
        return say(f"{page}.lost", left=at)
    whole = len(levels) == len(RUNGS) and Level.NOT_MEASURED not in levels
    return say(f"{page}.kept") if whole else ""


def misfired(report: LikenessReport | None) -> dict[str, str]:
    """The measures that changed clearly, and so make a portrait one for the wall of misfires."""
    every = report.measures.values() if report else ()
    return {one.name: one.level.value for one in every if one.level == Level.CLEARLY}


def _report(say: Say, report: LikenessReport, picture: str) -> str:
    frames = "".join(_frame(say, report, name, picture) for name in FRAMES)
    unsure = any(one.unsure for one in report.measures.values())
    doubt = markup.note(say("likeness.unsure")) if unsure else ""
    return f'<ul class="report">{frames}</ul><div class="below">{doubt}{_figures(say, report)}</div>'


def _frame(say: Say, report: LikenessReport, name: str, picture: str) -> str:
    worst = _worst([report.measures[one] for one in FRAMES[name]])
    word = say(f"likeness.level_{worst.level.replace(' ', '_')}")
    sentence = say(worst.key, **worst.values)
    title = say(f"result.frame_{name}")
    label = escape(f"{title}: {word}. {sentence}")
    drawn = _swatches(report.tones, label) if name == "skin" else _outlined(report, name, picture, label)
    if name == "skin" and worst.level == Level.NOT_MEASURED:
        drawn = _outlined(report, "face", picture, label, measured=False)
    return (
        f'<li><div class="pic">{drawn}</div><div><h2>{escape(title)}</h2>'
        f'<span class="level">{_level(worst.level)}{escape(word)}</span><p>{escape(sentence)}</p></div></li>'
    )


def _line(say: Say, report: LikenessReport, name: str) -> str:
    worst = _worst([report.measures[one] for one in FRAMES[name]])
    word = say(f"likeness.level_{worst.level.replace(' ', '_')}")
    return (
        f'<li><h2>{escape(say(f"result.frame_{name}"))}</h2><span class="level">{_level(worst.level)}'
        f"{escape(word)}</span><p>{escape(say(worst.key, **worst.values))}</p></li>"
    )


def _recognition(say: Say, level: str, told: str) -> str:
    """A face-recognition program's answer about one step, and where it loses the sitter."""
    key = "unseen" if level == Level.NOT_MEASURED else level.replace(" ", "_")
    word = say(f"stage.step_{level.replace(' ', '_')}")  # "clearly" would read as clearly recognised
    sentence = f"{say(f'likeness.recognition_{key}')} {told}".strip()
    return (
        f'<li><h2>{escape(say("likeness.recognition"))}</h2><span class="level">{_level(Level(level))}'
        f"{escape(word)}</span><p>{escape(sentence)}</p></li>"
    )


def _worst(measures: Sequence[Measure]) -> Measure:
    """The one that changed most; of two that changed alike the first."""
    return max(measures, key=lambda one: ORDER.index(one.level))


def _level(level: Level) -> str:
    """Three boxes, one of them filled; none where nothing was measured."""
    boxes = "".join(
        f'<rect x="{1 + 18 * i}" y="2" width="14" height="16" stroke="currentColor" stroke-width="2" '
        f'fill="{"currentColor" if BOXES.get(level) == i else "none"}"/>'
        for i in range(3)
    )
    return f'<svg viewBox="0 0 52 20" aria-hidden="true">{boxes}</svg>'


def _swatches(tones: tuple[Lab, Lab], label: str) -> str:
    """Both skins edge to edge: what distance hides, an edge shows."""
    fields = _field(tones[0], "photograph") + _field(tones[1], "generated")
    return f'<div class="swatch" role="img" aria-label="{label}">{fields}</div>'


def _field(tone: Lab, kind: markup.Sign) -> str:
    ink = "#000" if tone[0] > 50 else "#fff"
    return f'<i style="background:{_css(tone)};color:{ink}">{markup.sign(kind)}</i>'


def _css(tone: Lab) -> str:
    colour = cv2.cvtColor(np.array([[tone]], np.float32), cv2.COLOR_Lab2RGB)[0, 0]
    red, green, blue = (round(255 * float(part)) for part in colour.clip(0, 1))
    return f"#{red:02x}{green:02x}{blue:02x}"


def _outlined(
    report: LikenessReport, name: str, picture: str, label: str, measured: bool | None = None
) -> str:
    """The portrait, dimmed below both outlines: the photograph's solid, its own dashed."""
    d = report.pupil_distance
    first, second = report.outlines[name]
    eyes = report.eyes
    sides, below, fit = WINDOWS[name]
    side = sides * d
    left, top = eyes[0] - side / 2, eyes[1] + below * d - side / 2
    if measured is None:
        measured = any(report.measures[one].level != Level.NOT_MEASURED for one in FRAMES[name])
    width, height = report.size
    lines = ""
    if measured and len(first) and len(second):
        lines = (
            f'<path class="dim" d="M0 0h{width}v{height}h-{width}Z"/>'
            f'<path d="{_path(first)}"/><path class="d" d="{_path(second)}"/>'
        )
    return (
        f'<svg class="outl" viewBox="{left:.1f} {top:.1f} {side:.1f} {side:.1f}" role="img" '
        f'preserveAspectRatio="xMidYMid {fit}" aria-label="{label}" style="--w:{side / 65:.2f}">'
        f'<image href="{escape(picture)}" width="{width}" height="{height}"/>{lines}</svg>'
    )


def _path(points: Outline) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points) + "Z"


def _figures(say: Say, report: LikenessReport) -> str:
    """Every measure with value, noise and what another photo would differ by."""
    head = "".join(
        f"<th scope=col>{escape(say(f'result.col_{one}'))}</th>" for one in ("what", "is", "noise", "pair")
    )
    rows = "".join(
        f"<tr><th scope=row>{escape(say(f'likeness.{one.name}'))}</th>"
        f"<td>{_number(one.value)} {escape(one.unit) if one.value is not None else ''}"
        f"<small>{escape(say(one.key, **one.values))}</small></td>"
        f"<td>{one.noise:g}</td><td>{one.pair:g}</td></tr>"
        for one in report.measures.values()
    )
    return (
        f"<details class=figures><summary>{escape(say('result.figures'))}</summary>"
        f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></details>"
    )


def _number(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:+.2f}".replace("-", "−")
