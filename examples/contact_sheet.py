"""Every look on both sample portraits, as one contact sheet.

    python -m examples.contact_sheet docs/looks.jpg

All prints are photographs on new backdrops: no model has drawn anything. The sitters are Eileen Collins
(NASA) and Grace Hopper (US Navy), both in the public domain, from scikit-image and matplotlib.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont
from skimage.data import astronaut

from pipelines.look import Look, read_looks
from pipelines.plate.studio import Studio, plate
from pipelines.selfie.face import FaceFinder
from pipelines.selfie.photo import Photo, open_photo

PRINT = (320, 400)  # px, 4:5
GAP, CAPTION = 16, 34  # px between prints, and below them for the look's title
CARD, INK = "#757575", "#ffffff"  # an 18 % grey card; white stands on it at 4.6 : 1


def sitters() -> Iterator[Photo]:
    """The two sample portraits."""
    yield Photo(np.ascontiguousarray(astronaut()))
    yield open_photo(Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg")


def prints(looks: list[Look]) -> list[list[Image.Image]]:
    """One row a sitter, one print a look."""
    with FaceFinder() as finder, Studio() as studio:
        cutouts = [studio.cut_out(finder.find(photo)) for photo in sitters()]
    return [[Image.fromarray(plate(cutout, look, PRINT).pixels) for look in looks] for cutout in cutouts]


def sheet(rows: list[list[Image.Image]], titles: list[str]) -> Image.Image:
    """The prints side by side on a grey card, the titles below each row."""
    width, height = PRINT[0] + GAP, PRINT[1] + CAPTION + GAP
    card = Image.new("RGB", (len(titles) * width + GAP, len(rows) * height + GAP), CARD)
    pen, letters = ImageDraw.Draw(card), ImageFont.load_default(18)
    for y, row in enumerate(rows):
        for x, (shown, title) in enumerate(zip(row, titles, strict=True)):
            corner = (GAP + x * width, GAP + y * height)
            card.paste(shown, corner)
            pen.text((corner[0], corner[1] + PRINT[1] + 8), title, fill=INK, font=letters)
    return card


def main() -> None:
    """Write the sheet to the file that is named; its ending says the format."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("file", type=Path, help="a .jpg or .png to write")
    looks = list(read_looks().values())
    made = sheet(prints(looks), [look.title for look in looks])
    made.save(options.parse_args().file, quality=90)


if __name__ == "__main__":
    main()
