"""A decoded picture, of 8 bits or more, opaque and at working size: by whole boxes, tile by tile."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from PIL import Image

from pipelines.arrays import Array
from pipelines.selfie.colour import Codes

TILE = 1024  # px, side of what is converted at a time: a palette of 50 megapixels is never 200 MB of RGBA

Box = tuple[int, int, int, int]


@dataclass(frozen=True, eq=False)
class Raster:
    """A picture decoded, or about to be.

    Of more than 8 bits a channel `image` has the upper 8 and `lower` the rest, both L, RGB or RGBA: Pillow
    knows no deeper colour. `depth` counts them all.
    """

    image: Image.Image
    lower: Image.Image | None = None
    depth: int = 8


def working_size(size: tuple[int, int], side: int) -> tuple[int, int]:
    """Width and height of the picture with a long side of `side` px at most; a smaller one stays as it is."""
    scale = min(1.0, side / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def shrink(image: Image.Image, side: int, ground: int) -> Image.Image:
    """The picture at working size, L, RGB or CMYK; what is transparent has the grey `ground` under it."""
    return _tiled(image.size, side, _flat_mode(image), lambda box: _flat(image.crop(box), ground))


def shrink_codes(raster: Raster, side: int, ground: int) -> Codes:
    """The picture at working size, (H, W, 3) in codes of 0..65535; `ground` is one too."""
    upper, lower = raster.image, raster.lower
    if lower is None:
        return np.asarray(shrink(upper, side, ground >> 8).convert("RGB")).astype(np.uint16) * np.uint16(257)
    bands = 1 if upper.mode == "L" else 3
    tiles = [partial(_deep_tile, raster, band, ground) for band in range(bands)]
    planes = np.stack([np.asarray(_tiled(upper.size, side, "F", tile_at)) for tile_at in tiles], axis=2)
    codes: Codes = np.rint(planes.clip(0, 65535)).astype(np.uint16)
    return codes.repeat(3 // bands, axis=2)


def _tiled(size: tuple[int, int], side: int, mode: str, tile_at: Callable[[Box], Image.Image]) -> Image.Image:
    """Whole boxes of pixels are averaged as they come, and the rest of the way goes by Lanczos."""
    goal = working_size(size, side)
    factor = max(1, max(size) // side)
    step = factor * max(1, TILE // factor)
    width, height = size
    small = Image.new(mode, (-(-width // factor), -(-height // factor)))
    for top in range(0, height, step):
        for left in range(0, width, step):
            tile = tile_at((left, top, min(left + step, width), min(top + step, height)))
            small.paste(tile.reduce(factor) if factor > 1 else tile, (left // factor, top // factor))
    return small if small.size == goal else small.resize(goal, Image.Resampling.LANCZOS)


def _flat_mode(image: Image.Image) -> str:
    if image.mode.startswith("I;16"):
        return "L"
    if image.has_transparency_data:
        return "RGB"
    return {"1": "L", "L": "L", "CMYK": "CMYK"}.get(image.mode, "RGB")


def _flat(tile: Image.Image, ground: int) -> Image.Image:
    """Without palette, 16 bits or transparency."""
    if tile.mode.startswith("I;16"):  # Pillow's own conversion clips at 255
        return Image.fromarray((np.asarray(tile) >> 8).astype(np.uint8))
    if tile.has_transparency_data:
        under = Image.new("RGBA", tile.size, (ground, ground, ground, 255))
        return Image.alpha_composite(under, tile.convert("RGBA")).convert("RGB")
    return tile.convert(_flat_mode(tile))


def _deep_tile(raster: Raster, band: int, ground: int, box: Box) -> Image.Image:
    """One band, 0..65535, in mode F."""

    def codes(band: int) -> Array:
        parts = (raster.image, raster.lower or raster.image)
        high, low = (np.asarray(part.crop(box).getchannel(band), np.uint32) for part in parts)
        whole = high << 8 | low
        return (whole | whole >> raster.depth).astype(np.float32)  # the uppermost code becomes 65535

    plane = codes(band)
    if raster.image.mode == "RGBA":
        plane = ground + (plane - ground) * codes(3) / 65535
    return Image.fromarray(plane)
