"""The chain in order: selfies and an order go in, events come out, portraits among them.

`sit` makes portraits of one kind, `ladder` the same portrait with ever less of the sitter. Both are
generators: whoever iterates them sees each stage when it is done, and closing them cancels within one step.
Nothing is written to disk here; `report` is the JSON shape of the contracts.
"""

import time
from collections.abc import Generator as Yields
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from errors import ChoiceError, PhotoError
from pipelines.face import Face, FaceFinder, best_of, require_good
from pipelines.generate import Generator, Progress, Rendering, Request
from pipelines.look import Expression, Look
from pipelines.model_set import ModelSet
from pipelines.photo import Photo
from pipelines.pose import Pose, pose_map, seen
from pipelines.studio import Plate, Studio, plate

if TYPE_CHECKING:  # the booth's page opens before SciPy is read
    from pipelines.likeness import LikenessReport, Measure
    from pipelines.recognition import Recognizer

MOST_SELFIES = 4
LAST_SEED = 2**63 - 9  # torch takes 64 bits with a sign, and up to eight portraits count up
PLATE_SIZE = (1080, 1350)  # width, height in px of the plate people look at; 4:5 like every canvas
REFERENCE_PX = 512  # the identity adapter's encoder reads 224 px; more than twice that is enough
REFERENCE_PUPILS = 3.4  # side of a reference crop in pupil distances: crown to collar
# How much of the sitter each step of the ladder gives up. Evenly, and short of both ends: at 0 nothing is
# drawn, at 1 the plate no longer counts.
RUNGS = (0.15, 0.3, 0.45, 0.6, 0.75, 0.9)


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
    """One generated picture, and how it was asked for."""

    rendering: Rendering
    look: Look
    model_set: ModelSet


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
class Rung:
    """One step of the ladder: how it was drawn, what came out, and what that changed of the plate."""

    order: Order  # with this step's start, strength and identity
    portrait: Portrait
    likeness: "LikenessReport | None"  # None where no face is found in it
    recognition: "Measure | None"  # against the selfies; None where nobody asked, or no face is found


@dataclass(frozen=True, eq=False)
class Done:
    """All portraits are there."""

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
    yield Done(tuple(portraits), report(order, faces, portraits, generator, timings.seconds))


def rungs(order: Order, model_set: ModelSet) -> tuple[Order, ...]:
    """The order at each of `RUNGS`, from most of the sitter to least.

    The dial is what the set has. Where it can start from the plate, the share given up is the strength, in
    whole steps where the set was distilled; where it knows identity, the adapter's scale is what is left.
    """
    steps, plated = model_set.distilled, "plate" in model_set.starts
    identified = "identity" in model_set.capabilities
    return tuple(
        replace(
            order,
            variations=1,
            start="plate" if plated else None,
            strength=(max(1, round(share * steps)) / steps if steps else share) if plated else None,
            identity=round(1 - share, 2) if identified else None,
        )
        for share in RUNGS
    )


def ladder(
    photos: Sequence[Photo],
    order: Order,
    finder: FaceFinder,
    studio: Studio,
    generator: Generator,
    recognizer: "Recognizer | None" = None,
) -> Yields[PlateReady | Progress | Rung, None, None]:
    """The same sitter and seed at six strengths, with pose and backdrop held: the plate, then the steps.

    The same photos and order give the same pixels. Of the order, strength, start, identity and variations are
    not read. Raises `PhotoError` for a selfie that will not do, `ChoiceError` where the set has no dial.
    """
    from pipelines.likeness import against

    model_set = generator.model_set
    if "plate" not in model_set.starts and "identity" not in model_set.capabilities:
        raise ChoiceError(
            f"{model_set.name} has no dial: it cannot start from the plate, nor does it know faces."
        )
    orders = rungs(order, model_set)
    for one in orders:
        check_order(one, model_set)
    faces = find_faces(photos, finder)
    best, framing = best_of(faces), model_set.framing or order.look.framing
    shown = plate(studio.cut_out(faces[best]), order.look, PLATE_SIZE, framing)
    yield PlateReady(shown)
    pose = pose_map(faces[best], framing, model_set.canvas)
    for one in orders:
        request = request_for(one, faces, shown, pose, model_set)
        for event in generator.draw(request):
            if isinstance(event, Progress):
                yield event
                continue
            (likeness,) = against(request.plate, [event.image], finder)
            known = None
            if likeness and recognizer:
                known = recognizer.answer(faces, finder.find(Photo(event.image.copy())))
            yield Rung(one, Portrait(event, order.look, model_set), likeness, known)


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
        "seconds": {stage: round(spent, 3) for stage, spent in seconds.items()},
        "verdicts": [face.verdict.key for face in faces],
    }
