"""Pictures and sentences as HTML, from `templates/`, whose values are escaped.

A picture is a data URL or an album's address.
"""

import base64
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from jinja2.ext import Extension
from jinja2.lexer import Token, TokenStream
from markupsafe import Markup
from PIL import Image

from pipelines.arrays import Pixels
from settings import Settings

Sign = Literal["photograph", "generated"]
QUALITY = 92  # JPEG, with full colour resolution: skin and lips carry the fine colour
LINE_BREAK = re.compile(r"(?:\A|(?<=>))\s*\n\s*|\s*\n\s*(?:(?=<)|\Z)")  # beside a tag, of HTML or of Jinja


class LinesJoined(Extension):
    """A line of a template that ends or begins with a tag is joined to the next: no space in the page."""

    def filter_stream(self, stream: TokenStream) -> Iterator[Token]:
        """Called by Jinja with each template."""
        for token in stream:
            is_text = token.type == "data"
            yield Token(token.lineno, token.type, LINE_BREAK.sub("", token.value) if is_text else token.value)


TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,  # a name that nobody gave is a mistake, not an empty text
    extensions=[LinesJoined],
)


def render(template: str, **values: object) -> Markup:
    """A file of `templates/` with these values.

    Raises `TemplateNotFound`, and `UndefinedError` for a value that it names and is not given.
    """
    return Markup(TEMPLATES.get_template(template).render(values))


def part(template: str, macro: str, *values: object) -> Markup:
    """A macro of a file of `templates/` with these values. Raises `AttributeError` where there is none."""
    return Markup(getattr(TEMPLATES.get_template(template).module, macro)(*values))


_part = partial(part, "parts.html")


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


def ring(name: str = "ring") -> Markup:
    """The grease pencil's ring as SVG, for the sheet of styles that has a class of that name."""
    return _part("ring", name)


def sign(kind: Sign) -> Markup:
    """The sign of an answer: a framed lens, or a cloud of dots."""
    return _part("sign", kind)


def picture(source: str, alt: str, caption: str, kind: Sign | None = None) -> Markup:
    """A print with its caption below; an empty `source` leaves an empty frame."""
    return _part("picture", source, alt, caption, kind)


def bar(label: str, steps: Sequence[str], step: int | None) -> Markup:
    """The logo, and a grey wedge of steps with a pencil mark below the one that is on (from 1)."""
    return _part("bar", label, steps, step)


def event(settings: Settings) -> Markup:
    """Logo, name and date of the event, as far as they are set."""
    return _part("event", settings)


def timeline(points: Sequence[tuple[str, str]]) -> Markup:
    """What happens, and when: one square a point."""
    return _part("timeline", points)


def frame(language: str, direction: str, sentence: str, stay: str, silent: str, failed: str) -> Markup:
    """The page's language, and what it says by itself.

    `page.js` asks with `sentence` whether somebody is there, and counts {s} down; `away.js` says that the
    machine is `silent`, or that one tap `failed`.
    """
    return _part("frame", language, direction, sentence, stay, silent, failed)


def heading(title: str, below: str = "") -> Markup:
    """The one `h1` of a screen, and what it means."""
    return _part("heading", title, below)


def lead(sentence: str) -> Markup:
    """What a heading means."""
    return _part("lead", sentence)


def score(sentence: str, below: str) -> Markup:
    """How often somebody was right, and what to hold it against."""
    return _part("score", sentence, below)


def notice(sentence: str) -> Markup:
    """What went wrong, or nothing."""
    return _part("notice", sentence)


def note(sentence: str, address: str = "", words: str = "") -> Markup:
    """A small line, and where it leads."""
    return _part("note", sentence, address, words)


def without(choice: str, options: Sequence[str]) -> Markup:
    """Takes options out of the choice of that name while this is on the page."""
    return _part("without", choice, options)


def status(sentence: str) -> Markup:
    """A line that is read out when it changes."""
    return _part("status", sentence)


def steps(label: str, shares: Sequence[float]) -> Markup:
    """One cell a portrait, filled by the share of its steps that were executed."""
    return _part("steps", label, shares)


def exhibit(source: str, alt: str) -> Markup:
    """The picture of a question: no caption, the same words for both truths."""
    return _part("exhibit", source, alt)


def truth(kind: Sign, word: str, sentence: str) -> Markup:
    """The truth in its shape, and what was said."""
    return _part("truth", kind, word, sentence)


@dataclass(frozen=True)
class Row:
    """One bar: a share with its interval, 0..1, and the words at its right end."""

    kind: Sign
    name: str
    figure: str
    value: float
    low: float
    high: float


def bars(title: str, rows: Sequence[Row], sentence: str) -> Markup:
    """How everyone answered, 0 to 100 %, the interval below each bar; `sentence` says it all in words."""
    return _part("bars", title, rows, sentence)
