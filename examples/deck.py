"""The starter deck: two sitters in three looks each, as a photograph and as an AI portrait.

    python -m examples.deck [FOLDER]

The sitters are Eileen Collins (NASA) and Grace Hopper (US Navy), from scikit-image and matplotlib, both in
the public domain. The small offline model draws the portraits; on a processor the same ones each time.
"""

import argparse
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from booth.deck import DECK_FILE
from examples.contact_sheet import sitters
from pipelines.draw.generate import Generator, Progress
from pipelines.draw.model_set import read_model_sets
from pipelines.exhibit import EXHIBIT, exhibit, pair
from pipelines.ladder import Rung, ladder
from pipelines.look import Look, read_looks
from pipelines.order import Order
from pipelines.plate.studio import Studio
from pipelines.selfie.face import FaceFinder
from pipelines.selfie.photo import Photo
from pipelines.sitting import PortraitReady, PoseReady, sit
from votes.schema import Kind

FOLDER = Path(__file__).parent / "deck"
SEED = 7
# The three looks of each sitter that are asked about; welcome and look screens show them in the others.
LOOKS = {"collins": ("grey", "editorial", "corporate"), "hopper": ("black", "white", "outdoor")}
WITH_LADDER = ("grey", "black")  # in which a sitter is drawn with ever less of them, too
FRAME = (640, 800)  # width, height in px of what a making is told with
CREDITS = {
    "collins": "Eileen Collins. Photograph: NASA, public domain",
    "hopper": "Grace Hopper. Photograph: United States Navy, public domain",
}
MADE = {
    Kind.PHOTOGRAPH: "on a new backdrop",
    Kind.GENERATED: "drawn over that photograph by the small offline model of this project",
}


@dataclass(frozen=True)
class Sheet:
    """One sitter in one look, JPEG bytes throughout."""

    exhibits: Mapping[Kind, bytes]
    making: Mapping[str, bytes]  # what the machine saw, pose map, half-way picture
    ladder: Sequence[bytes]  # ever less of the sitter; empty where none was drawn


def sheets(generator: Generator) -> Iterator[tuple[str, Look, Sheet]]:
    """Each sitter in the looks of their own."""
    looks = read_looks()
    with FaceFinder() as finder, Studio() as studio:
        for (name, asked), photo in zip(LOOKS.items(), sitters(), strict=True):
            for look in (looks[one] for one in asked):
                yield name, look, sheet(photo, look, finder, studio, generator)


def sheet(photo: Photo, look: Look, finder: FaceFinder, studio: Studio, generator: Generator) -> Sheet:
    """Photograph, portrait, and how it was made."""
    order = Order(look, variations=1, seed=SEED)
    making: dict[str, bytes] = {}
    with closing(sit([photo], order, finder, studio, generator)) as events:
        for event in events:
            if isinstance(event, PoseReady):
                making |= {"seen": exhibit(event.seen, FRAME), "pose": exhibit(event.pose.image, FRAME)}
            elif isinstance(event, Progress) and event.previews and event.is_first_half:
                making["preview"] = exhibit(event.previews[0], FRAME)
            elif isinstance(event, PortraitReady):  # before it is measured, which a deck does not tell
                portrait = event.portrait
                break
    climbed = []
    if look.name in WITH_LADDER:
        rungs = ladder([photo], order, finder, studio, generator)
        climbed = [exhibit(rung.portrait.image, EXHIBIT) for rung in rungs if isinstance(rung, Rung)]
    files = pair(portrait.setup.plate.pixels, portrait.image, generator.model_set)
    return Sheet(dict(zip((Kind.PHOTOGRAPH, Kind.GENERATED), files, strict=True)), making, climbed)


def entry(file: str, name: str, look: Look, truth: Kind, beside: Mapping[str, Sequence[str]]) -> str:
    """One picture's part of `deck.toml`; the stage tells of a portrait's making once the truth is out."""
    making = f"""seed = {SEED}
steps = {read_model_sets()["mini"].course().executed_steps}
prompt = "{Order(look).prompt(read_model_sets()["mini"])}"
"""
    for key, files in beside.items():
        value = json.dumps(files if key == "ladder" else files[0])
        making += f"{key} = {value}\n" if files else ""
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
    for name, look, one in sheets(Generator(read_model_sets()["mini"], "cpu")):
        steps = {f"step {i}": jpeg for i, jpeg in enumerate(one.ladder, 1)}
        for what, jpeg in (*one.making.items(), *steps.items()):
            (folder / file_name(name, look, what)).write_bytes(jpeg)
        beside = {key: [file_name(name, look, key)] for key in one.making}
        beside["ladder"] = [file_name(name, look, step) for step in steps]
        for truth, jpeg in one.exhibits.items():
            file = file_name(name, look, truth.value)
            (folder / file).write_bytes(jpeg)
            entries[file] = entry(file, name, look, truth, beside)
    head = "# The starter deck, written by `python -m examples.deck`. Pairs: a visitor sees one of each.\n"
    (folder / DECK_FILE).write_text(
        head + "".join(entries[file] for file in sorted(entries)), encoding="utf-8"
    )


if __name__ == "__main__":
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("folder", type=Path, nargs="?", default=FOLDER, help="where to write it")
    write(options.parse_args().folder)
