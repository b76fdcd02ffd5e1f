"""A hand on one cheek, in the sitter's own skin: for `training.occlusion`.

Drawn apart from the hand of `evaluation.spoilt_selfies`, on which it is checked. Pictures are sRGB uint8
(H, W, 3), `points` their landmarks (478, 2 or 3) px. The ranges beside a `dice` are looks of hands, not
measurements: they are as wide as a cheek sees them.
"""

from collections.abc import Iterator
from typing import NamedTuple

import cv2
import numpy as np

from pipelines.arrays import Array, Floats, Mask, Pixels, Points
from training.covers import Eyes, eyes_of, skin_near

FINGERS = (1, 2, 3, 4, 4, 4)  # how many are seen
JOINTS = 12  # circles that a finger is drawn of
FINE = 4  # bits of a pixel in which OpenCV draws


class _Hand(NamedTuple):
    """How a hand is held, px."""

    tip: Floats  # where the middle of the fingers ends
    along: Floats  # (2,), one long, towards the fingertips
    aside: Floats  # (2,), one long, from finger to finger
    fingers: int
    wide: float  # of a finger
    reach: float  # of a finger
    size: float  # between the pupils


def hand_on_a_cheek(pixels: Pixels, points: Points, dice: np.random.Generator) -> tuple[Pixels, Array]:
    """The face with a hand on its right or left cheek, and where that lies, (H, W) 0..1."""
    eyes = eyes_of(points)
    hand, shape = _held(eyes, dice), (pixels.shape[0], pixels.shape[1])
    parts = list(_parts(hand, shape, dice))
    skin = skin_near(pixels, points, dice) * dice.uniform(0.9, 1.1)
    look = _Look(dice.uniform(0.1, 0.55), dice.uniform(0.5, 2.0), dice.uniform(-0.15, 0.15))
    picture = pixels * _shadow(parts, eyes.size, dice)[..., None]
    soft = max(0.4, dice.uniform(0.01, 0.035) * eyes.size)
    lies = np.zeros(shape, np.float32)
    for part in parts:
        bar = np.asarray(cv2.GaussianBlur(part.astype(np.float32), (0, 0), soft), np.float32)
        tone = _roundness(part, hand, look) * (1 + dice.normal(0, 0.03)) * _creases(hand, shape, dice)
        picture = picture * (1 - bar[..., None]) + skin * tone[..., None] * bar[..., None]
        lies = np.maximum(lies, bar)
    picture = picture + dice.normal(0, dice.uniform(0, 3), pixels.shape) * lies[..., None]
    return np.asarray(picture.clip(0, 255), np.uint8), lies


class _Look(NamedTuple):
    depth: float  # how much darker the edge of a finger is
    edge: float  # how far the dark reaches inwards
    lamp: float  # how much lighter the picture's right side is


def _held(eyes: Eyes, dice: np.random.Generator) -> _Hand:
    """From below, from the side, or between; fingertips between the nose and the ear."""
    out = dice.choice((-1, 1)) * eyes.across / eyes.size
    down = eyes.down / eyes.size
    tip = eyes.middle + (dice.uniform(0.35, 1.0) * out + dice.uniform(0.15, 1.0) * down) * eyes.size
    turn = np.radians(dice.uniform(-35, 110))  # 0: fingers up, 90: towards the nose
    along = -np.cos(turn) * down - np.sin(turn) * out
    return _Hand(
        tip=tip,
        along=along,
        aside=np.array([-along[1], along[0]]),
        fingers=int(dice.choice(FINGERS)),
        wide=dice.uniform(0.2, 0.34) * eyes.size,
        reach=dice.uniform(0.7, 1.6) * eyes.size,
        size=eyes.size,
    )


def _parts(hand: _Hand, shape: tuple[int, int], dice: np.random.Generator) -> Iterator[Mask]:
    """The back of the hand, where it is seen, then its fingers, the upper ones last; each (H, W)."""
    if dice.random() < 0.8:
        at = hand.tip - hand.along * (hand.reach + 0.35 * hand.size)
        back = np.zeros(shape, np.uint8)
        turn = np.degrees(np.arctan2(hand.along[1], hand.along[0])) + 90
        size = float(1.05 * hand.wide * max(hand.fingers, 3)), float(1.2 * hand.size)
        cv2.ellipse(back, ((float(at[0]), float(at[1])), size, float(turn)), (1,), -1)
        yield back > 0
    spread = dice.uniform(-0.05, 0.12)  # radians from finger to finger
    for finger in dice.permutation(hand.fingers):
        off = float(finger) - (hand.fingers - 1) / 2
        way = hand.along * np.cos(spread * off) + hand.aside * np.sin(spread * off)
        short = dice.uniform(0, 0.18) * abs(off) * hand.size
        end = hand.tip + hand.aside * off * hand.wide * dice.uniform(0.92, 1.05) - hand.along * short
        yield _finger(shape, end - way * hand.reach, end, hand, dice.normal(0, 0.06))


def _finger(shape: tuple[int, int], start: Floats, end: Floats, hand: _Hand, bend: float) -> Mask:
    """A bent bar, a little narrower towards its end."""
    middle = (start + end) / 2 + bend * hand.size * hand.aside
    bar = np.zeros(shape, np.uint8)
    for share in np.linspace(0, 1, JOINTS * 2):
        at = (1 - share) ** 2 * start + 2 * share * (1 - share) * middle + share**2 * end
        half = hand.wide / 2 * (1.05 - 0.2 * share)
        x, y, radius = (int(value * 2**FINE) for value in (*at, half))
        cv2.circle(bar, (x, y), radius, (1,), -1, cv2.LINE_8, FINE)
    return bar > 0


def _roundness(part: Mask, hand: _Hand, look: _Look) -> Array:
    """The light on a part: darker at its edge, from one side, about 1; (H, W)."""
    inwards = cv2.distanceTransform(part.astype(np.uint8), cv2.DIST_L2, 3) / (hand.wide / 2)
    light = 1 - look.depth * (1 - np.clip(inwards, 0, 1)) ** look.edge
    light = light * (1 + look.lamp * np.linspace(-1, 1, part.shape[1])[None])
    return np.asarray(cv2.GaussianBlur(light.astype(np.float32), (0, 0), max(0.4, 0.02 * hand.size)))


def _creases(hand: _Hand, shape: tuple[int, int], dice: np.random.Generator) -> Array:
    """Lines across the fingers where they bend, about 1, (H, W)."""
    light = np.ones(shape, np.float32)
    for back in dice.uniform(0.15, 0.55, int(dice.integers(0, 4))):
        at = hand.tip - hand.along * back * hand.reach
        across = hand.aside * hand.wide * hand.fingers / 2
        first, last = ((int(x), int(y)) for x, y in (at - across, at + across))
        cv2.line(light, first, last, (dice.uniform(0.75, 0.95),), max(1, int(0.02 * hand.size)), cv2.LINE_AA)
    return np.asarray(cv2.GaussianBlur(light, (0, 0), max(0.4, 0.01 * hand.size)))


def _shadow(parts: list[Mask], size: float, dice: np.random.Generator) -> Array:
    """What the hand takes of the light beside it, about 1, (H, W)."""
    whole = np.any(parts, axis=0).astype(np.float32)
    right, down = dice.uniform(-0.1, 0.1, 2) * size
    moved = cv2.warpAffine(whole, np.array([[1, 0, right], [0, 1, down]]), whole.shape[::-1])
    dark = cv2.GaussianBlur(moved, (0, 0), dice.uniform(0.02, 0.12) * size)
    return np.asarray(1 - dice.uniform(0, 0.45) * dark, np.float32)
