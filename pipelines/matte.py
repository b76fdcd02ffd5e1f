"""Face to cut-out: which pixels are the sitter, and in which colours.

Pictures are float32 (H, W, 3) sRGB 0..1, masks and alphas float32 (H, W) 0..1. Lengths are in pupil
distances d unless they end in `_px`. The constants were chosen by eye on 26 portraits in front of flags.
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import cg

from pipelines.face import Face, quiet

Array = NDArray[np.float32]

WORK_PX, MATTING_PX = 640, 400  # longest side that each step sees
REACH = (4.6, 4.4, 9.5)  # what a framing can show: to each side, above and below the pupils, d
HAIR_BAND, SHOULDER_BAND = (0.14, 0.18), (0.04, 0.05)  # unknown inside and outside the contour, d
RINGS = (0.2, 0.4, 0.65, 0.95)  # where `foreign` looks round a pixel, d
EPSILON, PRIOR = (
    1e-4,
    (0.003, 0.15),
)  # closed form: colour noise (variance); pull of the mask at contour, band edge
STRETCH = (0.10, 0.93)  # alphas that count as nothing and as all
_OVAL = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
    152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)  # fmt: skip
NOSE, CHIN = 4, 152


@dataclass(frozen=True, eq=False)
class Cutout:
    """The sitter without the room, in the photo's pixels."""

    face: Face
    alpha: Array  # (H, W) 0..1
    foreground: NDArray[np.uint8]  # (H, W, 3) sRGB, the room's colours taken out where alpha < 1

    def __post_init__(self) -> None:
        for array in (self.alpha, self.foreground):
            array.setflags(write=False)


class Segmenter:
    """MediaPipe's two selfie segmentation graphs. Not thread-safe: `Studio` holds the lock."""

    def __init__(self) -> None:
        import mediapipe  # here: it takes 2 s, and the page opens before

        with quiet():
            make = mediapipe.solutions.selfie_segmentation.SelfieSegmentation
            self._graphs: tuple[Any, ...] = tuple(make(model_selection=model) for model in (0, 1))

    def mask(self, pixels: NDArray[np.uint8]) -> Array:
        """Share of person from both models, each averaged with its mirror image."""
        mirrored = np.ascontiguousarray(pixels[:, ::-1])
        logit = np.zeros(pixels.shape[:2], np.float32)
        with quiet():
            for graph, weight in zip(self._graphs, (1.0, 0.8), strict=True):
                there = graph.process(pixels).segmentation_mask
                back = graph.process(mirrored).segmentation_mask[:, ::-1]
                share = np.clip((there + back) / 2, 0.02, 0.98)
                logit += weight * np.log(share / (1 - share))
        return np.asarray(1 / (1 + np.exp(-0.7 * logit)), np.float32)

    def close(self) -> None:
        """Give the graphs back."""
        with quiet():
            for graph in self._graphs:
                graph.close()


def crop_of(face: Face) -> tuple[slice, slice]:
    """The rows and columns of the photo that a framing can show."""
    height, width = face.photo.pixels.shape[:2]
    (x, y), d = face.pupils.mean(axis=0), face.pupil_distance
    left, right = max(0, int(x - REACH[0] * d)), min(width, int(x + REACH[0] * d) + 1)
    top, bottom = max(0, int(y - REACH[1] * d)), min(height, int(y + REACH[2] * d) + 1)
    return slice(top, bottom), slice(left, right)


def resized(picture: Any, longest_px: int) -> Any:
    """The picture with its longest side at most `longest_px`."""
    height, width = picture.shape[:2]
    share = min(1.0, longest_px / max(height, width))
    return (
        picture
        if share == 1
        else sized(picture, (max(1, round(height * share)), max(1, round(width * share))))
    )


def sized(picture: Any, shape: tuple[int, ...]) -> Any:
    """The picture at (height, width): areas averaged when it shrinks, bicubic when it grows."""
    shrinks = shape[0] < picture.shape[0]
    how = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    return cv2.resize(picture, shape[::-1], interpolation=how)


def blurred(picture: Any, sigma_px: float) -> Any:
    """Gaussian blur."""
    return cv2.GaussianBlur(picture, (0, 0), sigma_px)


def ramp(value: Any, start: float, end: float) -> Any:
    """0 at `start`, 1 at `end`, straight between."""
    return np.clip((value - start) / (end - start), 0, 1)


@dataclass(frozen=True, eq=False)
class Site:
    """Where the face is in a picture of some size."""

    points: Array  # (478, 2) px
    d: float  # distance of the pupils, px

    def at(self, share: float) -> "Site":
        """The same in a picture that is `share` as large."""
        return Site(self.points * np.float32(share), self.d * share)

    def below(self, landmark: int, spread: float, shape: tuple[int, ...]) -> Array:
        """0 above a landmark, 1 below, blended over +-spread d: (H, 1)."""
        rows = np.arange(shape[0], dtype=np.float32)[:, None]
        y, reach = self.points[landmark, 1], spread * self.d
        return np.asarray(ramp(rows, y - reach, y + reach), np.float32)

    def width(self, hair: float, shoulder: float, shape: tuple[int, ...]) -> Array:
        """A length in px that differs for hair and shoulders: (H, 1)."""
        low = self.below(CHIN, 0.25, shape)
        return np.asarray(self.d * (hair + (shoulder - hair) * low), np.float32)

    def oval(self, shape: tuple[int, ...], inset: float = 0.1) -> NDArray[np.bool_]:
        """The face without its rim: never backdrop."""
        drawn = np.zeros(shape[:2], np.uint8)
        cv2.fillPoly(drawn, [np.round(self.points[list(_OVAL)]).astype(np.int32)], 1)
        size = 2 * max(1, round(inset * self.d)) + 1
        # the border counts as face: a crop through the head must not eat into it
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
        return np.asarray(cv2.erode(drawn, kernel, borderType=cv2.BORDER_CONSTANT, borderValue=1), bool)


def distance_in(inside: NDArray[np.bool_]) -> Array:
    """Signed distance from the contour, px: positive inside."""
    if not inside.any():
        return np.full(inside.shape, -1e6, np.float32)
    if inside.all():
        return np.full(inside.shape, 1e6, np.float32)
    here, there = (cv2.distanceTransform(part.astype(np.uint8), cv2.DIST_L2, 5) for part in (inside, ~inside))
    return np.asarray(here - there, np.float32)


def foreign(picture: Array, mask: Array, site: Site) -> Array:
    """Where a colour below the nose is the nearby room's and not the nearby sitter's: a flag at the neck.

    Pixels near the contour are compared with those on rings round them that are surely room or sitter.
    """
    height, width = mask.shape
    distance, face = distance_in(mask > 0.5), site.oval(mask.shape)
    room, own = distance < -0.15 * site.d, (distance > 0.35 * site.d) | face
    asked = (np.abs(distance) < 0.4 * site.d) & ~face & (site.below(NOSE, 0.25, mask.shape) > 0)
    rows, columns = np.nonzero(asked)
    colour = picture[rows, columns]
    nearest = np.full((2, rows.size), 1.0, np.float32)
    for step, ring in enumerate(RINGS):
        for turn in (np.arange(10) + step / 2) * np.pi / 5:
            y = (rows + round(ring * site.d * np.sin(turn))).clip(0, height - 1)
            x = (columns + round(ring * site.d * np.cos(turn))).clip(0, width - 1)
            apart = ((picture[y, x] - colour) ** 2).sum(axis=1)
            for which, part in enumerate((room, own)):
                nearest[which] = np.where(part[y, x], np.minimum(nearest[which], apart), nearest[which])
    to_room, to_sitter = np.sqrt(nearest)
    share = np.zeros_like(mask)
    share[rows, columns] = ramp(to_sitter - to_room, 0.1, 0.2) * ramp(to_room, 0.15, 0.08)
    return np.asarray(cv2.medianBlur(share, 3) * site.below(NOSE, 0.25, mask.shape), np.float32)


def raised(picture: Array, mask: Array, site: Site) -> Array:
    """The mask, raised round the hair where a colour is not the plain room's: a cap that the models miss."""
    distance = distance_in(mask > 0.5)
    room = ((distance < -0.3 * site.d) & (mask < 0.1)).astype(np.float32)
    size = (2 * round(0.5 * site.d) + 1,) * 2
    share = cv2.blur(room, size)
    level, square = (
        cv2.blur(value * room[..., None], size) / np.maximum(share, 1e-4)[..., None]
        for value in (picture, picture**2)
    )
    plain = ramp(share, 0.1, 0.25) * ramp((square - level**2).clip(0).sum(axis=2), 0.10**2, 0.05**2)
    strange = ramp(((picture - level) ** 2).sum(axis=2), 0.25**2, 0.45**2)
    near = (distance > -0.3 * site.d) * (1 - site.below(NOSE, 0.25, mask.shape))
    return np.asarray(np.maximum(mask, plain * strange * near), np.float32)


def trimap(mask: Array, site: Site) -> tuple[Array, Array]:
    """Signed distance from the contour (px) and the half width of the unknown band there (0 outside it)."""
    inside = largest(mask > 0.5) | site.oval(mask.shape)
    distance = distance_in(inside)
    inner, outer = (
        site.width(hair, low, mask.shape) for hair, low in zip(HAIR_BAND, SHOULDER_BAND, strict=True)
    )
    wide = np.where(distance > 0, inner, outer)
    doubtful = (mask > 0.1) & (mask < 0.9) & (np.abs(distance) < 0.27 * site.d)
    wide = np.where(doubtful, 0.27 * site.d, wide)
    band = (np.abs(distance) < wide) & ~site.oval(mask.shape)
    return distance, np.where(band, wide, 0).astype(np.float32)


def largest(inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The largest connected part; holes below 0.4 % of the picture are filled, bays at its border are not."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(inside.astype(np.uint8))
    if count < 2:
        return inside
    kept = labels == 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    open_ = np.pad((~kept).astype(np.uint8), 1, constant_values=1)  # the frame joins all bays
    _, labels, stats, _ = cv2.connectedComponentsWithStats(open_, connectivity=4)
    small = np.flatnonzero(stats[:, cv2.CC_STAT_AREA] < 0.004 * inside.size)
    return np.asarray(kept | (np.isin(labels, small[small > 0]) & (open_ > 0))[1:-1, 1:-1], bool)


def closed_form(picture: Array, mask: Array, distance: Array, wide: Array) -> Array:
    """Alpha by closed-form matting (Levin, Lischinski, Weiss 2008), solved on the unknown band only.

    `distance` and `wide` are `trimap`'s. The mask is a weak prior that grows towards the band's edge.
    """
    alpha = (distance > 0).astype(np.float32)
    unknown = wide > 0
    if not unknown.any():
        return alpha
    laplacian, pull = _laplacian(picture, alpha, unknown)
    prior = mask[unknown].astype(np.float64)
    weight = PRIOR[0] + (PRIOR[1] - PRIOR[0]) * (distance[unknown] / wide[unknown]) ** 2
    matrix = laplacian + sparse.diags(weight, format="csr")
    jacobi = sparse.diags(1 / matrix.diagonal(), format="csr")
    alpha[unknown] = cg(matrix, pull + weight * prior, prior, rtol=1e-3, maxiter=50, M=jacobi)[0]
    return alpha.clip(0, 1)


def _laplacian(picture: Array, known: Array, unknown: NDArray[np.bool_]) -> tuple[Any, NDArray[np.float64]]:
    """Levin's matting Laplacian between unknown pixels (N, N), and the pull of the known ones (N,)."""
    height, width = unknown.shape
    centres = cv2.dilate(unknown.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
    centres[[0, -1]] = centres[:, [0, -1]] = False
    near = np.array([y * width + x for y in (-1, 0, 1) for x in (-1, 0, 1)])
    window = np.flatnonzero(centres)[:, None] + near  # (K, 9) pixels
    colours = picture.reshape(-1, 3)[window].astype(np.float64)
    colours -= colours.mean(axis=1, keepdims=True)
    turned = colours.transpose(0, 2, 1)
    spread = np.linalg.inv(turned @ colours / 9 + np.eye(3) * EPSILON / 9)
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


def guided(picture: Array, alpha: Array, radius_px: int, epsilon: float) -> Array:
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
    # the inverse of the 3 x 3 covariance by cofactors: a batched solver takes ten times as long
    a, d, f = gg * bb - gb * gb, rr * bb - rb * rb, rr * gg - rg * rg
    u, v, w = gb * rb - rg * bb, rg * gb - gg * rb, rg * rb - rr * gb
    scale = 1 / (rr * a + rg * u + rb * v)
    slope = cv2.merge(
        [(a * x + u * y + v * z) * scale, (u * x + d * y + w * z) * scale, (v * x + w * y + f * z) * scale]
    )
    offset = level - (slope * middle).sum(axis=2)
    return np.asarray(mean(np.dstack([slope, offset])), np.float32)


def spread(colours: Array, weight: Array) -> Array:
    """Fill where weight is 0 from where it is 1, smoothly (push-pull, Gortler 1996)."""
    levels = [(colours * weight[..., None], weight)]
    while min(levels[-1][1].shape) > 1:
        total, share = levels[-1]
        half = tuple((n + 1) // 2 for n in share.shape)
        levels.append((sized(total, half), sized(share, half)))
    filled = levels[-1][0] / np.maximum(levels[-1][1], 1e-6)[..., None]
    for total, share in reversed(levels[:-1]):
        filled = cv2.resize(filled, share.shape[::-1], interpolation=cv2.INTER_LINEAR)
        own = np.minimum(share * 4, 1)[..., None]  # a quarter of a cell is enough to speak for it
        filled = own * total / np.maximum(share, 1e-6)[..., None] + (1 - own) * filled
    return np.asarray(filled, np.float32)


def grounds(picture: Array, alpha: Array) -> tuple[Array, Array]:
    """The sitter's and the room's colours, each carried on under the other."""
    kernel = np.ones((5, 5), np.uint8)
    sure = [
        cv2.erode(part.astype(np.uint8), kernel).astype(np.float32) for part in (alpha > 0.97, alpha < 0.03)
    ]
    sitter, room = (spread(picture, weight) for weight in sure)
    return sitter, room


def colour_cut(picture: Array, alpha: Array, distance: Array, site: Site) -> Array:
    """Factor for alpha (H, W), below 1 outside the contour where the colour is the room's."""
    sitter, room = grounds(picture, alpha)
    across = sitter - room
    apart = np.sqrt((across**2).sum(axis=2))
    along = ((picture - room) * across).sum(axis=2) / np.maximum(apart**2, 1e-4)
    most = np.minimum(alpha, 1.15 * along.clip(0, 1) + 0.03)
    trust = ramp(apart, 0.12, 0.30) * ramp(-distance, 0, 0.06 * site.d)
    ratio = 1 + trust * (most / np.maximum(alpha, 1e-3) - 1)
    return np.asarray(blurred(ratio.astype(np.float32), max(1.0, 0.012 * site.d)).clip(0, 1), np.float32)


def matte(picture: Array, mask: Array, site: Site) -> tuple[Array, Array, Array]:
    """Alpha (H, W) from a person mask, and what `enlarged` needs: the guided filter's lines, the cut."""
    small = resized(picture, MATTING_PX)
    share = small.shape[1] / picture.shape[1]
    there = site.at(share)
    coarse = sized(mask, small.shape[:2])
    coarse = coarse * (1 - 0.9 * foreign(small, coarse, there))
    coarse = raised(small, coarse, there)
    distance, wide = trimap(coarse, there)
    alpha = sized(closed_form(small, coarse, distance, wide), mask.shape).clip(0, 1)
    lines = guided(picture, alpha, 4, 1e-5)
    alpha = along(lines, picture)
    cut = colour_cut(picture, alpha, sized(distance, mask.shape) / share, site)
    return alpha * cut, lines, cut


def along(lines: Array, picture: Array) -> Array:
    """Alpha (H, W) by `guided`'s lines, stretched so that faint veils are nothing."""
    return np.asarray(
        ramp(np.einsum("hwc,hwc->hw", lines[..., :3], picture) + lines[..., 3], *STRETCH), np.float32
    )


def cut_out(face: Face, segmenter: Segmenter) -> Cutout:
    """The sitter of a photo, about 0.3 s."""
    rows, columns = crop_of(face)
    whole = face.photo.pixels[rows, columns]
    small = np.ascontiguousarray(resized(whole, WORK_PX))
    share = small.shape[1] / whole.shape[1]
    corner = np.array([columns.start, rows.start], np.float32)
    site = Site(face.landmarks[:, :2] - corner, face.pupil_distance).at(share)
    picture = small.astype(np.float32) / 255
    alpha, lines, cut = matte(picture, segmenter.mask(small), site)
    sitter, room = grounds(picture, alpha)
    if share < 1:
        alpha, sitter, room = enlarged(whole, lines, cut, sitter, room)
    full = np.zeros(face.photo.pixels.shape[:2], np.float32)
    full[rows, columns] = alpha
    foreground = face.photo.pixels.copy()
    foreground[rows, columns] = unmixed(whole, alpha, sitter, room)
    return Cutout(face, full, foreground)


def enlarged(whole: NDArray[np.uint8], lines: Array, cut: Array, *grounds: Array) -> tuple[Array, ...]:
    """Alpha and grounds at the size of the photo, alpha with the photo's detail."""
    shape = whole.shape[:2]
    alpha = along(sized(lines, shape), whole.astype(np.float32) / 255) * sized(cut, shape).clip(0, 1)
    return alpha, *(sized(ground, shape) for ground in grounds)


def unmixed(pixels: NDArray[np.uint8], alpha: Array, sitter: Array, room: Array) -> NDArray[np.uint8]:
    """The sitter's own colours, uint8 (H, W, 3) sRGB: F0 + alpha^2 (I - alpha F0 - (1 - alpha) B0)."""
    mixed = alpha < 1
    share = alpha[mixed][:, None]
    own, others = sitter[mixed], room[mixed]
    rest = pixels[mixed].astype(np.float32) / 255 - share * own - (1 - share) * others
    colours = pixels.copy()
    colours[mixed] = np.round((own + share**2 * rest).clip(0, 1) * 255).astype(np.uint8)
    return colours
