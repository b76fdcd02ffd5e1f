"""A look's backdrop, drawn from its data: what stands behind the sitter, out of focus.

Pictures are float32 (H, W, 3) in sRGB's encoding, 0..1. Everything is drawn on one small canvas and
enlarged by the studio, so that every canvas shows the same backdrop; what looks like chance comes from
the generator that is handed in.
"""

import numpy as np

from pipelines.arrays import Array
from pipelines.look import Backdrop, Discs, Mottle, Panes
from pipelines.plate.masks import blur, linear_step

SIZE = (288, 360)  # width, height in px: backdrops hold nothing finer


def draw_backdrop(what: Backdrop, head: Array, rng: np.random.Generator) -> Array:
    """The backdrop for a head at (x, y), shares of the canvas."""
    picture = gradient(what, head)
    if what.mottle:
        picture = add_clouds(picture, what.mottle, rng)
    if what.panes:
        picture = add_panes(picture, what.panes)
    if what.discs:
        picture = add_discs(picture, what.discs, rng)
    return picture


def rgb(colour: str) -> Array:
    """`#rrggbb` to (3,) 0..1."""
    return np.frombuffer(bytes.fromhex(colour[1:]), np.uint8).astype(np.float32) / 255


def gradient(what: Backdrop, head: Array) -> Array:
    """From the centre colour behind the head to the edge colour, which all four corners have."""
    width, height = SIZE
    x = (np.arange(width, dtype=np.float32) + 0.5) / width - head[0]
    y = ((np.arange(height, dtype=np.float32) + 0.5) / height - head[1])[:, None]
    if what.upright:
        share = np.broadcast_to(linear_step(y + head[1], 0, 1), (height, width))
    else:
        x, y = x / np.where(x < 0, head[0], 1 - head[0]), y / np.where(y < 0, head[1], 1 - head[1])
        share = np.sqrt((x**2 + y**2) / 2).clip(0, 1) ** 1.3
    colour = rgb(what.centre) + share[..., None] * (rgb(what.edge) - rgb(what.centre))
    near = np.exp(-(((x / 0.55) ** 2) + ((y / 0.5) ** 2)))[..., None]
    return np.asarray(colour + what.glow * near, np.float32)


def add_clouds(picture: Array, layer: Mottle, rng: np.random.Generator) -> Array:
    """The backdrop with clouds of other colours on it."""
    for colour in layer.colours:
        noise = sum((_noise(rng, layer.size / octave) / octave for octave in (1, 2, 4)), start=np.float32(0))
        cover = linear_step(noise, -0.5, 2.5)[..., None]
        picture = picture + layer.strength * cover**2 * (3 - 2 * cover) * (rgb(colour) - picture)
    return picture


def _noise(rng: np.random.Generator, size: float) -> Array:
    """Smooth noise of standard deviation 1; `size` of a cloud is a share of the width."""
    width, height = SIZE
    noise = blur(rng.standard_normal((height, width), np.float32), max(0.6, size * width / 3))
    return np.asarray(noise / noise.std(), np.float32)


def add_panes(picture: Array, layer: Panes) -> Array:
    """The backdrop with windows on it, out of focus."""
    height, width = picture.shape[:2]
    at = (np.arange(width, dtype=np.float32) + 0.5) / width * layer.count + 0.5
    colours = np.stack([rgb(layer.colours[int(pane) % len(layer.colours)]) for pane in at])
    row = np.abs(at % 1 - 0.5) < (1 - layer.gap) / 2
    cover = np.outer(np.arange(height) < layer.lowest * height, row).astype(np.float32)
    cover = layer.strength * blur(cover, layer.blur * width)[..., None]
    return np.asarray(picture + cover * (blur(colours[None], layer.blur * width) - picture), np.float32)


def add_discs(picture: Array, layer: Discs, rng: np.random.Generator) -> Array:
    """The backdrop with points of light on it, out of focus."""
    height, width = picture.shape[:2]
    x, y = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)[:, None]
    for _ in range(layer.count):
        cx, cy = rng.uniform(0, width), rng.uniform(0, layer.lowest * height)
        radius = layer.size * width / 2 * rng.uniform(0.45, 1)
        cover = (
            linear_step(radius - np.hypot(x - cx, y - cy), -1.5, 1.5) * rng.uniform(0.25, 1) * layer.strength
        )
        colour = rgb(layer.colours[rng.integers(len(layer.colours))])
        picture = picture + cover[..., None] * (colour - picture)
    return picture
