"""A picture made ready for a vote: nothing but what it shows tells how it was made.

Both kinds are cropped to one shape, scaled to one size and written by one encoder at one quality, without
metadata; files of one size also have one length class. Pictures are uint8 (H, W, 3) sRGB.
"""

import io
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipelines.generate import Generator

Pixels = NDArray[np.uint8]

QUALITY = 90  # JPEG with full colour resolution, as all pictures that people look at
# Generated pictures are smoother, so their files are shorter: all are filled up to a multiple of this.
BYTES_PER_PIXEL = 0.5


def exhibit(pixels: Pixels, size: tuple[int, int]) -> bytes:
    """JPEG of the middle of a picture at `size` (width, height), filled up with zeros after its end."""
    image = Image.fromarray(fitted(pixels, size))
    file = io.BytesIO()
    image.save(file, "JPEG", quality=QUALITY, subsampling=0)
    block = round(size[0] * size[1] * BYTES_PER_PIXEL)
    return file.getvalue() + bytes(-file.tell() % block)


def fitted(pixels: Pixels, size: tuple[int, int]) -> Pixels:
    """The middle of a picture in the shape of `size`, scaled to it: averaged down, or interpolated up."""
    height, width = pixels.shape[:2]
    scale = max(size[0] / width, size[1] / height)
    across, down = min(width, round(size[0] / scale)), min(height, round(size[1] / scale))
    left, top = (width - across) // 2, (height - down) // 2
    middle = pixels[top : top + down, left : left + across]
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(middle, size, interpolation=way), np.uint8)


def pair(photograph: Pixels, portraits: Sequence[Pixels], generator: Generator) -> tuple[bytes, ...]:
    """The exhibits of a sitting: the plate first, then its portraits.

    The plate goes through the portraits' own autoencoder, which softens and tints a little: else the
    sharper one of two would always be the photograph.
    """
    canvas = generator.model_set.canvas
    control = generator.round_trip(fitted(photograph, canvas))
    return tuple(exhibit(pixels, canvas) for pixels in (control, *portraits))
