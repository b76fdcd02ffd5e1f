"""The chain in order: selfies and an order go in, events come out, portraits among them.

`sit` is a generator: whoever iterates it sees each stage when it is done, and closing it cancels
within one step. Nothing is written to disk here; `report` is the JSON shape of the contracts.
"""

import time
from collections.abc import Generator as Yields
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import cv2
import numpy as np

from errors import PhotoError
from pipelines.arrays import Pixels
from pipelines.draw.drawer import DrawRequest
from pipelines.draw.finish import transfer_detail
from pipelines.draw.generate import Generator, Progress, Rendering
from pipelines.draw.model_set import ModelSet
from pipelines.draw.pose_map import Pose, draw_mesh, pose_map
from pipelines.draw.reference import reference_crop
from pipelines.look import Look
from pipelines.measure.likeness import LikenessReport, Subject, compare, measure_report, subject_in
from pipelines.measure.skin_tone import MOST, can_restore_tone, restore_tone
from pipelines.order import Order, can_be_given, check_order
from pipelines.plate.expression import lips_meet, warp_mouth
from pipelines.plate.framing import transform_points
from pipelines.plate.matte import Cutout
from pipelines.plate.shot import Shot
from pipelines.plate.studio import Plate, Studio, plate
from pipelines.selfie.face import Face, FaceFinder, best_first, best_of, require_good
from pipelines.selfie.photo import Photo

MOST_SELFIES = 4
MOST_REDRAWN = 2  # times that a portrait is drawn again whose skin is too far off to be mended
PLATE_SIZE = (1080, 1350)  # width, height in px of the plate people look at; 4:5 like every canvas


@dataclass(frozen=True, eq=False)
class Setup:
    """What one portrait starts from: its light and crop, the plate they give, and the pose on it."""

    shot: Shot
    plate: Plate  # the photograph that people see, `PLATE_SIZE`
    asked: Pixels  # the same with the expression asked for: drawn from, and compared with
    pose: Pose
    has_expression: bool = False  # whether another than the photograph's was asked for

    @property
    def is_moved(self) -> bool:
        """Whether the mouth was moved to an expression, which then is no change."""
        return self.asked is not self.plate.pixels


@dataclass(frozen=True, eq=False)
class Portrait:
    """One generated picture, how it was asked for, and what it changed of the plate."""

    image: Pixels  # (H, W, 3) sRGB as people see it: finished at the plate's size, or as drawn
    rendering: Rendering  # as the networks drew it, on their canvas
    setup: Setup
    look: Look
    model_set: ModelSet
    likeness: LikenessReport | None = None  # not yet, or no face is found in it
    tone_matched: Pixels | None = None  # the same with the photograph's skin tone, where it was off


@dataclass(frozen=True, eq=False)
class FaceFound:
    """Every selfie holds one usable face; the pose comes from `faces[best]`."""

    faces: tuple[Face, ...]
    best: int


@dataclass(frozen=True, eq=False)
class PlateReady:
    """The sitter's own photograph under the look's own light, `PLATE_SIZE`: the first portrait's plate."""

    plate: Plate


@dataclass(frozen=True, eq=False)
class PoseReady:
    """The control image, and the mesh that shows what was seen."""

    pose: Pose
    seen: Pixels


@dataclass(frozen=True, eq=False)
class PortraitReady:
    """One portrait is done."""

    portrait: Portrait


@dataclass(frozen=True, eq=False)
class Done:
    """All portraits are there, each with what it changed; some may have been drawn again."""

    portraits: tuple[Portrait, ...]
    report: dict[str, Any]


SittingEvent = FaceFound | PlateReady | PoseReady | Progress | PortraitReady | Done


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


def sit(
    selfies: Sequence[Photo | Face], order: Order, finder: FaceFinder, studio: Studio, generator: Generator
) -> Yields[SittingEvent, None, None]:
    """Run the chain. Raises `PhotoError` for a selfie that will not do, `ChoiceError` for an order."""
    model_set = generator.model_set
    check_order(order, model_set)
    timings = Timings()
    with timings.stage("face"):
        faces = find_faces(selfies, finder)
        best = best_of(faces)
    yield FaceFound(faces, best)

    with timings.stage("plate"):
        waiting = prepare(faces, order, studio, model_set)
        first = next(waiting)
    yield PlateReady(first.plate)

    with timings.stage("pose"):
        mesh = draw_mesh(faces[best])
    yield PoseReady(first.pose, mesh)

    with timings.stage("setups"):
        setups = [first, *waiting]
        request = request_for(order, faces, setups, model_set)
    portraits: list[Portrait] = []
    began = time.perf_counter()
    for event in generator.draw(request):
        if isinstance(event, Progress):
            yield event
            continue
        with timings.stage("finish"):
            portraits.append(finish(event, setups[event.index], order.look, model_set))
        yield PortraitReady(portraits[-1])
    timings.seconds["portraits"] = time.perf_counter() - began - timings.seconds["finish"]
    began = time.perf_counter()
    for index, portrait in enumerate(portraits):
        portraits[index] = yield from review(portrait, request, finder, generator)
    timings.seconds["likeness"] = time.perf_counter() - began
    yield Done(tuple(portraits), report(order, faces, portraits, generator, timings.seconds))


def prepare(
    faces: Sequence[Face], order: Order, studio: Studio, model_set: ModelSet, shots: Sequence[Shot] = ()
) -> Iterator[Setup]:
    """A setup for each portrait, at the order's shots or at those given: all that comes before drawing.

    The best selfie is cut out for the first; each is made when it is asked for, so that a visitor sees the
    first plate while the others wait. Raises `PhotoError` for an expression that the face cannot be given.
    """
    return set_ups(studio.cut_out(faces[best_of(faces)]), order, model_set, shots)


def set_ups(cutout: Cutout, order: Order, model_set: ModelSet, shots: Sequence[Shot] = ()) -> Iterator[Setup]:
    """The same of a sitter who was cut out before."""
    known: dict[Shot, Setup] = {}  # a look may light all portraits alike
    for each in shots or order.shots(model_set):
        if each not in known:
            known[each] = set_up(cutout, order, each, model_set)
        yield known[each]


def draw_portraits(
    order: Order, faces: Sequence[Face], setups: Sequence[Setup], generator: Generator
) -> Iterator[Progress | Portrait]:
    """The finished portraits of an order, a setup each, not measured yet; in between how far they are."""
    model_set = generator.model_set
    for event in generator.draw(request_for(order, faces, setups, model_set)):
        if isinstance(event, Progress):
            yield event
        else:
            yield finish(event, setups[event.index], order.look, model_set)


def set_up(cutout: Cutout, order: Order, shot: Shot, model_set: ModelSet) -> Setup:
    """Plate and pose of one portrait. Raises `PhotoError` for an expression that the face cannot be given."""
    shown = plate(cutout, shot.of(order.look), PLATE_SIZE)
    asked, face = shown.pixels, cutout.face
    if order.expression and not can_be_given(order.expression, face, model_set):
        raise PhotoError("expression.open")
    smile = order.expression.smile if order.expression else 0.0
    if smile > 0 or (smile < 0 and lips_meet(face.landmarks)):  # else words must do it
        asked = warp_mouth(asked, transform_points(shown.matrix, face.landmarks[:, :2]), smile)
    return Setup(
        shot, shown, asked, pose_map(face, shot.framing, model_set.canvas), order.expression is not None
    )


def finish(drawn: Rendering, setup: Setup, look: Look, model_set: ModelSet) -> Portrait:
    """The portrait as people see it: at the plate's size where the set has a finish, else as drawn."""
    image = drawn.image
    if drawn.base is not None:
        image = transfer_detail(image, drawn.base, setup.asked, setup.plate.alpha)
    return Portrait(image, drawn, setup, look, model_set)


def on_canvas(pixels: Pixels, model_set: ModelSet) -> Pixels:
    """A plate at the size that the networks draw at."""
    return np.asarray(cv2.resize(pixels, model_set.canvas, interpolation=cv2.INTER_AREA), np.uint8)


def review(
    portrait: Portrait,
    request: DrawRequest,
    finder: FaceFinder,
    generator: Generator,
) -> Yields[Progress, None, Portrait]:
    """Measure a portrait. Skin that is too far off is drawn again, the best is kept, and mended beside it."""
    reference = measure_reference(portrait, finder)
    if reference is None:
        return portrait
    best, found = measure_portrait(portrait, reference, finder)
    place = portrait.rendering.index
    for again in range(1, MOST_REDRAWN + 1):
        if _off(best) <= MOST:
            break
        seed = request.seeds[place] + again * len(request.seeds)
        for event in generator.draw(request.only(place, seed)):
            if isinstance(event, Progress):
                yield replace(event, first=place)
                continue
            drawn = finish(replace(event, index=place), portrait.setup, portrait.look, portrait.model_set)
            other, subject = measure_portrait(drawn, reference, finder)
            if _off(other) < _off(best):
                best, found = other, subject
    if found and best.likeness and can_restore_tone(best.likeness.measures["skin"]):
        return replace(best, tone_matched=restore_tone(reference, found))
    return best


def measure_reference(portrait: Portrait, finder: FaceFinder) -> Subject | None:
    """The plate in the portrait's own light, crop and expression: what was asked for is no drift.

    At the portrait's size; None where no face is found in it.
    """
    height, width = portrait.image.shape[:2]
    asked = portrait.setup.asked
    if asked.shape != portrait.image.shape:
        asked = np.asarray(cv2.resize(asked, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
    return subject_in(asked, finder)


def measure_portrait(
    portrait: Portrait, reference: Subject, finder: FaceFinder
) -> tuple[Portrait, Subject | None]:
    """The portrait with its report, and what was measured; without both where no face is found in it."""
    subject = subject_in(portrait.image, finder)
    if subject is None:
        return replace(portrait, likeness=None), None
    changed = compare(reference, subject, expression=portrait.setup.has_expression)
    return replace(portrait, likeness=changed), subject


def _off(portrait: Portrait) -> float:
    """How far the skin is from the plate's, L*; 0 where nothing tells."""
    skin = portrait.likeness.measures["skin"].value if portrait.likeness else None
    return abs(skin or 0.0)


def find_faces(selfies: Sequence[Photo | Face], finder: FaceFinder) -> tuple[Face, ...]:
    """The face of every selfie; what was found before is not looked for again.

    Raises `PhotoError` for the first that will not do.
    """
    if not 1 <= len(selfies) <= MOST_SELFIES:
        raise PhotoError("file.many", n=len(selfies))
    return tuple(
        require_good(selfie if isinstance(selfie, Face) else finder.find(selfie)) for selfie in selfies
    )


def request_for(
    order: Order, faces: Sequence[Face], setups: Sequence[Setup], model_set: ModelSet
) -> DrawRequest:
    """What the generator needs, on its own canvas: a setup for each seed of the order."""
    plates = {id(setup): on_canvas(setup.asked, model_set) for setup in setups}
    return DrawRequest(
        prompt=order.prompt(model_set),
        negative_prompt=order.negative_prompt,
        controls=tuple(setup.pose.image for setup in setups),
        references=tuple(reference_crop(face) for face in best_first(faces)),
        plates=tuple(plates[id(setup)] for setup in setups),
        seeds=order.seeds,
        identity=order.identity_scale(model_set),
        pose=order.look.pose if model_set.pose is None else model_set.pose,
        start=order.start,
        strength=order.strength,
    )


def report(
    order: Order,
    faces: Sequence[Face],
    portraits: Sequence[Portrait],
    generator: Generator,
    seconds: dict[str, float],
) -> dict[str, Any]:
    """`report.json` without its files: what was asked, what ran, how long it took."""
    first, model_set = portraits[0].rendering, generator.model_set
    return {
        "look": order.look.name,
        "expression": order.expression.name if order.expression else None,
        "model_set": model_set.name,
        "repos": generator.revisions(),
        "start": first.start,
        "strength": first.strength,
        "identity": order.identity_scale(model_set) if "identity" in model_set.capabilities else None,
        "steps": {"requested": first.requested_steps, "executed": first.executed_steps},
        "seeds": [portrait.rendering.seed for portrait in portraits],
        "shots": [_shot_entry(portrait.setup.shot) for portrait in portraits],
        "likeness": [
            portrait.likeness
            and {name: measure_report(found) for name, found in portrait.likeness.measures.items()}
            for portrait in portraits
        ],
        "seconds": {stage: round(spent, 3) for stage, spent in seconds.items()},
        "verdicts": [face.verdict.key for face in faces],
    }


def _shot_entry(shot: Shot) -> dict[str, float]:
    """Light and crop as `report.json` holds them: degrees, share of the key light, share of the height."""
    return {"key": shot.light.key, "fill": shot.light.fill, "head_height": shot.framing.head_height}
