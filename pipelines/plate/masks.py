"""Face to a rough mask: where the sitter surely is, surely is not, and where a matte must find out.

Pictures are float32 (H, W, 3) sRGB 0..1, masks float32 (H, W) 0..1. Lengths are in pupil distances d
unless they end in `_px`. The constants were chosen by eye on 26 portraits, most in front of flags.
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from pipelines.arrays import Array, Mask, Pixels
from pipelines.mesh import CHIN, NOSE_TIP, OVAL, PUPILS
from pipelines.selfie.face import silence_mediapipe

GRABCUT_PX = 320  # longest side that GrabCut sees
HAIR_BAND, SHOULDER_BAND = (0.14, 0.18), (0.04, 0.05)  # unknown inside and outside the contour, d
HAIR_SEEDS, SHOULDER_SEEDS = (0.16, 0.26), (0.05, 0.06)  # where GrabCut may decide, d
RINGS = (0.25, 0.5, 0.9)  # where `room_colour_share` looks round a pixel, d


def shrink_to(picture: Any, longest_px: int) -> Any:
    """The picture with its longest side at most `longest_px`."""
    height, width = picture.shape[:2]
    share = min(1.0, longest_px / max(height, width))
    shape = max(1, round(height * share)), max(1, round(width * share))
    return picture if share == 1 else resize(picture, shape)


def resize(picture: Any, shape: tuple[int, ...]) -> Any:
    """The picture at (height, width): areas averaged when it shrinks, bicubic when it grows."""
    shrinks = shape[0] < picture.shape[0]
    how = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    return cv2.resize(picture, shape[::-1], interpolation=how)


def blur(picture: Any, sigma_px: float) -> Any:
    """Gaussian blur."""
    return cv2.GaussianBlur(picture, (0, 0), sigma_px)


def linear_step(value: Any, start: float, end: float) -> Any:
    """0 at `start`, 1 at `end`, straight between."""
    return np.clip((value - start) / (end - start), 0, 1)


def smoothstep(value: Any, start: float, end: float) -> Any:
    """0 at `start`, 1 at `end`, with soft ends."""
    share = linear_step(value, start, end)
    return share**2 * (3 - 2 * share)


@dataclass(frozen=True, eq=False)
class Site:
    """Where the face is in a picture of some size."""

    points: Array  # (478, 2) px
    d: float  # distance of the pupils, px

    @property
    def eyes(self) -> Array:
        """The middle between the pupils, (2,) px."""
        return np.asarray(self.points[list(PUPILS)].mean(axis=0), np.float32)

    @property
    def chin(self) -> Array:
        """(2,) px."""
        return np.asarray(self.points[CHIN], np.float32)

    def at(self, share: float) -> "Site":
        """The same in a picture that is `share` as large."""
        return Site(self.points * np.float32(share), self.d * share)

    def below(self, landmark: int, spread: float, shape: tuple[int, ...]) -> Array:
        """0 above a landmark, 1 below, blended over +-spread d: (H, 1)."""
        rows = np.arange(shape[0], dtype=np.float32)[:, None]
        y, reach = self.points[landmark, 1], spread * self.d
        return np.asarray(linear_step(rows, y - reach, y + reach), np.float32)

    def width(self, hair: float, shoulder: float, shape: tuple[int, ...]) -> Array:
        """A length in px that differs for hair and shoulders: (H, 1)."""
        low = self.below(CHIN, 0.25, shape)
        return np.asarray(self.d * (hair + (shoulder - hair) * low), np.float32)

    def oval(self, shape: tuple[int, ...], inset: float = 0.1) -> Mask:
        """The face without its rim: never backdrop."""
        drawn = np.zeros(shape[:2], np.uint8)
        cv2.fillPoly(drawn, [np.round(self.points[list(OVAL)]).astype(np.int32)], 1)
        size = 2 * max(1, round(inset * self.d)) + 1
        # the border counts as face: a crop through the head must not eat into it
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
        return np.asarray(cv2.erode(drawn, kernel, borderType=cv2.BORDER_CONSTANT, borderValue=1), bool)


class Segmenter:
    """MediaPipe's two selfie segmentation graphs. Not thread-safe: `Studio` holds the lock."""

    def __init__(self) -> None:
        import mediapipe  # here: it takes 2 s, and the page opens before

        with silence_mediapipe():
            make = mediapipe.solutions.selfie_segmentation.SelfieSegmentation
            self._graphs: tuple[Any, ...] = tuple(make(model_selection=model) for model in (0, 1))

    def mask(self, pixels: Pixels) -> Array:
        """Share of person from both models, each averaged with its mirror image."""
        mirrored = np.ascontiguousarray(pixels[:, ::-1])
        logit = np.zeros(pixels.shape[:2], np.float32)
        with silence_mediapipe():
            for graph, weight in zip(self._graphs, (1.0, 0.8), strict=True):
                there = graph.process(pixels).segmentation_mask
                back = graph.process(mirrored).segmentation_mask[:, ::-1]
                share = np.clip((there + back) / 2, 0.02, 0.98)
                logit += weight * np.log(share / (1 - share))
        return np.asarray(1 / (1 + np.exp(-0.7 * logit)), np.float32)

    def close(self) -> None:
        """Give the graphs back."""
        with silence_mediapipe():
            for graph in self._graphs:
                graph.close()


def signed_distance(inside: Mask) -> Array:
    """Signed distance from the contour, px: positive inside."""
    if not inside.any():
        return np.full(inside.shape, -1e6, np.float32)
    if inside.all():
        return np.full(inside.shape, 1e6, np.float32)
    here, there = (cv2.distanceTransform(part.astype(np.uint8), cv2.DIST_L2, 5) for part in (inside, ~inside))
    return np.asarray(here - there, np.float32)


def grabcut_veto(picture: Array, mask: Array, site: Site) -> Array:
    """The mask without what GrabCut gives to the room below the nose: a flag at the neck.

    Above the nose GrabCut added a flag's stars to the hair.
    """
    small = shrink_to(picture, GRABCUT_PX)
    there, coarse = site.at(small.shape[1] / picture.shape[1]), resize(mask, small.shape[:2])
    distance = signed_distance(coarse > 0.5)
    inner, outer = (
        there.width(hair, low, coarse.shape) for hair, low in zip(HAIR_SEEDS, SHOULDER_SEEDS, strict=True)
    )
    seeds = np.where(coarse > 0.5, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    seeds[(distance > inner) | there.oval(coarse.shape)] = cv2.GC_FGD
    seeds[distance < -outer] = cv2.GC_BGD
    sitter = np.isin(seeds, (cv2.GC_FGD, cv2.GC_PR_FGD))
    if sitter.all() or not sitter.any():
        return mask  # GrabCut refuses a picture of one kind
    cv2.setRNGSeed(0)  # its clusters start at random: the same photo must give the same plate
    bgr = np.ascontiguousarray((small[:, :, ::-1] * 255).astype(np.uint8))
    cv2.grabCut(bgr, seeds, None, np.zeros((1, 65)), np.zeros((1, 65)), 1, cv2.GC_INIT_WITH_MASK)
    kept = blur(np.isin(seeds, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.float32), 1.2)
    room = 1 - resize(kept, mask.shape).clip(0, 1)
    return np.asarray(mask * (1 - 0.75 * site.below(NOSE_TIP, 0.25, mask.shape) * room), np.float32)


def room_colour_share(picture: Array, mask: Array, site: Site) -> Array:
    """Where a colour below the nose is the nearby room's and not the nearby sitter's: a flag at the neck.

    Pixels near the contour are compared with those on rings round them that are surely room or sitter.
    """
    height, width = mask.shape
    distance, face = signed_distance(mask > 0.5), site.oval(mask.shape)
    room, own = distance < -0.15 * site.d, (distance > 0.35 * site.d) | face
    asked = (np.abs(distance) < 0.4 * site.d) & ~face & (site.below(NOSE_TIP, 0.25, mask.shape) > 0)
    rows, columns = np.nonzero(asked)
    colour = picture[rows, columns]
    nearest = np.full((2, rows.size), 1.0, np.float32)
    for step, ring in enumerate(RINGS):
        for turn in (np.arange(8) + step / 2) * np.pi / 4:
            y = (rows + round(ring * site.d * np.sin(turn))).clip(0, height - 1)
            x = (columns + round(ring * site.d * np.cos(turn))).clip(0, width - 1)
            apart = ((picture[y, x] - colour) ** 2).sum(axis=1)
            for which, part in enumerate((room, own)):
                nearest[which] = np.where(part[y, x], np.minimum(nearest[which], apart), nearest[which])
    to_room, to_sitter = np.sqrt(nearest)
    share = np.zeros_like(mask)
    share[rows, columns] = linear_step(to_sitter - to_room, 0.1, 0.2) * linear_step(to_room, 0.15, 0.08)
    return np.asarray(cv2.medianBlur(share, 3) * site.below(NOSE_TIP, 0.25, mask.shape), np.float32)


def trimap(mask: Array, site: Site) -> tuple[Array, Array]:
    """Signed distance from the contour (px) and the half width of the unknown band there (0 outside it)."""
    inside = largest_component(mask > 0.5) | site.oval(mask.shape)
    distance = signed_distance(inside)
    inner, outer = (
        site.width(hair, low, mask.shape) for hair, low in zip(HAIR_BAND, SHOULDER_BAND, strict=True)
    )
    wide = np.where(distance > 0, inner, outer)
    doubtful = (mask > 0.1) & (mask < 0.9) & (np.abs(distance) < 0.27 * site.d)
    wide = np.where(doubtful, 0.27 * site.d, wide)
    band = (np.abs(distance) < wide) & ~site.oval(mask.shape)
    return distance, np.where(band, wide, 0).astype(np.float32)


def largest_component(inside: Mask) -> Mask:
    """The largest connected part; holes below 0.4 % of the picture are filled, bays at its border are not."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(inside.astype(np.uint8))
    if count < 2:
        return inside
    kept = labels == 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    open_ = np.pad((~kept).astype(np.uint8), 1, constant_values=1)  # the frame joins all bays
    _, labels, stats, _ = cv2.connectedComponentsWithStats(open_, connectivity=4)
    small = np.flatnonzero(stats[:, cv2.CC_STAT_AREA] < 0.004 * inside.size)
    return np.asarray(kept | (np.isin(labels, small[small > 0]) & (open_ > 0))[1:-1, 1:-1], bool)
