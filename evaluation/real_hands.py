"""A real hand on others' cheeks, for `evaluation.selfies`: what is drawn may be told by how it is drawn.

No portrait has a hand on a cheek. One of `test/` (FACE_VALUE_PORTRAITS) has a hand before dark cloth, with
fingers, nails and knuckles: it is cut out, turned, sized by the distance of the pupils, given the colour of
the sitter's own cheeks, and casts a shadow. All take a good portrait's sRGB uint8 (H, W, 3) and its landmarks
(478, 2 or 3) px, and give pixels.
"""

import os
from functools import cache, partial
from pathlib import Path

import cv2
import numpy as np

from evaluation.spoilt_selfies import Spoil, skin_of
from pipelines.arrays import Array, Floats, Pixels, Points
from pipelines.mesh import PUPILS, pupil_distance
from pipelines.selfie.photo import open_photo

HAND_OF = "test/021309.jpg"
# Round the hand, px of that picture; what is dark or blue within it is cloth between the fingers.
OUTLINE = (
    *((165, 541), (175, 533), (196, 517), (210, 511), (225, 508), (238, 505), (250, 508), (270, 510)),
    *((290, 511), (300, 518), (310, 530), (317, 545), (316, 552), (305, 554), (292, 557), (281, 561)),
    *((262, 575), (250, 583), (243, 590), (236, 590), (228, 583), (222, 588), (212, 594), (200, 586)),
    *((196, 583), (188, 586), (181, 578), (181, 570), (188, 560), (195, 548), (190, 549), (178, 555)),
)
DARKEST_RED, LEAST_WARM = 75, 8  # levels; red, and red above blue
FINGERTIPS, WRIST = (205.0, 580.0), (305.0, 530.0)
KNUCKLES_PX, KNUCKLES = (
    62.0,
    1.3,
)  # across the knuckles: px there, and in distances of the pupils (85 of 63 mm)
SHADOW, SOFT_SHADOW = 0.25, 0.06  # of the light; in distances of the pupils


@cache
def _hand() -> tuple[Pixels, Array]:
    """The picture, and where the hand is in it, (H, W) 0..1."""
    pixels = open_photo(Path(os.environ["FACE_VALUE_PORTRAITS"]) / HAND_OF).pixels
    inside = cv2.fillPoly(np.zeros(pixels.shape[:2], np.uint8), [np.array(OUTLINE, np.int32)], (1,)) > 0
    red, blue = pixels[..., 0].astype(int), pixels[..., 2].astype(int)
    skin = inside & (red > DARKEST_RED) & (red - blue > LEAST_WARM)
    return pixels, skin.astype(np.float32)


def real_hand(out: float, down: float, turn: float, side: int, pixels: Pixels, points: Points) -> Pixels:
    """Its fingertips so far out and down from between the eyes, in distances of the pupils.

    `turn`: degrees from upwards (0) to the nose (90); `side`: 1 on the picture's right, -1 on its left.
    """
    size = pupil_distance(points)
    right, left = np.asarray(points[list(PUPILS), :2], np.float64)
    across = (left - right) / size
    at = (right + left) / 2 + (out * side * across + down * np.array([-across[1], across[0]])) * size
    matrix = _placement(at, across, side, turn, size)
    picture, hand = _hand()
    whole = pixels.shape[1], pixels.shape[0]
    laid = cv2.warpAffine(picture, matrix, whole, flags=cv2.INTER_CUBIC).astype(np.float64)
    lies = cv2.GaussianBlur(cv2.warpAffine(hand, matrix, whole), (0, 0), max(0.5, 0.012 * size))
    colour = np.median(laid[lies > 0.5], axis=0) if (lies > 0.5).any() else np.ones(3)
    laid = laid * skin_of(pixels, points) / np.maximum(colour, 1)
    share = lies[..., None]
    shade = 1 - SHADOW * cv2.GaussianBlur(lies, (0, 0), SOFT_SHADOW * size)[..., None]
    return np.ascontiguousarray((pixels * shade * (1 - share) + laid * share).clip(0, 255), np.uint8)


def _placement(at: Floats, across: Floats, side: int, turn: float, size: float) -> Floats:
    """The matrix (2, 3) that brings the fingertips there; the other hand is its mirror image."""
    angle, down = np.radians(turn), np.array([-across[1], across[0]])
    along = -np.cos(angle) * down - np.sin(angle) * side * across
    over = side * np.array([-along[1], along[0]])
    tip = np.array(FINGERTIPS)
    was = (tip - WRIST) / np.hypot(*(tip - WRIST))
    share = KNUCKLES * size / KNUCKLES_PX
    turned = share * (np.outer(along, was) + np.outer(over, (-was[1], was[0])))
    return np.asarray(np.column_stack([turned, at - turned @ tip]))


REAL_HANDS: dict[str, Spoil] = {
    "a real hand from below": partial(real_hand, 0.65, 0.5, 10.0, -1),
    "a real hand from the side": partial(real_hand, 0.6, 0.55, 55.0, 1),
    "a real hand at the jaw": partial(real_hand, 0.7, 0.85, 25.0, 1),
}
