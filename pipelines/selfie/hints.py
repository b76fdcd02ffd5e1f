"""A small frame of a live camera -> what would go wrong with a shot taken now.

The frame holds what the preview shows, so the oval of the camera screen stands in its middle. Points and
sizes are pixels of the frame, origin top left. Nothing is kept: no frame, no face, no answer. The figures
beside the constants come from 233 official portraits at 256 px, all skin tones, against the mesh that `check`
measures on.
"""

import io
import threading
from collections.abc import Sequence
from enum import StrEnum
from typing import Any, NamedTuple, Self

import numpy as np
from PIL.JpegImagePlugin import JpegImageFile

from errors import PhotoError
from pipelines.arrays import Pixels
from pipelines.selfie.check import DARKEST, MOST_CLIPPED, brightest, clipped_share
from pipelines.selfie.face import CLEARLY_THE_SITTER, FAR_SURE, NEAR_SURE, silence_mediapipe
from pipelines.selfie.photo import BROKEN, read_photo

LONGEST_SIDE = 256  # px; the detectors look at 128 and 192 px whatever they are given
MOST_BYTES = 48 * 1024  # portraits have 5 to 10 kB at JPEG quality 70; nothing but noise 34 kB
JPEG = b"\xff\xd8\xff"

# The oval of `templates/components/camera.html`: its view box covers the preview, from the middle.
VIEW_BOX, OVAL_HEIGHT = (640, 800), 410
# A detector's box goes from the hairline to the chin (0.87 to 1.13 of that in the portraits); above it is as
# much forehead and hair as a third of it.
CROWN, HEAD = 0.33, 1.33  # of the box's height
SMALLEST_HEAD, LARGEST_HEAD = 0.5, 1.35  # of the oval's height: it asks for a head that fills it
# How far the nose stands beside the middle of the eyes, in distances of the eyes, by both detectors. Of 836
# portraits and their mirror images those turned by less than 25 degrees, from where on a selfie is refused,
# have 0.36 at most, the others 0.43 and more.
MOST_ASIDE = 0.39
RIGHT_EYE, LEFT_EYE, NOSE = 0, 1, 2  # of a detection's points


class Hint(StrEnum):
    """What to do before the shot; `camera.hint_*` of the words has the sentence."""

    GOOD = ""  # nothing
    NONE = "none"
    MANY = "many"
    DARK = "dark"
    BRIGHT = "bright"
    NEAR = "near"
    CUT = "cut"
    FAR = "far"
    TURNED = "turned"


class FrameFace(NamedTuple):
    """A face that a detector found in a frame."""

    left: float
    top: float
    width: float
    height: float
    aside: float  # how far the nose stands beside the middle of the eyes, in distances of the eyes

    @property
    def area(self) -> float:
        """Of the box, px."""
        return self.width * self.height

    def covers_middle_of(self, other: "FrameFace") -> bool:
        """Whether both are one face: the middle of the other lies in this one."""
        x, y = other.left + other.width / 2, other.top + other.height / 2
        return self.left < x < self.left + self.width and self.top < y < self.top + self.height


def read_frame(data: bytes) -> Pixels:
    """The pixels of a JPEG, (H, W, 3) sRGB. Raises `PhotoError` for whatever else and for one too large."""
    if not data.startswith(JPEG):
        raise PhotoError("file.type")
    try:
        size = JpegImageFile(io.BytesIO(data)).size  # of the header: nothing is decoded yet
    except BROKEN as error:
        raise PhotoError("file.broken") from error
    if max(size) > LONGEST_SIDE or len(data) > MOST_BYTES:
        raise PhotoError("file.type")
    return read_photo(data).pixels


def judge_frame(pixels: Pixels, faces: Sequence[FrameFace]) -> Hint:
    """The first thing to mend, in the order in which mending helps the rest."""
    if not faces:
        return Hint.DARK if brightest(pixels.reshape(-1, 3)) < DARKEST else Hint.NONE
    sitter = max(faces, key=lambda face: face.area)
    if sum(face.area * CLEARLY_THE_SITTER > sitter.area for face in faces) > 1:
        return Hint.MANY
    skin = _inside(pixels, sitter)
    head = HEAD * sitter.height / oval_height(pixels)
    failings = {
        Hint.DARK: brightest(skin) < DARKEST,
        Hint.BRIGHT: clipped_share(skin) > MOST_CLIPPED,
        Hint.NEAR: head > LARGEST_HEAD,
        Hint.CUT: _is_cut(pixels, sitter),
        Hint.FAR: head < SMALLEST_HEAD,
        Hint.TURNED: abs(sitter.aside) > MOST_ASIDE,
    }
    return next((hint for hint, fails in failings.items() if fails), Hint.GOOD)


def merge(faces: Sequence[FrameFace], others: Sequence[FrameFace]) -> list[FrameFace]:
    """What two detectors found, each face once; how far it is turned is the mean of both."""
    merged = list(faces)
    for other in others:
        known = [index for index, face in enumerate(faces) if face.covers_middle_of(other)]
        for index in known:
            merged[index] = merged[index]._replace(aside=(faces[index].aside + other.aside) / 2)
        if not known:
            merged.append(other)
    return merged


def oval_height(pixels: Pixels) -> float:
    """How high the oval stands over this frame, px."""
    height, width = pixels.shape[:2]
    return OVAL_HEIGHT * max(width / VIEW_BOX[0], height / VIEW_BOX[1])


class FrameJudge:
    """Two face detectors of its own. Built at the first frame; one at a time, and nobody waits."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._detectors: list[Any] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the detectors back; the next frame builds them again."""
        with self._lock:
            for detector in self._detectors:
                detector.close()
            self._detectors = []

    def warm(self) -> None:
        """Build the detectors now, so that the first frame is answered in time."""
        with self._lock:
            self._build()

    def judge(self, data: bytes) -> Hint | None:
        """The hint for a JPEG; None while another frame is looked at. Raises `PhotoError` as `read_frame`."""
        if not self._lock.acquire(blocking=False):
            return None
        try:
            pixels = read_frame(data)
            return judge_frame(pixels, self._find(pixels))
        finally:
            self._lock.release()

    def _find(self, pixels: Pixels) -> list[FrameFace]:
        """Faces that are sure, each once: both detectors see those at arm's length."""
        self._build()
        near, far = self._detectors
        return merge(_faces(pixels, far, FAR_SURE), _faces(pixels, near, NEAR_SURE))

    def _build(self) -> None:
        if self._detectors:
            return
        from mediapipe import solutions as of  # here: it takes 2 s, and the page opens before

        with silence_mediapipe():
            self._detectors = [of.face_detection.FaceDetection(model_selection=model) for model in (0, 1)]
            for detector in self._detectors:  # their threads talk until the first picture is through
                detector.process(np.zeros((64, 64, 3), np.uint8))


def _faces(pixels: Pixels, detector: Any, sure: float) -> list[FrameFace]:
    height, width = pixels.shape[:2]
    faces = []
    for detection in detector.process(pixels).detections or ():
        box, points = (
            detection.location_data.relative_bounding_box,
            detection.location_data.relative_keypoints,
        )
        if detection.score[0] >= sure:
            right, left, nose = (
                np.array([points[index].x * width, points[index].y * height])
                for index in (RIGHT_EYE, LEFT_EYE, NOSE)
            )
            across = left - right
            aside = float((nose - (right + left) / 2) @ across / max(across @ across, 1e-6))
            edges = box.xmin * width, box.ymin * height, box.width * width, box.height * height
            faces.append(FrameFace(*edges, aside))
    return faces


def _inside(pixels: Pixels, face: FrameFace) -> Pixels:
    """The pixels of the ellipse in a face's box, (n, 3): as bright as the mesh's oval within 3 of 255."""
    height, width = pixels.shape[:2]
    y, x = np.mgrid[:height, :width]
    across = (x - face.left - face.width / 2) / (0.45 * face.width)
    down = (y - face.top - face.height / 2) / (0.5 * face.height)
    inside: Pixels = pixels[across**2 + down**2 <= 1]
    return inside


def _is_cut(pixels: Pixels, face: FrameFace) -> bool:
    """Whether crown, chin or cheeks lie outside the frame."""
    height, width = pixels.shape[:2]
    top, right, bottom = face.top - CROWN * face.height, face.left + face.width, face.top + face.height
    return top < 0 or face.left < 0 or right > width or bottom > height
