"""The starter deck: two sitters in every look, each as a photograph and as an AI portrait.

    python -m examples.deck [FOLDER]

The sitters are Eileen Collins (NASA) and Grace Hopper (US Navy), from scikit-image and matplotlib, both in
the public domain. The small offline model draws the portraits; on a processor the same ones each time.
"""

import argparse
import hashlib
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

from booth.deck import LIST
from examples.contact_sheet import sitters
from pipelines.exhibit import exhibit, pair
from pipelines.face import FaceFinder
from pipelines.generate import Generator
from pipelines.ladder import Rung, ladder
from pipelines.look import Look, read_looks
from pipelines.model_set import read_model_sets
from pipelines.photo import Photo
from pipelines.sitting import Order, PlateReady, PortraitReady, sit
from pipelines.studio import Studio
from votes.schema import Kind

FOLDER = Path(__file__).parent / "deck"
SEED = 7
WITH_LADDER = "grey"  # the look in which each sitter is drawn with ever less of them, too
CREDITS = {
    "collins": "Eileen Collins. Photograph: NASA, public domain",
    "hopper": "Grace Hopper. Photograph: United States Navy, public domain",
}
MADE = {
    Kind.PHOTOGRAPH: "on a new backdrop, through the autoencoder of the small model beside it",
    Kind.GENERATED: "drawn over that photograph by the small offline model of this project",
}


def pictures(generator: Generator) -> Iterator[tuple[str, Look, Kind, bytes, list[bytes]]]:
    """Sitter, look, truth, exhibit, and the ladder of a portrait that has one; a pair at a time."""
    with FaceFinder() as finder, Studio() as studio:
        for name, photo in zip(CREDITS, sitters(), strict=True):
            for look in read_looks().values():
                drawn = sitting(photo, look, finder, studio, generator)
                climbed = steps(photo, look, finder, studio, generator) if look.name == WITH_LADDER else []
                for truth, jpeg in zip(Kind, drawn, strict=True):
                    yield name, look, truth, jpeg, climbed if truth == Kind.GENERATED else []


def sitting(
    photo: Photo, look: Look, finder: FaceFinder, studio: Studio, generator: Generator
) -> tuple[bytes, ...]:
    """The exhibits of one photograph and one portrait."""
    chain = sit([photo], Order(look, variations=1, seed=SEED), finder, studio, generator)
    with closing(chain) as events:  # before the portrait is measured, which a deck does not tell
        shown = next(event.plate.pixels for event in events if isinstance(event, PlateReady))
        drawn = next(event.portrait.rendering.image for event in events if isinstance(event, PortraitReady))
    return pair(shown, [drawn], generator)


def steps(photo: Photo, look: Look, finder: FaceFinder, studio: Studio, generator: Generator) -> list[bytes]:
    """The sitter at each step of the ladder."""
    events = ladder([photo], Order(look, seed=SEED), finder, studio, generator)
    drawn = [event.portrait.rendering.image for event in events if isinstance(event, Rung)]
    return [exhibit(image, generator.model_set.canvas) for image in drawn]


def entry(file: str, name: str, look: Look, truth: Kind, climbed: Sequence[str]) -> str:
    """One picture's part of `deck.toml`; the stage tells of a portrait's making once the truth is out."""
    making = f"""seed = {SEED}
steps = {read_model_sets()["mini"].course().executed_steps}
prompt = "{Order(look).prompt}"
"""
    if climbed:
        making += f"ladder = [{', '.join(map(repr, climbed))}]\n".replace("'", '"')
    return f"""
[[item]]
file = "{file}"
truth = "{truth.value}"
credit = "{CREDITS[name]}, {MADE[truth]}."
licence = "Public domain"
pair = "{name} {look.name}"
look = "{look.name}"
model_set = "mini"
start = "plate"
rehearsal = true
{making if truth == Kind.GENERATED else ""}"""


def file_name(name: str, look: Look, what: str) -> str:
    """A name that tells nothing, and an order by it."""
    return hashlib.sha256(f"{name} {look.name} {what}".encode()).hexdigest()[:8] + ".jpg"


def write(folder: Path) -> None:
    """Pictures and list; what the folder held of an earlier deck goes."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.jpg"):
        old.unlink()
    entries = {}
    for name, look, truth, jpeg, climbed in pictures(Generator(read_model_sets()["mini"], "cpu")):
        file = file_name(name, look, truth.value)
        (folder / file).write_bytes(jpeg)
        files = [file_name(name, look, f"step {i}") for i in range(1, len(climbed) + 1)]
        for step, picture in zip(files, climbed, strict=True):
            (folder / step).write_bytes(picture)
        entries[file] = entry(file, name, look, truth, files)
    head = "# The starter deck, written by `python -m examples.deck`. Pairs: a visitor sees one of each.\n"
    (folder / LIST).write_text(head + "".join(entries[file] for file in sorted(entries)), encoding="utf-8")


if __name__ == "__main__":
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("folder", type=Path, nargs="?", default=FOLDER, help="where to write it")
    write(options.parse_args().folder)
