"""Face to hair: its outline in the picture, and its colour where enough of it shows."""

from typing import NamedTuple

import cv2
import numpy as np

from pipelines.arrays import Floats, Mask, Points
from pipelines.measure.tone import delta_e, lab_of
from pipelines.mesh import CHEEK_PATCHES, MOUTH_CORNERS, NOSE_TIP, OVAL, align_face, ring_mask
from pipelines.selfie.face import Face

FRAME, PUPILS, EYES = (256, 320), 40.0, 0.42  # px; eye line as a share of the height
BESIDE_PX = 92  # to each side of the nose
SKIN_LIKE, DARKER = 3.5, 22.0  # chroma in median deviations of the cheeks; L*
LEAST_AREA = 0.8  # in squares of the distance between the pupils; below, a bald head has no hair colour
TRIMMED = 0.1  # of either end of L*, out of the mean colour


class Hair(NamedTuple):
    """Head and hair above the mouth, and what of it is hair."""

    outline: Mask  # (320, 256): head with hair
    colour: Floats | None  # Lab; None where too little hair shows
    matrix: Floats  # (2, 3), photo px to the frame of the outline


def hair_of(face: Face, landmarks: Points) -> Hair:
    """The hair of a face, by its landmarks (478, 2 or 3) px and the person mask. A hat counts as hair."""
    seen = align_face(face.photo.pixels, landmarks, FRAME, PUPILS, EYES, side=8.6)
    mask = cv2.warpAffine(face.mask, seen.matrix, FRAME)
    y, x = np.mgrid[: FRAME[1], : FRAME[0]]
    low = seen.points[list(MOUTH_CORNERS), 1].mean()  # below them clothes pass for hair
    beside = np.abs(x - seen.points[NOSE_TIP, 0]) < BESIDE_PX
    outline = (mask > 0.5) & (y < low) & beside
    oval = cv2.dilate(ring_mask(seen, OVAL).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    lab = lab_of(seen.pixels)
    cheeks = lab[ring_mask(seen, CHEEK_PATCHES[0]) | ring_mask(seen, CHEEK_PATCHES[1])]
    hair = outline & ~oval & ~_like_skin(lab, cheeks)
    return Hair(outline, _colour(lab[hair]), seen.matrix)


def outline_change(first: Hair, second: Hair) -> float:
    """1 - intersection over union, 0..1."""
    union = (first.outline | second.outline).sum()
    return float(1 - (first.outline & second.outline).sum() / union) if union else 0.0


def colour_change(first: Hair, second: Hair) -> float | None:
    """CIEDE2000; None where one of them shows too little hair."""
    if first.colour is None or second.colour is None:
        return None
    return delta_e(first.colour, second.colour)


def outline_loss(first: Hair, second: Hair) -> float:
    """How much smaller the second outline is, as a share; negative where it is larger."""
    return float(1 - second.outline.sum() / max(1, first.outline.sum()))


def _like_skin(lab: Floats, cheeks: Floats) -> Mask:
    if not len(cheeks):
        return np.zeros(lab.shape[:2], bool)
    middle = np.median(cheeks, axis=0)
    spread = 1.4826 * np.median(np.abs(cheeks - middle), axis=0) + 1.0
    chroma = np.hypot(*np.moveaxis((lab[..., 1:] - middle[1:]) / spread[1:], -1, 0))
    return np.asarray((chroma < SKIN_LIKE) & (lab[..., 0] > middle[0] - DARKER))


def _colour(hair: Floats) -> Floats | None:
    if len(hair) < LEAST_AREA * PUPILS**2:
        return None
    low, high = np.quantile(hair[:, 0], (TRIMMED, 1 - TRIMMED))
    return np.asarray(hair[(hair[:, 0] >= low) & (hair[:, 0] <= high)].mean(axis=0))
