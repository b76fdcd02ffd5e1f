"""What of a face is covered: a mask, a hand, hair, dark glasses. From the aligned face to names of regions.

A region is seen where it looks like one: lips between cheeks, nostrils under a bridge, lids about an iris.
That is asked of the directions of edges (HOG), each weighed against those beside it, of contrast against that
of the whole face, and of tint against the sitter's own skin: no tone of skin is another's measure, and a mask
in the colour of the skin is as bare of lips as a blue one. The weights are linear, fitted by `python -m
training.occlusion` on faces with things drawn over them.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from pipelines.arrays import Array, Floats, Pixels
from pipelines.mesh import FaceFrame

WEIGHTS = Path(__file__).parent / "occlusion.npz"
FLOOR = 16.0  # levels: below, a camera's noise is larger than the picture
CELL = 8  # px of the frame, whose pupils lie 48 px apart; lips are 10 to 20 high


class Patch(NamedTuple):
    """Where a region lies in the frame of `mesh.align_face`, px."""

    left: int
    top: int
    width: int
    height: int


# The frame is 125 x 130; a region of two sides is looked at twice, its left half mirrored.
PATCHES: Mapping[str, Patch] = {
    "eyes": Patch(15, 28, 48, 32),
    "nose": Patch(38, 54, 48, 32),
    "mouth": Patch(26, 76, 72, 48),
    "cheeks": Patch(7, 56, 40, 48),
}
BETWEEN_THE_EYES = Patch(46, 24, 33, 26)  # brows' inner ends, root of the nose
PAIRED = ("eyes", "cheeks")
# What `Face.hidden` may name. `jaw` is never looked at: it is hidden where the mouth is.
REGIONS = (*PATCHES, "jaw")
# Without it there is no portrait of somebody; whatever hides a nose alone is rare, and doubted more often.
REFUSED = frozenset({"mouth"})


class _Maps(NamedTuple):
    """A frame as the measures see it; each (H, W), or of the frame's planes."""

    grey: Pixels  # (H, W)
    steep: Array  # contrast, against that of the whole face
    tint: Array  # (H, W, 2), how far red and blue stand to green otherwise than on the skin between the eyes

    def mirrored(self) -> "_Maps":
        return _Maps(*(np.ascontiguousarray(part[:, ::-1]) for part in self))


def _maps(pixels: Pixels) -> _Maps:
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    light = np.log(grey.astype(np.float32) + FLOOR)
    steep = np.hypot(cv2.Sobel(light, cv2.CV_32F, 1, 0), cv2.Sobel(light, cv2.CV_32F, 0, 1))
    colour = np.log(cv2.GaussianBlur(pixels, (0, 0), 2).astype(np.float32) + FLOOR)
    tint = colour[..., ::2] - colour[..., 1:2]
    apart = np.abs(tint - np.median(_within(tint, BETWEEN_THE_EYES), axis=(0, 1)))
    return _Maps(grey.astype(np.uint8, copy=False), steep / (steep.mean() + 1e-3), apart)


def looks(face: FaceFrame) -> Mapping[str, list[Floats]]:
    """What each of `PATCHES` looks like, of both sides where it has two; neither tone nor light change it."""
    maps = _maps(face.pixels)
    sides = (maps, maps.mirrored())
    return {
        region: [_look(side, patch) for side in (sides if region in PAIRED else sides[:1])]
        for region, patch in PATCHES.items()
    }


def _look(maps: _Maps, patch: Patch) -> Floats:
    """Histograms of oriented gradients (Dalal and Triggs 2005) in blocks of 2 x 2 cells; contrast; tint."""
    size, block, step = (patch.width, patch.height), (2 * CELL, 2 * CELL), (CELL, CELL)
    grey = np.ascontiguousarray(_within(maps.grey, patch))
    edges = np.asarray(cv2.HOGDescriptor(size, block, step, step, 9).compute(grey), np.float64).ravel()
    contrast = np.log(_cells(maps.steep, patch) + 0.05)
    tints = [_cells(maps.tint[..., side], patch).clip(0, 1) for side in (0, 1)]
    return np.concatenate([edges, contrast, *tints])


def _within(picture: NDArray[Any], patch: Patch) -> NDArray[Any]:
    return picture[patch.top : patch.top + patch.height, patch.left : patch.left + patch.width]


def _cells(values: NDArray[Any], patch: Patch) -> Floats:
    """Means of a patch's cells."""
    size = patch.width // CELL, patch.height // CELL
    cells = cv2.resize(_within(values, patch), size, interpolation=cv2.INTER_AREA)
    return np.asarray(cells, np.float64).ravel()


@cache
def _weights() -> Mapping[str, Floats]:
    """Of each patch, the last one the constant."""
    with np.load(WEIGHTS) as file:
        return {name: np.asarray(file[name], np.float64) for name in PATCHES}


def evidence(face: FaceFrame) -> Mapping[str, float]:
    """How much each of `PATCHES` looks like its region, of two sides the worse: from 0 on it is seen."""
    weights = _weights()
    return {
        region: min(float(row @ weights[region][:-1] + weights[region][-1]) for row in rows)
        for region, rows in looks(face).items()
    }


def hidden_regions(face: FaceFrame) -> frozenset[str]:
    """Names of `REGIONS` that cannot be measured, because something lies over them."""
    hidden = {region for region, found in evidence(face).items() if found < 0}
    return frozenset(hidden | ({"jaw"} if "mouth" in hidden else set()))
