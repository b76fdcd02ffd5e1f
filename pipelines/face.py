"""`Photo` to `Face`."""

import os
import re
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from errors import PhotoError
from pipelines.photo import Photo

RIGHT_PUPIL, LEFT_PUPIL = 468, 473  # the sitter's; FaceMesh with refine_landmarks
LONGEST = 1024  # px; MediaPipe sees the photo at most this large


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

    def __post_init__(self) -> None:
        for array in (self.landmarks, self.body, self.mask):
            array.setflags(write=False)

    @property
    def pupils(self) -> NDArray[np.float32]:
        """The sitter's right and left pupil, float32 (2, 2), px."""
        return self.landmarks[[RIGHT_PUPIL, LEFT_PUPIL], :2]

    @property
    def pupil_distance(self) -> float:
        """Between the pupils in the picture, px."""
        right, left = self.pupils
        return float(np.hypot(*(left - right)))


def require_good(face: Face) -> Face:
    """The face, if its selfie can be used. Raises `PhotoError` with the verdict's key and values."""
    if not face.verdict.good:
        raise PhotoError(face.verdict.key, **face.verdict.values)
    return face


# The form of a line from MediaPipe's C++ part, which no GLOG_ or TF_ variable stops.
_CHATTER = re.compile(rb"^(?:[IWEF]\d{4} |WARNING: All log messages before absl|INFO: Created TensorFlow)")


@contextmanager
def quiet() -> Iterator[None]:
    """Keep MediaPipe's own lines off file descriptor 2.

    The descriptor belongs to the whole process: what another thread writes meanwhile is held back and
    written when the block ends, only lines of MediaPipe's form are dropped.
    """
    kept = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            held.seek(0)
            for line in held:
                if not _CHATTER.match(line):
                    os.write(2, line)


class FaceFinder:
    """MediaPipe's four graphs. Built at the first use; one photo at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._graphs: dict[str, Any] = {}

    def __enter__(self) -> "FaceFinder":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the graphs back; the next `find` builds them again."""
        with self._lock, quiet():
            for graph in self._graphs.values():
                graph.close()
            self._graphs = {}

    def warm(self) -> None:
        """Build the graphs now and run them once, so that the first visitor does not wait."""
        with self._lock:
            self._look(np.zeros((64, 64, 3), np.uint8))

    def find(self, photo: Photo) -> Face:
        """The sitter's face. Raises `PhotoError`: `face.none`, or `face.many` with n."""
        height, width = photo.pixels.shape[:2]
        share = min(1.0, LONGEST / max(height, width))
        size = (max(1, round(width * share)), max(1, round(height * share)))
        small = photo.pixels if share == 1 else cv2.resize(photo.pixels, size, interpolation=cv2.INTER_AREA)
        with self._lock:
            seen = self._look(np.ascontiguousarray(small))
        if not seen["mesh"].multi_face_landmarks:
            raise PhotoError("face.none")
        mesh = seen["mesh"].multi_face_landmarks[0].landmark
        scale = np.float32([width, height, width])
        landmarks = np.float32([(p.x, p.y, p.z) for p in mesh]) * scale
        body = np.full((33, 4), np.nan, np.float32)
        if seen["pose"].pose_landmarks:
            points = seen["pose"].pose_landmarks.landmark
            body = np.float32([(p.x, p.y, p.z, p.visibility) for p in points]) * np.append(scale, 1)
        mask = cv2.resize(seen["person"].segmentation_mask, (width, height))
        yaw, pitch, roll = _angles(landmarks)
        return Face(photo, landmarks, body.astype(np.float32), mask, yaw, pitch, roll, Verdict("camera.good"))

    def _look(self, pixels: NDArray[np.uint8]) -> dict[str, Any]:
        with quiet():
            if not self._graphs:
                self._graphs = _graphs()
            return {name: graph.process(pixels) for name, graph in self._graphs.items()}


def _graphs() -> dict[str, Any]:
    import mediapipe  # here: it takes 2 s, and the page opens before

    of = mediapipe.solutions
    return {
        "mesh": of.face_mesh.FaceMesh(static_image_mode=True, refine_landmarks=True, max_num_faces=1),
        "pose": of.pose.Pose(static_image_mode=True, model_complexity=1),
        "person": of.selfie_segmentation.SelfieSegmentation(model_selection=0),
    }


def _angles(points: NDArray[np.float32]) -> tuple[float, float, float]:
    """Yaw, pitch, roll in degrees, signs as in `Face`."""
    across = points[454] - points[234] + points[263] - points[33]  # to the picture's right
    down = points[152] - points[10]
    ahead = -np.cross(across, down)
    ahead /= np.linalg.norm(ahead)
    yaw, pitch = np.arctan2(ahead[0], -ahead[2]), np.arcsin(-ahead[1])
    return (
        float(np.degrees(yaw)),
        float(np.degrees(pitch)),
        float(np.degrees(np.arctan2(across[1], across[0]))),
    )
