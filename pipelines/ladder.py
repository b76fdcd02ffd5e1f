"""The ladder: one sitter and seed at six strengths, and the same as one picture and one report.

How much of you is left, from "you" to the average of what a model learned. Pictures are uint8 (H, W, 3) sRGB.
Nothing here reads a clock: the same photos and order give the same pixels and the same report.
"""

from collections.abc import Callable, Sequence
from collections.abc import Generator as Yields
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np

from errors import ChoiceError
from pipelines.arrays import Pixels
from pipelines.draw.generate import Generator, Progress
from pipelines.draw.model_set import ModelSet
from pipelines.marks.note import add_caption
from pipelines.measure.likeness import LikenessReport, Measure, as_json
from pipelines.measure.recognition import Recognizer
from pipelines.order import Order, check_order
from pipelines.plate.shot import Shot
from pipelines.plate.studio import Studio
from pipelines.selfie.face import Face, FaceFinder
from pipelines.selfie.photo import Photo
from pipelines.sitting import (
    PlateReady,
    Portrait,
    draw_portraits,
    find_faces,
    measure_portrait,
    measure_reference,
    prepare,
)

# How much of the sitter each step of the ladder gives up. Evenly, and short of both ends: at 0 nothing is
# drawn, at 1 the plate no longer counts.
RUNGS = (0.15, 0.3, 0.45, 0.6, 0.75, 0.9)
WIDEST = 512  # px of one picture: seven of a plate's width side by side would be 7,560 px
GAP, GROUND = 8, 24  # px between pictures; grey value of the caption's strip


@dataclass(frozen=True, eq=False)
class Rung:
    """One step of the ladder: how it was drawn, what came out, and what that changed of the plate."""

    order: Order  # with this step's start, strength and identity
    portrait: Portrait
    recognition: Measure | None  # against the selfies; None where nobody asked, or no face is found

    @property
    def likeness(self) -> LikenessReport | None:
        """What it changed of the plate; None where no face is found in it."""
        return self.portrait.likeness


def has_dial(model_set: ModelSet) -> bool:
    """Whether a set can be given less of a sitter: it starts from the plate, or knows faces."""
    return "plate" in model_set.starts or "identity" in model_set.capabilities


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
    selfies: Sequence[Photo | Face],
    order: Order,
    finder: FaceFinder,
    studio: Studio,
    generator: Generator,
    recognizer: Recognizer | None = None,
    like: Shot | None = None,
) -> Yields[PlateReady | Progress | Rung, None, None]:
    """The same sitter and seed at six strengths, with pose and backdrop held: the plate, then the steps.

    `like` is the light and crop of the portrait whose ladder it is; without, the look's own. The same photos
    and order give the same pixels. Of the order, strength, start, identity and variations are
    not read. Raises `PhotoError` for a selfie that will not do, `ChoiceError` where the set has no dial.
    """
    model_set = generator.model_set
    if not has_dial(model_set):
        raise ChoiceError(
            f"{model_set.name} has no dial: it cannot start from the plate, nor does it know faces."
        )
    orders = rungs(order, model_set)
    for step in orders:
        check_order(step, model_set)
    faces = find_faces(selfies, finder)
    (setup,) = prepare(faces, orders[0], studio, model_set, (like,) if like else ())
    yield PlateReady(setup.plate)
    reference = None
    for step in orders:
        for event in draw_portraits(step, faces, [setup], generator):
            if isinstance(event, Progress):
                yield event
                continue
            portrait, subject = event, None
            reference = reference or measure_reference(portrait, finder)
            if reference:
                portrait, subject = measure_portrait(portrait, reference, finder)
            known = recognizer.answer(faces, subject.face) if subject and recognizer else None
            yield Rung(step, portrait, known)


def strip(pictures: Sequence[tuple[Pixels, str]]) -> Pixels:
    """Pictures of one shape beside each other, each with its caption below, at the size of the smallest."""
    width = min(WIDEST, *(picture.shape[1] for picture, _ in pictures))
    height = round(width * pictures[0][0].shape[0] / pictures[0][0].shape[1])
    columns = []
    for picture, caption in pictures:
        same = picture.shape[:2] == (height, width)
        fitted = picture if same else cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
        columns += [add_caption(fitted.astype(np.uint8), caption)]
    gap = np.full((columns[0].shape[0], GAP, 3), GROUND, np.uint8)
    between = [part for column in columns for part in (column, gap)][:-1]
    return np.hstack(between)


def share_left(order: Order) -> float:
    """How much of the photograph a step was given, 0..1; where it starts from noise, of the face."""
    if order.strength is not None:
        return 1 - order.strength
    return 1.0 if order.identity is None else order.identity


def dial_of(order: Order) -> str:
    """How a step was asked for: `strength 0.45`, `strength 0.5, identity 0.55`."""
    dials = {"strength": order.strength, "identity": order.identity}
    return ", ".join(f"{name} {value:g}" for name, value in dials.items() if value is not None)


def rung_report(rung: Rung, say: Callable[..., str]) -> dict[str, Any]:
    """A step for `ladder.json`: the dials, the steps that ran, and what it changed of the plate, in words."""
    made = rung.portrait.rendering
    measures = list(rung.likeness.measures.values()) if rung.likeness else []
    if rung.recognition:
        measures.append(rung.recognition)
    return {
        "start": made.start,
        "strength": made.strength,
        "identity": rung.order.identity,
        "steps": {"requested": made.requested_steps, "executed": made.executed_steps},
        "face_found": rung.likeness is not None,
        "likeness": as_json(measures, say),
    }
