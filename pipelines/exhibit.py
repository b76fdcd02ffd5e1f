"""A picture made ready for a vote: nothing but what it shows tells how it was made.

Both truths are cropped to one shape, scaled to one size and written by one encoder at one quality, without
metadata, and filled up to one length. A photograph of a sitting is its plate, as the studio made it. Pictures
are uint8 (H, W, 3) sRGB, sizes are (width, height) px.
"""

import io
from collections.abc import Sequence

import cv2
import numpy as np
from PIL import Image

from pipelines.arrays import Pixels
from pipelines.draw.model_set import ModelSet

EXHIBIT = (864, 1080)  # on the stage and at the booth, whatever drew the portrait
PHONE = (480, 600)  # three phone pixels of a third
# JPEG with full colour resolution, as all pictures that people look at; the first at which both truths fit.
QUALITIES = (90, 85, 80, 75, 70, 65, 60, 50, 40)
# What a file is filled up to: generated pictures are smoother, so their files are shorter. A thousand phones
# fetch theirs in the same second.
BYTES = {EXHIBIT: 460_000, PHONE: 90_000}
BYTES_PER_PIXEL = 0.5  # of any other size


def exhibits(pictures: Sequence[Pixels], size: tuple[int, int]) -> tuple[bytes, ...]:
    """JPEGs of the middles of pictures at `size`: one quality, one length for all.

    The length is that of the size, or a multiple of it where even the lowest quality overflows.
    """
    images = [Image.fromarray(crop_to_fit(pixels, size)) for pixels in pictures]
    block = BYTES.get(size, round(size[0] * size[1] * BYTES_PER_PIXEL))
    for quality in QUALITIES:
        files = [_jpeg(image, quality) for image in images]
        longest = max(map(len, files))
        if longest <= block:
            break
    length = -(-longest // block) * block
    return tuple(file + bytes(length - len(file)) for file in files)  # zeros after a JPEG's end


def exhibit(pixels: Pixels, size: tuple[int, int]) -> bytes:
    """The same of a picture about which nothing is asked: at the first quality, not filled up."""
    return _jpeg(Image.fromarray(crop_to_fit(pixels, size)), QUALITIES[0])


def crop_to_fit(pixels: Pixels, size: tuple[int, int]) -> Pixels:
    """The middle of a picture in the shape of `size`, scaled to it: averaged down, or interpolated up."""
    height, width = pixels.shape[:2]
    scale = max(size[0] / width, size[1] / height)
    across, down = min(width, round(size[0] / scale)), min(height, round(size[1] / scale))
    left, top = (width - across) // 2, (height - down) // 2
    middle = pixels[top : top + down, left : left + across]
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(middle, size, interpolation=way), np.uint8)


def pair(photograph: Pixels, portrait: Pixels, model_set: ModelSet) -> tuple[bytes, ...]:
    """The exhibits of a plate and the portrait drawn from it.

    A finished portrait has the plate's detail, and the plate is shown as it is. Otherwise the portrait holds
    no more than its canvas, so the plate is resampled through that size: else the sharper one of two would
    always be the photograph.
    """
    plate = photograph if model_set.finish else crop_to_fit(photograph, model_set.canvas)
    return exhibits([plate, portrait], EXHIBIT)


def _jpeg(image: Image.Image, quality: int) -> bytes:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality, subsampling=0)
    return file.getvalue()
