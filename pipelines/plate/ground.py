"""Face to advice: whether what stands behind a sitter will leave a trace in the plate.

Told from the mask that a face was judged with, long before anything is cut out. A trace needs a ground that
is not plain, and either a mask that is unsure away from its contour or a ground that has the colours of the
hair or clothes before it. Lengths are in pupil distances d, colours sRGB 0..1. Chosen on
180 scenes composed with a known alpha and 120 official portraits, whose plates were looked at.
"""

from typing import NamedTuple

import cv2
import numpy as np

from pipelines.arrays import Array, Mask
from pipelines.plate.masks import Site, largest_component, resize, shrink_to, signed_distance
from pipelines.selfie.face import Face

LOOKED_AT = (3.6, 3.2, 4.2)  # to each side, above and below the pupils
LONGEST_PX = 320
NEARBY = 0.35  # half a window's side: what is compared with one another
ROOM, SITTER = 0.2, 0.15  # so far outside and inside the contour it is surely that
RING = (0.05, 0.5)  # outside the contour, where a ground's colours are compared with the sitter's
DOUBT = (0.08, 0.6)  # outside the contour, where a mask should be sure
UNSURE = (0.1, 0.9)  # shares of person
SAME = 0.12  # distance of colours
# Of the portraits 80 before paper of one colour have 0.057 at most (one more, whose curls it shows through,
# 0.13), 39 before flags, books and trees 0.064 and more.
VARIED = 0.1
DOUBTFUL, ALIKE = 0.02, 0.015  # what 23 of 24 scenes have where more than 0.3 d2 of alpha is off by 0.3


class Ground(NamedTuple):
    """What a photo's ground is like about the sitter."""

    varied: float  # spread of its colours within a window, at the most varied tenth of the outline
    doubtful: float  # d2: where the mask is unsure away from its contour
    alike: float  # share of the ring whose colour is the nearby sitter's rather than the nearby ground's

    @property
    def leaves_trace(self) -> bool:
        """Whether a plain wall would do better."""
        return self.varied > VARIED and (self.doubtful > DOUBTFUL or self.alike > ALIKE)


def measure_ground(face: Face) -> Ground:
    """What stands behind a face whose landmarks are known."""
    picture, mask, site = _surroundings(face)
    distance = signed_distance(largest_component(mask > 0.5) | site.oval(mask.shape)) / site.d
    size = 2 * round(NEARBY * site.d) + 1
    room_share, room, spread = _nearby(picture, distance < -ROOM, size)
    sitter_share, sitter, _ = _nearby(picture, distance > SITTER, size)
    outline = (np.abs(distance) < 1.2 / site.d) & (room_share > 0.05) & (sitter_share > 0.05)
    ring = (distance < -RING[0]) & (distance > -RING[1])
    to_sitter, to_room = (np.linalg.norm(picture - level, axis=2) for level in (sitter, room))
    alike = ring & (sitter_share > 0.02) & (to_sitter < np.minimum(SAME, to_room))
    away = (distance < -DOUBT[0]) & (distance > -DOUBT[1])
    unsure = (mask > UNSURE[0]) & (mask < UNSURE[1]) & away
    return Ground(
        varied=float(np.percentile(spread[outline], 90)) if outline.any() else 0.0,
        doubtful=float(unsure.sum() / site.d**2),
        alike=float(alike.sum() / max(1, ring.sum())),
    )


def _surroundings(face: Face) -> tuple[Array, Array, Site]:
    """Head and shoulders with what is about them, float32 (H, W, 3) 0..1, and the mask there."""
    height, width = face.mask.shape
    (x, y), d = face.pupils.mean(axis=0), face.pupil_distance
    side, above, below = (reach * d for reach in LOOKED_AT)
    top, left = max(0, int(y - above)), max(0, int(x - side))
    inside = slice(top, min(height, int(y + below))), slice(left, min(width, int(x + side)))
    whole = face.photo.pixels[inside]
    small = shrink_to(np.ascontiguousarray(whole), LONGEST_PX)
    site = Site(face.landmarks[:, :2] - np.array([left, top], np.float32), d)
    mask = resize(face.mask[inside], small.shape[:2]).clip(0, 1)
    return small.astype(np.float32) / 255, mask, site.at(small.shape[1] / whole.shape[1])


def _nearby(picture: Array, part: Mask, size: int) -> tuple[Array, Array, Array]:
    """Of a part of the picture, within a window round each pixel: its share, mean colour and spread."""
    weight = part.astype(np.float32)
    share = cv2.blur(weight, (size, size))
    level, square = (
        cv2.blur(value * weight[..., None], (size, size)) / np.maximum(share, 1e-4)[..., None]
        for value in (picture, picture**2)
    )
    return share, level, np.sqrt((square - level**2).clip(0).sum(axis=2))
