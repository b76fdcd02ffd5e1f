"""Untrusted bytes to `Photo`."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Photo:
    """One upright picture, never mirrored."""

    pixels: NDArray[np.uint8]  # (H, W, 3) sRGB

    def __post_init__(self) -> None:
        self.pixels.setflags(write=False)
