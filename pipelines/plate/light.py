"""The lamps on a sitter: key and fill, rim, the shadow on the backdrop, and the grain that joins both.

The light changes how bright a pixel is, equally in all three channels, never its hue: skin keeps its colour.
Canvas arrays are float32 0..1 in sRGB's encoding, where the matte was made; lengths are in pupil distances d
unless they end in `_px`. The constants were chosen by eye on 26 portraits.
"""

import zlib
from dataclasses import dataclass

import cv2
import numpy as np

from pipelines.arrays import Array
from pipelines.look import Light
from pipelines.plate.masks import Site, blur, linear_step

LIGHT_STEP = 8  # the light is smooth: worked out on every eighth pixel
HEAD, SHOULDERS = 1.6, 3.4  # half widths that the light bends round, d
FALL = (3.4, 4.2)  # where the lamp's cone ends, d across and down
FALL_START, FALL_END, FALL_POWER = (
    0.2,
    1.3,
    1.3,
)  # from where in the cone on light falls off, to where, how fast
MOST_FALL = 0.45  # of the light that is gone at the cone's end, where nothing fills
CONE_SHIFT = 0.6  # d that the cone's middle lies towards the lamp
LAMP_SIGMA = 0.25  # blur of the light: a lamp has a size, d
NECK = (-0.2, 0.9)  # from above the chin to below it the body widens from head to shoulders, d
FACE_LEVEL, FACE_PERCENTILE = 1.03, 70  # what the light on the face comes to, and what stands for it there
HIGHLIGHT = (0.75, 1.0)  # brightest channel from which light is no longer lifted, to where not at all
RIM_SIGMA, LEAST_RIM_PX = 0.025, 1.2  # width of the rim, d, and at least
RIM_SPREAD = 1.5  # times that, for the rim lamp; once for the wrap
SHADOW_SHIFT, SHADOW_SIGMA = (0.18, 0.12), 0.4  # across and down, and blur, d
LEAST_SIGMA = 0.6  # px; a narrower gaussian is none
LEAST_GRAIN, MOST_GRAIN, GRAIN_SHARE = 0.003, 0.015, 0.5  # of a photo, 0..1; how much of it the backdrop gets
MEDIAN_LOSS = 1.3  # a 5 px median follows some of the noise: what remains is so much too small


@dataclass(frozen=True, eq=False)
class PlacedSitter:
    """The cut-out, set on the canvas."""

    colours: Array  # (H, W, 3)
    alpha: Array  # (H, W)
    site: Site


def light_gain(light: Light, sitter: PlacedSitter) -> Array:
    """How much brighter each pixel gets, (H, W): the same for red, green and blue.

    The key lamp falls on an upright round body (Lambert on a cylinder: the mesh's own normals made noses
    muddy), the fill lightens what it leaves. The face as a whole keeps its brightness.
    """
    height, width = sitter.alpha.shape
    d, key = sitter.site.d, np.radians(light.key)
    x = np.arange(0, width, LIGHT_STEP, dtype=np.float32) - sitter.site.eyes[0]
    y = np.arange(0, height, LIGHT_STEP, dtype=np.float32)[:, None] - sitter.site.eyes[1]
    chin = sitter.site.chin[1] - sitter.site.eyes[1]
    low = linear_step(y, chin + NECK[0] * d, chin + NECK[1] * d)
    across = (x / (d * (HEAD + (SHOULDERS - HEAD) * low))).clip(-1, 1)
    lambert = np.maximum(0, np.cos(key) * np.sqrt(1 - across**2) - np.sin(key) * across)
    lit = (light.fill + (1 - light.fill) * lambert) ** (1 / 2.2)  # light adds up before the encoding
    away = np.hypot((x + CONE_SHIFT * np.sin(key) * d) / (FALL[0] * d), y / (FALL[1] * d))
    lit = lit * (1 - MOST_FALL * (1 - light.fill) * linear_step(away, FALL_START, FALL_END) ** FALL_POWER)
    lit = blur(lit.astype(np.float32), max(LEAST_SIGMA, LAMP_SIGMA * d / LIGHT_STEP))
    face = (np.abs(x) < d) & (np.abs(y - 0.4 * d) < d)
    if face.any():
        lit = lit / np.percentile(lit[face], FACE_PERCENTILE) * FACE_LEVEL
    smooth = cv2.resize(lit.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    red, green, blue = cv2.split(sitter.colours)
    room = 1 - linear_step(cv2.max(cv2.max(red, green), blue), *HIGHLIGHT)  # highlights are not lifted
    return np.asarray(np.minimum(smooth, 1 + (smooth - 1) * room), np.float32)


def add_rim_light(lit: Array, light: Light, sitter: PlacedSitter) -> Array:
    """How much of the sitter covers the backdrop, (H, W); the rim lamp's light is added to `lit`.

    Backdrop light bleeds round the outline (wrap), so thinly that nothing looks pasted.
    """
    sigma = max(LEAST_RIM_PX, RIM_SIGMA * sitter.site.d)
    if light.rim:
        outline = light.rim * (1 - blur(sitter.alpha, RIM_SPREAD * sigma))
        lit += outline[..., None] * (1 - lit)
    return np.asarray(sitter.alpha * (1 - light.wrap * (1 - blur(sitter.alpha, sigma))), np.float32)


def grain(sitter: PlacedSitter, name: str) -> Array:
    """The photo's own noise, taken from the forehead, for the backdrop: (H, W)."""
    half, (x, y) = max(2, round(0.4 * sitter.site.d)), sitter.site.eyes - (0, 0.75 * sitter.site.d)
    patch = sitter.colours[
        max(0, int(y - half / 2)) : int(y + half / 2), max(0, int(x - half)) : int(x + half), 1
    ]
    sigma = LEAST_GRAIN
    if patch.size > 16:
        rest = patch - cv2.medianBlur(np.ascontiguousarray(patch), 5)
        sigma = float(np.clip(MEDIAN_LOSS * 1.4826 * np.median(np.abs(rest)), LEAST_GRAIN, MOST_GRAIN))
    noise = np.random.default_rng(look_seed(name)).standard_normal(sitter.alpha.shape, np.float32)
    return GRAIN_SHARE * sigma * noise


def shadow(sitter: PlacedSitter, key: float) -> Array:
    """The sitter's soft shadow, away from the key lamp: (H, W) 0..1."""
    step = LIGHT_STEP
    small = sitter.alpha[::step, ::step]
    shift = np.array(
        [
            [1, 0, np.sign(key) * SHADOW_SHIFT[0] * sitter.site.d / step],
            [0, 1, SHADOW_SHIFT[1] * sitter.site.d / step],
        ],
        np.float32,
    )
    moved = cv2.warpAffine(small, shift, small.shape[::-1], borderMode=cv2.BORDER_REPLICATE)
    soft = blur(moved, max(LEAST_SIGMA, SHADOW_SIGMA * sitter.site.d / step))
    return np.asarray(cv2.resize(soft, sitter.alpha.shape[::-1], interpolation=cv2.INTER_LINEAR), np.float32)


def look_seed(name: str) -> int:
    """The same number for the same look, on every machine."""
    return zlib.crc32(name.encode())
