"""Face and look to plate: the sitter's own photograph, cut out, lit and framed as the look says.

The light changes how bright a pixel is, equally in all three channels, never its hue: skin keeps its colour.
Canvas arrays are float32 0..1 in sRGB's encoding, where the matte was made. The same cut-out, look and
canvas give the same pixels: what looks like chance is seeded by the look's name.
"""

import threading
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from pipelines.arrays import Array, Indices, Pixels
from pipelines.look import Framing, Look
from pipelines.mesh import UPPER_LIP
from pipelines.plate.backdrop import draw_backdrop
from pipelines.plate.bystanders import BystanderFinder
from pipelines.plate.framing import framing_matrix
from pipelines.plate.light import PlacedSitter, add_rim_light, grain, light_gain, look_seed, shadow
from pipelines.plate.masks import Segmenter, Site, blur, linear_step, resize, smoothstep
from pipelines.plate.matte import Cutout, cut_out
from pipelines.selfie.face import Face, require_good

# How a sitter goes on where the photo ends, by eye on 26 portraits; in pupil distances d.
TRIM = 0.05  # the segmentation is unsure in the last pixels of a picture
HAIR_DEPTH = 0.12  # of the hair that a crown repeats
WEAVE_SIGMA, MOST_WEAVE = 0.03, 5  # what is finer counts as weave, to so many grey values
STRIP_SIGMA, STRIP_START = 0.05, 0.15  # blur of what is carried on, and where it has set in
BADGE, MEDIAN = 0.4, 9  # a badge's width is at most half of that; the same in the small picture's px
CHEST = (0.6, 1.8)  # below the chin: so little and so much of the chest shows in the photo
LEAST_RUN, MORE_RUN, CLOTHES_FADE = -0.3, 1.2, 0.8  # clothes run on so far, further with much chest
BUST, LESS_BUST = 0.1, 0.07  # how much higher the shoulders end, d beside the chin; less with much chest
HAIR_FADE = 0.25  # inside the edge
SHOULDER_TOP = (-0.35, -0.1)  # above a shoulder, where hair becomes clothes
SHOULDER_STEP, MOST_SLOPE = 0.25, 4  # over what a shoulder's slope is taken
ARM, LEAST_ARM = 3.3, 0.7  # beside the chin, and outside the photo's edge: where the arm hangs straight down
CROWN_MARGIN, CROWN_EDGE = 0.05, 0.06  # a crown's least height above the cut; its soft edge
MOST_CROWN, WIDEST_HEAD = 2.1, 1.02  # above the pupils; times the head's width at the cut


@dataclass(frozen=True, eq=False)
class Plate:
    """The visitor's own photograph on a new backdrop."""

    pixels: Pixels  # (H, W, 3) sRGB
    alpha: Array  # (H, W) 0..1, share of sitter
    matrix: Array  # (2, 3), photo px to canvas px

    def __post_init__(self) -> None:
        for array in (self.pixels, self.alpha, self.matrix):
            array.setflags(write=False)


class Studio:
    """Cuts sitters out. Builds MediaPipe's graphs at the first use; one selfie at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._graphs: tuple[Segmenter, BystanderFinder] | None = None

    def __enter__(self) -> "Studio":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the graphs back; the next `cut_out` builds them again."""
        with self._lock:
            for graph in self._graphs or ():
                graph.close()
            self._graphs = None

    def cut_out(self, face: Face) -> Cutout:
        """The sitter without the room. Once a selfie: every look takes the same cut-out.

        Raises `PhotoError` with the verdict's key where no face could be measured.
        """
        if not np.isfinite(face.pupils).all():
            require_good(face)
        with self._lock:
            self._graphs = self._graphs or (Segmenter(), BystanderFinder())
            return cut_out(face, *self._graphs)


def plate(cutout: Cutout, look: Look, canvas: tuple[int, int], framing: Framing | None = None) -> Plate:
    """The plate for a canvas (width, height) in px; `framing` replaces the look's."""
    matrix = framing_matrix(cutout.face, framing or look.framing, canvas)
    sitter = place_on_canvas(cutout, matrix, canvas)
    ground = draw_ground(look, sitter, canvas)
    lit = sitter.colours * light_gain(look.light, sitter)[..., None]
    share = add_rim_light(lit, look.light, sitter)
    lit -= ground
    lit *= share[..., None]
    ground += grain(sitter, look.name)[..., None]
    lit += ground
    return Plate(cv2.convertScaleAbs(lit, alpha=255), sitter.alpha, matrix)


def place_on_canvas(cutout: Cutout, matrix: Array, canvas: tuple[int, int]) -> PlacedSitter:
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
        colours, alpha = resize(colours, shape), resize(alpha, shape)
    share = np.array(alpha.shape[::-1]) / (end - start)
    before, after = np.ceil((start - low) * share).astype(int), np.ceil((high - end) * share).astype(int)
    if before.any() or after.any():
        near = Site((cutout.face.landmarks[:, :2] - start).astype(np.float32), cutout.face.pupil_distance)
        site = near.at(float(share.mean()))
        colours, alpha = extend_sitter(colours, alpha, site, before, after)
    # photo px p = start + (q - before + .5) / share - .5 for a pixel q of the extended picture
    back = np.column_stack([linear / share, linear @ (start + (0.5 - before) / share - 0.5) + shift])
    how = cv2.INTER_CUBIC if scale > 1 else cv2.INTER_LINEAR
    turned, cover = (
        cv2.warpAffine(layer, back, canvas, flags=how, borderMode=cv2.BORDER_REPLICATE)
        for layer in (colours, alpha)
    )
    points = (cutout.face.landmarks[:, :2] @ linear.T + shift).astype(np.float32)
    site = Site(points, cutout.face.pupil_distance * scale)
    return PlacedSitter(turned.astype(np.float32) * np.float32(1 / 255), cover.clip(0, 1), site)


def extend_sitter(
    colours: Pixels, alpha: Array, site: Site, before: Indices, after: Indices
) -> tuple[Pixels, Array]:
    """The sitter with room around: `before` (left, top) and `after` (right, bottom) px.

    Beyond the photo's edge shoulders fall on, clothes run on and fade, a cut crown is rounded off.
    """
    height, width = alpha.shape
    (left, top), (right, bottom) = (int(before[0]), int(before[1])), (int(after[0]), int(after[1]))
    trim = max(2, round(TRIM * site.d))
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
            strip = continue_strip(colours, alpha, site, x[columns], y[rows], (first, last))
            wider[rows, columns], longer[rows, columns] = strip
    if top:
        above = y[:, None] < trim
        longer = np.where(above, crown_alpha(alpha, site, x, y[:, None], trim), longer)
    edges = np.clip(x, first[0], last[0])
    line, fall = shoulder_line(alpha, edges.astype(int), np.abs(x - edges), site)
    inset = np.minimum(x - first[0] if left else np.inf, last[0] - x if right else np.inf)
    return wider, longer * fade_at_edges(site, x, y, last[1] if bottom else height + 1, inset, line + fall)


def continue_strip(
    colours: Pixels,
    alpha: Array,
    site: Site,
    x: Array,
    y: Array,
    kept: tuple[tuple[int, int], tuple[int, int]],
) -> tuple[Pixels, Array]:
    """A strip of the sitter at the places x (W,), y (H,) outside what is `kept` of the photo."""
    (left, top), (right, bottom) = kept
    column, row = x.clip(left, right), y.clip(top, bottom)
    hair = np.where(
        y < top, top + triangle_wave(top - y, HAIR_DEPTH * site.d), row
    )  # a crown repeats its upper hair
    _, fall = shoulder_line(alpha, column.astype(int), np.abs(x - column), site)
    rows = (hair[:, None] - fall).clip(0, alpha.shape[0] - 1).astype(np.float32)
    columns = np.ascontiguousarray(np.broadcast_to(column, rows.shape))
    drawn = cv2.remap(colours, columns, rows, cv2.INTER_LINEAR)
    # cloth and hair have a weave: what is mirrored inside lends its finest detail, but no button or badge
    mirrored_rows = (2 * row - y).clip(top, bottom).astype(int)
    weave = colours[mirrored_rows][:, (2 * column - x).clip(left, right).astype(int)]
    weave = (weave.astype(np.float32) - wide_blur(weave, WEAVE_SIGMA * site.d)).clip(-MOST_WEAVE, MOST_WEAVE)
    beyond = np.maximum(np.abs(x - column), np.abs(y - row)[:, None])
    share = linear_step(beyond, 0, STRIP_START * site.d)[..., None]
    plain = drawn if y[0] < top else drop_details(drawn, BADGE * site.d)
    drawn = drawn + share * (wide_blur(plain, STRIP_SIGMA * site.d) + weave - drawn)
    return drawn.clip(0, 255).astype(np.uint8), cv2.remap(alpha, columns, rows, cv2.INTER_LINEAR)


def fade_at_edges(site: Site, x: Array, y: Array, bottom: int, inset: Array, shoulder: Array) -> Array:
    """How much of the sitter stays near the photo's edge: its `bottom`, and `inset` px inside its sides.

    Clothes run on and then fade, as in old vignettes: the further, the more of the chest the photo shows.
    Hair, which is what lies above the row `shoulder` (W,), is not carried on: it ends softly inside.
    """
    chin, d = site.chin, site.d
    chest = linear_step((bottom - chin[1]) / d, *CHEST)
    end = (MORE_RUN * chest + LEAST_RUN) * d
    down: Any = np.float32(1)
    if y[-1] > bottom:
        bust = (BUST - LESS_BUST * chest) * (x - chin[0]) ** 2 / d  # the shoulders end higher
        below = (y - bottom)[:, None] + bust
        down = 1 - smoothstep(below, end, end + CLOTHES_FADE * d)
    if not np.isfinite(inset).any():
        return np.asarray(down, np.float32)
    low = linear_step(y[:, None] - shoulder, SHOULDER_TOP[0] * d, SHOULDER_TOP[1] * d)
    hair = smoothstep(inset, 0, HAIR_FADE * d)
    return np.asarray(down * (hair + low * (1 - hair)), np.float32)


def drop_details(picture: Pixels, size_px: float) -> Pixels:
    """Without whatever is narrower than half of `size_px`: a pin would be carried on as a stripe."""
    step = max(1, int(size_px / 8))
    small = cv2.medianBlur(resize(picture, tuple(-(-n // step) for n in picture.shape[:2])), MEDIAN)
    return np.asarray(cv2.resize(small, picture.shape[1::-1]), np.uint8)


def wide_blur(picture: Pixels, sigma_px: float) -> Array:
    """A wide blur, worked out on a smaller picture: float32 (H, W, 3), 0..255."""
    step = max(1, int(sigma_px / 3))
    small = resize(picture.astype(np.float32), tuple(-(-n // step) for n in picture.shape[:2]))
    return np.asarray(cv2.resize(blur(small, max(0.5, sigma_px / step)), picture.shape[1::-1]), np.float32)


def triangle_wave(distance: Array, depth: float) -> Array:
    """0, 1, .. depth, .. 1, 0, 1, ..: steps that turn back at `depth`."""
    turn = max(1, round(depth))
    return np.asarray(turn - np.abs(distance % (2 * turn) - turn), np.float32)


def shoulder_line(alpha: Array, column: Indices, beside: Array, site: Site) -> tuple[Array, Array]:
    """The shoulder's row at a column of the photo's edge (W,), and how far it has fallen `beside` px from it.

    It goes on as it fell and rounds into an arm, which hangs straight down. Hair that reaches higher than the
    lips is no shoulder: there clothes begin below the chin.
    """
    d, height = site.d, alpha.shape[0]
    lips, chin = (int(np.clip(row, 0, height - 1)) for row in (site.points[UPPER_LIP, 1], site.chin[1]))
    tops = (alpha[lips:] > 0.5).argmax(axis=0) + lips
    tops = np.where(tops > lips, tops, chin)
    step = max(1, round(SHOULDER_STEP * d))
    inward = np.where(column < tops.size / 2, column + step, column - step).clip(0, tops.size - 1)
    slope = ((tops[column] - tops[inward]) / step).clip(0, MOST_SLOPE)
    out = np.maximum(ARM * d - np.abs(column - site.chin[0]), LEAST_ARM * d)
    round_ = out - np.sqrt((out**2 - beside**2).clip(0))
    fall = np.where(beside < out, slope * beside + round_, height)
    return tops[column].astype(np.float32), fall.astype(np.float32)


def crown_alpha(alpha: Array, site: Site, x: Array, y: Array, top: int) -> Array:
    """Alpha of a head that the photo's edge cut at the row `top`: the rest of an ellipse through it."""
    middle = site.eyes
    spans = [_span(row, middle[0]) for row in alpha[top : max(top + 1, int(middle[1]))]]
    if middle[1] <= top or spans[0] is None:
        return np.zeros((y.size, x.size), np.float32)
    centre, half = spans[0]
    widest = max(WIDEST_HEAD * half, *(span[1] for span in spans if span))
    down = middle[1] - top  # the ellipse's centre is between the pupils
    tall = np.clip(
        down / np.sqrt(1 - (half / widest) ** 2),
        down + CROWN_MARGIN * site.d,
        max(MOST_CROWN * site.d, 1.1 * down),
    )
    widest = half / np.sqrt(1 - (down / tall) ** 2)
    edge = widest * np.sqrt((1 - ((middle[1] - y) / tall) ** 2).clip(0)) - np.abs(x - centre)
    return np.asarray(linear_step(edge, 0, CROWN_EDGE * site.d), np.float32)


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


def draw_ground(look: Look, sitter: PlacedSitter, canvas: tuple[int, int]) -> Array:
    """What stands behind the sitter, with the sitter's shadow on it: (H, W, 3)."""
    chance = np.random.default_rng(look_seed(look.name))
    small = draw_backdrop(look.backdrop, sitter.site.eyes / canvas, chance)
    ground = cv2.resize(small, canvas, interpolation=cv2.INTER_CUBIC)
    if look.backdrop.shadow:
        ground = ground * (1 - look.backdrop.shadow * shadow(sitter, look.light.key))[..., None]
    return np.asarray(ground, np.float32)
