"""What a generator draws, and how far two pictures are apart."""

import numpy as np

from pipelines.arrays import Pixels
from pipelines.draw.drawer import DrawRequest
from pipelines.draw.generate import Generator, Rendering


def portraits(generator: Generator, request: DrawRequest) -> list[Rendering]:
    return [event for event in generator.draw(request) if isinstance(event, Rendering)]


def portrait(generator: Generator, request: DrawRequest) -> Pixels:
    (rendering,) = portraits(generator, request)
    return rendering.image


def difference(a: Pixels, b: Pixels) -> int:
    """Largest difference of any channel of any pixel, 0..255."""
    return int(np.abs(a.astype(int) - b).max())


def other_face(request: DrawRequest, index: int) -> tuple[Pixels, ...]:
    faces = list(request.references)
    faces[index] = np.invert(faces[index])
    return tuple(faces)
