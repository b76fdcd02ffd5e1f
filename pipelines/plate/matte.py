"""Face to cut-out: which pixels are the sitter, and in which colours.

Pictures are float32 (H, W, 3) sRGB 0..1, masks and alphas float32 (H, W) 0..1. Lengths are in pupil
distances d unless they end in `_px`. Constants without a source were chosen by eye on 26 portraits.
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from scipy import sparse
from scipy.sparse.linalg import cg

from pipelines.arrays import Array, Floats, Mask, Pixels
from pipelines.plate.bystanders import BystanderFinder, connected_share, require_alone, sitter_mask
from pipelines.plate.colours import Key, find_spill, key_hair, sitter_and_room_colours, unmix_colours
from pipelines.plate.masks import (
    Segmenter,
    Site,
    blur,
    grabcut_veto,
    linear_step,
    resize,
    room_colour_share,
    shrink_to,
    smoothstep,
    trimap,
)
from pipelines.selfie.face import Face

WORK_PX, MATTING_PX = 640, 400  # longest side that each step sees
REACH = (5.0, 4.4, 9.7)  # what a framing can show: to each side, above and below the pupils, d
EPSILON = 1e-4  # closed form: colour noise, variance
PRIOR = (0.003, 0.15)  # closed form: the mask's pull at the contour and at the band's edge
KEY_PRIOR = 0.1  # closed form: the key's pull, .03 to .3 are as good
EVERYWHERE = 1e6  # px: a band whose edge is nowhere near
STRETCH = (0.10, 0.93)  # alphas that count as nothing and as all


@dataclass(frozen=True, eq=False)
class Cutout:
    """The sitter without the room, in the photo's pixels."""

    face: Face
    alpha: Array  # (H, W) 0..1
    foreground: Pixels  # (H, W, 3) sRGB, the room's colours taken out where alpha < 1

    def __post_init__(self) -> None:
        for array in (self.alpha, self.foreground):
            array.setflags(write=False)


def visible_crop(face: Face) -> tuple[slice, slice]:
    """The rows and columns of the photo that a framing can show."""
    height, width = face.photo.pixels.shape[:2]
    (x, y), d = face.pupils.mean(axis=0), face.pupil_distance
    left, right = max(0, int(x - REACH[0] * d)), min(width, int(x + REACH[0] * d) + 1)
    top, bottom = max(0, int(y - REACH[1] * d)), min(height, int(y + REACH[2] * d) + 1)
    return slice(top, bottom), slice(left, right)


def closed_form_alpha(picture: Array, mask: Array, distance: Array, wide: Array, key: Key) -> Array:
    """Alpha by closed-form matting (Levin, Lischinski, Weiss 2008), solved on the unknown band only.

    `distance` and `wide` are `trimap`'s. The mask is a weak prior that grows towards the band's edge; the
    key takes its place where it is to be trusted.
    """
    alpha = (distance > 0).astype(np.float32)
    unknown = wide > 0
    if not unknown.any():
        return alpha
    laplacian, pull = _laplacian(picture, alpha, unknown)
    trust = key.trust[unknown]
    prior = (mask[unknown] + trust * (key.share[unknown] - mask[unknown])).astype(np.float64)
    weight = PRIOR[0] + (PRIOR[1] - PRIOR[0]) * (distance[unknown] / wide[unknown]) ** 2
    weight += trust * (KEY_PRIOR - weight)
    matrix = laplacian + sparse.diags(weight, format="csr")
    jacobi = sparse.diags(1 / matrix.diagonal(), format="csr")
    alpha[unknown] = cg(matrix, pull + weight * prior, prior, rtol=1e-3, maxiter=50, M=jacobi)[0]
    return alpha.clip(0, 1)


def _laplacian(picture: Array, known: Array, unknown: Mask) -> tuple[Any, Floats]:
    """Levin's matting Laplacian between unknown pixels (N, N), and the pull of the known ones (N,)."""
    height, width = unknown.shape
    centres = cv2.dilate(unknown.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
    centres[[0, -1]] = centres[:, [0, -1]] = False
    near = np.array([y * width + x for y in (-1, 0, 1) for x in (-1, 0, 1)])
    window = np.flatnonzero(centres)[:, None] + near  # (K, 9) pixels
    colours = picture.reshape(-1, 3)[window].astype(np.float64)
    colours -= colours.mean(axis=1, keepdims=True)
    turned = colours.transpose(0, 2, 1)
    spread = _inverse(turned @ colours / 9 + np.eye(3) * EPSILON / 9)
    affinity = (1 + colours @ spread @ turned) / 9  # (K, 9, 9)

    # Each pair of a window is one of 25 steps from pixel to pixel: sum them per pixel and step.
    count = int(unknown.sum())
    row_of = np.full(height * width, count)
    row_of[unknown.ravel()] = np.arange(count)
    y, x = np.divmod(np.arange(9), 3)
    step = (y - y[:, None] + 2) * 5 + x - x[:, None] + 2  # (9, 9): from row pixel to column pixel
    cell = row_of[window][:, :, None] * 25 + step
    table = -np.bincount(cell.ravel(), affinity.ravel(), minlength=25 * (count + 1)).reshape(-1, 25)[:count]
    table[:, 12] -= table.sum(axis=1)  # the rows of a Laplacian sum to nothing

    steps = np.array([y * width + x for y in range(-2, 3) for x in range(-2, 3)])
    pixel = np.clip(np.flatnonzero(unknown)[:, None] + steps, 0, height * width - 1)
    column = row_of[pixel]
    fixed = column == count
    pull = -(np.where(fixed, table, 0) * known.ravel()[pixel]).sum(axis=1)
    column[fixed], table[fixed] = 0, 0
    rows = np.arange(0, 25 * count + 1, 25)
    return sparse.csr_matrix((table.ravel(), column.ravel(), rows), shape=(count, count)), pull


def _inverse(matrices: Floats) -> Floats:
    """Inverses of (K, 3, 3) by cofactors: a batched solver takes ten times as long."""
    a, b, c = matrices[:, 0], matrices[:, 1], matrices[:, 2]
    cofactors = np.stack([np.cross(b, c), np.cross(c, a), np.cross(a, b)], axis=2)
    return np.asarray(cofactors / (a * cofactors[:, :, 0]).sum(axis=1)[:, None, None])


def guided_filter(picture: Array, alpha: Array, radius_px: int, epsilon: float) -> Array:
    """Colour guided filter (He, Sun, Tang 2013): (H, W, 4), so that alpha = first three . colour + fourth.

    The coefficients are smooth: enlarged, they give alpha the detail of a larger picture.
    """

    def mean(value: Any) -> Any:
        return cv2.blur(value, (2 * radius_px + 1,) * 2)

    wide = picture.astype(np.float64)  # float32 loses the determinant of dark cloth: blocks in the shoulder
    middle, level = mean(wide), mean(alpha.astype(np.float64))
    r, g, b = cv2.split(wide)
    mr, mg, mb = cv2.split(middle)
    rr, gg, bb = (mean(x * x) - m * m + epsilon for x, m in ((r, mr), (g, mg), (b, mb)))
    rg, rb, gb = mean(r * g) - mr * mg, mean(r * b) - mr * mb, mean(g * b) - mg * mb
    x, y, z = (mean(c * alpha) - m * level for c, m in ((r, mr), (g, mg), (b, mb)))
    # the inverse of the 3 x 3 covariance, by cofactors
    a, d, f = gg * bb - gb * gb, rr * bb - rb * rb, rr * gg - rg * rg
    u, v, w = gb * rb - rg * bb, rg * gb - gg * rb, rg * rb - rr * gb
    scale = 1 / (rr * a + rg * u + rb * v)
    slope = cv2.merge(
        [(a * x + u * y + v * z) * scale, (u * x + d * y + w * z) * scale, (v * x + w * y + f * z) * scale]
    )
    offset = level - (slope * middle).sum(axis=2)
    return np.asarray(mean(np.dstack([slope, offset])), np.float32)


def colour_cut(picture: Array, alpha: Array, distance: Array, site: Site) -> Array:
    """Factor for alpha (H, W), below 1 outside the contour where the colour is the room's."""
    sitter, room = sitter_and_room_colours(picture, alpha)
    across = sitter - room
    apart = np.sqrt((across**2).sum(axis=2))
    along = ((picture - room) * across).sum(axis=2) / np.maximum(apart**2, 1e-4)
    most = np.minimum(alpha, 1.15 * along.clip(0, 1) + 0.03)
    trust = linear_step(apart, 0.12, 0.30) * linear_step(-distance, 0, 0.06 * site.d)
    ratio = 1 + trust * (most / np.maximum(alpha, 1e-3) - 1)
    return np.asarray(blur(ratio.astype(np.float32), max(1.0, 0.012 * site.d)).clip(0, 1), np.float32)


def veil_correction(alpha: Array, site: Site) -> Array:
    """What to add to alpha (H, W) so that a broad veil is sitter or room: a pale cap, a dark flag.

    Where alpha is middling all around, not only along a hair, its average is pushed to 0 or 1.
    """
    broad = linear_step(blur(4 * alpha * (1 - alpha), 0.1 * site.d), 0.35, 0.6)
    level = blur(alpha, 0.05 * site.d)
    return np.asarray(broad * (smoothstep(level, 0.15, 0.6) - level), np.float32)


@dataclass(frozen=True, eq=False)
class Matte:
    """Alpha as smooth layers, to be worked out at any size: alpha = lines along the colours x cut + push."""

    lines: Array  # (H, W, 4) `guided_filter`'s
    cut: Array  # (H, W) `colour_cut`'s
    push: Array  # (H, W) `veil_correction`'s

    def alpha(self, picture: Array) -> Array:
        """Alpha (H, W) of the picture, with its detail."""
        lines, cut, push = (resize(layer, picture.shape[:2]) for layer in (self.lines, self.cut, self.push))
        alpha = alpha_along(lines, picture) * cut.clip(0, 1) + push
        return np.asarray(linear_step(alpha, 0.004, 0.996), np.float32)  # what is all but whole is whole


def matte(picture: Array, mask: Array, theirs: Array, site: Site) -> Matte:
    """The matte of a picture from the sitter's mask; `theirs` (H, W) is the share of other people."""
    small = shrink_to(picture, MATTING_PX)
    share = small.shape[1] / picture.shape[1]
    there = site.at(share)
    coarse = resize(grabcut_veto(picture, mask, site), small.shape[:2])
    coarse = coarse * (1 - 0.9 * room_colour_share(small, coarse, there))
    key = key_hair(small, coarse, resize(theirs, coarse.shape), there)
    coarse = np.maximum(coarse, key.trust * key.share)
    distance, wide = trimap(coarse, there)
    wide = np.where((wide == 0) & key.sees_more(distance > 0), EVERYWHERE, wide)
    alpha = resize(closed_form_alpha(small, coarse, distance, wide, key), mask.shape).clip(0, 1)
    lines = guided_filter(picture, alpha, 4, 1e-5)
    alpha = alpha_along(lines, picture)
    cut = colour_cut(picture, alpha, resize(distance, mask.shape) / share, site)
    return Matte(lines, cut, veil_correction(alpha * cut, site))


def alpha_along(lines: Array, picture: Array) -> Array:
    """Alpha (H, W) by `guided_filter`'s lines, stretched so that faint veils are nothing."""
    value = np.einsum("hwc,hwc->hw", lines[..., :3], picture) + lines[..., 3]
    return np.asarray(linear_step(value, *STRETCH), np.float32)


def cut_out(face: Face, segmenter: Segmenter, finder: BystanderFinder) -> Cutout:
    """The sitter of a photo, without the room and everybody else, about 0.4 s.

    Raises `PhotoError("face.many")` where the sitter cannot be told from others.
    """
    rows, columns = visible_crop(face)
    whole = face.photo.pixels[rows, columns]
    small = np.ascontiguousarray(shrink_to(whole, WORK_PX))
    share = small.shape[1] / whole.shape[1]
    corner = np.array([columns.start, rows.start], np.float32)
    site = Site(face.landmarks[:, :2] - corner, face.pupil_distance).at(share)
    picture = small.astype(np.float32) / 255
    mask = segmenter.mask(small)
    own = sitter_mask(finder, segmenter, small, mask, site)
    found = matte(picture, own, mask - own, site)
    alpha = found.alpha(picture)
    connected = connected_share(alpha, site)
    alpha *= connected
    if own is not mask:
        require_alone(finder, small, alpha, site)
    sitter, room = sitter_and_room_colours(picture, alpha)
    spill = find_spill(picture, alpha, room, site)
    if share < 1:
        alpha = found.alpha(whole.astype(np.float32) / 255) * resize(connected, whole.shape[:2])
        sitter, room = resize(sitter, alpha.shape), resize(room, alpha.shape)
    full = np.zeros(face.photo.pixels.shape[:2], np.float32)
    full[rows, columns] = alpha
    foreground = face.photo.pixels.copy()
    foreground[rows, columns] = spill.take(unmix_colours(whole, alpha, sitter, room), alpha)
    return Cutout(face, full, foreground)
