"""The typefaces of what is written into pictures.

The pages' own has the letters of Latin-1. A line with any other is set in DejaVu Sans as a whole, as a word
in two typefaces looks like a mistake: Latin of all of Europe, Greek, Cyrillic, Hebrew and Arabic are there.
"""

from functools import cache
from importlib.util import find_spec
from pathlib import Path

from PIL import ImageFont

FILE = Path(__file__).parent.parent / "pages" / "static" / "fonts" / "archivo-fv.woff2"
WEIGHT, WIDTH = 450, 100  # of its axes: plain text
OTHER_PACKAGE, OTHER_FILE = "matplotlib", "mpl-data/fonts/ttf/DejaVuSans.ttf"
NO_LETTER = "\uffff"  # Unicode promises that it never is one: what a typeface draws for it, it has not


def unwritable(text: str) -> str:
    """The letters of a text that cannot be written into a picture, each once."""
    return "".join(dict.fromkeys(letter for letter in text if not _has(letter, is_other=True)))


def font_to_fit(text: str, size: float, width: float) -> ImageFont.FreeTypeFont:
    """Letters of that height in px for this text, smaller where it would be wider than `width` px."""
    is_other = not all(_has(letter, is_other=False) for letter in text)
    wanted = _font(size, is_other).getlength(text)
    return _font(size if wanted <= width else size * width / wanted, is_other)


@cache
def _font(size: float, is_other: bool) -> ImageFont.FreeTypeFont:
    if is_other:
        return ImageFont.truetype(_other(), size)
    found = ImageFont.truetype(FILE, size)
    found.set_variation_by_axes([WEIGHT, WIDTH])
    return found


def _other() -> Path:
    """The package is looked up, not imported: that would take a second."""
    found = find_spec(OTHER_PACKAGE)
    folders = found.submodule_search_locations if found else None
    return Path((folders or ["."])[0]) / OTHER_FILE


@cache
def _has(letter: str, is_other: bool) -> bool:
    """A typeface draws one sign for all that it has not."""
    font = _font(32, is_other)
    drawn, nothing = font.getmask(letter), font.getmask(NO_LETTER)
    return (drawn.size, bytes(drawn)) != (nothing.size, bytes(nothing))
