"""A photograph and its portrait on one sheet of 10 x 15 cm, ready to print: both named, with a line below."""

import io

import numpy as np
from PIL import Image, ImageDraw

from pipelines.arrays import Pixels
from pipelines.exhibit import crop_to_fit
from pipelines.lettering import font_to_fit

DPI = 300  # what photo printers resolve of a picture
SHEET = (1772, 1181)  # px, width and height: 15 x 10 cm at 300 dpi
MARGIN, GAP = 71, 36  # px; 6 mm, as printers cut up to 3 mm where they print to the edge, and 3 mm
PICTURE = ((SHEET[0] - 2 * MARGIN - GAP) // 2, 996)  # px, 4:5 as all our pictures
CAPTION, LINE = 38, 26  # px of text: 9 and 6 points


def lay_out_sheet(pictures: tuple[Pixels, Pixels], captions: tuple[str, str], line: str) -> Pixels:
    """Both pictures side by side on white, each with its caption, and a line at the foot.

    Pictures are uint8 (H, W, 3) sRGB of any size; so is the sheet, 1181 x 1772.
    """
    sheet = Image.new("RGB", SHEET, "white")
    draw = ImageDraw.Draw(sheet)
    for place, (pixels, caption) in enumerate(zip(pictures, captions, strict=True)):
        left = MARGIN + place * (PICTURE[0] + GAP)
        sheet.paste(Image.fromarray(crop_to_fit(pixels, PICTURE)), (left, MARGIN))
        _write(draw, (left, MARGIN + PICTURE[1] + 14), caption, CAPTION, PICTURE[0], "black")
    _write(draw, (MARGIN, SHEET[1] - 48), line, LINE, SHEET[0] - 2 * MARGIN, "#555")
    return np.asarray(sheet)


def as_pdf(sheet: Pixels) -> bytes:
    """The sheet as a PDF of one page, 15 x 10 cm; it says nothing but what is seen."""
    file = io.BytesIO()
    Image.fromarray(sheet).save(file, "PDF", resolution=DPI, quality=95)
    return file.getvalue()


def _write(
    draw: ImageDraw.ImageDraw, at: tuple[int, int], text: str, size: int, width: int, ink: str
) -> None:
    """A line of text, smaller where it would be wider than `width` px."""
    draw.text(at, text, ink, font_to_fit(text, size, width))
