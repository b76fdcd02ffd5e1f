"""What a kiosk shows while nobody stands before it: two sitters as photograph, AI portrait and ladder.

    python -m examples.attract [FOLDER]

A deck of its own, which nobody is asked about. The sitters are those of the starter deck, in looks in which
it does not have them: whoever has watched the screen knows none of its answers.
"""

import argparse
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from booth.deck import DECK_FILE
from examples.contact_sheet import sitters
from examples.deck import SEED, entry, file_name
from pipelines.arrays import Pixels
from pipelines.draw.generate import Generator
from pipelines.draw.model_set import read_model_sets
from pipelines.exhibit import EXHIBIT, exhibit
from pipelines.ladder import Rung, ladder
from pipelines.look import Look, read_looks
from pipelines.order import Order
from pipelines.plate.studio import Studio
from pipelines.selfie.face import FaceFinder
from pipelines.selfie.photo import Photo
from pipelines.sitting import PortraitReady, sit
from votes.schema import Kind

FOLDER = Path(__file__).parent / "attract"
LOOKS = {"collins": "black", "hopper": "corporate"}


def draw(
    photo: Photo, look: Look, finder: FaceFinder, studio: Studio, generator: Generator
) -> tuple[dict[Kind, Pixels], Sequence[Pixels]]:
    """Photograph and portrait, and the six steps of the ladder; uint8 sRGB."""
    order = Order(look, variations=1, seed=SEED)
    with closing(sit([photo], order, finder, studio, generator)) as events:  # before it is measured
        portrait = next(event.portrait for event in events if isinstance(event, PortraitReady))
    rungs = ladder([photo], order, finder, studio, generator)
    steps = [rung.portrait.image for rung in rungs if isinstance(rung, Rung)]
    return {Kind.PHOTOGRAPH: portrait.setup.plate.pixels, Kind.GENERATED: portrait.image}, steps


def write(folder: Path) -> None:
    """Pictures and list; what the folder held before goes."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.jpg"):
        old.unlink()
    looks, generator, entries = read_looks(), Generator(read_model_sets()["mini"], "cpu"), []
    with FaceFinder() as finder, Studio() as studio:
        for (name, look_name), photo in zip(LOOKS.items(), sitters(), strict=True):
            look = looks[look_name]
            pictures, steps = draw(photo, look, finder, studio, generator)
            named = {truth.value: pixels for truth, pixels in pictures.items()}
            named |= {f"step {i}": pixels for i, pixels in enumerate(steps, 1)}
            files = {what: file_name(name, look, what) for what in named}
            for what, pixels in named.items():
                (folder / files[what]).write_bytes(exhibit(pixels, EXHIBIT))
            climbed = {"ladder": [files[f"step {i}"] for i in range(1, len(steps) + 1)]}
            entries += [entry(files[truth.value], name, look, truth, climbed) for truth in pictures]
    head = "# Shown at a kiosk, asked nowhere; written by `python -m examples.attract`.\n"
    (folder / DECK_FILE).write_text(head + "".join(entries), encoding="utf-8")


if __name__ == "__main__":
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("folder", type=Path, nargs="?", default=FOLDER, help="where to write it")
    write(options.parse_args().folder)
