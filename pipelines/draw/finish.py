"""A small canvas's portrait to one of the plate's size: frequency separation along the optical flow.

A small network cannot hold skin, lashes and hair; the visitor's plate in the same framing has them. What the
network changed of tone and shape is taken from the network, what its canvas cannot hold from the plate,
moved to where the network put things. So an untouched plate comes back untouched.

Pictures are uint8 (H, W, 3) sRGB; "small" is the canvas, "large" the plate's size. Arrays are float32.
"""

from typing import Any

import cv2
import numpy as np

from pipelines.arrays import Array, Pixels
from pipelines.plate.masks import blur, linear_step, resize

# Lengths are px of a canvas 256 px wide, which all of this was tried on; other canvases scale them.
TRIED_PX = 256
FLOW_SCALE = 2  # DIS sees both pictures enlarged so much
FLOW_SIGMA, MOST_FLOW = 2.5, 6.0  # identity drift is smooth and small; what went further is another thing
MOST_BEND, BEND_SIGMA, BEND_ROUNDS = 0.35, 6.0, 4  # gradient of the flow: beyond, hair swirls
NEAR = 4.0  # the flow fades so far outside the sitter: the backdrop stays where it is
INNER, INNER_SIGMA = (0.55, 0.98), 1.2  # alpha within the outline, where the network's tone is taken
CHROMA_SIGMA = 2.5  # colour needs less resolution than lightness, and small networks blotch it
CHANGE_SIGMA = 0.6  # what is finer of a change is the network's grid: a JPEG of it is 3 % longer
# Light and shade across a face, whose pupils are 55 px apart: finer than the first is features; the second,
# across and down, averages left with right, but not a face with clothes.
FEATURE_SIGMA, FACE_SIGMAS = 14.0, (150.0, 30.0)
FINE, FINE_SIGMA = (0.7, 3.0), 3.0  # the band in which both must agree, and over what area
AGREE, LEAST_DETAIL = (0.2, 0.7), 0.5  # correlations mapped to 0..1; never less of the plate's detail
FLAT = 4.0  # variance in grey values below which a correlation says nothing


def transfer_detail(portrait: Pixels, base: Pixels, plate: Pixels, alpha: Array) -> Pixels:
    """The portrait at the plate's size.

    `portrait` and `base` are small: what the network drew, and the plate's round trip through its
    autoencoder, which has the network's softness without its changes. `plate` and `alpha` (H, W) are large.
    Deterministic. Retouchers do the same by hand; the flow is DIS (Kroeger, Timofte, Dai, Van Gool 2016).
    """
    unit = base.shape[1] / TRIED_PX
    cover = resize(alpha, base.shape[:2])
    flow = displacement(portrait, base, cover, unit)
    moved, cover = _warp(base, flow), _warp(cover, flow)
    inner = linear_step(blur(cover, INNER_SIGMA * unit), *INNER).astype(np.float32)
    change = tone_change(portrait, moved, inner, unit)
    detail = 1 - (1 - agreement(portrait, moved, unit)) * inner
    shape = plate.shape[:2]
    large = _warp(plate, _enlarge_flow(flow, shape)).astype(np.float32)
    share = resize(detail, shape).clip(0, 1)[..., None]
    large += (1 - share) * (resize(moved, shape).astype(np.float32) - large)
    large += resize(change, shape)
    return np.asarray(cv2.convertScaleAbs(large.clip(0, 255)), np.uint8)


def displacement(portrait: Pixels, base: Pixels, cover: Array, unit: float = 1.0) -> Array:
    """Where each drawn pixel's content stood in `base`: (h, w, 2) x, y px to add. Bounded, without folds."""
    height, width = base.shape[:2]
    large = (width * FLOW_SCALE, height * FLOW_SCALE)
    first, second = (
        cv2.resize(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), large, interpolation=cv2.INTER_CUBIC)
        for pixels in (portrait, base)
    )
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    found = search.calc(first, second, np.zeros((*first.shape, 2), np.float32))
    flow = blur(found, FLOW_SIGMA * FLOW_SCALE * unit)
    flow = remove_folds(resize(flow, (height, width)) / FLOW_SCALE, unit)
    length = np.hypot(flow[..., 0], flow[..., 1])
    near = linear_step(blur(cv2.dilate(cover, np.ones((9, 9), np.uint8)), NEAR * unit), 0, 0.6)
    bound = near * np.minimum(1, MOST_FLOW * unit / np.maximum(length, 1e-6))
    return np.asarray(flow * bound[..., None], np.float32)


def remove_folds(flow: Array, unit: float) -> Array:
    """The flow, smoother where it bends so much that hair would swirl."""
    for _ in range(BEND_ROUNDS):
        across, down = (cv2.Sobel(flow, -1, *step, ksize=3, scale=1 / 8) for step in ((1, 0), (0, 1)))
        bent = (across**2 + down**2).sum(axis=2) > MOST_BEND**2
        if not bent.any():
            break
        there = cv2.dilate(bent.astype(np.float32), np.ones((9, 9), np.uint8))
        share = blur(there, BEND_SIGMA / 2 * unit)[..., None]
        flow = flow + share * (blur(flow, BEND_SIGMA * unit) - flow)
    return flow


def tone_change(portrait: Pixels, moved: Pixels, inner: Array, unit: float = 1.0) -> Array:
    """What the network changed of the plate, small, in sRGB's grey values (h, w, 3), within the outline.

    Worked out in Lab: chroma more smoothly than lightness. How light falls across the face stays the
    plate's; how light the face is as a whole does not, since that is what the report is about.
    """
    before = cv2.cvtColor(moved.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    change = cv2.cvtColor(portrait.astype(np.float32) / 255, cv2.COLOR_RGB2LAB) - before
    change[..., 1:] = _within(change[..., 1:], inner, CHROMA_SIGMA * unit)
    shade = _within(change[..., :1], inner, FEATURE_SIGMA * unit)
    change[..., :1] -= shade - _within(shade, inner, *(sigma * unit for sigma in FACE_SIGMAS))
    change *= inner[..., None]
    after = cv2.cvtColor(before + change, cv2.COLOR_LAB2RGB).clip(0, 1)
    colours = 255 * (after - cv2.cvtColor(before, cv2.COLOR_LAB2RGB))
    return np.asarray(blur(colours, CHANGE_SIGMA * unit), np.float32)


def agreement(portrait: Pixels, moved: Pixels, unit: float = 1.0) -> Array:
    """How much of the plate's detail fits what was drawn, (h, w) `LEAST_DETAIL`..1: else it would ghost."""
    first, second = (_band(pixels, unit) for pixels in (portrait, moved))
    both, first_power, second_power = (
        blur(product, FINE_SIGMA * unit) for product in (first * second, first * first, second * second)
    )
    likeness = (both + FLAT) / np.sqrt((first_power + FLAT) * (second_power + FLAT))
    return np.asarray(np.maximum(LEAST_DETAIL, linear_step(likeness, *AGREE)), np.float32)


def _band(pixels: Pixels, unit: float) -> Array:
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY).astype(np.float32)
    return np.asarray(blur(grey, FINE[0] * unit) - blur(grey, FINE[1] * unit), np.float32)


def _within(value: Array, weight: Array, across_px: float, down_px: float | None = None) -> Array:
    """A Gaussian blur that does not look beyond the outline, (h, w, n); sigmas in px."""
    sigmas = across_px, down_px or across_px
    total, share = (
        cv2.GaussianBlur(layer, (0, 0), sigmaX=sigmas[0], sigmaY=sigmas[1])
        for layer in (value * weight[..., None], weight)
    )
    return np.asarray(total.reshape(value.shape) / np.maximum(share, 0.05)[..., None], np.float32)


def _enlarge_flow(flow: Array, shape: tuple[int, ...]) -> Array:
    large = cv2.resize(flow, shape[1::-1], interpolation=cv2.INTER_LINEAR)
    return np.asarray(large * np.float32(shape[1] / flow.shape[1]), np.float32)


def _warp(layer: Any, flow: Array) -> Any:
    """The layer at places moved by the flow."""
    height, width = flow.shape[:2]
    x = flow[..., 0] + np.arange(width, dtype=np.float32)
    y = flow[..., 1] + np.arange(height, dtype=np.float32)[:, None]
    return cv2.remap(layer, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
