"""Face and look to plate: the sitter's own photograph, cut out, lit and framed as the look says.

The light changes how bright a pixel is, equally in all three channels, never its hue: skin keeps its colour.
Canvas arrays are float32 0..1 in sRGB's encoding, where the matte was made. The same cut-out, look and
canvas give the same pixels: what looks like chance is seeded by the look's name.
"""

import threading
import zlib
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pipelines import backdrop, matte
from pipelines.face import Face
from pipelines.look import Framing, Light, Look
from pipelines.matte import Array, Cutout, blurred, ramp, sized
from pipelines.pose import framing_matrix

__all__ = ["Cutout", "Plate", "Studio", "plate"]

LIGHT_STEP = 8  # the light is smooth: worked out on every eighth pixel
HEAD, SHOULDERS = 1.6, 3.4  # half widths that the light bends round, d
FALL = (3.4, 4.2)  # where the lamp's cone ends, d across and down


@dataclass(frozen=True, eq=False)
class Plate:
    """The visitor's own photograph on a new backdrop."""

    pixels: NDArray[np.uint8]  # (H, W, 3) sRGB
    alpha: Array  # (H, W) 0..1, share of sitter
    matrix: Array  # (2, 3), photo px to canvas px

    def __post_init__(self) -> None:
        for array in (self.pixels, self.alpha, self.matrix):
            array.setflags(write=False)


class Studio:
    """Cuts sitters out. Builds MediaPipe's graphs at the first use; one selfie at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._segmenter: matte.Segmenter | None = None

    def __enter__(self) -> "Studio":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the graphs back; the next `cut_out` builds them again."""
        with self._lock:
            if self._segmenter:
                self._segmenter.close()
            self._segmenter = None

    def cut_out(self, face: Face) -> Cutout:
        """The sitter without the room. Once a selfie: every look takes the same cut-out."""
        with self._lock:
            self._segmenter = self._segmenter or matte.Segmenter()
            return matte.cut_out(face, self._segmenter)


@dataclass(frozen=True, eq=False)
class Sitter:
    """The cut-out, set on the canvas."""

    colours: Array  # (H, W, 3)
    alpha: Array  # (H, W)
    pupils: Array  # (2,) middle between them, px
    chin: Array  # (2,) px
    d: float  # distance of the pupils, px


def plate(cutout: Cutout, look: Look, canvas: tuple[int, int], framing: Framing | None = None) -> Plate:
    """The plate for a canvas (width, height) in px; `framing` replaces the look's."""
    matrix = framing_matrix(cutout.face, framing or look.framing, canvas)
    sitter = placed(cutout, matrix, canvas)
    ground = ground_of(look, sitter, canvas)
    lit = sitter.colours * gain(look.light, sitter)
    lit = edges(lit, ground, look.light, sitter)
    ground = ground + grain(sitter, look.name)[..., None]
    pixels = ground + sitter.alpha[..., None] * (lit - ground)
    return Plate(np.round(pixels.clip(0, 1) * 255).astype(np.uint8), sitter.alpha, matrix)


def placed(cutout: Cutout, matrix: Array, canvas: tuple[int, int]) -> Sitter:
    """The sitter on the canvas, carried on softly where the photo ends too early."""
    width, height = canvas
    linear = matrix[:, :2].astype(np.float64)
    scale = float(np.sqrt(np.linalg.det(linear)))
    corners = np.array([[0, 0], [width, 0], [0, height], [width, height]]) - matrix[:, 2]
    corners = corners @ np.linalg.inv(linear).T
    low, high = np.floor(corners.min(axis=0)).astype(int) - 2, np.ceil(corners.max(axis=0)).astype(int) + 3
    size = np.array(cutout.alpha.shape[::-1])
    start, end = np.clip(low, 0, size - 1), np.clip(high, 1, size)
    inside = slice(start[1], end[1]), slice(start[0], end[0])
    colours, alpha = cutout.foreground[inside], cutout.alpha[inside]
    shrink = min(1.0, scale)
    if shrink < 1:
        shape = tuple(max(1, round(n * shrink)) for n in alpha.shape)
        colours, alpha = sized(colours, shape), sized(alpha, shape)
    share = np.array(alpha.shape[::-1]) / (end - start)
    site = matte.Site(
        (cutout.face.landmarks[:, :2] - start).astype(np.float32), cutout.face.pupil_distance
    ).at(float(share.mean()))
    before, after = np.ceil((start - low) * share).astype(int), np.ceil((high - end) * share).astype(int)
    if before.any() or after.any():
        colours, alpha = extended(colours, alpha, site, (before, after))
    # photo px p = start + (q - before + .5) / share - .5 for a pixel q of the padded picture
    back = np.column_stack([linear / share, linear @ (start + (0.5 - before) / share - 0.5) + matrix[:, 2]])
    how = cv2.INTER_CUBIC if scale > 1 else cv2.INTER_LINEAR
    colours = cv2.warpAffine(colours, back, canvas, flags=how, borderMode=cv2.BORDER_REPLICATE)
    alpha = cv2.warpAffine(alpha, back, canvas, flags=how, borderMode=cv2.BORDER_REPLICATE).clip(0, 1)
    points = cutout.face.landmarks[:, :2] @ matrix[:, :2].T + matrix[:, 2]
    pupils = points[[468, 473]]
    return Sitter(
        colours.astype(np.float32) / 255,
        alpha,
        pupils.mean(axis=0),
        points[152],
        float(np.hypot(*(pupils[1] - pupils[0]))),
    )


def extended(
    colours: NDArray[np.uint8],
    alpha: Array,
    site: matte.Site,
    pads: tuple[NDArray[np.int_], NDArray[np.int_]],
) -> tuple[NDArray[np.uint8], Array]:
    """The sitter beyond the photo's edge: shoulders fall on, clothes run on, a cut crown is rounded off."""
    height, width = alpha.shape
    (left, top), (right, bottom) = pads
    x, y = np.arange(-left, width + right), np.arange(-top, height + bottom)
    trim = max(2, round(0.05 * site.d))  # segmentation is unsure in the last pixels of a picture
    column = x.clip(trim if left else 0, width - 1 - (trim if right else 0))
    row = y.clip(trim if top else 0, height - 1 - (trim if bottom else 0))
    hair = np.where(y < row, trim + to_and_fro(row - y, 0.12 * site.d), row)  # a crown repeats its upper hair
    columns = np.ascontiguousarray(np.broadcast_to(column.astype(np.float32), (y.size, x.size)))
    fall = shoulder_fall(alpha, column, np.abs(x - column), site)
    rows = (hair[:, None] - fall).clip(0, height - 1).astype(np.float32)
    inset = np.minimum(x - trim if left else np.inf, width - 1 - trim - x if right else np.inf)
    longer = cv2.remap(alpha, columns, rows, cv2.INTER_LINEAR) * fade(site, x, y, row, inset)
    if top:
        longer = np.where(y[:, None] < trim, crown(alpha, site, x, y[:, None], trim), longer)
    drawn = cv2.remap(colours, columns, rows, cv2.INTER_LINEAR)
    # cloth and hair have a weave: what is mirrored inside lends its finest detail, but no button or badge
    weave = colours[mirrored(y, row)][:, mirrored(x, column)]
    weave = (weave.astype(np.float32) - softened(weave, 0.03 * site.d)).clip(-5, 5)
    beyond = np.maximum(np.abs(x - column), np.abs(y - row)[:, None])
    share = ramp(beyond, 0, 0.15 * site.d)[..., None].astype(np.float32)
    drawn = drawn + share * (softened(drawn, 0.05 * site.d) + weave - drawn)
    return drawn.clip(0, 255).astype(np.uint8), longer.astype(np.float32)


def fade(
    site: matte.Site, x: NDArray[np.int_], y: NDArray[np.int_], row: NDArray[np.int_], inset: Array
) -> Array:
    """How much of the sitter stays near and beyond the photo's edge, `inset` px inside its sides.

    Clothes run on and then fade, as in old vignettes: the further, the more of the chest the photo shows.
    Hair is not carried on: it ends softly inside.
    """
    chin, d = site.points[matte.CHIN], site.d
    end = 1.2 * ramp((row[-1] - chin[1]) / d, 0.6, 1.8) * d - 0.3 * d
    below = y[:, None] - row[-1] + 0.1 * (x - chin[0]) ** 2 / d  # a bust: the shoulders end higher
    down = 1 - eased(below, end, end + 0.8 * d) * (y[-1] > row[-1])
    low = ramp(y[:, None], chin[1] + 0.1 * d, chin[1] + 0.6 * d)
    hair, clothes = eased(inset, 0, 0.25 * d), 1 - eased(-inset, 0.6 * d, 1.6 * d)
    return np.asarray(down * (hair + low * (clothes - hair)), np.float32)


def eased(value: Any, start: float, end: float) -> Any:
    """0 at `start`, 1 at `end`, with soft ends."""
    share = ramp(value, start, end)
    return share**2 * (3 - 2 * share)


def softened(picture: NDArray[np.uint8], sigma_px: float) -> Array:
    """A wide blur, worked out on a smaller picture: float32 (H, W, 3), 0..255."""
    step = max(1, int(sigma_px / 3))
    small = sized(picture.astype(np.float32), tuple(-(-n // step) for n in picture.shape[:2]))
    return np.asarray(cv2.resize(blurred(small, max(0.5, sigma_px / step)), picture.shape[1::-1]), np.float32)


def to_and_fro(distance: NDArray[np.int_], depth: float) -> NDArray[np.int_]:
    """0, 1, .. depth, .. 1, 0, 1, ..: steps that turn back at `depth`."""
    turn = max(1, round(depth))
    return np.asarray(turn - np.abs(distance % (2 * turn) - turn))


def mirrored(at: NDArray[np.int_], kept: NDArray[np.int_]) -> NDArray[np.int_]:
    """Where to look for `at` when only `kept` exists: as far inside as it is outside."""
    return (2 * kept - at).clip(kept.min(), kept.max())


def shoulder_fall(
    alpha: Array, column: NDArray[np.int_], beside: NDArray[np.int_], site: matte.Site
) -> Array:
    """How far the shoulder has fallen `beside` px from `column`: it goes on as it fell, a little steeper."""
    low = int(np.clip(site.points[matte.CHIN, 1] + 0.1 * site.d, 0, alpha.shape[0] - 1))
    inside = alpha[low:] > 0.5
    line = np.where(inside.any(axis=0), inside.argmax(axis=0), np.nan)
    step = max(1, round(0.15 * site.d))
    inward = np.where(column < line.size / 2, column + step, column - step).clip(0, line.size - 1)
    slope = np.nan_to_num((line[column] - line[inward]) / step).clip(0, 4)
    return np.asarray(np.where(beside > 0, slope * beside + 0.15 * beside**2 / site.d, 0), np.float32)


def crown(alpha: Array, site: matte.Site, x: NDArray[np.int_], y: NDArray[np.int_], top: int) -> Array:
    """Alpha of a head that the photo's edge cut at the row `top`: the rest of an ellipse through it."""
    middle = site.points[[468, 473]].mean(axis=0)
    spans = [_span(row, middle[0]) for row in alpha[top : max(top + 1, int(middle[1]))]]
    if middle[1] <= top or spans[0] is None:
        return np.zeros((y.size, x.size), np.float32)
    centre, half = spans[0]
    widest = max(1.02 * half, *(span[1] for span in spans if span))
    down = middle[1] - top  # the ellipse's centre is between the pupils
    tall = np.clip(
        down / np.sqrt(1 - (half / widest) ** 2), down + 0.05 * site.d, max(2.1 * site.d, 1.1 * down)
    )
    widest = half / np.sqrt(1 - (down / tall) ** 2)
    edge = widest * np.sqrt((1 - ((middle[1] - y) / tall) ** 2).clip(0)) - np.abs(x - centre)
    return np.asarray(ramp(edge, 0, 0.06 * site.d), np.float32)


def _span(row: Array, x: float) -> tuple[float, float] | None:
    """Middle and half width of the run of sitter round x, if there is one."""
    inside = row > 0.5
    at = int(np.clip(x, 0, row.size - 1))
    if not inside[at]:
        return None
    gaps = np.flatnonzero(~inside)
    left = gaps[gaps < at].max(initial=-1)
    right = gaps[gaps > at].min(initial=row.size)
    return (left + right) / 2, (right - left) / 2


def gain(light: Light, sitter: Sitter) -> Array:
    """How much brighter each pixel gets, (H, W, 1): the same for red, green and blue.

    The key lamp falls on an upright round body (Lambert on a cylinder: the mesh's own normals made noses
    muddy), the fill lightens what it leaves. The face as a whole keeps its brightness.
    """
    height, width = sitter.alpha.shape
    x = np.arange(0, width, LIGHT_STEP, dtype=np.float32)
    y = np.arange(0, height, LIGHT_STEP, dtype=np.float32)[:, None]
    key = np.radians(light.key)
    low = ramp(y, sitter.chin[1] - 0.2 * sitter.d, sitter.chin[1] + 0.9 * sitter.d)
    round_ = ((x - sitter.pupils[0]) / (sitter.d * (HEAD + (SHOULDERS - HEAD) * low))).clip(-1, 1)
    lambert = np.maximum(0, np.cos(key) * np.sqrt(1 - round_**2) - np.sin(key) * round_)
    lit = (light.fill + (1 - light.fill) * lambert) ** (1 / 2.2)  # light adds up before the encoding
    away = np.hypot(
        (x - sitter.pupils[0] + 0.6 * np.sin(key) * sitter.d) / (FALL[0] * sitter.d),
        (y - sitter.pupils[1]) / (FALL[1] * sitter.d),
    )
    lit = lit * (1 - 0.45 * (1 - light.fill) * ramp(away, 0.2, 1.3) ** 1.3)
    face = (np.abs(x - sitter.pupils[0]) < sitter.d) & (
        np.abs(y - sitter.pupils[1] - 0.4 * sitter.d) < sitter.d
    )
    lit = blurred(lit.astype(np.float32), max(0.6, 0.25 * sitter.d / LIGHT_STEP))
    if face.any():
        lit = lit / np.percentile(lit[face], 70) * 1.03
    smooth = cv2.resize(lit, (width, height), interpolation=cv2.INTER_LINEAR)
    room = 1 - ramp(sitter.colours.max(axis=2), 0.75, 1.0)  # highlights are not lifted
    return np.asarray(np.where(smooth > 1, 1 + (smooth - 1) * room, smooth), np.float32)[..., None]


def edges(lit: Array, ground: Array, light: Light, sitter: Sitter) -> Array:
    """Backdrop light that bleeds round the outline, and the rim lamp: thin, so that nothing looks pasted."""
    sigma = max(1.2, 0.025 * sitter.d)
    rim = (1 - blurred(sitter.alpha, sigma))[..., None]
    lit = lit + light.wrap * rim * (blurred(ground, sigma) - lit)
    if light.rim:
        outline = (1 - blurred(sitter.alpha, 1.5 * sigma))[..., None]
        lit = lit + light.rim * outline * (1 - lit)
    return np.asarray(lit, np.float32)


def grain(sitter: Sitter, name: str) -> Array:
    """The photo's own noise, taken from the forehead, for the backdrop: (H, W)."""
    half, (x, y) = max(2, round(0.4 * sitter.d)), sitter.pupils - (0, 0.75 * sitter.d)
    patch = sitter.colours[
        max(0, int(y - half / 2)) : int(y + half / 2), max(0, int(x - half)) : int(x + half), 1
    ]
    sigma = 0.003
    if patch.size > 16:
        rest = patch - cv2.medianBlur(np.ascontiguousarray(patch), 5)
        sigma = float(np.clip(1.3 * 1.4826 * np.median(np.abs(rest)), 0.003, 0.015))
    noise = np.random.default_rng(seed(name)).standard_normal(sitter.alpha.shape, np.float32)
    return 0.5 * sigma * noise


def seed(name: str) -> int:
    """The same number for the same look, on every machine."""
    return zlib.crc32(name.encode())


def ground_of(look: Look, sitter: Sitter, canvas: tuple[int, int]) -> Array:
    """What stands behind the sitter, with the sitter's shadow on it: (H, W, 3)."""
    small = backdrop.drawn(look.backdrop, sitter.pupils / canvas, np.random.default_rng(seed(look.name)))
    ground = cv2.resize(small, canvas, interpolation=cv2.INTER_CUBIC)
    if look.backdrop.shadow:
        ground = ground * (1 - look.backdrop.shadow * shadow(sitter, look.light.key))[..., None]
    return np.asarray(ground, np.float32)


def shadow(sitter: Sitter, key: float) -> Array:
    """The sitter's soft shadow, away from the key lamp: (H, W) 0..1."""
    step = LIGHT_STEP
    small = sitter.alpha[::step, ::step]
    shift = np.array(
        [[1, 0, np.sign(key) * 0.18 * sitter.d / step], [0, 1, 0.12 * sitter.d / step]], np.float32
    )
    moved = cv2.warpAffine(small, shift, small.shape[::-1], borderMode=cv2.BORDER_REPLICATE)
    soft = blurred(moved, max(0.6, 0.4 * sitter.d / step))
    return np.asarray(cv2.resize(soft, sitter.alpha.shape[::-1], interpolation=cv2.INTER_LINEAR), np.float32)
