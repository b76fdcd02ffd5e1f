"""A plate's mouth moved towards a warm smile or a serious face, before a network redraws it.

Words alone move no mouth at the strengths that keep a likeness; a warp of the photograph does, and what is
redrawn afterwards heals its traces. The warp is a thin-plate spline (Bookstein 1989) through mesh landmarks:
lips and cheeks are moved, everything else is held, and nothing is moved from the face's oval outwards.
Points are pixels of the picture; lengths of the warp are mouth widths in the head's own axes, x along the
line between the pupils to the picture's right, y down. "Right" and "left" are the sitter's.
"""

from typing import NamedTuple

import cv2
import numpy as np
from scipy.interpolate import RBFInterpolator

from pipelines.arrays import Array, Floats, Pixels, Points
from pipelines.mesh import (
    BROWS,
    CHEEKS,
    EYE_CORNERS_AND_UPPER_LIDS,
    LEFT_MOUTH_CORNER,
    LEFT_PUPIL,
    LIPS,
    LOWER_INNER_LIP,
    LOWER_LIDS,
    LOWER_LIP,
    MOUTH_CORNERS,
    NOSE,
    OVAL,
    RIGHT_MOUTH_CORNER,
    RIGHT_PUPIL,
    UPPER_INNER_LIP,
    UPPER_LIP,
    pupil_distance,
)
from pipelines.plate.masks import smoothstep

LIP_MIDDLES = (UPPER_LIP, UPPER_INNER_LIP, LOWER_INNER_LIP, LOWER_LIP)  # top to bottom
HELD = (*EYE_CORNERS_AND_UPPER_LIDS, *BROWS, *NOSE)

# Of a warm smile, in mouth widths; seen on plates of 24 portraits, each beside its photograph.
RISE, SPREAD = 0.10, 0.07  # of a corner
BEND = 1.5  # the rise grows with this power of the distance from the middle: beside the corners half of it
CHEEK_RISE, LID_RISE = 0.05, 0.015
CHEEK_DEPTH = 0.3  # a cheek this far inside the oval rises fully; on a turned head's far side glasses bent
# Inner lips apart, over the mouth's width: in the four of 24 portraits whose lips meet 0.006 and less, in the
# one with the least sight of teeth 0.071; of 419 more, 84 are closed and below, a glimpse of teeth from 0.05.
CLOSED = 0.04
# So far apart they show a row of teeth, which bends with the lips: such a mouth gets this share of the smile.
WIDE_OPEN, TEETH = 0.14, 0.5
# Corners so far above the lips' middle are a smile, and come down fully; level ones by this share: more of it
# looks sad.
HIGH, LEVEL = 0.1, 0.45
GRID = 24  # places a mouth width at which the spline is worked out; it is smooth between them
BLEND = 0.1  # pupil distances inside the oval over which the warp sets in: 23 px on a plate of 1080


class Axes(NamedTuple):
    """The head's own axes: the middle of the mouth, its width, and the way along the pupils' line."""

    middle: Floats  # (2,) px
    width: float  # px
    turn: Floats  # (2, 2), rows are the axes

    def of(self, points: Points) -> Floats:
        """Points (n, 2) px in mouth widths."""
        return np.asarray((points - self.middle) @ self.turn.T / self.width, np.float64)


def warp_mouth(pixels: Pixels, landmarks: Points, amount: float) -> Pixels:
    """The picture (H, W, 3) sRGB with its mouth moved; `amount` 1 is a warm smile, below 0 serious.

    `landmarks` (478, 2 or more) px. Outside the face's oval every pixel stays; so does all of it at 0.
    """
    points = landmarks[:, :2].astype(np.float64)
    ring = np.round(points[list(OVAL)]).astype(int)
    left, top = (ring.min(axis=0) - 1).clip(0)  # a rim of ground, from which the depth is measured
    right, bottom = np.minimum(ring.max(axis=0) + 2, pixels.shape[1::-1])
    if not amount or left >= right or top >= bottom:
        return pixels
    size = int(right - left), int(bottom - top)
    inside = cv2.fillPoly(np.zeros(size[::-1], np.uint8), [(ring - (left, top)).astype(np.int32)], [1.0])
    depth = cv2.distanceTransform(inside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    share = smoothstep(depth, 0, BLEND * pupil_distance(landmarks))
    moved = warp_field(points, amount, (int(left), int(top)), size) * share[..., None]
    rows, columns = np.mgrid[top:bottom, left:right].astype(np.float32)
    drawn = cv2.remap(
        pixels,
        columns - moved[..., 0],
        rows - moved[..., 1],
        cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REPLICATE,
    )
    result = pixels.copy()
    result[top:bottom, left:right] = np.where(share[..., None] > 0, drawn, pixels[top:bottom, left:right])
    return result


def warp_field(points: Floats, amount: float, start: tuple[int, int], size: tuple[int, int]) -> Array:
    """How far what is seen at each place of a window came, (h, w, 2) px.

    The spline's nodes stand where the landmarks arrive: so no map needs to be inverted.
    """
    axes = mouth_axes(points)
    nodes = [*LIPS, *CHEEKS, *LOWER_LIDS, *HELD, *OVAL]
    places, moves = axes.of(points[nodes]), amount * landmark_moves(axes.of(points), amount > 0)[nodes]
    spline = RBFInterpolator(places + moves, moves, kernel="thin_plate_spline")
    columns, rows = (max(2, round(GRID * length / axes.width)) for length in size)
    x = start[0] + (np.arange(columns) + 0.5) * size[0] / columns - 0.5
    y = start[1] + (np.arange(rows) + 0.5) * size[1] / rows - 0.5
    grid = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    coarse = (spline(axes.of(grid)) @ axes.turn * axes.width).reshape(rows, columns, 2)
    return np.asarray(cv2.resize(coarse.astype(np.float32), size, interpolation=cv2.INTER_CUBIC))


def mouth_axes(points: Floats) -> Axes:
    """Those of a face, from its landmarks (478, 2) px."""
    x, y = points[LEFT_PUPIL] - points[RIGHT_PUPIL]
    turn = np.array([[x, y], [-y, x]]) / np.hypot(x, y)
    right, left = points[list(MOUTH_CORNERS)]
    return Axes(points[list(LIP_MIDDLES)].mean(axis=0), float(np.hypot(*(left - right))), turn)


def landmark_moves(places: Floats, smile: bool) -> Floats:
    """Where an amount of 1 moves the landmarks, (478, 2), both in mouth widths; most of them stay."""
    moves = np.zeros_like(places)
    x = places[list(LIPS), 0]
    half = np.where(x < 0, -places[RIGHT_MOUTH_CORNER, 0], places[LEFT_MOUTH_CORNER, 0])  # differ if turned
    share = (np.abs(x) / np.maximum(half, 0.1)).clip(0, 1)
    rise, spread = corner_room(places, smile)
    moves[list(LIPS)] = np.column_stack([2 * spread * half * np.sign(x) * share, -rise * share**BEND])
    moves[list(LOWER_LIDS), 1] = -LID_RISE
    ring = places[list(OVAL)].astype(np.float32)
    for cheek in CHEEKS:
        x, y = places[cheek]
        depth = cv2.pointPolygonTest(ring, (float(x), float(y)), measureDist=True)
        moves[cheek, 1] = -CHEEK_RISE * smoothstep(depth, 0, CHEEK_DEPTH)
    return moves


def corner_room(places: Floats, smile: bool) -> tuple[float, float]:
    """Rise and spread of the corners in mouth widths, as far as this mouth has room for them."""
    if smile:
        full = 1 - (1 - TEETH) * float(smoothstep(_lip_gap(places), CLOSED, WIDE_OPEN))
        return RISE * full, SPREAD * full
    high = -float(places[list(MOUTH_CORNERS), 1].mean())
    return RISE * (LEVEL + (1 - LEVEL) * float(smoothstep(high, 0, HIGH))), SPREAD


def lips_meet(landmarks: Points) -> bool:
    """Whether the lips are closed enough for a serious mouth: no warp closes a laugh."""
    return _lip_gap(landmarks[:, :2].astype(np.float64)) < CLOSED


def mouth_change(before: Points, after: Points) -> float:
    """How far the mouth's corners moved towards a smile, as a share of the mouth's width before.

    Up, as against the lips' middle, and outwards, the mean of both corners; the faces are laid pupils on
    pupils. Negative: towards a serious face.
    """
    (up, width), (up_after, width_after) = (_mouth(points) for points in (before, after))
    return (up_after - up + (width_after - width) / 2) / width


def _mouth(landmarks: Points) -> tuple[float, float]:
    """The corners above the lips' middle, and the mouth's width, in distances between the pupils."""
    places = mouth_axes(landmarks[:, :2].astype(np.float64))
    share = places.width / pupil_distance(landmarks)
    right, left = places.of(landmarks[list(MOUTH_CORNERS), :2])
    return -share * float(right[1] + left[1]) / 2, share


def _lip_gap(points: Floats) -> float:
    """Between the inner lips, over the mouth's width."""
    gap = points[LOWER_INNER_LIP] - points[UPPER_INNER_LIP]
    wide = points[LEFT_MOUTH_CORNER] - points[RIGHT_MOUTH_CORNER]
    return float(np.hypot(*gap) / np.hypot(*wide))
