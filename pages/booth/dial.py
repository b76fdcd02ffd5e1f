"""The dial of the look screen, from close to the sitter to free: what a place asks of a model set, in words.

The page sends a place as text. What it moves (how far a portrait is drawn over the photograph, how firmly the
face is held) comes from the set's own dial, and from what the host has portraits start from.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Literal

from booth.visit import Visit
from errors import ChoiceError
from pipelines.draw.model_set import DIAL_TURNS, ModelSet, Start
from pipelines.order import Order
from services import Services

MIDDLE = 0
PLACES = dict(
    zip(range(-DIAL_TURNS, DIAL_TURNS + 1), ("closest", "close", "usual", "free", "freest"), strict=True)
)
TURNS = {str(turns): turns for turns in PLACES}  # as the page sends them


def turns_of(place: object) -> int:
    """The place that a page sent. Raises `ChoiceError` for one that is not on the dial."""
    if not isinstance(place, str) or place not in TURNS:  # a forged one may be of any type
        raise ChoiceError("A page turned the dial to a place that it does not have.")
    return TURNS[place]


def current_starts(services: Services) -> dict[str, Start]:
    """What portraits of each set start from now, by its name."""
    sets = [generator.model_set for generator in (services.generator, services.fallback) if generator]
    return {model_set.name: services.start_of(model_set) for model_set in sets}


def start_of(services: Services, visit: Visit, model_set: ModelSet) -> Start:
    """What that set's portraits of this visitor start from, whatever the host has changed since."""
    return visit.dial.starts.get(model_set.name) or services.start_of(model_set)


def order_at(order: Order, turns: int, model_set: ModelSet, start: Start) -> Order:
    """The order as that set draws it from that start, at a place of its dial.

    The middle leaves all to set and look. Raises `ChoiceError` for another place where the set has no dial.
    """
    usual = replace(order, start=None if start == model_set.start else start, strength=None, identity=None)
    if turns == MIDDLE:
        return usual
    place = model_set.dial_at(turns, order.look.identity, start)
    return replace(usual, strength=place.strength, identity=place.identity)


def explain_place(
    say: Callable[..., str], turns: int, model_set: ModelSet, start: Start, identity: float
) -> str:
    """What a place of the dial does beside the usual, in one sentence; none where the dial moves nothing.

    `identity` is the look's. Where the place moves one thing only, the sentence says the usual of the other.
    """
    if any(len(model_set.places(identity, begun)) < 2 for begun in (None, start)):
        return ""  # None: from its own start, of which the page shows the places
    places = {place: model_set.dial_at(place, identity, start) for place in PLACES}
    courses = {place: model_set.course(start, found.strength) for place, found in places.items()}
    noise = _level({place: course.executed_steps for place, course in courses.items()}, turns)
    scales = {place: found.identity for place, found in places.items() if found.identity is not None}
    words = {
        "noise": say(f"dial.noise_{noise}"),
        "stays": say(f"dial.stays_{noise}"),
        "hold": say(f"dial.hold_{_level(scales, turns)}"),
    }
    key = "from_noise" if start == "noise" else "over_and_hold" if scales else "over"
    course = courses[turns]
    return say(f"dial.{key}", n=course.executed_steps, m=course.requested_steps, **words)


def _level(figures: Mapping[int, float], turns: int) -> Literal["least", "less", "usual", "more", "most"]:
    """How a place's figure stands to the middle's and to those of all other places."""
    own, usual = figures.get(turns), figures.get(MIDDLE)
    if own is None or usual is None or own == usual:
        return "usual"
    if own < usual:
        return "least" if own == min(figures.values()) else "less"
    return "most" if own == max(figures.values()) else "more"


def making_words(say: Callable[..., str], model_set: ModelSet, start: Start) -> tuple[str, str]:
    """Title and lead of the making screen: what the AI starts from, and what it keeps."""
    way = "" if start == "noise" else "_plate"
    detail = "_detail" if model_set.finish == "detail" else way
    if "pose" not in model_set.capabilities:
        detail = "_shown"
    return say(f"making.title{way}"), say(f"making.lead{detail}")
