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

from pipelines.draw.pose_map import framing_matrix
from pipelines.look import Framing, Light, Look
from pipelines.plate import backdrop
from pipelines.plate.masks import Array, Segmenter, Site, blurred, eased, ramp, sized
from pipelines.plate.matte import Cutout, cut_out
from pipelines.selfie.face import Face, require_good

__all__ = ["Cutout", "Plate", "Studio", "plate"]

LIGHT_STEP = 8  # the light is smooth: worked out on every eighth pixel
HEAD, SHOULDERS = 1.6, 3.4  # half widths that the light bends round, d
FALL = (3.4, 4.2)  # where the lamp's cone ends, d across and down


Pads = NDArray[np.int_]


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
        self._segmenter: Segmenter | None = None

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
        """The sitter without the room. Once a selfie: every look takes the same cut-out.

        Raises `PhotoError` with the verdict's key where no face could be measured.
        """
        if not np.isfinite(face.pupils).all():
            require_good(face)
        with self._lock:
            self._segmenter = self._segmenter or Segmenter()
            return cut_out(face, self._segmenter)


@dataclass(frozen=True, eq=False)
class Sitter:
    """The cut-out, set on the canvas."""

    colours: Array  # (H, W, 3)
    alpha: Array  # (H, W)
    site: Site


def plate(cutout: Cutout, look: Look, canvas: tuple[int, int], framing: Framing | None = None) -> Plate:
    """The plate for a canvas (width, height) in px; `framing` replaces the look's."""
    matrix = framing_matrix(cutout.face, framing or look.framing, canvas)
    sitter = placed(cutout, matrix, canvas)
    ground = ground_of(look, sitter, canvas)
    lit = sitter.colours * gain(look.light, sitter)[..., None]
    share = outlined(lit, look.light, sitter)
    lit -= ground
    lit *= share[..., None]
    ground += grain(sitter, look.name)[..., None]
    lit += ground
    return Plate(cv2.convertScaleAbs(lit, alpha=255), sitter.alpha, matrix)


def placed(cutout: Cutout, matrix: Array, canvas: tuple[int, int]) -> Sitter:
    """The sitter on the canvas, carried on softly where the photo ends too early."""
    linear, shift = matrix[:, :2].astype(np.float64), matrix[:, 2]
    scale = float(np.sqrt(np.linalg.det(linear)))
    corners = np.array([[0, 0], [canvas[0], 0], [0, canvas[1]], canvas]) - shift
    corners = corners @ np.linalg.inv(linear).T
    low, high = np.floor(corners.min(axis=0)).astype(int) - 2, np.ceil(corners.max(axis=0)).astype(int) + 3
    size = np.array(cutout.alpha.shape[::-1])
    start, end = np.clip(low, 0, size - 1), np.clip(high, 1, size)
    inside = slice(start[1], end[1]), slice(start[0], end[0])
    colours, alpha = cutout.foreground[inside], cutout.alpha[inside]
    if scale < 1:
        shape = tuple(max(1, round(n * scale)) for n in alpha.shape)
        colours, alpha = sized(colours, shape), sized(alpha, shape)
    share = np.array(alpha.shape[::-1]) / (end - start)
    before, after = np.ceil((start - low) * share).astype(int), np.ceil((high - end) * share).astype(int)
    if before.any() or after.any():
        near = Site((cutout.face.landmarks[:, :2] - start).astype(np.float32), cutout.face.pupil_distance)
        site = near.at(float(share.mean()))
        colours, alpha = extended(colours, alpha, site, before, after)
    # photo px p = start + (q - before + .5) / share - .5 for a pixel q of the extended picture
    back = np.column_stack([linear / share, linear @ (start + (0.5 - before) / share - 0.5) + shift])
    how = cv2.INTER_CUBIC if scale > 1 else cv2.INTER_LINEAR
    turned, cover = (
        cv2.warpAffine(layer, back, canvas, flags=how, borderMode=cv2.BORDER_REPLICATE)
        for layer in (colours, alpha)
    )
    points = (cutout.face.landmarks[:, :2] @ linear.T + shift).astype(np.float32)
    site = Site(points, cutout.face.pupil_distance * scale)
    return Sitter(turned.astype(np.float32) * np.float32(1 / 255), cover.clip(0, 1), site)


def extended(
    colours: NDArray[np.uint8], alpha: Array, site: Site, before: Pads, after: Pads
) -> tuple[NDArray[np.uint8], Array]:
    """The sitter with room around: `before` (left, top) and `after` (right, bottom) px.

    Beyond the photo's edge shoulders fall on, clothes run on and fade, a cut crown is rounded off.
    """
    height, width = alpha.shape
    (left, top), (right, bottom) = (int(before[0]), int(before[1])), (int(after[0]), int(after[1]))
    trim = max(2, round(0.05 * site.d))  # segmentation is unsure in the last pixels of a picture
    first = trim if left else 0, trim if top else 0
    last = width - 1 - (trim if right else 0), height - 1 - (trim if bottom else 0)
    x = np.arange(-left, width + right, dtype=np.float32)
    y = np.arange(-top, height + bottom, dtype=np.float32)
    wider = cv2.copyMakeBorder(colours, top, bottom, left, right, cv2.BORDER_REPLICATE)
    longer = cv2.copyMakeBorder(alpha, top, bottom, left, right, cv2.BORDER_CONSTANT, value=0)
    everything = slice(None)
    for rows, columns in (
        (slice(0, top + first[1]), everything),
        (slice(top + last[1] + 1, None), everything),
        (everything, slice(0, left + first[0])),
        (everything, slice(left + last[0] + 1, None)),
    ):
        if x[columns].size and y[rows].size:
            strip = carried_on(colours, alpha, site, x[columns], y[rows], (first, last))
            wider[rows, columns], longer[rows, columns] = strip
    if top:
        above = y[:, None] < trim
        longer = np.where(above, crown(alpha, site, x, y[:, None], trim), longer)
    inset = np.minimum(x - first[0] if left else np.inf, last[0] - x if right else np.inf)
    return wider, longer * fade(site, x, y, last[1] if bottom else height + 1, inset)


def carried_on(
    colours: NDArray[np.uint8],
    alpha: Array,
    site: Site,
    x: Array,
    y: Array,
    kept: tuple[tuple[int, int], tuple[int, int]],
) -> tuple[NDArray[np.uint8], Array]:
    """A strip of the sitter at the places x (W,), y (H,) outside what is `kept` of the photo."""
    (left, top), (right, bottom) = kept
    column, row = x.clip(left, right), y.clip(top, bottom)
    hair = np.where(y < top, top + to_and_fro(top - y, 0.12 * site.d), row)  # a crown repeats its upper hair
    fall = shoulder_fall(alpha, column.astype(int), np.abs(x - column), site)
    rows = (hair[:, None] - fall).clip(0, alpha.shape[0] - 1).astype(np.float32)
    columns = np.ascontiguousarray(np.broadcast_to(column, rows.shape))
    drawn = cv2.remap(colours, columns, rows, cv2.INTER_LINEAR)
    # cloth and hair have a weave: what is mirrored inside lends its finest detail, but no button or badge
    mirrored_rows = (2 * row - y).clip(top, bottom).astype(int)
    weave = colours[mirrored_rows][:, (2 * column - x).clip(left, right).astype(int)]
    weave = (weave.astype(np.float32) - softened(weave, 0.03 * site.d)).clip(-5, 5)
    beyond = np.maximum(np.abs(x - column), np.abs(y - row)[:, None])
    share = ramp(beyond, 0, 0.15 * site.d)[..., None]
    drawn = drawn + share * (softened(drawn, 0.05 * site.d) + weave - drawn)
    return drawn.clip(0, 255).astype(np.uint8), cv2.remap(alpha, columns, rows, cv2.INTER_LINEAR)


def fade(site: Site, x: Array, y: Array, bottom: int, inset: Array) -> Array:
    """How much of the sitter stays near the photo's edge: its `bottom`, and `inset` px inside its sides.

    Clothes run on and then fade, as in old vignettes: the further, the more of the chest the photo shows.
    Hair is not carried on: it ends softly inside.
    """
    chin, d = site.chin, site.d
    chest = ramp((bottom - chin[1]) / d, 0.6, 1.8)
    end = (1.2 * chest - 0.3) * d
    down: Any = np.float32(1)
    if y[-1] > bottom:
        bust = (0.1 - 0.07 * chest) * (x - chin[0]) ** 2 / d  # the shoulders end higher
        below = (y - bottom)[:, None] + bust
        down = 1 - eased(below, end, end + 0.8 * d)
    if not np.isfinite(inset).any():
        return np.asarray(down, np.float32)
    low = ramp(y[:, None], chin[1] - 0.1 * d, chin[1] + 0.15 * d)
    hair, clothes = eased(inset, 0, 0.25 * d), 1 - eased(-inset, 0.6 * d, 1.6 * d)
    return np.asarray(down * (hair + low * (clothes - hair)), np.float32)


def softened(picture: NDArray[np.uint8], sigma_px: float) -> Array:
    """A wide blur, worked out on a smaller picture: float32 (H, W, 3), 0..255."""
    step = max(1, int(sigma_px / 3))
    small = sized(picture.astype(np.float32), tuple(-(-n // step) for n in picture.shape[:2]))
    return np.asarray(cv2.resize(blurred(small, max(0.5, sigma_px / step)), picture.shape[1::-1]), np.float32)


def to_and_fro(distance: Array, depth: float) -> Array:
    """0, 1, .. depth, .. 1, 0, 1, ..: steps that turn back at `depth`."""
    turn = max(1, round(depth))
    return np.asarray(turn - np.abs(distance % (2 * turn) - turn), np.float32)


def shoulder_fall(alpha: Array, column: NDArray[np.int_], beside: Array, site: Site) -> Array:
    """How far the shoulder has fallen `beside` px from `column`: it goes on as it fell, a little steeper."""
    low = int(np.clip(site.chin[1] + 0.1 * site.d, 0, alpha.shape[0] - 1))
    inside = alpha[low:] > 0.5
    line = np.where(inside.any(axis=0), inside.argmax(axis=0), np.nan)
    step = max(1, round(0.15 * site.d))
    inward = np.where(column < line.size / 2, column + step, column - step).clip(0, line.size - 1)
    slope = np.nan_to_num((line[column] - line[inward]) / step).clip(0, 4)
    return np.asarray(np.where(beside > 0, slope * beside + 0.15 * beside**2 / site.d, 0), np.float32)


def crown(alpha: Array, site: Site, x: Array, y: Array, top: int) -> Array:
    """Alpha of a head that the photo's edge cut at the row `top`: the rest of an ellipse through it."""
    middle = site.eyes
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
    """How much brighter each pixel gets, (H, W): the same for red, green and blue.

    The key lamp falls on an upright round body (Lambert on a cylinder: the mesh's own normals made noses
    muddy), the fill lightens what it leaves. The face as a whole keeps its brightness.
    """
    height, width = sitter.alpha.shape
    d, key = sitter.site.d, np.radians(light.key)
    x = np.arange(0, width, LIGHT_STEP, dtype=np.float32) - sitter.site.eyes[0]
    y = np.arange(0, height, LIGHT_STEP, dtype=np.float32)[:, None] - sitter.site.eyes[1]
    chin = sitter.site.chin[1] - sitter.site.eyes[1]
    low = ramp(y, chin - 0.2 * d, chin + 0.9 * d)
    across = (x / (d * (HEAD + (SHOULDERS - HEAD) * low))).clip(-1, 1)
    lambert = np.maximum(0, np.cos(key) * np.sqrt(1 - across**2) - np.sin(key) * across)
    lit = (light.fill + (1 - light.fill) * lambert) ** (1 / 2.2)  # light adds up before the encoding
    away = np.hypot((x + 0.6 * np.sin(key) * d) / (FALL[0] * d), y / (FALL[1] * d))
    lit = lit * (1 - 0.45 * (1 - light.fill) * ramp(away, 0.2, 1.3) ** 1.3)
    lit = blurred(lit.astype(np.float32), max(0.6, 0.25 * d / LIGHT_STEP))
    face = (np.abs(x) < d) & (np.abs(y - 0.4 * d) < d)
    if face.any():
        lit = lit / np.percentile(lit[face], 70) * 1.03
    smooth = cv2.resize(lit.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    red, green, blue = cv2.split(sitter.colours)
    room = 1 - ramp(cv2.max(cv2.max(red, green), blue), 0.75, 1.0)  # highlights are not lifted
    return np.asarray(np.minimum(smooth, 1 + (smooth - 1) * room), np.float32)


def outlined(lit: Array, light: Light, sitter: Sitter) -> Array:
    """How much of the sitter covers the backdrop, (H, W); the rim lamp's light is added to `lit`.

    Backdrop light bleeds round the outline (wrap), so thinly that nothing looks pasted.
    """
    sigma = max(1.2, 0.025 * sitter.site.d)
    if light.rim:
        outline = light.rim * (1 - blurred(sitter.alpha, 1.5 * sigma))
        lit += outline[..., None] * (1 - lit)
    return np.asarray(sitter.alpha * (1 - light.wrap * (1 - blurred(sitter.alpha, sigma))), np.float32)


def grain(sitter: Sitter, name: str) -> Array:
    """The photo's own noise, taken from the forehead, for the backdrop: (H, W)."""
    half, (x, y) = max(2, round(0.4 * sitter.site.d)), sitter.site.eyes - (0, 0.75 * sitter.site.d)
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
    small = backdrop.drawn(look.backdrop, sitter.site.eyes / canvas, np.random.default_rng(seed(look.name)))
    ground = cv2.resize(small, canvas, interpolation=cv2.INTER_CUBIC)
    if look.backdrop.shadow:
        ground = ground * (1 - look.backdrop.shadow * shadow(sitter, look.light.key))[..., None]
    return np.asarray(ground, np.float32)


def shadow(sitter: Sitter, key: float) -> Array:
    """The sitter's soft shadow, away from the key lamp: (H, W) 0..1."""
    step = LIGHT_STEP
    small = sitter.alpha[::step, ::step]
    shift = np.array(
        [[1, 0, np.sign(key) * 0.18 * sitter.site.d / step], [0, 1, 0.12 * sitter.site.d / step]], np.float32
    )
    moved = cv2.warpAffine(small, shift, small.shape[::-1], borderMode=cv2.BORDER_REPLICATE)
    soft = blurred(moved, max(0.6, 0.4 * sitter.site.d / step))
    return np.asarray(cv2.resize(soft, sitter.alpha.shape[::-1], interpolation=cv2.INTER_LINEAR), np.float32)
