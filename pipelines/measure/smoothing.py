"""Two pictures of one face -> how much of the first one's fine lines the second still has.

Skin is looked at in a band of about 0.5 to 1.2 mm (between the pupils of adults lie 63 mm): wrinkles, the
grain of the skin, larger pores. Not the band's energy is compared but its structure: how much of each line
of the first picture stands at its place in the second. So grain that a look adds is no skin, and skin that
was wiped away and strewn with noise is missed all the same. Contrast is a share of the light around, so
that exposure does not count.
"""

import cv2
import numpy as np

from pipelines.arrays import Array, Floats, Mask, Points
from pipelines.measure.tone import lab_of
from pipelines.mesh import (
    CHEEK_PATCHES,
    FOREHEAD_MIDDLE,
    FOREHEAD_SIDES,
    UNDER_EYES,
    FaceFrame,
    align_face,
    pupil_distance,
    ring_mask,
)
from pipelines.selfie.face import Face

MOST_PUPILS = (
    96.0  # px between the pupils in the frame, fewer where a picture has fewer: both resolve the band
)
FRAME, EYE_LINE = (3.0, 3.4), 0.42  # width and height in distances between the pupils
FINE, COARSE = 0.7 / 96, 1.8 / 96  # sigmas of the band's two blurs, in distances between the pupils
TILE, STEP = 17 / 96, 8 / 96  # a tile's side, and from one to the next
REACH = 5  # px that lines may have moved; searched, since a redraw moves a cheek a little
LEAST_TILES = 12
LEAST_CONTRAST = 0.0015  # median deviation of the band: below, a photo shows no line that could be missed
CAPPED = 0.6  # quantile of a tile's energy beyond which it weighs no more: rims of glasses, strands of hair
ZERO_L = (
    16.0  # L* + 16 is proportional to the cube root of light (CIE 1976), so bands divided by it are shares
)
HULLS = (*CHEEK_PATCHES, *FOREHEAD_SIDES, *FOREHEAD_MIDDLE, *UNDER_EYES)


def smoothing(first: Face, second: Face, here: Points, there: Points) -> float:
    """1 - the share of the fine lines of `first` that `second` has, in the weighted median of tiles of skin.

    0: all are there; 1: none is; below 0: they are stronger. NaN where too little skin or too few lines show.
    `here` and `there` are the landmarks of both, (478, 2 or 3) px.
    """
    pupils = min(MOST_PUPILS, pupil_distance(here), pupil_distance(there))
    reference, other = (_frame(face, points, pupils) for face, points in ((first, here), (second, there)))
    lines, later = _band(reference, pupils), _band(other, pupils)
    side = 2 * round(TILE * pupils / 2) + 1
    energy = _tiled(lines * lines, side)
    shared = np.full_like(lines, -np.inf)
    for shift in _shifts():
        np.maximum(shared, _tiled(lines * np.roll(later, shift, (0, 1)), side), out=shared)
    skin = _tiled(_skin(reference).astype(np.float32), side) > 0.95
    step = max(1, round(STEP * pupils))
    tiles = np.zeros_like(skin)
    tiles[::step, ::step] = skin[::step, ::step]
    if tiles.sum() < LEAST_TILES or np.median(np.sqrt(energy[tiles].clip(0))) < LEAST_CONTRAST:
        return float("nan")
    return 1 - _weighted_median(shared[tiles], energy[tiles].astype(np.float64))


def _frame(face: Face, landmarks: Points, pupils: float) -> FaceFrame:
    size = round(FRAME[0] * pupils), round(FRAME[1] * pupils)
    return align_face(face.photo.pixels, landmarks, size, pupils, EYE_LINE)


def _band(seen: FaceFrame, pupils: float) -> Array:
    """Fine lines as shares of the light around them, (h, w)."""
    lightness = lab_of(seen.pixels)[..., 0].astype(np.float32)
    fine, coarse = (cv2.GaussianBlur(lightness, (0, 0), share * pupils) for share in (FINE, COARSE))
    return np.asarray((fine - coarse) / (coarse + ZERO_L), np.float32)


def _skin(seen: FaceFrame) -> Mask:
    """Cheeks, forehead and under the eyes."""
    return np.asarray(np.any([ring_mask(seen, hull) for hull in HULLS], axis=0))


def _shifts() -> list[tuple[int, int]]:
    along = range(-REACH, REACH + 1)
    return [(down, right) for down in along for right in along]


def _tiled(layer: Array, side: int) -> Array:
    """The mean over a tile around each pixel; a band's own mean there is near 0."""
    return np.asarray(cv2.boxFilter(layer, -1, (side, side)), np.float32)


def _weighted_median(shared: Array, energy: Floats) -> float:
    """Of the share that each tile kept, by its energy up to a cap."""
    kept = shared / np.maximum(energy, 1e-12)
    order = np.argsort(kept)
    weight = np.minimum(energy, np.quantile(energy, CAPPED))[order]
    return float(kept[order][np.searchsorted(weight.cumsum(), weight.sum() / 2)])
