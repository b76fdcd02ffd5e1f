"""`Photo` to `Face`."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pipelines.photo import Photo


@dataclass(frozen=True)
class Verdict:
    """Whether a selfie will do: a key of `presets/words` and its values."""

    key: str  # "camera.good", or "face.small", "face.dark", ...
    values: dict[str, object] = field(default_factory=dict)

    @property
    def good(self) -> bool:
        """True when the selfie can be used."""
        return self.key == "camera.good"


@dataclass(frozen=True, eq=False)
class Face:
    """The sitter's face in one photo. Points are pixels of the photo, origin top left."""

    photo: Photo
    landmarks: NDArray[np.float32]  # (478, 3) x, y, z px (z: MediaPipe's, same scale as x)
    body: NDArray[np.float32]  # (33, 4) x, y, z px and visibility 0..1; NaN where no body was found
    mask: NDArray[np.float32]  # (H, W) 0..1, share of person (MediaPipe selfie segmentation)
    yaw: float  # degrees, positive when the sitter looks to the picture's right
    pitch: float  # degrees, positive when the sitter looks up
    roll: float  # degrees, positive when the head tilts clockwise in the picture
    verdict: Verdict
