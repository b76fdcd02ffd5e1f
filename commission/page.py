"""The commissioning report as one page of HTML: no script, nothing from anywhere else, everything escaped."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import Any

from commission.grid import Cell
from commission.measure import PortraitRow
from commission.run import Findings
from commission.verdict import GROUPS, STAGES, Check

CSS = Path(__file__).with_suffix(".css")
# What a speaker reads of each check: its name, and what it is about.
WORDS = {
    "face": ("A face is found", "in every portrait at this setting"),
    "pose": ("The head stays where it was", "eyes, nose and ears against the photograph, in pupil distances"),
    "skin": ("The skin keeps its tone", "lighter or darker than the photograph, L* (2.5 is seen)"),
    "recognition": ("Still the same person", "distance between faces for a face-recognition program"),
    "sharpness": ("As sharp as a photograph", "fine detail in the face, as a share of the photograph's"),
    "change": ("Redrawn, not copied", "mean change in the face, grey values"),
    "frames": ("No empty picture", "black, white or grey, as where numbers overflow"),
    "seconds": ("Quick enough", "seconds a portrait, at the largest batch"),
    "memory": ("Fits the card", "the most that drawing took of its memory"),
}
COLUMNS = ("face", "pose", "skin", "recognition", "sharpness", "change")
STAGE_WORDS = {"encode": "reading photos and words", "denoise": "drawing", "decode": "to a picture"}
YES = '<path d="M2 8.5 6 12.5 14 3.5" fill="none" stroke="currentColor" stroke-width="2.4"/>'
NO = '<path d="M3 3 13 13 M13 3 3 13" fill="none" stroke="currentColor" stroke-width="2.4"/>'


def page(findings: Findings, report: dict[str, Any], title: str) -> str:
    """The whole of it; `report` is `commission.json`."""
    name = escape(title)
    sections = (
        _checks(findings.verdict.checks),
        _sheets(findings),
        _cells(findings),
        _noise(report["noise_against_plate"]),
        _skin(report["skin_by_lightness"], findings.verdict.cell),
        _batches(findings),
        _facts(report),
    )
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{name} · commissioning</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'\">"
        f"<style>{CSS.read_text(encoding='utf-8')}</style></head><body><main>"
        f"{_head(findings, report, name)}{''.join(sections)}</main></body></html>\n"
    )


def _head(findings: Findings, report: dict[str, Any], name: str) -> str:
    verdict, cell = findings.verdict, escape(findings.verdict.cell.name)
    day = f'<p class="over">Face Value · commissioned on {escape(report["made"])}</p>'
    caveats = "".join(f'<p class="caveat">{escape(caveat)}</p>' for caveat in report["caveats"])
    if verdict.ready:
        own = "what its file says" if verdict.cell == findings.grid.own else "not what its file says"
        return (
            f'<header>{day}<h1>{name}: ready for the stage</h1><p class="lead">Best setting: <b>{cell}</b> '
            f"({own}). The app on this machine draws with it from its next start on.</p>{caveats}</header>"
        )
    reasons = "".join(f"<li>{escape(reason)}</li>" for reason in verdict.reasons)
    return (
        f'<header>{day}<h1>{name}: not ready</h1><p class="lead">Best of what was tried: <b>{cell}</b>. '
        f'What does not hold:</p><ul class="why">{reasons}</ul>{caveats}</header>'
    )


def _checks(checks: Sequence[Check]) -> str:
    rows = "".join(
        f'<tr{"" if check.holds else " class=missed"}><th scope="row">{escape(WORDS[check.name][0])}'
        f'<small class="over">{escape(WORDS[check.name][1])}</small></th>'
        f"<td>{_sign(check.holds)}</td><td>{escape(check.finding)}</td><td>{escape(check.allowed)}</td>"
        f'<td class="source">{escape(check.bound.source)}</td></tr>'
        for check in checks
    )
    return _section(
        "What was checked",
        "At the setting named above, then of the whole machine. Figures are medians of the portraits.",
        _table(("", "", "found", "allowed", "where the bound comes from"), rows, kind="checks"),
    )


def _sheets(findings: Findings) -> str:
    shown = [name for name in findings.sitters if name in findings.plates]
    hidden = len(findings.sitters) - len(shown)
    sheets = "".join(_sheet(findings, name) for name in shown)
    note = (
        f" {hidden} of your own photos {'were' if hidden > 1 else 'was'} measured and not shown; "
        "--show-photos puts them here."
        if hidden
        else ""
    )
    return _section(
        "Contact sheets",
        "First the photograph on its new backdrop, then one AI portrait a setting. "
        f"The frame in red is the setting named above.{note}",
        sheets,
    )


def _sheet(findings: Findings, sitter: str) -> str:
    """A row for each start with its identity and pose, the photograph first in each."""
    pictures = {row.cell: row for row in findings.rows if row.sitter == sitter and row.picture}
    lines: dict[Cell, list[Cell]] = {}
    for cell in findings.grid.cells:
        lines.setdefault(replace(cell, strength=None), []).append(cell)
    plate = (
        f'<figure><img src="data:image/jpeg;base64,{findings.plates[sitter]}" alt="The photograph">'
        "<figcaption><b>photograph</b>on its new backdrop</figcaption></figure>"
    )
    strips = "".join(
        f'<p>{escape(line.name)}</p><div class="strip">{plate}'
        f"{''.join(_figure(findings, cell, pictures.get(cell.name)) for cell in cells)}</div>"
        for line, cells in lines.items()
    )
    return f'<h3>{escape(sitter)}</h3><div class="sheet">{strips}</div>'


def _figure(findings: Findings, cell: Cell, row: PortraitRow | None) -> str:
    offered = ' class="offered"' if cell == findings.verdict.cell else ""
    name = escape("from noise" if cell.strength is None else f"strength {cell.strength:.3g}")
    if row is None:
        return f"<figure{offered}><img alt='' ><figcaption><b>{name}</b>not drawn</figcaption></figure>"
    near = "no face found" if not row.found else f"recognition {_number(row.recognition)}"
    skin = "" if row.skin is None else f"<br>skin {_with_sign(row.skin)} L*"
    return (
        f'<figure{offered}><img src="data:image/jpeg;base64,{row.picture}" alt="AI portrait, {name}">'
        f"<figcaption><b>AI, {name}</b>{escape(near)}{skin}</figcaption></figure>"
    )


def _cells(findings: Findings) -> str:
    verdict = findings.verdict
    rows = ""
    for cell, checks in verdict.by_cell.items():
        named = {check.name: check for check in checks}
        tags = [
            word
            for word, there in (
                ("named above", cell == verdict.cell),
                ("the set's own", cell == findings.grid.own),
                ("to compare", cell not in findings.grid.candidates),
            )
            if there
        ]
        tag = f'<span class="tag">{escape(", ".join(tags))}</span>' if tags else ""
        offered = ' class="offered"' if cell == verdict.cell else ""
        values = "".join(_cell_value(named[name]) for name in COLUMNS)
        rows += f'<tr{offered}><th scope="row">{escape(cell.name)}{tag}</th>{values}</tr>'
    heads = ("setting", "face found", "pose", "skin, L*", "recognition", "sharpness", "change")
    return _section(
        "Every setting",
        "Underlined: outside its bound. Of the settings that hold all bounds the one nearest to its sitters "
        "by recognition is taken; the set's own stays where another is hardly nearer.",
        _table(heads, rows, numbers=True),
    )


def _cell_value(check: Check) -> str:
    if check.name == "face":
        value = "–" if check.value is None else f"{100 * check.value:.0f} %"
    else:
        value = _value(check.name, check.value)
    return f'<td class="n">{value if check.holds else f"<span class=off>{value}</span>"}</td>'


def _noise(found: list[dict[str, Any]]) -> str:
    if not found:
        return ""
    rows = "".join(
        f'<tr><th scope="row">{escape(start["cell"])}</th>'
        + "".join(f'<td class="n">{_value(name, start[name])}</td>' for name in COLUMNS)
        + "</tr>"
        for start in found
    )
    heads = ("start", "face found, share", "pose", "skin, L*", "recognition", "sharpness", "change")
    return _section(
        "Noise against plate",
        "What the photograph underneath is worth: the setting named above beside portraits that start from "
        "noise and know the face from the selfies alone. For comparison only.",
        _table(heads, rows, numbers=True),
    )


def _skin(groups: dict[str, dict[str, Any]], cell: Cell) -> str:
    rows = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td class="n">{found["portraits"]}</td>'
        f'<td class="n">{"not measured" if found["drift"] is None else _with_sign(found["drift"])}</td>'
        f'<td class="n">{_number(found["size"])}</td></tr>'
        for name, found in groups.items()
    )
    ends = f"dark is below L* {GROUPS['dark']:g}, light from {GROUPS['mid']:g} on"
    return _section(
        "Skin, by how light it is",
        f"Median of how much lighter (+) or darker (−) portraits came out at {cell.name}, and of how far "
        f"either way; {ends}. A set that lightens dark skin fails though most of its portraits do not.",
        _table(("skin on the photograph", "portraits", "drift, L*", "size, L*: what is checked"), rows, True),
    )


def _batches(findings: Findings) -> str:
    rows = ""
    for timing in findings.timings:
        cells = [f'<th scope="row">{timing.batch}</th>']
        if timing.together != timing.batch:
            cells = [f'<th scope="row">{timing.batch}, drawn {timing.together} at a time</th>']
        for stage in STAGES:
            seconds, peak = timing.seconds.get(stage), timing.gigabytes.get(stage)
            memory = "" if peak is None else f"<br><small>{peak:.1f} GB</small>"
            cells.append(f'<td class="n">{_number(seconds)} s{memory}</td>')
        rows += f'<tr>{"".join(cells)}<td class="n">{sum(timing.seconds.values()):.2f} s</td></tr>'
    heads = ("portraits together", *(STAGE_WORDS[stage] for stage in STAGES), "a portrait")
    return _section(
        "Seconds and memory",
        "Seconds a portrait by stage, and the most memory in use of the card where there is one.",
        _table(heads, rows, numbers=True),
    )


def _facts(report: dict[str, Any]) -> str:
    plan = report["plan"]
    laid = f"{plan['keep']}, {plan['dtype']}, at most {plan['batch']} together"
    facts = {
        "Device": f"{report['device']}, {report['gigabytes']:g} GB",
        "Networks": laid,
        "Software": f"Face Value {report['version']}",
        **{place: revision for place, revision in report["revisions"].items()},
    }
    entries = "".join(f"<dt>{escape(key)}</dt><dd>{escape(value)}</dd>" for key, value in facts.items())
    return _section(
        "What it holds for",
        "Other weights, another card or another file of the set: commission again.",
        f'<dl class="facts">{entries}</dl>',
    )


def _section(title: str, note: str, inside: str) -> str:
    return f"<section><h2>{escape(title)}</h2><p>{escape(note)}</p>{inside}</section>"


def _table(heads: Iterable[str], rows: str, numbers: bool = False, kind: str = "") -> str:
    headings = "".join(
        f'<th scope="col"{" class=n" if numbers and place else ""}>{escape(head)}</th>'
        for place, head in enumerate(heads)
    )
    head, body = f"<thead><tr>{headings}</tr></thead>", f"<tbody>{rows}</tbody>"
    return f'<div class="wide"><table class="{kind}">{head}{body}</table></div>'


def _sign(holds: bool) -> str:
    drawn, word = (YES, "holds") if holds else (NO, "misses")
    return f'<span class="sign"><svg viewBox="0 0 16 16" aria-hidden="true">{drawn}</svg>{word}</span>'


def _value(name: str, value: float | None) -> str:
    """What was found, to as many places as tell two settings apart."""
    return _number(value, 3 if name == "pose" else 2)


def _number(value: float | None, places: int = 2) -> str:
    return "–" if value is None else f"{value:.{places}f}"


def _with_sign(value: float) -> str:
    return f"{value:+.1f}".replace("-", "−")
