"""The typeface of what is written into pictures: the one of the pages, which has the letters of Latin-1."""

from functools import cache
from pathlib import Path

from PIL import ImageFont

FILE = Path(__file__).parent.parent / "pages" / "static" / "fonts" / "archivo-fv.woff2"
WEIGHT, WIDTH = 450, 100  # of its axes: plain text


@cache
def font(size: float) -> ImageFont.FreeTypeFont:
    """Letters of that height in px."""
    found = ImageFont.truetype(FILE, size)
    found.set_variation_by_axes([WEIGHT, WIDTH])
    return found


def font_to_fit(text: str, size: float, width: float) -> ImageFont.FreeTypeFont:
    """The same, smaller where the text would be wider than `width` px."""
    wanted = font(size).getlength(text)
    return font(size) if wanted <= width else font(size * width / wanted)
