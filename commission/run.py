"""What a careful operator does on the afternoon before: a small grid drawn, measured, held against bounds.

With whatever weights are here, on two public-domain faces and the operator's own photos. Those are read,
never written: their measures are in the report, their pictures only where that was asked for. Everything is
the same from run to run but seconds and memory.
"""

import base64
import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from commission.grid import Cell, Grid
from commission.measure import PortraitRow, portrait_row
from commission.notes import Notes
from commission.verdict import CommissionVerdict, Machine, Timing, judge, middle
from errors import ChoiceError, OutOfMemory, PhotoError
from pipelines.arrays import Pixels
from pipelines.draw.drawer import DrawRequest
from pipelines.draw.generate import Generator, Rendering
from pipelines.look import Look, read_looks
from pipelines.marks.note import MarkKind, mark
from pipelines.measure.likeness import Subject
from pipelines.measure.recognition import Recognizer
from pipelines.order import Order
from pipelines.plate.studio import Studio
from pipelines.selfie.face import Face, FaceFinder, require_good
from pipelines.selfie.photo import open_photo
from pipelines.selfie.samples import sample
from pipelines.sitting import Portrait, Setup, finish, measure_reference, prepare, request_for
from words import Words

LOOK = "grey"  # the plainest: what drifts here drifts anywhere
MOST_PHOTOS = 24  # with two faces and fourteen cells that is an evening on a small card already
THUMB = (256, 320)  # px of a picture in the report

Say = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class Sitter:
    """Whom some portraits show."""

    name: str  # for the report; of an operator's photo its number, since file names name people
    face: Face
    shown: bool  # whether pictures of them may be written


@dataclass(frozen=True)
class Photos:
    """A folder of the operator's own photos, and whether pictures of them may be written."""

    folder: Path
    shown: bool = False


@dataclass(frozen=True, eq=False)
class Tools:
    """What draws and what measures."""

    generator: Generator
    finder: FaceFinder
    studio: Studio
    recognizer: Recognizer


@dataclass(frozen=True, eq=False)
class Findings:
    """A finished commissioning."""

    grid: Grid
    rows: tuple[PortraitRow, ...]
    timings: tuple[Timing, ...]
    verdict: CommissionVerdict
    plates: dict[str, str]  # JPEG in base64 by sitter, of those who may be shown
    sitters: tuple[str, ...]
    refusal: str  # why nobody was recognised; empty where they were


def example_faces(finder: FaceFinder) -> list[Sitter]:
    """Eileen Collins (NASA) and Grace Hopper (US Navy), public domain: pictures that our packages carry."""
    names = {"Eileen Collins": "astronaut", "Grace Hopper": "hopper"}
    return [Sitter(name, require_good(finder.find(sample(file))), shown=True) for name, file in names.items()]


def own_photos(photos: Photos, finder: FaceFinder, words: Words) -> list[Sitter]:
    """The operator's sitters, one a photo, by the files' names; what is no picture is passed over.

    Raises `ChoiceError`, a sentence with the file's name, for a folder without photos and for a photo whose
    face cannot be used.
    """
    folder = photos.folder
    if not folder.is_dir():
        raise ChoiceError(f"--photos: {folder.name} is no folder. Name one with photos of people.")
    found: list[Sitter] = []
    for path in sorted(
        entry for entry in folder.iterdir() if entry.is_file() and not entry.name.startswith(".")
    ):
        try:
            face = require_good(finder.find(open_photo(path)))
        except PhotoError as error:
            if error.key == "file.type":
                continue
            raise ChoiceError(f"--photos: {path.name}: {words.sentence(error)}") from error
        found.append(Sitter(f"Your photo {len(found) + 1}", face, photos.shown))
        if len(found) > MOST_PHOTOS:
            raise ChoiceError(f"--photos: more than {MOST_PHOTOS} photos. Take fewer.")
    if not found:
        raise ChoiceError(f"--photos: no photo in {folder.name}. Put JPEG, PNG, WebP or HEIC files there.")
    return found


def run(
    tools: Tools, sitters: Sequence[Sitter], grid: Grid, notes: Notes, gigabytes: float, say: Say
) -> Findings:
    """Draw and measure what is not noted yet, then judge. `gigabytes` is the card's memory.

    Raises `ChoiceError` for a set without bounds, and what loading raises. A drawing that ends for lack of
    memory is a finding.
    """
    model_set, look = tools.generator.model_set, read_looks()[LOOK]
    if model_set.bounds is None:
        raise ChoiceError(
            f"{model_set.name}.toml has no [bounds]: there is nothing to hold portraits against."
        )
    tools.generator.load()
    plates, every, too_much = dict[str, str](), list[list[Setup]](), False
    clock = _Clock(len(grid.cells) * len(sitters), say)
    try:
        for sitter in sitters:
            every.append(set_up_all(tools, sitter, look, grid.seeds))
            if sitter.shown:
                plates[sitter.name] = jpeg(every[-1][0].plate.pixels, "plate")
            _draw_cells(tools, sitter, every[-1], grid, notes, clock)
        waiting = [batch for batch in grid.batches if not notes.has_timing(batch)]
        if waiting:
            tools.generator.warm()  # what is compiled is compiled before the clock runs
        for batch in waiting:
            say(f"The clock: {batch} portrait{'s' if batch > 1 else ''} together")
            notes.keep_timing(time_batch(tools, sitters[0], every[0], grid.own, batch))
    except OutOfMemory:
        too_much = True
    refusal = REFUSALS.get(tools.recognizer.refusal, "")
    verdict = judge(notes.rows, notes.timings, grid, model_set.bounds, Machine(gigabytes, refusal, too_much))
    names = tuple(sitter.name for sitter in sitters)
    return Findings(grid, tuple(notes.rows), tuple(notes.timings), verdict, plates, names, refusal)


REFUSALS = {
    "likeness.recognition_off": "FACE_VALUE_RECOGNITION is off: set it on for this once",
    "likeness.recognition_missing": "its package is not installed",
}


def _draw_cells(
    tools: Tools, sitter: Sitter, setups: Sequence[Setup], grid: Grid, notes: Notes, clock: "_Clock"
) -> None:
    """All cells of one sitter that are not noted yet."""
    look, references = read_looks()[LOOK], dict[int, Subject | None]()
    for cell in grid.cells:
        if notes.has(sitter.name, cell):
            clock.skip()
            continue
        rows = []
        for portrait in draw_cell(tools.generator, sitter, setups, look, cell, grid.seeds):
            place = portrait.rendering.index
            if place not in references:
                references[place] = measure_reference(portrait, tools.finder)
            names = (sitter.name, cell.name)
            row = portrait_row(
                portrait, names, references[place], sitter.face, (tools.finder, tools.recognizer)
            )
            if sitter.shown and place == 0:
                kind: MarkKind = "from_plate" if portrait.rendering.start == "plate" else "generated"
                row = replace(row, picture=jpeg(portrait.image, kind))
            rows.append(row)
        notes.keep(sitter.name, cell, rows)
        clock.tick(f"{sitter.name}, {cell.name}: {_summary(rows)}")


def draw_cell(
    generator: Generator, sitter: Sitter, setups: Sequence[Setup], look: Look, cell: Cell, count: int
) -> Iterator[Portrait]:
    """The portraits of a cell, finished as the booth finishes them."""
    for event in generator.draw(request_of(generator, sitter, setups, look, cell, count)):
        if isinstance(event, Rendering):
            setup = setups[event.index % len(setups)]
            yield finish(event, setup, look, generator.model_set)


def request_of(
    generator: Generator, sitter: Sitter, setups: Sequence[Setup], look: Look, cell: Cell, count: int
) -> DrawRequest:
    """So many portraits at a cell's setting; setups are taken in turn where there are fewer."""
    order = Order(look, variations=count, identity=cell.identity, start=cell.start, strength=cell.strength)
    posed = generator.model_set.model_copy(update={"pose": cell.pose})
    turns = [setups[place % len(setups)] for place in range(count)]
    return request_for(order, [sitter.face], turns, posed)


def set_up_all(tools: Tools, sitter: Sitter, look: Look, count: int) -> list[Setup]:
    """A setup for each portrait of a cell: the booth's own lights and crops."""
    model_set, order = tools.generator.model_set, Order(look, variations=count)
    return list(prepare([sitter.face], order, tools.studio, model_set))


def time_batch(tools: Tools, sitter: Sitter, setups: Sequence[Setup], cell: Cell, batch: int) -> Timing:
    """What a batch takes by stage, the faster of two: the first may set something up."""
    request = request_of(tools.generator, sitter, setups, read_looks()[LOOK], cell, batch)
    twice = [_timed_once(tools.generator, request) for _ in range(2)]
    return min(twice, key=lambda timing: sum(timing.seconds.values()))


def _timed_once(generator: Generator, request: DrawRequest) -> Timing:
    made = [event for event in generator.draw(request) if isinstance(event, Rendering)]
    costs = [cost for rendering in made for cost in rendering.costs]
    stages = list(dict.fromkeys(cost.stage for cost in costs))
    seconds = {
        stage: sum(cost.seconds / cost.portraits for cost in costs if cost.stage == stage) / len(made)
        for stage in stages
    }
    peaks = {
        stage: max((cost.gigabytes or 0.0) for cost in costs if cost.stage == stage)
        for stage in stages
        if any(cost.gigabytes is not None for cost in costs)
    }
    together = max((cost.portraits for cost in costs if cost.stage == "denoise"), default=0)
    return Timing(len(request.seeds), together, seconds, peaks)


def photos_digest(sitters: Sequence[Sitter]) -> list[tuple[str, bool, str]]:
    """What tells two sets of sitters apart, to be digested with everything else."""
    return [
        (sitter.name, sitter.shown, hashlib.sha256(sitter.face.photo.pixels.tobytes()).hexdigest())
        for sitter in sitters
    ]


def jpeg(pixels: Pixels, kind: MarkKind) -> str:
    """A small JPEG with the mark that says how it was made, in base64."""
    small = cv2.resize(pixels, THUMB, interpolation=cv2.INTER_AREA)
    data = mark(np.asarray(small, np.uint8), kind, format="JPEG")
    return base64.b64encode(data).decode()


class _Clock:
    """Says what was done and about how long the rest takes."""

    def __init__(self, count: int, say: Say) -> None:
        self._count, self._say = count, say
        self._at, self._drawn, self._began = 0, 0, time.perf_counter()

    def skip(self) -> None:
        """It was measured before."""
        self._at += 1

    def tick(self, result: str) -> None:
        """It was measured now."""
        self._at, self._drawn = self._at + 1, self._drawn + 1
        each = (time.perf_counter() - self._began) / self._drawn
        left = each * (self._count - self._at)
        rest = f"about {left / 60:.0f} min left" if left >= 90 else f"about {left:.0f} s left"
        self._say(f"{self._at} of {self._count}: {result}; {rest}")


def _summary(rows: Sequence[PortraitRow]) -> str:
    found = [row for row in rows if row.found]
    near = middle([row.recognition for row in found])
    distance = "" if near is None else f", recognition distance {near:.2f}"
    return f"a face in {len(found)} of {len(rows)}{distance}"
