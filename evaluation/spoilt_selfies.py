"""Selfies as visitors spoil them: turned, cut, covered; for `evaluation.selfies`.

Written apart from the measures: it knows where the mesh lies and nothing of what the verdict looks at. All
take a good portrait's sRGB uint8 (H, W, 3) and its landmarks (478, 2 or 3) px, and give pixels.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pipelines.arrays import Array, Floats, Pixels, Points
from pipelines.mesh import BROW_PEAKS, CHEEKS, CHIN, HAIRLINE, OVAL, PUPILS, pupil_distance

Spoil = Callable[[Pixels, Points], Pixels]

# Edges of a mask on the mesh, from the sitter's right over the nose to the left, and along the jaw back.
HIGH_EDGE = (227, 116, 117, 118, 47, 196, 197, 419, 277, 347, 346, 345, 447)
LOW_EDGE = (132, 147, 187, 205, 165, 2, 391, 425, 411, 376, 361)
MOUTH_EDGE = (58, 192, 216, 92, 164, 322, 436, 416, 288)
JAW_EDGE = (323, 361, 288, 397, 365, 379, 378, 400, 377, 152, 148, 176, 149, 150, 136, 172, 58, 132, 93)


# ---- turned and tilted


def turned(quarters: int, pixels: Pixels, _: Points) -> Pixels:
    """By so many right angles, anticlockwise."""
    return np.ascontiguousarray(np.rot90(pixels, quarters))


def tilted(degrees: float, pixels: Pixels, points: Points) -> Pixels:
    """Clockwise about the face, nothing lost: the edges go on."""
    height, width = pixels.shape[:2]
    side = int(np.hypot(height, width)) + 1
    x, y = points[list(OVAL), :2].mean(axis=0)
    matrix = cv2.getRotationMatrix2D((float(x), float(y)), -degrees, 1)
    matrix[:, 2] += side / 2 - x, side / 2 - y
    return _pixels(cv2.warpAffine(pixels, matrix, (side, side), borderMode=cv2.BORDER_REPLICATE))


# ---- cut


def head_cut(share: float, pixels: Pixels, points: Points) -> Pixels:
    """The top gone: 0 at the brows' lower edge, 1 at the mesh's upper end, more towards the crown."""
    brow, top = points[list(BROW_PEAKS), 1].mean(), points[HAIRLINE, 1]
    return pixels[max(0, round(float(brow + share * (top - brow)))) :]


def side_cut(side: str, share: float, pixels: Pixels, points: Points) -> Pixels:
    """A share of the face gone on one side of the picture."""
    face = points[list(OVAL), :2]
    (left, top), (right, bottom) = face.min(axis=0), face.max(axis=0)
    if side == "left":
        return np.ascontiguousarray(pixels[:, round(float(left + share * (right - left))) :])
    if side == "right":
        return np.ascontiguousarray(pixels[:, : round(float(right - share * (right - left)))])
    return pixels[: round(float(bottom - share * (bottom - top)))]


def filling(share: float, pixels: Pixels, points: Points) -> Pixels:
    """The picture is so much of the face's height, about its middle; enlarged as a near camera would."""
    face = points[list(OVAL), :2]
    (left, top), (right, bottom) = face.min(axis=0), face.max(axis=0)
    x, y, half = (left + right) / 2, (top + bottom) / 2, share * (bottom - top) / 2
    rows = slice(max(0, round(float(y - half))), round(float(y + half)))
    columns = slice(max(0, round(float(x - 0.85 * half))), round(float(x + 0.85 * half)))
    part = pixels[rows, columns]
    return _pixels(
        cv2.resize(part, None, fx=600 / len(part), fy=600 / len(part), interpolation=cv2.INTER_CUBIC)
    )


# ---- covered


def flat_mask(pixels: Pixels, points: Points) -> Pixels:
    """A pale polygon and nothing more."""
    return _cover(pixels, _outline(points, HIGH_EDGE), np.full(pixels.shape, (198, 212, 220), np.float32), 1)


def masked(colour: str, edge: tuple[int, ...], pixels: Pixels, points: Points) -> Pixels:
    """A face mask with pleats, shade and straps."""
    outline = _outline(points, edge)
    cloth = _cloth(colour, pixels, points)
    size = pupil_distance(points)
    picture = pixels.copy()
    for end, ear in ((outline[0], 127), (outline[len(edge) - 1], 356)):
        _line(picture, end, points[ear, :2], cloth[0, 0].tolist(), size / 22)
    return _cover(picture, outline, cloth * _shade(pixels, points, outline)[..., None], size / 40)


def palm(where: str, pixels: Pixels, points: Points) -> Pixels:
    """Four fingers in the sitter's own skin, over the mouth or a cheek."""
    size = pupil_distance(points)
    across = (points[PUPILS[1], :2] - points[PUPILS[0], :2]) / size
    down = np.array([-across[1], across[0]])
    skin = skin_of(pixels, points)
    picture = pixels.astype(np.float32)
    for finger in range(4):
        if where == "mouth":
            start = points[0, :2] + down * size * (0.26 * finger - 0.3) - across * size * 1.3
            end = start + across * size * (2.2 - 0.12 * abs(finger - 1))
        else:
            start = points[CHEEKS[0], :2] + across * size * (0.24 * finger - 0.75) + down * size * 1.3
            end = start - down * size * (1.45 - 0.1 * abs(finger - 1))
        picture = _finger(picture, start, end, size * 0.28, skin)
    return _pixels(picture.clip(0, 255))


def hair_over(pixels: Pixels, points: Points) -> Pixels:
    """Strands from the sitter's own hair, or dark ones, over one eye and cheek."""
    size = pupil_distance(points)
    dice = np.random.default_rng(3)
    top = points[HAIRLINE, :2] - (0, 0.25 * size)
    picture = pixels.copy()
    for _ in range(140):
        x = points[PUPILS[1], 0] + dice.uniform(-0.4, 0.75) * size
        curve = np.array([(top[0] + dice.uniform(-0.1, 0.6) * size, top[1]), (x, points[PUPILS[1], 1]),
                          (x + dice.uniform(0, 0.2) * size, points[CHIN, 1])])  # fmt: skip
        colour = np.array([62, 44, 32]) * dice.uniform(0.5, 1.5)
        cv2.polylines(
            picture, [curve.astype(np.int32)], False, colour.tolist(), max(1, round(size / 30)), cv2.LINE_AA
        )
    return picture


def dark_glasses(style: str, pixels: Pixels, points: Points) -> Pixels:
    """Two dark glasses with a bridge: black, graded from dark to brown, or with a sky in them."""
    size = pupil_distance(points)
    right, left = points[list(PUPILS), :2]
    roll = float(np.degrees(np.arctan2(*(left - right)[::-1])))
    glass = np.zeros(pixels.shape[:2], np.float32)
    for x, y in (right, left):
        box = (float(x), float(y + 0.06 * size)), (0.84 * size, 0.6 * size), roll
        cv2.ellipse(glass, box, (1.0,), -1, cv2.LINE_AA)
    _line(glass, right, left, (1.0,), size / 14)
    for pupil, ear in ((right, 127), (left, 356)):
        _line(glass, pupil, points[ear, :2], (1.0,), size / 18)
    rows = np.clip((np.arange(len(pixels)) - right[1]) / (0.35 * size), -1, 1)[:, None, None]
    look = {
        "black": np.full(pixels.shape, (22, 20, 24), np.float32),
        "brown": (0.5 + 0.5 * rows) * np.array((70, 48, 34)) + np.array((24, 18, 15)) + 0 * pixels,
        "mirror": np.where(rows < 0, 1, 0.35) * np.array((90, 110, 135)) + 0 * pixels,
    }[style]
    share = glass[..., None] * (0.9 if style == "brown" else 1.0)
    return _pixels((pixels * (1 - share) + look * share).clip(0, 255))


# ---- the cloth


def _outline(points: Points, edge: tuple[int, ...]) -> Floats:
    """The edge as it lies on the face, the jaw a little outside of it, px (n, 2)."""
    jaw = points[list(JAW_EDGE), :2]
    if edge is not HIGH_EDGE:
        jaw = jaw[1:-1] if edge is LOW_EDGE else jaw[2:-2]
    middle = points[list(OVAL), :2].mean(axis=0)
    return np.vstack([points[list(edge), :2], middle + (jaw - middle) * 1.06]).astype(np.float64)


def skin_of(pixels: Pixels, points: Points) -> Floats:
    """Median colour of both cheeks, (3,)."""
    half = max(1, round(0.06 * pupil_distance(points)))
    spots = [pixels[int(y) - half : int(y) + half, int(x) - half : int(x) + half].reshape(-1, 3)
             for x, y in points[list(CHEEKS), :2]]  # fmt: skip
    return np.asarray(np.median(np.vstack(spots), axis=0), np.float64)


def _cloth(colour: str, pixels: Pixels, points: Points) -> Array:
    """The stuff, flat, (H, W, 3) 0..255."""
    plain = {"blue": (142, 190, 214), "white": (232, 232, 228), "black": (34, 34, 38),
             "grey": (120, 124, 128),
             "red": (150, 38, 44), }  # fmt: skip
    ground = np.array(
        skin_of(pixels, points) if colour == "skin" else plain.get(colour, (225, 220, 205)), np.float32
    )
    cloth = np.broadcast_to(ground, pixels.shape).astype(np.float32)
    y, x = np.mgrid[: pixels.shape[0], : pixels.shape[1]]
    step = 0.16 * pupil_distance(points)
    if colour == "dots":
        cloth[np.hypot((x % step) - step / 2, (y % step) - step / 2) < 0.3 * step] = (170, 40, 60)
    if colour == "checks":
        cloth[((x // step + y // step) % 2) > 0] = (40, 60, 110)
    return cloth


def _shade(pixels: Pixels, points: Points, outline: Floats) -> Array:
    """Light on the cloth: rounded, with three pleats and a weave, about 1, (H, W)."""
    size = pupil_distance(points)
    y, x = np.mgrid[: pixels.shape[0], : pixels.shape[1]]
    middle = outline.mean(axis=0)
    round_off = 1.02 - 0.22 * ((x - middle[0]) / (1.1 * size)) ** 2 - 0.1 * ((y - middle[1]) / size)
    bow = 0.12 * size * ((x - middle[0]) / size) ** 2
    pleats = sum(
        np.exp(-(((y + bow - middle[1] - at * size) / (0.025 * size)) ** 2)) for at in (-0.3, 0, 0.3)
    )
    weave = np.random.default_rng(1).normal(0, 0.015, pixels.shape[:2])
    return np.asarray((round_off - 0.14 * pleats + weave).clip(0.4, 1.1), np.float32)


def _cover(pixels: Pixels, outline: Floats, cloth: Array, soft: float) -> Pixels:
    """The cloth within the outline, its edge so soft."""
    inside = cv2.fillPoly(np.zeros(pixels.shape[:2], np.float32), [outline.round().astype(np.int32)], 1.0)
    inside = cv2.GaussianBlur(inside, (0, 0), max(0.5, soft))[..., None]
    return _pixels((pixels * (1 - inside) + cloth * inside).clip(0, 255))


def _finger(picture: Array, start: Points, end: Points, wide: float, skin: Floats) -> Array:
    """A rounded bar, darker at its edges."""
    for share, light in ((1.0, 0.62), (0.86, 0.85), (0.6, 1.0)):
        bar = np.zeros(picture.shape[:2], np.float32)
        _line(bar, start, end, (1.0,), share * wide)
        bar = cv2.GaussianBlur(bar, (0, 0), max(0.5, wide / 14))[..., None]
        picture = picture * (1 - bar) + (skin * light).astype(np.float32) * bar
    return picture


def _line(picture: NDArray[Any], start: Points, end: Points, colour: Sequence[float], wide: float) -> None:
    """Between two points, px, drawn into the picture."""
    first, last = ((int(x), int(y)) for x, y in (start, end))
    cv2.line(picture, first, last, colour, max(1, round(wide)), cv2.LINE_AA)


def _pixels(picture: object) -> Pixels:
    return np.ascontiguousarray(picture, np.uint8)


TURNED: dict[str, Spoil] = {f"turned by {90 * q}": partial(turned, q) for q in (1, 2, 3)}
TILTED: dict[str, Spoil] = {f"tilted by {d}": partial(tilted, d) for d in (15, -30, 45, -60, 60)}
CUT: dict[str, Spoil] = {
    "cut at the brows": partial(head_cut, 0.2),
    "cut at the forehead": partial(head_cut, 0.6),
    "cut at the hairline": partial(head_cut, 1.0),
    **{f"a third gone, {side}": partial(side_cut, side, 0.33) for side in ("left", "right", "bottom")},
    **{f"a fifth gone, {side}": partial(side_cut, side, 0.2) for side in ("left", "right", "bottom")},
    "filling the picture": partial(filling, 0.98),
    "filling, cheek to cheek": partial(filling, 0.8),
}
COVERED: dict[str, Spoil] = {
    "flat pale mask": flat_mask,
    **{f"{c} mask": partial(masked, c, HIGH_EDGE)
       for c in ("blue", "white", "black", "grey", "red", "dots", "checks", "skin")},
    **{f"{c} mask under the nose": partial(masked, c, LOW_EDGE) for c in ("blue", "black", "skin")},
    "skin mask over the mouth alone": partial(masked, "skin", MOUTH_EDGE),
    "hand over the mouth": partial(palm, "mouth"),
}  # fmt: skip
HIDDEN: dict[str, Spoil] = {
    **{f"{style} glasses": partial(dark_glasses, style) for style in ("black", "brown", "mirror")},
    "hair over an eye": hair_over,
    "hand on a cheek": partial(palm, "cheek"),
}
