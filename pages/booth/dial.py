"""The dial of the look screen, from close to the sitter to free: what a place asks of a model set, in words.

The page sends a place as text. What it moves (how far a portrait is drawn over the photograph, how firmly the
face is held) comes from the set's own dial, and from what the host has portraits start from.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Literal

from errors import ChoiceError
from pipelines.model_set import DIAL_TURNS, ModelSet, Start
from pipelines.sitting import Order

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


def moved(model_set: ModelSet, start: Start) -> Literal["photo", "face", "both", ""]:
    """What the set's dial moves from that start: how much of the photo is left, hold on the face, or both."""
    if model_set.dial is None:
        return ""
    photo = start == "plate" and model_set.dial.close.strength is not None
    face = model_set.dial.close.identity is not None
    return "both" if photo and face else "photo" if photo else "face" if face else ""


def dialled(order: Order, turns: int, model_set: ModelSet, start: Start) -> Order:
    """The order as that set draws it from that start, at a place of its dial.

    The middle leaves all to set and look. Raises `ChoiceError` for another place where the set has no dial.
    """
    begun = replace(order, start=None if start == model_set.start else start, strength=None, identity=None)
    if turns == MIDDLE:
        return begun
    asked = model_set.dialled(turns, order.look.identity, start)
    return replace(begun, strength=asked.strength, identity=asked.identity)


def told(say: Callable[..., str], turns: int, model_set: ModelSet, start: Start) -> str:
    """What a place of the dial does, in one sentence; none where the dial moves nothing."""
    what = moved(model_set, start)
    if not what:
        return ""
    asked = model_set.dialled(turns, 0.0, start)  # the figure for the face is not told
    course = model_set.course(start, asked.strength)
    key = f"dial.{what}_{PLACES[turns]}"
    return say(key, n=course.executed_steps, m=course.requested_steps)


def making_words(say: Callable[..., str], model_set: ModelSet, start: Start) -> tuple[str, str]:
    """Title and lead of the making screen: what the AI starts from, and what it keeps."""
    way = "" if start == "noise" else "_plate"
    detail = "_detail" if model_set.finish == "detail" else way
    if "pose" not in model_set.capabilities:
        detail = "_shown"
    return say(f"making.title{way}"), say(f"making.lead{detail}")
