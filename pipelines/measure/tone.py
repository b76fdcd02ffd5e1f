"""Two pictures of one face to the difference of their skin: how much lighter, and how far in colour.

Skin is compared patch by patch, in Lab under D65 (CIE 1976), so that light from the side meets the same
cheek. A picture that was only exposed otherwise is no other skin: clothes, hair and backdrop tell that, as
far as they agree. Pictures are sRGB.
"""

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np

from pipelines.arrays import Floats, Mask, Pixels, Points
from pipelines.mesh import (
    CHEEK_PATCHES,
    CHIN,
    FOREHEAD_MIDDLE,
    FOREHEAD_SIDES,
    JAW_CORNERS,
    MOUTH_SIDES,
    NOSE_PATCH,
    OVAL,
    FaceFrame,
    align_face,
    ring_mask,
)
from pipelines.selfie.face import Face

SKIN_FRAME, SKIN_PUPILS, SKIN_EYES = (256, 320), 64.0, 134 / 320
LIGHT_FRAME, LIGHT_PUPILS, LIGHT_EYES, LIGHT_BLUR = (160, 200), 28.0, 0.42, 1.5
# Compared patch by patch; two sides are averaged, so that a mirror image is equal.
PATCHES: tuple[tuple[tuple[int, ...], ...], ...] = (
    CHEEK_PATCHES,
    FOREHEAD_SIDES,
    FOREHEAD_MIDDLE,
    MOUTH_SIDES,
    NOSE_PATCH,
)
# Of a patch the pixels between these quantiles of L*: without highlights, and rims of hair or glasses.
KEPT = (0.15, 0.60)
FAR_AB, FREE_L, FAR_L, ROUGH_L = 9.0, 15.0, 10.0, 9.0  # what makes a patch of the reference doubtful
# Gains are believed as far as clothes with hair and the backdrop agree, and each within itself.
AGREE, SPREAD = 0.05, 0.20
LEAST_LIGHT, MOST_LIGHT = 0.01, 0.92  # linear light that says something about exposure
# ln: an exposure 7 % off moves skin by up to 2 L* (the bench's copies are at most 10 % off). More is what
# people see as another skin, and surroundings that agree on more are mostly blacks that were lifted together.
MOST_GAIN = 0.07
LEAST_PIXELS = 60


class Skin(NamedTuple):
    """The skin of a face by patches: mean Lab (n, 3) and the standard deviation of L* (n,)."""

    tones: Floats
    roughness: Floats


@dataclass(frozen=True)
class ToneChange:
    """From the reference to the other picture."""

    lighter: float  # L*, positive where the other picture is lighter
    delta_e: float  # CIEDE2000
    trust: float  # 0..1, how far the surroundings told a change of exposure
    tones: tuple[tuple[float, float, float], tuple[float, float, float]]  # Lab of both, to show side by side


def tone_change(reference: Face, other: Face, here: Points, there: Points) -> ToneChange:
    """How the skin of `other` differs; `here` and `there` are the landmarks of both, (478, 2 or 3) px."""
    gain, trust = exposure(reference, other, here, there)
    first = skin(reference.photo.pixels, here, float(np.exp(trust * gain)))
    second = skin(other.photo.pixels, there)
    weight = np.minimum(_weights(first), _weights(second))
    change = np.array([_weighted_median(second.tones[:, i] - first.tones[:, i], weight) for i in range(3)])
    before = np.array([_weighted_median(first.tones[:, i], weight) for i in range(3)])
    after = before + change
    return ToneChange(
        lighter=float(change[0]),
        delta_e=delta_e(before, after),
        trust=trust,
        tones=(tuple(map(float, before)), tuple(map(float, after))),  # type: ignore[arg-type]
    )


def skin(pixels: Pixels, landmarks: Points, gain: float = 1.0) -> Skin:
    """The patches of a face, its light multiplied by `gain`."""
    face = align_face(pixels, landmarks, SKIN_FRAME, SKIN_PUPILS, SKIN_EYES, side=6.0)
    lab = lab_of(face.pixels, gain)
    sides = [[_patch(lab, face, hull) for hull in hulls] for hulls in PATCHES]
    table = np.array([np.nanmean(both, axis=0) for both in sides])
    return Skin(table[:, :3], table[:, 3])


def delta_e(first: Floats, second: Floats) -> float:
    """CIEDE2000 between two colours in Lab."""
    from skimage.color import deltaE_ciede2000  # here: the page opens before

    return float(deltaE_ciede2000(first, second))


def lab_of(pixels: Pixels, gain: float = 1.0) -> Floats:
    """L*, a*, b* (D65) of sRGB, float64 (H, W, 3), the light multiplied by `gain` before."""
    light = linear(pixels) * gain
    encoded = np.where(
        light <= 0.0031308, 12.92 * light, 1.055 * np.maximum(light, 1e-9) ** (1 / 2.4) - 0.055
    )
    return np.asarray(cv2.cvtColor(encoded.clip(0, 1).astype(np.float32), cv2.COLOR_RGB2Lab), np.float64)


def linear(pixels: Pixels) -> Floats:
    """Linear light of sRGB, 0..1 (IEC 61966-2-1)."""
    return np.asarray(_LINEAR[pixels], np.float64)


_CODES = np.arange(256) / 255
_LINEAR = np.where(_CODES <= 0.04045, _CODES / 12.92, ((_CODES + 0.055) / 1.055) ** 2.4)


def _patch(lab: Floats, face: FaceFrame, hull: tuple[int, ...]) -> Floats:
    """Mean L*, a*, b* and the deviation of L* within the hull of those points; NaN where it is no patch."""
    corners = cv2.convexHull(np.round(face.points[list(hull)]).astype(np.int32))
    inside = cv2.fillConvexPoly(np.zeros(lab.shape[:2], np.uint8), corners, 1) > 0
    found = lab[inside]
    if len(found) < LEAST_PIXELS:
        return np.full(4, np.nan)
    low, high = np.quantile(found[:, 0], KEPT)
    kept = found[(found[:, 0] >= low) & (found[:, 0] <= high)]
    patch: Floats = np.append(kept.mean(axis=0), kept[:, 0].std())
    return patch


def _weights(found: Skin) -> Floats:
    """How much each patch says: those that are even, and like the patch that most others are like."""
    even = 1 / (1 + (found.roughness / ROUGH_L) ** 2)
    away = found.tones[:, None] - found.tones[None]
    far = np.hypot(away[..., 1], away[..., 2]) / FAR_AB + np.maximum(0, np.abs(away[..., 0]) - FREE_L) / FAR_L
    alike = np.nan_to_num(np.exp(-(far**2)))
    even = np.nan_to_num(even)
    return np.asarray(alike[(alike @ even).argmax()] * even, np.float64)


def _weighted_median(values: Floats, weight: Floats) -> float:
    """Half of the weight lies on either side; between two values in proportion."""
    known = np.isfinite(values) & (weight > 0)
    if not known.any():
        return float("nan")
    order = np.argsort(values[known])
    sorted_, share = values[known][order], weight[known][order]
    middle = np.cumsum(share) - share / 2
    return float(np.interp(share.sum() / 2, middle, sorted_))


def exposure(reference: Face, other: Face, here: Points, there: Points) -> tuple[float, float]:
    """Natural logarithm of the gain of light from reference to other, and how far to trust it, 0..1.

    At most `MOST_GAIN` either way.
    """
    first, second = _surroundings(reference, here), _surroundings(other, there)
    cloth = _log_gain(first.light, second.light, first.cloth & second.cloth)
    ground = _log_gain(first.light, second.light, first.ground & second.ground)
    if cloth is None or ground is None:
        return 0.0, 0.0
    apart, spread = float(np.abs(cloth[0] - ground[0]).max()), max(cloth[1], ground[1])
    trust = np.exp(-((apart / AGREE) ** 2)) * np.exp(-((spread / SPREAD) ** 2))
    gain = (cloth[0].mean() + ground[0].mean()) / 2
    return float(np.clip(gain, -MOST_GAIN, MOST_GAIN)), float(trust)


class _Surroundings(NamedTuple):
    light: Floats  # (h, w, 3) linear, in a frame
    cloth: Mask  # (h, w) clothes and hair
    ground: Mask  # (h, w) backdrop


def _surroundings(face: Face, landmarks: Points) -> _Surroundings:
    seen = align_face(face.photo.pixels, landmarks, LIGHT_FRAME, LIGHT_PUPILS, LIGHT_EYES, side=8.5)
    soft = cv2.GaussianBlur(seen.pixels, (0, 0), LIGHT_BLUR).astype(np.uint8)
    mask = cv2.warpAffine(face.mask, seen.matrix, LIGHT_FRAME, borderValue=-1.0)
    near = cv2.dilate(ring_mask(seen, OVAL).astype(np.uint8), np.ones((15, 15), np.uint8)) > 0
    jaw = seen.points[list(JAW_CORNERS), 0]
    chin = seen.points[CHIN, 1]
    y, x = np.mgrid[: LIGHT_FRAME[1], : LIGHT_FRAME[0]]
    neck = (x > jaw[0]) & (x < jaw[1]) & (y > chin - LIGHT_PUPILS) & (y < chin + LIGHT_PUPILS)
    return _Surroundings(linear(soft), (mask > 0.8) & ~near & ~neck, (mask >= 0) & (mask < 0.1))


def _log_gain(first: Floats, second: Floats, area: Mask) -> tuple[Floats, float] | None:
    """Median ln gain of each channel over an area, and its spread; None where the area is too small."""
    usable = (
        (first > LEAST_LIGHT) & (first < MOST_LIGHT) & (second > LEAST_LIGHT) & (second < MOST_LIGHT)
    ).all(axis=2)
    inside = area & usable
    if inside.sum() < 4 * LEAST_PIXELS:
        return None
    gains = np.log(second[inside] / first[inside])
    middle = np.median(gains, axis=0)
    return middle, float(1.4826 * np.median(np.abs(gains - middle)))
