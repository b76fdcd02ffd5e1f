"""Things laid over faces at random: cloth, skin, parts of other pictures, bars, glasses, strands.

For `training.occlusion`; drawn apart from the masks of `evaluation.spoilt_selfies`, on which it is checked.
Pictures are sRGB uint8 (H, W, 3), `points` their landmarks (478, 2 or 3) px.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import cv2
import numpy as np

from pipelines.arrays import Array, Floats, Pixels, Points
from pipelines.mesh import HAIRLINE, OVAL, PUPILS, pupil_distance

LOWER_OVAL = list(OVAL[9:28])  # from one cheekbone over the chin to the other


class Eyes(NamedTuple):
    """The measure of a face, px: what lies on it is placed by this."""

    middle: Floats  # between the pupils
    across: Floats  # from the right pupil to the left
    down: Floats  # as long, towards the chin
    size: float


Place = Callable[[Array, Points, Eyes, np.random.Generator], None]


def covered(pixels: Pixels, points: Points, other: Pixels, dice: np.random.Generator) -> tuple[Pixels, Array]:
    """The face with something over it, and where that lies, (H, W) 0..1. `other`: what it may be made of."""
    eyes = eyes_of(points)
    lies = np.zeros(pixels.shape[:2], np.float32)
    PLACES[dice.choice(list(PLACES), p=SHARES)](lies, points, eyes, dice)
    lies = np.asarray(cv2.GaussianBlur(lies, (0, 0), dice.uniform(0.4, 0.04 * eyes.size)), np.float32)
    share = lies[..., None] * dice.uniform(0.88, 1.0)
    laid = pixels * (1 - share) + _stuff(pixels, points, other, dice) * share
    return np.asarray(laid.clip(0, 255), np.uint8), lies


def eyes_of(points: Points) -> Eyes:
    """The measure of the face with those landmarks."""
    right, left = np.asarray(points[list(PUPILS), :2], np.float64)
    across = left - right
    return Eyes((right + left) / 2, across, np.array([-across[1], across[0]]), pupil_distance(points))


def light_changed(pixels: Pixels, dice: np.random.Generator) -> Pixels:
    """Another exposure, a coloured lamp from a side, a softer lens, a JPEG."""
    x = np.linspace(-1, 1, pixels.shape[1])[None, :, None] * dice.choice((-1, 1))
    lamp = dice.uniform(0, 0.7) + dice.uniform(-0.2, 0.2, 3)  # it may have a colour of its own
    light = (pixels / 255.0) ** 2.2 * dice.uniform(0.5, 1.3) * (1 + lamp * x)
    seen = cv2.GaussianBlur(255 * light.clip(0, 1) ** (1 / 2.2), (0, 0), dice.uniform(0.2, 1.0))
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(dice.integers(60, 96))]
    data = cv2.imencode(".jpg", seen.astype(np.uint8), quality)[1]
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)


# ---- where it lies: drawn into (H, W) as 1


def _on_the_lower_face(lies: Array, points: Points, eyes: Eyes, dice: np.random.Generator) -> None:
    """From between the bridge of the nose and the upper lip to about the jaw."""
    rise, sag, half = dice.uniform(0.2, 1.0), dice.uniform(-0.1, 0.3), dice.uniform(0.55, 1.1)
    edge = [
        eyes.middle + x * half * eyes.across + (rise + sag * x * x) * eyes.down for x in np.linspace(-1, 1, 7)
    ]
    jaw = points[LOWER_OVAL, :2]
    jaw = jaw[(jaw - eyes.middle) @ eyes.down > (rise + 0.05) * eyes.size**2]
    centre = points[list(OVAL), :2].mean(axis=0)
    ring = np.vstack([edge, centre + (jaw - centre) * dice.uniform(0.95, 1.25)])
    ring = ring + dice.normal(0, 0.03 * eyes.size, ring.shape)
    cv2.fillPoly(lies, [cv2.convexHull(ring.astype(np.int32))], 1.0)


def _as_a_blot(lies: Array, points: Points, eyes: Eyes, dice: np.random.Generator) -> None:
    """A phone, a cup, a scarf's end."""
    at = eyes.middle + dice.uniform(-0.8, 0.8) * eyes.across + dice.uniform(-0.4, 1.6) * eyes.down
    _blot(lies, at, eyes.size * dice.uniform(0.4, 1.6, 2), dice.uniform(0, 180), dice.random() < 0.5)


def _in_bars(lies: Array, points: Points, eyes: Eyes, dice: np.random.Generator) -> None:
    """Fingers."""
    at = eyes.middle + dice.uniform(-0.7, 0.7) * eyes.across + dice.uniform(0, 1.3) * eyes.down
    turn, wide = dice.uniform(0, np.pi), dice.uniform(0.12, 0.3) * eyes.size
    along = np.array([np.cos(turn), np.sin(turn)])
    for bar in range(int(dice.integers(2, 6))):
        start = at + bar * wide * dice.uniform(0.85, 1.1) * np.array([-along[1], along[0]])
        _stroke(lies, start, start + along * eyes.size * dice.uniform(0.9, 2.4), wide)


def _as_glasses(lies: Array, points: Points, eyes: Eyes, dice: np.random.Generator) -> None:
    """Two glasses, round or square, and a bridge."""
    high, wide, drop = dice.uniform(0.4, 0.75), dice.uniform(0.7, 0.98), dice.uniform(-0.05, 0.2)
    tilt, is_square = np.degrees(np.arctan2(eyes.across[1], eyes.across[0])), dice.random() < 0.4
    for x in (-0.5, 0.5):
        at = eyes.middle + x * eyes.across + drop * eyes.down
        _blot(lies, at, eyes.size * np.array([wide, high]), tilt, is_square)
    _stroke(lies, eyes.middle - eyes.across / 2, eyes.middle + eyes.across / 2, 0.08 * eyes.size)


def _in_strands(lies: Array, points: Points, eyes: Eyes, dice: np.random.Generator) -> None:
    """Hair over one side."""
    side = dice.choice((-1, 1))
    for _ in range(int(dice.integers(40, 160))):
        x = side * dice.uniform(0.1, 1.0)
        strand = [
            eyes.middle + (x + dice.normal(0, 0.1)) * eyes.across + y * eyes.down for y in (-0.9, 0, 0.9, 2)
        ]
        cv2.polylines(
            lies, [np.array(strand, np.int32)], False, 1.0, max(1, int(0.04 * eyes.size)), cv2.LINE_AA
        )


PLACES: Mapping[str, Place] = {
    "lower face": _on_the_lower_face,
    "blot": _as_a_blot,
    "bars": _in_bars,
    "glasses": _as_glasses,
    "strands": _in_strands,
}
SHARES = (0.4, 0.12, 0.18, 0.18, 0.12)


def _blot(lies: Array, at: Floats, size: Floats, turn: float, is_square: bool) -> None:
    box = (float(at[0]), float(at[1])), (float(size[0]), float(size[1])), float(turn)
    if is_square:
        cv2.fillPoly(lies, [cv2.boxPoints(box).astype(np.int32)], 1.0)
    else:
        cv2.ellipse(lies, box, (1.0,), -1)


def _stroke(picture: Array, start: Floats, end: Floats, wide: float, value: float = 1.0) -> None:
    first, last = ((int(x), int(y)) for x, y in (start, end))
    cv2.line(picture, first, last, (value,), max(1, int(wide)), cv2.LINE_AA)


# ---- what it is made of


def _stuff(pixels: Pixels, points: Points, other: Pixels, dice: np.random.Generator) -> Array:
    """(H, W, 3) 0..255: a plain colour, the sitter's skin, part of another picture, a pattern; in folds."""
    height, width = pixels.shape[:2]
    size = pupil_distance(points)
    kind = dice.choice(("plain", "skin", "picture", "stripes", "dots"), p=(0.25, 0.33, 0.18, 0.12, 0.12))
    colour = skin_near(pixels, points, dice) if kind == "skin" else dice.uniform(0, 255, 3)
    ground = np.broadcast_to(colour, pixels.shape).astype(np.float32)
    if kind == "picture":
        top, left = int(dice.integers(0, other.shape[0] - 40)), int(dice.integers(0, other.shape[1] - 40))
        part = other[top : top + 40, left : left + 40]
        ground = np.asarray(cv2.resize(part, (width, height)), np.float32)
    if kind == "stripes":
        x, _ = _turned_grid((height, width), size * dice.uniform(0.1, 0.5), dice)
        ground[x % 1 > 0.5] = dice.uniform(0, 255, 3)
    if kind == "dots":
        x, y = _turned_grid((height, width), size * dice.uniform(0.08, 0.4), dice)
        ground[np.hypot(x % 1 - 0.5, y % 1 - 0.5) < dice.uniform(0.2, 0.6)] = dice.uniform(0, 255, 3)
    return ground * _folds((height, width), size, dice)[..., None]


def _turned_grid(shape: tuple[int, int], step: float, dice: np.random.Generator) -> tuple[Floats, Floats]:
    """Across and down in steps, turned by chance, each (H, W)."""
    y, x = np.mgrid[: shape[0], : shape[1]] / step
    turn = dice.uniform(0, np.pi)
    return x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)


def skin_near(pixels: Pixels, points: Points, dice: np.random.Generator) -> Floats:
    """The forehead's colour, a little off."""
    aside = 0.2 * pupil_distance(points) * np.array((dice.uniform(-1, 1), dice.uniform(0.5, 2)))
    x, y = (points[HAIRLINE, :2] + aside).astype(int)
    spot = pixels[max(0, y - 3) : y + 4, max(0, x - 3) : x + 4].reshape(-1, 3)
    return np.asarray(np.median(spot, axis=0) * dice.uniform(0.75, 1.15) + dice.normal(0, 4, 3))


def _folds(shape: tuple[int, int], size: float, dice: np.random.Generator) -> Array:
    """Light, folds and grain on it, about 1, (H, W)."""
    light = dice.uniform(0.65, 1.2, (3, 3)).astype(np.float32)
    soft = cv2.resize(light, shape[::-1], interpolation=cv2.INTER_CUBIC)
    lines = np.zeros(shape, np.float32)
    for _ in range(int(dice.integers(0, 7))):
        ends = dice.uniform(-0.2, 1.2, (2, 2)) * shape[::-1]
        _stroke(lines, ends[0], ends[1], size * dice.uniform(0.02, 0.1), dice.uniform(-0.4, 0.3))
    lines = cv2.GaussianBlur(lines, (0, 0), dice.uniform(0.4, 2.5)).astype(np.float32)
    return np.asarray(soft + lines + dice.normal(0, dice.uniform(0, 0.04), shape), np.float32)
