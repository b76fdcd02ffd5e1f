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
from pipelines.draw.drawer import Request
from pipelines.draw.finish import finished
from pipelines.draw.generate import Generator, Progress, Rendering
from pipelines.draw.model_set import ModelSet
from pipelines.draw.pose_map import Pose, onto, pose_map, seen
from pipelines.draw.reference import reference
from pipelines.look import Expression, Look
from pipelines.measure.likeness import LikenessReport, Subject, as_told, compare, subject_in
from pipelines.measure.skin_tone import MOST, guarded, mendable
from pipelines.plate.expression import lips_meet, warped
from pipelines.plate.shot import Shot, shot
from pipelines.plate.studio import Cutout, Plate, Studio, plate
from pipelines.selfie.face import Face, FaceFinder, best_first, best_of, require_good
from pipelines.selfie.photo import Photo

MOST_SELFIES = 4
LAST_SEED = 2**63 - 25  # torch takes 64 bits with a sign; eight portraits, drawn up to three times, count up
MOST_REDRAWN = 2  # times that a portrait is drawn again whose skin is too far off to be mended
PLATE_SIZE = (1080, 1350)  # width, height in px of the plate people look at; 4:5 like every canvas


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

    def prompt(self, model_set: ModelSet) -> str:
        """Whom the set is told to draw, then the look's words, then the expression's."""
        words = (model_set.subject, self.look.prompt, self.expression.prompt if self.expression else "")
        return ", ".join(filter(None, words))

    @property
    def negative_prompt(self) -> str:
        """What neither wants."""
        return ", ".join(part.negative_prompt for part in (self.look, self.expression) if part)

    @property
    def seeds(self) -> tuple[int, ...]:
        """One seed a portrait, counted up from the first."""
        return tuple(self.seed + i for i in range(self.variations))

    def identity_scale(self, model_set: ModelSet) -> float:
        """The adapter's scale: the visitor's, else what was commissioned for the set, else the look's."""
        asked = (self.identity, model_set.identity, self.look.identity)
        return next(scale for scale in asked if scale is not None)

    def shots(self, model_set: ModelSet) -> tuple[Shot, ...]:
        """Light and crop of each portrait; the first has the look's own."""
        framing = model_set.framing or self.look.framing
        return tuple(shot(self.look, framing, place, seed) for place, seed in enumerate(self.seeds))


@dataclass(frozen=True, eq=False)
class Setup:
    """What one portrait starts from: its light and crop, the plate they give, and the pose on it."""

    shot: Shot
    plate: Plate  # the photograph that people see, `PLATE_SIZE`
    asked: NDArray[np.uint8]  # the same with the expression asked for: drawn from, and compared with
    pose: Pose

    @property
    def is_moved(self) -> bool:
        """Whether the mouth was moved to an expression, which then is no change."""
        return self.asked is not self.plate.pixels


@dataclass(frozen=True, eq=False)
class Portrait:
    """One generated picture, how it was asked for, and what it changed of the plate."""

    image: NDArray[np.uint8]  # (H, W, 3) sRGB as people see it: finished at the plate's size, or as drawn
    rendering: Rendering  # as the networks drew it, on their canvas
    setup: Setup
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
    """The sitter's own photograph under the look's own light, `PLATE_SIZE`: the first portrait's plate."""

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
    if order.expression and order.expression.name not in model_set.expressions:
        offered = ", ".join(sorted(model_set.expressions)) or "none"
        raise ChoiceError(f"{model_set.name} cannot do {order.expression.name}. It can do: {offered}.")
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

    with timings.stage("plate"):
        shots = order.shots(model_set)
        cutout = studio.cut_out(faces[best])
        first = set_up(cutout, order, shots[0], model_set)
    yield PlateReady(first.plate)

    with timings.stage("pose"):
        mesh = seen(faces[best])
    yield PoseReady(first.pose, mesh)

    with timings.stage("setups"):
        known = {first.shot: first}  # a look may light all portraits alike
        for other in shots[1:]:
            known[other] = known.get(other) or set_up(cutout, order, other, model_set)
        setups = [known[shot] for shot in shots]
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
        portraits[index] = yield from reviewed(portrait, request, finder, generator)
    timings.seconds["likeness"] = time.perf_counter() - began
    yield Done(tuple(portraits), report(order, faces, portraits, generator, timings.seconds))


def set_up(cutout: Cutout, order: Order, shot: Shot, model_set: ModelSet) -> Setup:
    """Plate and pose of one portrait. Raises `PhotoError` for an expression that the face cannot be given."""
    shown = plate(cutout, shot.of(order.look), PLATE_SIZE)
    asked, face = shown.pixels, cutout.face
    if order.expression and not can_be_given(order.expression, face, model_set):
        raise PhotoError("expression.open")
    smile = order.expression.smile if order.expression else 0.0
    if smile > 0 or (smile < 0 and lips_meet(face.landmarks)):  # else words must do it
        asked = warped(asked, onto(shown.matrix, face.landmarks[:, :2]), smile)
    return Setup(shot, shown, asked, pose_map(face, shot.framing, model_set.canvas))


def can_be_given(expression: Expression, face: Face, model_set: ModelSet) -> bool:
    """Whether this face can be given that expression: who only redraws a plate cannot close its open lips."""
    return not wants_closed_lips(expression, model_set) or lips_meet(face.landmarks)


def wants_closed_lips(expression: Expression, model_set: ModelSet) -> bool:
    """Whether the set can give it to closed lips only: it moves the plate's, where others have words."""
    return expression.smile < 0 and model_set.starts == ("plate",)


def within(order: Order, faces: Sequence[Face], model_set: ModelSet) -> Order:
    """The order without what this set cannot do, and without another set's start, strength and identity."""
    expression = order.expression
    if expression and (
        expression.name not in model_set.expressions
        or not can_be_given(expression, faces[best_of(faces)], model_set)
    ):
        expression = None
    return replace(order, identity=None, start=None, strength=None, expression=expression)


def finish(drawn: Rendering, setup: Setup, look: Look, model_set: ModelSet) -> Portrait:
    """The portrait as people see it: at the plate's size where the set has a finish, else as drawn."""
    image = drawn.image
    if drawn.base is not None:
        image = finished(image, drawn.base, setup.asked, setup.plate.alpha)
    return Portrait(image, drawn, setup, look, model_set)


def on_canvas(pixels: NDArray[np.uint8], model_set: ModelSet) -> NDArray[np.uint8]:
    """A plate at the size that the networks draw at."""
    return np.asarray(cv2.resize(pixels, model_set.canvas, interpolation=cv2.INTER_AREA), np.uint8)


def reviewed(
    portrait: Portrait,
    request: Request,
    finder: FaceFinder,
    generator: Generator,
) -> Yields[Progress, None, Portrait]:
    """Measure a portrait. Skin that is too far off is drawn again, the best is kept, and mended beside it."""
    reference = compared_with(portrait, finder)
    if reference is None:
        return portrait
    best, found = measured(portrait, reference, finder)
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
            other, subject = measured(drawn, reference, finder)
            if _off(other) < _off(best):
                best, found = other, subject
    if found and best.likeness and mendable(best.likeness.measures["skin"]):
        return replace(best, guarded=guarded(reference, found))
    return best


def compared_with(portrait: Portrait, finder: FaceFinder) -> Subject | None:
    """The plate in the portrait's own light, crop and expression: what was asked for is no drift.

    At the portrait's size; None where no face is found in it.
    """
    height, width = portrait.image.shape[:2]
    asked = portrait.setup.asked
    if asked.shape != portrait.image.shape:
        asked = np.asarray(cv2.resize(asked, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
    return subject_in(asked, finder)


def measured(portrait: Portrait, reference: Subject, finder: FaceFinder) -> tuple[Portrait, Subject | None]:
    """The portrait with its report, and what was measured; without both where no face is found in it."""
    subject = subject_in(portrait.image, finder)
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


def request_for(order: Order, faces: Sequence[Face], setups: Sequence[Setup], model_set: ModelSet) -> Request:
    """What the generator needs, on its own canvas: a setup for each seed of the order."""
    plates = {id(setup): on_canvas(setup.asked, model_set) for setup in setups}
    return Request(
        prompt=order.prompt(model_set),
        negative_prompt=order.negative_prompt,
        controls=tuple(setup.pose.image for setup in setups),
        references=tuple(reference(face) for face in best_first(faces)),
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
        "shots": [_shot_told(portrait.setup.shot) for portrait in portraits],
        "likeness": [
            one.likeness and {name: as_told(found) for name, found in one.likeness.measures.items()}
            for one in portraits
        ],
        "seconds": {stage: round(spent, 3) for stage, spent in seconds.items()},
        "verdicts": [face.verdict.key for face in faces],
    }


def _shot_told(shot: Shot) -> dict[str, float]:
    """Light and crop as `report.json` holds them: degrees, share of the key light, share of the height."""
    return {"key": shot.light.key, "fill": shot.light.fill, "head_height": shot.framing.head_height}
