"""Pictures and sentences as HTML. Every text is escaped; every picture is a data URL, never a file."""

import base64
import io
from collections.abc import Sequence
from html import escape
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]  # (H, W, 3) sRGB

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

BAR = """<header class="bar"><svg viewBox="0 0 34 24" aria-hidden="true">
<path d="M0 0h34v24H0z" fill="#757575"/>
<path d="M5 7h10v10H5z" fill="#fff"/><circle cx="24" cy="12" r="5.2"/></svg>Face Value</header>"""


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


def sheet(prints: Sequence[str]) -> str:
    """Prints side by side."""
    return f'<div class="contact">{"".join(prints)}</div>'


def heading(title: str, lead: str = "") -> str:
    """The one `h1` of a screen, and what it means."""
    below = f'<p class="lead">{escape(lead)}</p>' if lead else ""
    return f'<h1 class="title">{escape(title)}</h1>{below}'


def notice(sentence: str) -> str:
    """What went wrong, or nothing."""
    return f'<p class="notice" role="alert">{escape(sentence)}</p>' if sentence else ""


def note(sentence: str) -> str:
    """A small line."""
    return f'<p class="note">{escape(sentence)}</p>'


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


def asked(source: str, alt: str) -> str:
    """The picture of a question: no caption, the same words for both truths."""
    return f'<div class="asked"><img src="{source}" alt="{escape(alt)}"></div>'


def truth(kind: Sign, word: str, sentence: str) -> str:
    """The truth in its shape, and what was said."""
    return (
        f'<p class="truth {kind}" aria-hidden="true">{sign(kind)}{escape(word)}</p>'
        f'<div role="status"><h1 class="title">{escape(sentence)}</h1></div>'
    )
