"""Face to shape: six looks at one face, averaged and turned to the front, and the ratios that a redraw bends.

One look is unsure by more than what is looked for: of jaws narrowed by 5 % one look found a quarter, six
looks 99 % (thresholds at 1 % false alarms, 154 portraits). So the mesh sees three crops, slightly shifted,
scaled and turned, and their mirror images. The crops are blurred, so that a sharper skin is no other face.
"""

from functools import cache
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from pipelines.arrays import Floats, Indices, Pixels, Points
from pipelines.mesh import (
    CHEEKBONES,
    CHIN,
    EYES,
    HAIRLINE,
    IRIS_DIAMETERS,
    JAW_CORNERS,
    LEFT_PUPIL,
    LIPS_RING,
    PUPILS,
    RIGHT_PUPIL,
    SKIN_POINTS,
    window,
)
from pipelines.selfie.face import Face, FaceFinder

MEAN_FACE = Path(__file__).parent / "mean_face.npy"  # by `python -m evaluation.likeness --mean`
CROP_PX, CROP_SIDE, BLUR_PX = 384, 1.9, 3.0  # side in heights of the face
EYE_WIDTHS = tuple((eye.outer, eye.inner) for eye in EYES)
View = tuple[float, float, float, float]
VIEWS: tuple[View, ...] = (
    (0, 0, 1.0, 0),
    (6, -5, 1.04, 2),
    (-5, 6, 0.96, -2),
)  # right, down px; scale; degrees


class Shape(NamedTuple):
    """Logarithms of ratios, times 100: a difference of 1 is about 1 % as the mesh sees it."""

    jaw: float  # width at the jaw's corners over that at the cheeks
    face: float  # width at the cheeks over height
    eye_width: float  # corner to corner over the distance between the pupils
    iris: float  # diameter over the distance between the pupils
    mouth: float  # root of the lips' area, so width and height alike, over the distance between the pupils


def averaged_mesh(face: Face, finder: FaceFinder) -> Points:
    """The mesh averaged over six looks, float32 (478, 3), px of the photo; where none saw it the given."""
    return average_meshes(face, finder, partners())


def average_meshes(face: Face, finder: FaceFinder, partner: Indices | None) -> Points:
    """`averaged_mesh` with each point's partner given; without it the mirror images are left out."""
    crops, ways = [], []
    for look in VIEWS:
        crop, way = _crop(face.photo.pixels, face.landmarks, look)
        for turned in (False, True) if partner is not None else (False,):
            crops.append(np.ascontiguousarray(crop[:, ::-1]) if turned else crop)
            ways.append((way, partner if turned else None))
    found = [
        _back(mesh if turned is None else _unmirror(mesh, turned), way)
        for mesh, (way, turned) in zip(finder.meshes(crops), ways, strict=True)
        if mesh is not None
    ]
    return np.mean(found, axis=0).astype(np.float32) if found else face.landmarks


def _crop(
    pixels: Pixels, landmarks: Points, look: tuple[float, float, float, float]
) -> tuple[Pixels, Floats]:
    """The face level in a square, blurred, and the matrix from photo to crop (2, 3)."""
    right, down, scale, degrees = look
    middle = landmarks[[HAIRLINE, CHIN], :2].mean(axis=0).astype(np.float64)
    side = CROP_SIDE * float(np.hypot(*(landmarks[HAIRLINE, :2] - landmarks[CHIN, :2])))
    near = window(pixels, middle.astype(np.float32), 1.6 * side, round(1.6 * CROP_PX))
    share = near.pixels.shape[1] / near.width
    apart = (landmarks[LEFT_PUPIL, :2] - landmarks[RIGHT_PUPIL, :2]).astype(np.float64)
    roll = np.arctan2(apart[1], apart[0]) + np.radians(degrees)
    size = scale * CROP_PX / side
    turn = size * np.array([[np.cos(roll), np.sin(roll)], [-np.sin(roll), np.cos(roll)]])
    shift = np.array([CROP_PX / 2 + right, CROP_PX / 2 + down]) - turn @ middle
    inner = np.column_stack([turn / share, shift + turn @ np.array([near.left, near.top])])
    square = (CROP_PX, CROP_PX)
    crop = cv2.warpAffine(near.pixels, inner, square, flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE)
    return cv2.GaussianBlur(crop, (0, 0), BLUR_PX).astype(np.uint8), np.column_stack([turn, shift])


def _back(mesh: Points, way: Floats) -> Floats:
    """Points of a crop in the photo; depth by the same scale."""
    turn, shift = way[:, :2], way[:, 2]
    flat = (mesh[:, :2] - shift) @ np.linalg.inv(turn).T
    return np.column_stack([flat, mesh[:, 2] / np.sqrt(np.linalg.det(turn))])


def _unmirror(mesh: Points, partner: Indices) -> Points:
    """The mesh of a crop from that of its mirror image: each point takes its partner's place."""
    turned = mesh[partner].copy()
    turned[:, 0] = CROP_PX - turned[:, 0]
    return turned


@cache
def mean_face() -> Floats:
    """The average face, symmetric, looking ahead: (478, 3), its size of no meaning."""
    return np.asarray(np.load(MEAN_FACE), np.float64)


@cache
def partners() -> Indices:
    """For each point of the mesh the one on the other side, (478,): the symmetric face shows it."""
    face = mean_face()
    far = np.linalg.norm(face[:, None] - (face * (-1, 1, 1))[None], axis=2)
    return np.asarray(far.argmin(axis=1))


def align_mesh(points: Points, onto: Floats) -> Floats:
    """The mesh moved, turned and scaled onto another, by its skin: the closest similarity (Umeyama 1991)."""
    points = np.asarray(points, np.float64)
    here, there = points[:SKIN_POINTS], onto[:SKIN_POINTS]
    middle, target = here.mean(axis=0), there.mean(axis=0)
    covariance = (there - target).T @ (here - middle) / SKIN_POINTS
    u, spread, v = np.linalg.svd(covariance)
    sign = np.array([1, 1, np.sign(np.linalg.det(u @ v))])
    turn = (u * sign) @ v
    scale = (spread * sign).sum() / np.square(here - middle).sum(axis=1).mean()
    return np.asarray(scale * (points - middle) @ turn.T + target)


SHAPES = ("jaw", "face", "eyes", "mouth")


def shape_change(first: Shape, second: Shape) -> dict[str, float]:
    """How much larger each of `SHAPES` became, about % as the mesh sees it.

    Eyes are larger where both their width and their irises are, by the harmonic mean of the two: it is at
    most twice the smaller. One of them alone is the mesh's own doubt: of 163 portraits that the small set
    drew, one iris in twenty was read 5.8 % off and more, and 57 had the two go opposite ways.
    """
    apart = {name: getattr(second, name) - getattr(first, name) for name in Shape._fields}
    width, iris = apart.pop("eye_width"), apart.pop("iris")
    apart["eyes"] = 2 * width * iris / (width + iris) if width * iris > 0 else 0.0
    return apart


def shape_of(points: Points) -> Shape:
    """The ratios of a mesh in its photo, after it was turned to the front."""
    front = align_mesh(points, mean_face())[:, :2]

    def apart(pair: tuple[int, int]) -> float:
        return float(np.hypot(*(front[pair[0]] - front[pair[1]])))

    pupils = apart(PUPILS)
    widths, irises = (np.mean([apart(pair) for pair in pairs]) for pairs in (EYE_WIDTHS, IRIS_DIAMETERS))
    return Shape(
        jaw=float(100 * np.log(apart(JAW_CORNERS) / apart(CHEEKBONES))),
        face=float(100 * np.log(apart(CHEEKBONES) / apart((HAIRLINE, CHIN)))),
        eye_width=float(100 * np.log(widths / pupils)),
        iris=float(100 * np.log(irises / pupils)),
        mouth=float(50 * np.log(_area(front[list(LIPS_RING)]) / pupils**2)),
    )


def _area(ring: Floats) -> float:
    """Within a closed line (n, 2)."""
    return float(cv2.contourArea(ring.astype(np.float32)))
