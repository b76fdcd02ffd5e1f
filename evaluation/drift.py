"""Portraits as services would spoil them, and as any camera or upload would: for `evaluation.likeness`.

Written apart from the measures: it knows where the mesh lies, and nothing of their patches, ratios or frames.
All take and give sRGB uint8 (H, W, 3); `points` are the picture's landmarks (478, 2 or 3) px.
"""

from collections.abc import Callable, Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from pipelines.arrays import Array, Mask, Pixels, Points
from pipelines.mesh import (
    CHIN,
    HAIRLINE,
    INNER_LIPS_RING,
    LEFT_CHEEKBONE,
    LIPS_RING,
    LOWER_JAW,
    MOUTH_CORNERS,
    OVAL,
    PUPILS,
    RIGHT_CHEEKBONE,
    pupil_distance,
)

Change = Callable[[Pixels, Points, Array], Pixels]  # the mask of the person comes third


# ---- what is no change


def same(pixels: Pixels, dice: np.random.Generator) -> Pixels:
    """The same photo once more: cropped, resized, re-encoded."""
    height, width = pixels.shape[:2]
    cut = dice.integers(0, max(2, width // 40), 4)
    part = pixels[cut[0] : height - cut[1], cut[2] : width - cut[3]]
    return jpeg(resized(part, dice.uniform(0.7, 1.4)), int(dice.integers(70, 96)))


def mixed(pixels: Pixels, dice: np.random.Generator) -> Pixels:
    """As another camera would have taken it: exposure by 10 %, white balance by 5 %, noise; re-encoded."""
    light = (pixels / 255.0) ** 2.2
    light = light * dice.uniform(0.9, 1.1) * dice.uniform(0.95, 1.05, 3)
    seen = 255 * light.clip(0, 1) ** (1 / 2.2) + dice.normal(0, dice.uniform(0.5, 2.5), pixels.shape)
    return jpeg(resized(as_pixels(seen), dice.uniform(0.8, 1.25)), int(dice.integers(75, 96)))


def resized(pixels: Pixels, share: float) -> Pixels:
    """By a share."""
    size = round(pixels.shape[1] * share), round(pixels.shape[0] * share)
    how = cv2.INTER_AREA if share < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(pixels, size, interpolation=how), np.uint8)


def jpeg(pixels: Pixels, quality: int) -> Pixels:
    """There and back."""
    data = cv2.imencode(".jpg", np.ascontiguousarray(pixels[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, quality])[
        1
    ]
    return np.ascontiguousarray(cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1]).astype(np.uint8)


def as_pixels(values: NDArray[np.floating]) -> Pixels:  # type: ignore[type-arg]
    """Rounded and bounded."""
    return np.asarray(np.round(values).clip(0, 255), np.uint8)


def sharpened(pixels: Pixels) -> Pixels:
    """As a phone sharpens: an unsharp mask of a pixel's radius, at full strength."""
    soft = cv2.GaussianBlur(pixels.astype(np.float32), (0, 0), 1.0)
    return jpeg(as_pixels(2.0 * pixels - soft), 90)


def blurred(pixels: Pixels) -> Pixels:
    """Slightly out of focus."""
    return jpeg(as_pixels(cv2.GaussianBlur(pixels.astype(np.float32), (0, 0), 1.5)), 90)


def third(pixels: Pixels) -> Pixels:
    """Through a third of its resolution, and back."""
    return resized(resized(pixels, 1 / 3), 3)


def grainy(pixels: Pixels) -> Pixels:
    """Grain as a look adds it to a portrait, and more: 4 grey values."""
    noise = np.random.default_rng(0).normal(0, 4.0, pixels.shape[:2])[..., None]
    return as_pixels(pixels + noise)


RETOUCHED = {"sharpened": sharpened, "blurred": blurred, "third resolution": third, "grain": grainy}


# ---- what is one


def lighter(by: float) -> Change:
    """The whole face and neck by so many L*."""

    def change(pixels: Pixels, points: Points, person: Array) -> Pixels:
        lab = cv2.cvtColor((pixels / 255).astype(np.float32), cv2.COLOR_RGB2Lab)
        lab[..., 0] += by * skin_mask(pixels, points)
        return as_pixels(255 * cv2.cvtColor(lab, cv2.COLOR_Lab2RGB))

    return change


def lighter_by_gamma(by: float) -> Change:
    """As a gamma curve would do it: middle tones by so many L*, black and white not at all."""

    def curve(values: Array, middle: float, wanted: float) -> Array:
        return np.asarray(values ** (np.log(wanted) / np.log(middle)), np.float32)

    return _by_curve(by, curve)


def lighter_by_gain(by: float) -> Change:
    """As more light would do it: middle tones by so many L*, highlights until they clip."""

    def curve(values: Array, middle: float, wanted: float) -> Array:
        return np.asarray((values**2.2 * (wanted / middle) ** 2.2).clip(0, 1) ** (1 / 2.2), np.float32)

    return _by_curve(by, curve)


def _by_curve(by: float, curve: Callable[[Array, float, float], Array]) -> Change:
    """`curve` takes sRGB 0..1, the face's median green and where that should come to lie."""

    def change(pixels: Pixels, points: Points, person: Array) -> Pixels:
        values, skin = (pixels / 255).astype(np.float32), skin_mask(pixels, points)
        lab = cv2.cvtColor(values, cv2.COLOR_RGB2Lab)
        middle = float(np.median(values[skin > 0.9][:, 1]))
        ahead = cv2.cvtColor((lab + np.array([by, 0, 0], np.float32)), cv2.COLOR_Lab2RGB)
        wanted = float(np.median(ahead[skin > 0.9][:, 1]))
        return as_pixels(255 * (values + skin[..., None] * (curve(values, middle, wanted) - values)))

    return change


def jaw(share: float) -> Change:
    """The lower face wider by that share; nothing above the mouth's corners."""

    def change(pixels: Pixels, points: Points, person: Array) -> Pixels:
        top, chin = points[list(MOUTH_CORNERS), 1].mean(), points[CHIN, 1]
        low = soft_step(top - 0.35 * (chin - top), top + 0.5 * (chin - top))
        until = soft_step(chin + 1.1 * (chin - top), chin + 0.3 * (chin - top))
        return stretched(pixels, points, share, lambda y: low(y) * until(y), 0.75)

    return change


def face(share: float) -> Change:
    """The head wider by that share, from the hairline to the chin and a little beyond."""

    def change(pixels: Pixels, points: Points, person: Array) -> Pixels:
        top, chin = points[HAIRLINE, 1], points[CHIN, 1]
        tall = chin - top
        begins, ends = (
            soft_step(top - 0.5 * tall, top - 0.1 * tall),
            soft_step(chin + 0.6 * tall, chin + 0.1 * tall),
        )
        return stretched(pixels, points, share, lambda y: begins(y) * ends(y), 1.0)

    return change


def eyes(share: float) -> Change:
    """Both eyes larger by that share."""

    def change(pixels: Pixels, points: Points, person: Array) -> Pixels:
        return swollen(pixels, points[list(PUPILS), :2], share, 0.42 * pupil_distance(points))

    return change


def mouth(share: float) -> Change:
    """The mouth larger by that share."""

    def change(pixels: Pixels, points: Points, person: Array) -> Pixels:
        corners = points[list(MOUTH_CORNERS), :2]
        return swollen(pixels, corners.mean(axis=0)[None], share, float(np.hypot(*(corners[1] - corners[0]))))

    return change


def teeth_hidden(pixels: Pixels, points: Points, person: Array) -> Pixels:
    """What lies between the lips in the colour of the lips."""
    lips, inside = ring(pixels, points, LIPS_RING), ring(pixels, points, INNER_LIPS_RING)
    colour = np.median(pixels[lips & ~inside], axis=0)
    soft = cv2.GaussianBlur(inside.astype(np.float32), (0, 0), 0.01 * pupil_distance(points))[..., None]
    return as_pixels(pixels + soft * (colour - pixels))


def smoothed(share: float, grain: float = 0.0) -> Change:
    """Skin as a beauty filter leaves it (twice bilateral, nothing finer than 1 mm), by that share.

    `grain`: deviation of the noise that is then strewn on it, grey values.
    """

    def change(pixels: Pixels, points: Points, person: Array) -> Pixels:
        size = pixels.shape[1::-1]
        small = resized(pixels, 96 / pupil_distance(points))
        soft = cv2.bilateralFilter(cv2.bilateralFilter(small, 0, 22, 3.5), 0, 22, 3.5).astype(np.float32)
        smooth = cv2.resize(soft, size, interpolation=cv2.INTER_CUBIC)
        done = pixels + share * skin_mask(pixels, points)[..., None] * (smooth - pixels)
        noise = np.random.default_rng(0).normal(0, grain, pixels.shape[:2])[..., None]
        return as_pixels(done + noise)

    return change


def swollen(pixels: Pixels, centres: Points, share: float, radius: float) -> Pixels:
    """Larger by that share about each centre (n, 2) px; beyond the radius nothing moves."""
    y, x = np.mgrid[: pixels.shape[0], : pixels.shape[1]].astype(np.float32)
    for centre in centres:
        away = np.hypot(x - centre[0], y - centre[1])
        pull = 1 - share / (1 + share) * np.clip(1 - (away / radius) ** 4, 0, 1) ** 2
        x, y = centre[0] + (x - centre[0]) * pull, centre[1] + (y - centre[1]) * pull
    return np.asarray(
        cv2.remap(pixels, x.astype(np.float32), y.astype(np.float32), cv2.INTER_CUBIC), np.uint8
    )


def cut_hair(share: float) -> Change:
    """Hair and head outside the face, above the mouth, loses that share of its area to the backdrop."""

    def change(pixels: Pixels, points: Points, person: Array) -> Pixels:
        rows = np.arange(pixels.shape[0])[:, None]
        above = rows < points[list(MOUTH_CORNERS), 1].mean()
        head, oval = (person > 0.5) & above, ring(pixels, points, OVAL)
        hair = head & ~oval
        deep = cv2.distanceTransform((head | oval).astype(np.uint8), cv2.DIST_L2, 5)
        if not hair.any():
            return pixels
        gone = hair & (deep <= np.quantile(deep[hair], share))
        backdrop = cv2.inpaint(
            pixels, cv2.dilate((person > 0.1).astype(np.uint8), np.ones((5, 5))), 3, cv2.INPAINT_TELEA
        )
        soft = cv2.GaussianBlur(gone.astype(np.float32), (0, 0), 1.0)[..., None]
        return as_pixels(pixels * (1 - soft) + backdrop * soft)

    return change


def dye(a: float, b: float, lightness: float) -> Change:
    """Hair shifted in Lab."""

    def change(pixels: Pixels, points: Points, person: Array) -> Pixels:
        rows = np.arange(pixels.shape[0])[:, None]
        hair = (person > 0.5) & (rows < points[list(MOUTH_CORNERS), 1].mean()) & ~ring(pixels, points, OVAL)
        hair &= skin_mask(pixels, points) < 0.5
        soft = cv2.GaussianBlur(hair.astype(np.float32), (0, 0), 1.0)
        lab = cv2.cvtColor((pixels / 255).astype(np.float32), cv2.COLOR_RGB2Lab)
        lab += soft[..., None] * np.array([lightness, a, b], np.float32)
        return as_pixels(255 * cv2.cvtColor(lab, cv2.COLOR_Lab2RGB))

    return change


def skin_mask(pixels: Pixels, points: Points) -> Array:
    """Face and upper neck, soft, without the eyes: 0..1 (H, W)."""
    inside = ring(pixels, points, OVAL).astype(np.float32)
    d = pupil_distance(points)
    jaw_points = points[list(LOWER_JAW), :2]
    neck = np.array(
        [jaw_points[0], jaw_points[1], jaw_points[1] + (0, 0.9 * d), jaw_points[0] + (0, 0.9 * d)]
    )
    drawn = cv2.fillPoly(np.zeros(pixels.shape[:2], np.uint8), [np.round(neck).astype(np.int32)], [1.0])
    return np.asarray(cv2.GaussianBlur(np.maximum(inside, drawn), (0, 0), 0.06 * d), np.float32)


def ring(pixels: Pixels, points: Points, which: tuple[int, ...]) -> Mask:
    """Inside those landmarks."""
    corners = np.round(points[list(which), :2]).astype(np.int32)
    return np.asarray(cv2.fillPoly(np.zeros(pixels.shape[:2], np.uint8), [corners], [1.0]) > 0)


def soft_step(start: float, end: float) -> Callable[[Array], Array]:
    """0 at the start, 1 at the end, smooth between."""

    def step(y: Array) -> Array:
        share = ((y - start) / (end - start)).clip(0, 1)
        return np.asarray(share * share * (3 - 2 * share), np.float32)

    return step


def stretched(
    pixels: Pixels, points: Points, share: float, rows: Callable[[Array], Array], reach: float
) -> Pixels:
    """Wider about the midline in those rows; beyond `reach` half widths of the face it fades out."""
    y, x = np.mgrid[: pixels.shape[0], : pixels.shape[1]].astype(np.float32)
    middle = points[[HAIRLINE, CHIN], 0]
    slope = (middle[1] - middle[0]) / (points[CHIN, 1] - points[HAIRLINE, 1])
    centre = middle[0] + slope * (y - points[HAIRLINE, 1])
    half = abs(points[LEFT_CHEEKBONE, 0] - points[RIGHT_CHEEKBONE, 0]) / 2
    away = np.abs(x - centre) / half
    fade = 1 - soft_step(reach * 1.15, reach * 1.15 + 0.9)(away)
    factor = 1 / (1 + share * rows(y) * fade)
    return np.asarray(cv2.remap(pixels, centre + (x - centre) * factor, y, cv2.INTER_CUBIC), np.uint8)


# By measure: name of the change, its sign there, and how it is made.
Drifts = Mapping[str, tuple[tuple[str, int, Change], ...]]
DRIFTS: Drifts = {
    "skin": (
        ("+3 L*", 1, lighter(3)),
        ("+6 L*", 1, lighter(6)),
        ("-6 L*", -1, lighter(-6)),
        ("+6 L*, gamma", 1, lighter_by_gamma(6)),
        ("-6 L*, gamma", -1, lighter_by_gamma(-6)),
        ("+6 L*, gain", 1, lighter_by_gain(6)),
        ("-6 L*, gain", -1, lighter_by_gain(-6)),
        ("+9 L*", 1, lighter(9)),
    ),
    "jaw": (
        ("-3 %", -1, jaw(-0.03)),
        ("-5 %", -1, jaw(-0.05)),
        ("+5 %", 1, jaw(0.05)),
        ("-8 %", -1, jaw(-0.08)),
    ),
    "face": (("-5 %", -1, face(-0.05)), ("+5 %", 1, face(0.05))),
    "eyes": (("+10 %", 1, eyes(0.10)), ("+5 %", 1, eyes(0.05))),
    "mouth": (("+10 %", 1, mouth(0.10)), ("-10 %", -1, mouth(-0.10))),
    "teeth": (("hidden", -1, teeth_hidden),),
    "smoothing": (
        ("retouched", 1, smoothed(1.0)),
        ("half retouched", 1, smoothed(0.5)),
        ("retouched, grain added", 1, smoothed(1.0, 4.0)),
    ),
    "hair": (("30 % cut", 0, cut_hair(0.3)),),
    "hair_colour": (("recoloured", 0, dye(12, 18, 10)),),
}
