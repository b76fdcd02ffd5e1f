"""How the small model's pictures are judged: pure functions from pixels and points to numbers.

Pictures are uint8 (H, W, 3) sRGB on the set's canvas, landmarks (478, 2) in its px.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from skimage.color import deltaE_ciede2000, rgb2lab

from commission.measure import POSED, fine_power, head, pose_error
from pipelines.arrays import Array, Floats, Indices, Pixels, Points
from pipelines.mesh import LEFT_PUPIL, RIGHT_PUPIL
from pipelines.selfie.face import Face

__all__ = ["POSED", "fine_power", "head", "pose_error"]  # the product's own measures

SURROUND = 0.02  # alpha below which a pixel of the plate is backdrop
CROP_PX = 48  # side of the aligned crops that are compared pixel by pixel
CROP_SIDE = 3.0  # of such a crop, in pupil distances: forehead to chin
RIDGE = 1.0  # of the logistic regression, on standardised cues


def median_interval(values: Sequence[float], seed: int = 0) -> tuple[float, float, float]:
    """The median and its 95 % interval over 2,000 bootstrap draws; give one value a sitter."""
    if not values:
        return (float("nan"),) * 3
    drawn = np.random.default_rng(seed).choice(np.asarray(values), (2000, len(values)))
    low, high = np.quantile(np.median(drawn, axis=1), (0.025, 0.975))
    return float(np.median(values)), float(low), float(high)


def points_of(face: Face, enlarged: float) -> Points:
    """The landmarks of a face that was found in the enlarged picture, in the picture's own px."""
    return np.asarray(face.landmarks[:, :2], np.float64) / enlarged


def pupils_apart(points: Points) -> float:
    """In px."""
    return float(np.hypot(*(points[LEFT_PUPIL] - points[RIGHT_PUPIL])))


def skin(picture: Pixels, points: Points) -> Floats:
    """Median CIE L*a*b* (D65) of both cheeks: (3,). Squares below the eyes, half a pupil distance down."""
    d, squares = pupils_apart(points), []
    for eye in (RIGHT_PUPIL, LEFT_PUPIL):
        x, y = (points[eye] + np.array([0, 0.6 * d])).round().astype(int)
        half = max(2, round(0.15 * d))
        squares.append(picture[y - half : y + half, x - half : x + half].reshape(-1, 3))
    return np.asarray(np.median(rgb2lab(np.concatenate(squares)[None])[0], axis=0))


def delta_e(first: Floats, second: Floats) -> float:
    """CIEDE2000 of two colours in L*a*b*."""
    return float(deltaE_ciede2000(first, second))


def backdrop_delta(plate: Pixels, picture: Pixels, alpha: Array) -> float:
    """Median CIEDE2000 where nobody is, against the backdrop that the studio drew from the preset."""
    empty = alpha < SURROUND
    return float(np.median(deltaE_ciede2000(rgb2lab(plate)[empty], rgb2lab(picture)[empty])))


def aligned_crop(picture: Pixels, points: Points) -> Floats:
    """The face's luma with the pupils on fixed places, mean 0 and length 1: (48 * 48,)."""
    d = CROP_PX / CROP_SIDE
    right, left = points[RIGHT_PUPIL], points[LEFT_PUPIL]
    apart = complex(*(left - right))
    turn = d / apart
    centre = (left + right) / 2
    linear = np.array([[turn.real, -turn.imag], [turn.imag, turn.real]])
    shift = np.array([CROP_PX / 2, CROP_PX * 0.4]) - linear @ centre
    grey = cv2.cvtColor(np.ascontiguousarray(picture), cv2.COLOR_RGB2GRAY)
    crop = cv2.warpAffine(
        grey, np.column_stack([linear, shift]), (CROP_PX, CROP_PX), flags=cv2.INTER_AREA
    ).astype(np.float64)
    crop -= crop.mean()
    return np.asarray(crop.ravel() / max(float(np.linalg.norm(crop)), 1e-6))


def apart(first: tuple[Pixels, Points], second: tuple[Pixels, Points]) -> float:
    """Mean difference of two portraits in the face, grey values, the second's pupils on the first's."""
    (pixels, points), (other, there) = first, second
    pupils = [RIGHT_PUPIL, LEFT_PUPIL]
    matrix, _ = cv2.estimateAffinePartial2D(there[pupils], points[pupils])
    laid = cv2.warpAffine(other, matrix, pixels.shape[1::-1], flags=cv2.INTER_LINEAR)
    inside = head(points)
    return float(np.abs(pixels[inside].astype(np.float64) - laid[inside]).mean())


def cues(picture: Pixels, points: Points) -> Floats:
    """What a simple detector would look at: fine power, noise, colour and contrast of face and picture."""
    face = picture[head(points)].reshape(-1, 3) / 255.0
    grey = cv2.cvtColor(np.ascontiguousarray(picture), cv2.COLOR_RGB2GRAY).astype(np.float64)
    rest = np.abs(grey - cv2.medianBlur(grey.astype(np.uint8), 3))
    chroma = np.ptp(face, axis=1)
    edges = cv2.Laplacian(grey, cv2.CV_64F)
    return np.array(
        [
            np.log(fine_power(picture, points)),
            np.log(rest.mean() + 1e-3),
            np.log(edges.std() + 1e-3),
            *face.mean(axis=0),
            *face.std(axis=0),
            chroma.mean(),
            chroma.std(),
            grey.std() / 255,
        ]
    )


def separability(photographs: Floats, portraits: Floats, sitters: Indices, folds: int = 10) -> float:
    """AUC of a ridge logistic regression on cues (n, k), cross-validated by sitter: 0.5 is guessing.

    Row i of both belongs to `sitters[i]`, who is never both learnt from and judged.
    """
    rows, truth = np.vstack([photographs, portraits]), np.repeat([0.0, 1.0], len(sitters))
    who = np.tile(sitters, 2)
    scores = np.zeros(len(rows))
    people = np.unique(sitters)
    for fold in range(min(folds, len(people))):
        out = np.isin(who, people[fold::folds])
        middle, spread = rows[~out].mean(axis=0), rows[~out].std(axis=0) + 1e-9
        weights = _logistic((rows[~out] - middle) / spread, truth[~out])
        scores[out] = (rows[out] - middle) / spread @ weights[1:] + weights[0]
    above = scores[truth == 1][:, None] - scores[truth == 0][None]
    return float((above > 0).mean() + 0.5 * (above == 0).mean())


def _logistic(rows: Floats, truth: Floats) -> Floats:
    """Weights with the constant first, by Newton's method."""
    wide = np.column_stack([np.ones(len(rows)), rows])
    ridge = RIDGE * np.eye(wide.shape[1])
    ridge[0, 0] = 1e-6
    weights = np.zeros(wide.shape[1])
    for _ in range(25):
        likely = 1 / (1 + np.exp(-np.clip(wide @ weights, -30, 30)))
        curve = wide.T @ (wide * (likely * (1 - likely))[:, None]) + ridge
        weights = weights + np.linalg.solve(curve, wide.T @ (truth - likely) - ridge @ weights)
    return weights
