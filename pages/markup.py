"""Pictures and sentences as HTML, from `templates/`, whose values are escaped.

A picture is a data URL or an album's address.
"""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Literal

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]  # (H, W, 3) sRGB
_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,  # a name that nobody gave is a mistake, not an empty text
    trim_blocks=True,
    lstrip_blocks=True,
)

QUALITY = 92  # JPEG, with full colour resolution: skin and lips carry the fine colour
# Centre and radius of each dot in a box of 24: a cloud, densest in the middle.
DOTS = (
    *((12, 12, 3.4), (12, 3, 1.6), (3, 12, 1.6), (21, 12, 1.6), (12, 21, 1.6)),
    *((8, 8, 1.5), (16, 8, 1.5), (8, 16, 1.5), (16, 16, 1.5)),
    *((4, 4, 1.2), (20, 4, 1.2), (4, 20, 1.2), (20, 20, 1.2)),
)
SIGNS = {
    "photograph": '<path d="M3 3h18v18H3z" fill="none" stroke="currentColor" stroke-width="2.4"/>'
    '<circle cx="12" cy="12" r="4.6"/>',
    "generated": "".join(f'<circle cx="{x}" cy="{y}" r="{r}"/>' for x, y, r in DOTS),
}
Sign = Literal["photograph", "generated"]
# The grease pencil's ring, with a black halo so that it is seen on white, grey and black.
STROKE = "M13 88C3 74 1 26 8 14 16 2 72-2 90 8c12 8 11 66 4 80C86 101 28 101 12 90 8 86 6 78 5 70"


def render(template: str, **values: object) -> Markup:
    """A file of `templates/` with these values. Raises `UndefinedError` for one that it names and lacks."""
    return Markup(_TEMPLATES.get_template(template).render(values))


def ring(name: str = "ring") -> str:
    """The ring as SVG, for the sheet of styles that has a class of that name."""
    return (
        f'<svg class="{name}" viewBox="0 0 100 100" preserveAspectRatio="none" aria-hidden="true">'
        f'<path class="halo" d="{STROKE}"/><path d="{STROKE}"/></svg>'
    )


LOGO = (
    '<span class="logo"><svg viewBox="0 0 34 24" aria-hidden="true"><path d="M0 0h34v24H0z" fill="#757575"/>'
    '<path d="M5 7h10v10H5z" fill="#fff"/><circle cx="24" cy="12" r="5.2" fill="#000"/></svg>'
    "<b>Face Value</b></span>"
)


def data_url(pixels: Pixels, width: int | None = None) -> str:
    """A picture as JPEG in a data URL, scaled to `width` px if that is smaller. No metadata."""
    image = Image.fromarray(pixels)
    if width and width < image.width:
        image = image.resize((width, round(image.height * width / image.width)), Image.Resampling.LANCZOS)
    kept = io.BytesIO()
    image.save(kept, "JPEG", quality=QUALITY, subsampling=0)
    return bytes_url(kept.getvalue())


def bytes_url(jpeg: bytes) -> str:
    """JPEG bytes as a data URL."""
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"


def sign(kind: Sign) -> str:
    """The sign of an answer: a framed lens, or a cloud of dots."""
    return f'<svg class="sign" viewBox="0 0 24 24" aria-hidden="true" fill="currentColor">{SIGNS[kind]}</svg>'


def picture(source: str, alt: str, caption: str, kind: Sign | None = None) -> str:
    """A print with its caption below; an empty `source` leaves an empty frame."""
    inside = f'<img src="{source}" alt="{escape(alt)}">' if source else ""
    mark = sign(kind) if kind else ""
    return (
        f'<figure class="print"><div class="pic">{inside}</div>'
        f"<figcaption>{mark}<span>{escape(caption)}</span></figcaption></figure>"
    )


def bar(label: str, steps: Sequence[str], step: int | None) -> str:
    """The sign, and a grey wedge of steps with a pencil mark below the one that is on (from 1)."""
    if step is None:
        return f'<header class="bar">{LOGO}</header>'
    cells = "".join(
        f'<li style="--g:{round(255 * i / (len(steps) - 1))}"{" aria-current=step" if i + 1 == step else ""}>'
        f'<span class="hidden-text">{escape(name)}</span></li>'
        for i, name in enumerate(steps)
    )
    return f'<header class="bar">{LOGO}<ol class="wedge" aria-label="{escape(label)}">{cells}</ol></header>'


def timeline(points: Sequence[tuple[str, str]]) -> str:
    """What happens, and when: one square a point."""
    items = "".join(f"<li><h2>{escape(when)}</h2><p>{escape(what)}</p></li>" for when, what in points)
    return f'<ol class="timeline">{items}</ol>'


def take(title: str, note_: str, links: Sequence[tuple[str, str]]) -> str:
    """A button that shows links to the files that may be taken home: address and words."""
    every = "".join(
        f'<a class="quiet" href="{escape(address)}" download>{escape(words)}</a>' for address, words in links
    )
    return (
        f'<button type="button" class="btn" popovertarget="take">{escape(title)}</button>'
        f'<div class="take" id="take" popover><p>{escape(note_)}</p><p class="links">{every}</p></div>'
    )


def idle(sentence: str, stay: str) -> str:
    """What an idle screen asks; `page.js` shows it and counts {s} down."""
    return (
        f'<dialog class="idle" aria-labelledby="still"><p id="still" data-said="{escape(sentence)}"></p>'
        f'<button type="button" class="btn">{escape(stay)}</button></dialog>'
    )


def heading(title: str, below: str = "") -> str:
    """The one `h1` of a screen, and what it means."""
    return f'<h1 class="title" tabindex="-1">{escape(title)}</h1>{lead(below) if below else ""}'


def lead(sentence: str) -> str:
    """What a heading means."""
    return f'<p class="lead">{escape(sentence)}</p>'


def score(sentence: str, below: str) -> str:
    """How often somebody was right, and what to hold it against."""
    return f'<p class="score">{escape(sentence)}</p>{note(below)}'


def notice(sentence: str) -> str:
    """What went wrong, or nothing."""
    return f'<p class="notice" role="alert">{escape(sentence)}</p>' if sentence else ""


def note(sentence: str, address: str = "", words: str = "") -> str:
    """A small line, and where it leads."""
    link = f' <a href="{escape(address)}">{escape(words)}</a>' if address else ""
    return f'<p class="note">{escape(sentence)}{link}</p>'


def without(choice: str, options: Sequence[str]) -> str:
    """Takes options out of the choice of that name while this is on the page."""
    labels = ", ".join(f'label:has([name="{choice}"][value="{escape(one)}"])' for one in options)
    return f"<style>{labels} {{ display: none !important; }}</style>" if options else ""


def status(sentence: str) -> str:
    """A line that is read out when it changes."""
    return f'<p class="lead" role="status">{escape(sentence)}</p>'


def steps(label: str, shares: Sequence[float]) -> str:
    """One cell a portrait, filled by the share of its steps that were executed."""
    cells = "".join(f'<i style="--done:{share:.0%}"></i>' for share in shares)
    done = round(100 * sum(shares) / max(1, len(shares)))
    return (
        f'<p class="step">{escape(label)}</p><div class="cells" role="progressbar" aria-valuemin="0" '
        f'aria-valuemax="100" aria-valuenow="{done}" aria-label="{escape(label)}">{cells}</div>'
    )


def exhibit(source: str, alt: str) -> str:
    """The picture of a question: no caption, the same words for both truths."""
    return f'<div class="exhibit"><img src="{source}" alt="{escape(alt)}"></div>'


def truth(kind: Sign, word: str, sentence: str) -> str:
    """The truth in its shape, and what was said."""
    return (
        f'<p class="truth {kind}" aria-hidden="true">{sign(kind)}{escape(word)}{ring()}</p>'
        f'<div role="status"><h1 class="title" tabindex="-1">{escape(sentence)}</h1></div>'
    )


@dataclass(frozen=True)
class Row:
    """One bar: a share with its interval, 0..1, and the words at its right end."""

    kind: Sign
    name: str
    figure: str
    value: float
    low: float
    high: float


def bars(title: str, rows: Sequence[Row], sentence: str) -> str:
    """How everyone answered, 0 to 100 %, the interval below each bar; `sentence` says it all in words."""
    drawn = "".join(
        f'<div class="row"><span class="lab">{sign(row.kind)}{escape(row.name)}</span>'
        f"<b>{escape(row.figure)}</b>"
        '<div class="track"><span class="chance"></span>'
        f'<i class="{row.kind}" style="--v:{100 * row.value:.1f}"></i>'
        f'<u style="--lo:{100 * row.low:.1f};--hi:{100 * row.high:.1f}"></u></div></div>'
        for row in rows
    )
    axis = "".join(f'<span style="left:{at}%">{at} %</span>' for at in (0, 50, 100))
    return (
        f'<div class="bars" role="img" aria-label="{escape(sentence)}"><p class="cap0">{escape(title)}</p>'
        f'{drawn}<div class="axis">{axis}</div></div>'
    )
