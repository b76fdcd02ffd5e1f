"""The chain in order: selfies and an order go in, events come out, portraits among them.

`sit` is a generator: whoever iterates it sees each stage when it is done, and closing it cancels
within one step. Nothing is written to disk here; `report` is the JSON shape of the contracts.
"""

import time
from collections.abc import Generator as Yields
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from errors import ChoiceError, PhotoError
from pipelines.face import Face, FaceFinder, best_of, require_good
from pipelines.generate import Generator, Progress, Rendering, Request
from pipelines.guard import MOST, guarded, mendable
from pipelines.likeness import LikenessReport, Subject, as_told, compare, subject_in
from pipelines.look import Expression, Look
from pipelines.model_set import ModelSet
from pipelines.photo import Photo
from pipelines.pose import Pose, pose_map, seen
from pipelines.studio import Plate, Studio, plate

MOST_SELFIES = 4
LAST_SEED = 2**63 - 25  # torch takes 64 bits with a sign; eight portraits, drawn up to three times, count up
MOST_REDRAWN = 2  # times that a portrait is drawn again whose skin is too far off to be mended
PLATE_SIZE = (1080, 1350)  # width, height in px of the plate people look at; 4:5 like every canvas
REFERENCE_PX = 512  # the identity adapter's encoder reads 224 px; more than twice that is enough
REFERENCE_PUPILS = 3.4  # side of a reference crop in pupil distances: crown to collar


@dataclass(frozen=True, eq=False)
class Order:
    """What the visitor chose. None leaves the choice to the look or the model set."""

    look: Look
    expression: Expression | None = None
    variations: int = 4
    seed: int = 0
    identity: float | None = None  # identity adapter's scale, 0 to 1
    start: Literal["noise", "plate"] | None = None
    strength: float | None = None  # of a start from the plate, 0 to 1

    @property
    def prompt(self) -> str:
        """The look's words, then the expression's."""
        return ", ".join(part.prompt for part in (self.look, self.expression) if part)

    @property
    def negative_prompt(self) -> str:
        """What neither wants."""
        return ", ".join(part.negative_prompt for part in (self.look, self.expression) if part)

    @property
    def seeds(self) -> tuple[int, ...]:
        """One seed a portrait, counted up from the first."""
        return tuple(self.seed + i for i in range(self.variations))


@dataclass(frozen=True, eq=False)
class Portrait:
    """One generated picture, how it was asked for, and what it changed of the plate."""

    rendering: Rendering
    look: Look
    model_set: ModelSet
    likeness: LikenessReport | None = None  # not yet, or no face is found in it
    guarded: NDArray[np.uint8] | None = None  # the same with the photograph's skin tone, where it was off


@dataclass(frozen=True, eq=False)
class FaceFound:
    """Every selfie holds one usable face; the pose comes from `faces[best]`."""

    faces: tuple[Face, ...]
    best: int


@dataclass(frozen=True, eq=False)
class PlateReady:
    """The sitter's own photograph under the look's light, `PLATE_SIZE`."""

    plate: Plate


@dataclass(frozen=True, eq=False)
class PoseReady:
    """The control image, and the mesh that shows what was seen."""

    pose: Pose
    seen: NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class PortraitReady:
    """One portrait is done."""

    portrait: Portrait


@dataclass(frozen=True, eq=False)
class Done:
    """All portraits are there, each with what it changed; some may have been drawn again."""

    portraits: tuple[Portrait, ...]
    report: dict[str, Any]


Event = FaceFound | PlateReady | PoseReady | Progress | PortraitReady | Done


@dataclass
class Timings:
    """Seconds a stage, in the order of the chain."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the time of the block to the stage."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - began


def check_order(order: Order, model_set: ModelSet) -> None:
    """Refuse what the set cannot honour, before anything is made. Raises `ChoiceError`."""
    if order.identity is not None and "identity" not in model_set.capabilities:
        raise ChoiceError(
            f"{model_set.name} has no identity adapter. Leave --identity out, or choose another set."
        )
    if order.identity is not None and not 0 <= order.identity <= 1:
        raise ChoiceError(f"identity = {order.identity}. It should be between 0 and 1.")
    if not 1 <= order.variations <= 8:
        raise ChoiceError(f"variations = {order.variations}. It should be between 1 and 8.")
    if not 0 <= order.seed <= LAST_SEED:
        raise ChoiceError(f"seed = {order.seed}. It should be between 0 and {LAST_SEED}.")
    model_set.course(order.start, order.strength)


def sit(
    photos: Sequence[Photo], order: Order, finder: FaceFinder, studio: Studio, generator: Generator
) -> Yields[Event, None, None]:
    """Run the chain. Raises `PhotoError` for a selfie that will not do, `ChoiceError` for an order."""
    model_set = generator.model_set
    check_order(order, model_set)
    timings = Timings()
    with timings.stage("face"):
        faces = find_faces(photos, finder)
        best = best_of(faces)
    yield FaceFound(faces, best)

    framing = model_set.framing or order.look.framing
    with timings.stage("plate"):
        shown = plate(studio.cut_out(faces[best]), order.look, PLATE_SIZE, framing)
    yield PlateReady(shown)

    with timings.stage("pose"):
        pose = pose_map(faces[best], framing, model_set.canvas)
        mesh = seen(faces[best])
    yield PoseReady(pose, mesh)

    with timings.stage("references"):
        request = request_for(order, faces, shown, pose, model_set)
    portraits = []
    began = time.perf_counter()
    for event in generator.draw(request):
        if isinstance(event, Progress):
            yield event
            continue
        portraits.append(Portrait(event, order.look, model_set))
        yield PortraitReady(portraits[-1])
    timings.seconds["portraits"] = time.perf_counter() - began
    began = time.perf_counter()
    reference = subject_in(request.plate, finder)
    for index, portrait in enumerate(portraits):
        portraits[index] = yield from reviewed(portrait, reference, request, finder, generator)
    timings.seconds["likeness"] = time.perf_counter() - began
    yield Done(tuple(portraits), report(order, faces, portraits, generator, timings.seconds))


def reviewed(
    portrait: Portrait,
    reference: Subject | None,
    request: Request,
    finder: FaceFinder,
    generator: Generator,
) -> Yields[Progress, None, Portrait]:
    """Measure a portrait. Skin that is too far off is drawn again, the best is kept, and mended beside it."""
    if reference is None:
        return portrait
    best, found = _measured(portrait, reference, finder)
    for again in range(1, MOST_REDRAWN + 1):
        if _off(best) <= MOST:
            break
        seed = request.seeds[portrait.rendering.index] + again * len(request.seeds)
        for event in generator.draw(replace(request, seeds=(seed,))):
            if isinstance(event, Progress):
                yield replace(event, first=portrait.rendering.index)
                continue
            drawn = replace(portrait, rendering=replace(event, index=portrait.rendering.index))
            other, subject = _measured(drawn, reference, finder)
            if _off(other) < _off(best):
                best, found = other, subject
    if found and best.likeness and mendable(best.likeness.measures["skin"]):
        return replace(best, guarded=guarded(reference, found))
    return best


def _measured(portrait: Portrait, reference: Subject, finder: FaceFinder) -> tuple[Portrait, Subject | None]:
    subject = subject_in(portrait.rendering.image, finder)
    return replace(portrait, likeness=compare(reference, subject) if subject else None), subject


def _off(portrait: Portrait) -> float:
    """How far the skin is from the plate's, L*; 0 where nothing tells."""
    skin = portrait.likeness.measures["skin"].value if portrait.likeness else None
    return abs(skin or 0.0)


def find_faces(photos: Sequence[Photo], finder: FaceFinder) -> tuple[Face, ...]:
    """The face of every selfie. Raises `PhotoError` for the first that will not do."""
    if not 1 <= len(photos) <= MOST_SELFIES:
        raise PhotoError("file.many", n=len(photos))
    return tuple(require_good(finder.find(photo)) for photo in photos)


def request_for(
    order: Order, faces: Sequence[Face], shown: Plate, pose: Pose, model_set: ModelSet
) -> Request:
    """What the generator needs, on its own canvas."""
    small = cv2.resize(shown.pixels, model_set.canvas, interpolation=cv2.INTER_AREA)
    return Request(
        prompt=order.prompt,
        negative_prompt=order.negative_prompt,
        control=pose.image,
        references=tuple(reference(face) for face in faces),
        plate=small.astype(np.uint8),
        seeds=order.seeds,
        identity=order.look.identity if order.identity is None else order.identity,
        pose=order.look.pose,
        start=order.start,
        strength=order.strength,
    )


def reference(face: Face) -> NDArray[np.uint8]:
    """Square crop of head and collar for the identity adapter: uint8 (512, 512, 3) sRGB, upright.

    Its encoder centre-crops, so anything but a square would lose hair or chin.
    """
    half = round(REFERENCE_PUPILS * face.pupil_distance / 2)
    x, y = np.round((face.landmarks[10, :2] + face.landmarks[152, :2]) / 2).astype(int) + half
    padded = cv2.copyMakeBorder(face.photo.pixels, half, half, half, half, cv2.BORDER_REPLICATE)
    crop = padded[y - half : y + half, x - half : x + half]
    way = cv2.INTER_AREA if 2 * half > REFERENCE_PX else cv2.INTER_CUBIC  # linear would drop pixels
    resized: NDArray[np.uint8] = cv2.resize(crop, (REFERENCE_PX, REFERENCE_PX), interpolation=way)
    return resized


def report(
    order: Order,
    faces: Sequence[Face],
    portraits: Sequence[Portrait],
    generator: Generator,
    seconds: dict[str, float],
) -> dict[str, Any]:
    """`report.json` without its files: what was asked, what ran, how long it took."""
    first = portraits[0].rendering
    return {
        "look": order.look.name,
        "expression": order.expression.name if order.expression else None,
        "model_set": generator.model_set.name,
        "repos": generator.revisions(),
        "start": first.start,
        "strength": first.strength,
        "steps": {"requested": first.requested_steps, "executed": first.executed_steps},
        "seeds": [portrait.rendering.seed for portrait in portraits],
        "likeness": [
            one.likeness and {name: as_told(found) for name, found in one.likeness.measures.items()}
            for one in portraits
        ],
        "seconds": {stage: round(spent, 3) for stage, spent in seconds.items()},
        "verdicts": [face.verdict.key for face in faces],
    }
