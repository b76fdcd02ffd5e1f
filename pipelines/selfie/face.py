"""`Photo` to `Face`: who is there, where, how turned, and whether the selfie will do.

MediaPipe 0.10.21 does the finding: two face detectors (near, far), the face mesh, the body and the person
mask. All its models lie in the wheel. Points are pixels of the photo, origin top left; "right" and "left"
are the sitter's.
"""

import os
import re
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import cv2
import numpy as np

from errors import PhotoError
from pipelines.arrays import Array, Pixels, Points
from pipelines.mesh import LANDMARKS, PUPILS, Angles, Window, align_face, angles, pupil_distance, window
from pipelines.selfie import upright
from pipelines.selfie.check import SelfieVerdict, judge, worth
from pipelines.selfie.occlusion import hidden_regions
from pipelines.selfie.photo import Photo
from pipelines.selfie.upright import LEFT_SHOULDER, RIGHT_SHOULDER

BODY_POINTS = 33  # BlazePose


@dataclass(frozen=True, eq=False)
class Face:
    """The sitter's face in one photo. Points are pixels of the photo, origin top left."""

    photo: Photo  # upright: the photo that was asked about, or its turned copy
    landmarks: Points  # (478, 3) x, y, z px (z: MediaPipe's, same scale as x); NaN when only a back is seen
    body: Points  # (33, 4) x, y, z px and visibility 0..1; NaN where no body was found
    mask: Array  # (H, W) 0..1, share of person (MediaPipe selfie segmentation)
    yaw: float  # degrees, positive when the sitter looks to the picture's right
    pitch: float  # degrees, positive when the sitter looks up
    roll: float  # degrees, positive when the head tilts clockwise in the picture
    verdict: SelfieVerdict
    # Regions that something lies over, of `occlusion.REGIONS`: their measures are "not measured". A good
    # selfie may hide eyes (dark glasses, hair), cheeks or nose (a hand), never mouth and jaw.
    hidden: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        for array in (self.landmarks, self.body, self.mask):
            array.setflags(write=False)

    @property
    def pupils(self) -> Points:
        """The sitter's right and left pupil, float32 (2, 2), px."""
        return self.landmarks[list(PUPILS), :2]

    @property
    def pupil_distance(self) -> float:
        """Between the pupils in the picture, px."""
        return pupil_distance(self.landmarks)


def require_good(face: Face) -> Face:
    """The face, if its selfie can be used. Raises `PhotoError` with the verdict's key and values."""
    if not face.verdict.good:
        raise PhotoError(face.verdict.key, **face.verdict.values)
    return face


def best_of(faces: Sequence[Face]) -> int:
    """Which of a sitter's selfies to build on: a good one, frontal, sharp, large, eyes open."""

    def rank(face: Face) -> tuple[bool, float]:
        if np.isnan(face.landmarks).any():
            return False, 0.0
        held = Angles(face.yaw, face.pitch, face.roll)
        return face.verdict.good, worth(face.photo.pixels, face.landmarks, held)

    return max(range(len(faces)), key=lambda index: rank(faces[index]))


def best_first(faces: Sequence[Face]) -> tuple[Face, ...]:
    """The same faces, the one to build on before the others."""
    best = best_of(faces)
    return faces[best], *faces[:best], *faces[best + 1 :]


# The form of a line from MediaPipe's C++ part, which no GLOG_ or TF_ variable stops.
_CHATTER = re.compile(rb"[IWEF]\d{4} |WARNING: All log messages before absl|INFO: Created TensorFlow Lite")
# A lock of the module because descriptor 2 is the process's: two overlapping redirections, undone in the
# wrong order, would leave it pointing at a deleted file.
_DESCRIPTOR = threading.RLock()


@contextmanager
def silence_mediapipe() -> Iterator[None]:
    """Keep MediaPipe's own lines off file descriptor 2.

    The descriptor belongs to the whole process, other threads included: what they write meanwhile is held
    back and written when the block ends; only lines of MediaPipe's form are dropped. A child process
    started meanwhile by another thread would inherit the held descriptor and its lines would be lost.
    """
    with _DESCRIPTOR, tempfile.TemporaryFile() as held:
        kept = os.dup(2)
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


LONGEST = 1024  # px; MediaPipe sees the photo at most this large: its inputs are 128 to 256 px anyway
# In 33 pictures without people the far detector found nothing, the near one scored up to 0.68. In 1,697
# portraits the far one gave 0.61 and more or the near one 0.79 and more (but for one profile).
FAR_SURE, NEAR_SURE = 0.5, 0.75
SAME_FACE = 0.3  # intersection over union
CLEARLY_THE_SITTER = 1.2  # times the area of the next face
# Degrees from which the mesh is looked for closer: tilted faces in large pictures read up to 25 too little.
CLEARLY_TILTED = 30.0
# Grey about a picture, share of its longer side: the detectors know no face that is larger than the picture.
# Faces cut off at the cheeks: 0 of 12 found without it, 12 with it.
PADDING = 0.5
FILLS = 0.5  # share of the shorter side
# Share of the picture's height within which both shoulders lie where a back is seen; portraits 0.92 at most,
# faces that fill the picture 1.07 and more.
SHOULDERS_SEEN = 1.02


class Box(NamedTuple):
    """A detected face, px of the photo."""

    left: float
    top: float
    width: float
    height: float
    score: float  # the far detector's, the near one's, or both together: 0.5 to 2

    @property
    def area(self) -> float:
        """Px²."""
        return self.width * self.height

    @property
    def centre(self) -> Points:
        """(2,) px."""
        return np.array([self.left + self.width / 2, self.top + self.height / 2], np.float32)

    def overlap(self, other: "Box") -> float:
        """Intersection over union."""
        wide = min(self.left + self.width, other.left + other.width) - max(self.left, other.left)
        high = min(self.top + self.height, other.top + other.height) - max(self.top, other.top)
        shared = max(0.0, wide) * max(0.0, high)
        return shared / (self.area + other.area - shared)

    def fills(self, pixels: Pixels) -> bool:
        """Whether it takes most of the picture."""
        return self.width > FILLS * min(pixels.shape[:2])


def _points(seen: Window, found: Any) -> Points:
    """MediaPipe's landmarks as float32 (n, 3), px of the photo."""
    normal = np.array([(point.x, point.y, point.z) for point in found.landmark])
    return (normal * (seen.width, seen.height, seen.width) + (seen.left, seen.top, 0)).astype(np.float32)


def detected_boxes(seen: Window, found: Any) -> list[Box]:
    """The answer of MediaPipe's face detection for a window, px of the photo."""
    boxes = []
    for detection in found.detections or ():
        box = detection.location_data.relative_bounding_box
        left, top = seen.left + box.xmin * seen.width, seen.top + box.ymin * seen.height
        boxes.append(Box(left, top, box.width * seen.width, box.height * seen.height, detection.score[0]))
    return boxes


class FaceFinder:
    """MediaPipe's graphs. Built at the first use; one photo at a time, whatever thread asks."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._graphs: dict[str, Any] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the graphs back; the next `find` builds them again."""
        with self._lock, silence_mediapipe():
            for graph in self._graphs.values():
                graph.close()
            self._graphs = {}

    def warm(self) -> None:
        """Build the graphs now, so that the first visitor does not wait."""
        with self._lock, silence_mediapipe():
            self._build()

    def find(self, photo: Photo) -> Face:
        """The sitter's face and its verdict.

        Raises `PhotoError`: `face.none` when nobody is there, `face.many` (n) when two or more are alike in
        size. Every other failing is the verdict's. Where a head is there but no face to measure (seen from
        behind, a full profile), landmarks and angles are NaN.
        """
        with self._lock, silence_mediapipe():
            self._build()
            return self._find(photo)

    def meshes(self, crops: Sequence[Pixels]) -> list[Points | None]:
        """The mesh of each crop that a face fills, (478, 3) px of that crop; None where none is seen."""
        with self._lock, silence_mediapipe():
            self._build()
            answers = [self._graphs["mesh"].process(crop).multi_face_landmarks for crop in crops]
        return [
            _points(Window(0, 0, crop.shape[1], crop.shape[0], crop), found[0]) if found else None
            for crop, found in zip(crops, answers, strict=True)
        ]

    def _build(self) -> None:
        if self._graphs:
            return
        from mediapipe import solutions as of  # here: it takes 2 s, and the page opens before

        self._graphs = {
            "near": of.face_detection.FaceDetection(model_selection=0),
            "far": of.face_detection.FaceDetection(model_selection=1),
            "mesh": of.face_mesh.FaceMesh(static_image_mode=True, refine_landmarks=True),
            "body": of.pose.Pose(static_image_mode=True, model_complexity=1),  # 0 and 2 would download
            "person": of.selfie_segmentation.SelfieSegmentation(model_selection=0),
        }
        for graph in self._graphs.values():  # their threads talk until the first picture is through
            graph.process(np.zeros((64, 64, 3), np.uint8))

    def _find(self, photo: Photo) -> Face:
        reading = self._read(photo)
        if not reading.is_upright:
            reading = next((turned for turned in self._turned(reading) if turned.is_upright), reading)
        return reading.face()

    def _read(self, photo: Photo) -> "_Reading":
        """Everything that is seen in a photo as it stands."""
        pixels = photo.pixels
        height, width = pixels.shape[:2]
        whole = window(
            pixels, np.array([width / 2, height / 2], np.float32), 2.0 * max(width, height), LONGEST
        )
        body = self._body(whole)
        mask = self._graphs["person"].process(whole.pixels).segmentation_mask
        mask = cv2.resize(mask, (width, height), interpolation=cv2.INTER_LINEAR)
        faces = self._detect(whole) or self._detect_at_the_head(pixels, body)
        if not faces:
            faces = [face for face in self._detect(_padded(pixels)) if face.fills(pixels)]
        landmarks = self._mesh(pixels, whole, faces[0]) if faces else None
        return _Reading(photo, faces, body, mask, landmarks)

    def _turned(self, reading: "_Reading") -> Iterator["_Reading"]:
        """The photo by other right angles: as the body leans, then as the detectors are surest."""
        photos = [Photo(np.ascontiguousarray(np.rot90(reading.photo.pixels, by))) for by in range(4)]
        leans = upright.quarters(upright.body_roll(reading.body))
        scores = [sum(face.score for face in self._detect(_padded(photo.pixels))[:1]) for photo in photos]
        for by in dict.fromkeys((leans, int(np.argmax(scores)))):
            if by:
                yield self._read(photos[by])

    def _detect(self, seen: Window) -> list[Box]:
        """Faces that are sure, largest first."""
        near, far = (
            detected_boxes(seen, self._graphs[name].process(seen.pixels)) for name in ("near", "far")
        )
        sure = [box for box in far if box.score >= FAR_SURE]
        for box in near:
            known = next((face for face in sure if box.overlap(face) >= SAME_FACE), None)
            if known:
                sure[sure.index(known)] = known._replace(score=known.score + box.score)
            elif box.score >= NEAR_SURE:
                sure.append(box)
        return sorted(sure, key=lambda box: -box.area)

    def _detect_at_the_head(self, pixels: Pixels, body: Points) -> list[Box]:
        """Look closer where the body carries its head: bodies are found when their faces are too small.

        Pupils 15 px apart in 1,280 are found in half of the portraits, without it 29 px.
        """
        if np.isnan(body).any():
            return []
        head, shoulders = body[:9, :2], body[[RIGHT_SHOULDER, LEFT_SHOULDER], :2]
        side = 3 * max(np.ptp(head[:, 0]), 0.35 * np.hypot(*(shoulders[1] - shoulders[0])))
        return self._detect(window(pixels, head.mean(axis=0), float(side), LONGEST, least=256))

    def _body(self, seen: Window) -> Points:
        found = self._graphs["body"].process(seen.pixels).pose_landmarks
        if not found:
            return np.full((BODY_POINTS, 4), np.nan, np.float32)
        visibility = np.array([[point.visibility] for point in found.landmark], np.float32)
        return np.hstack([_points(seen, found), visibility])

    def _mesh(self, pixels: Pixels, whole: Window, box: Box) -> Points | None:
        """The mesh of the detected face: in the whole picture, else in a window about it, or beyond it."""
        first = self._mesh_in(whole, box)
        if first is not None and abs(angles(first).roll) <= CLEARLY_TILTED:
            return first
        side = max(box.width, box.height)
        closer = (window(pixels, box.centre, share * side, LONGEST, least=256) for share in (2, 1.4))
        others = (self._mesh_in(seen, box) for seen in (*closer, _padded(pixels)))
        return next((mesh for mesh in others if mesh is not None), first)

    def _mesh_in(self, seen: Window, box: Box) -> Points | None:
        """The mesh that is found there, if it is of the detected face: it may be somebody else's."""
        found = self._graphs["mesh"].process(seen.pixels).multi_face_landmarks
        if not found:
            return None
        points = _points(seen, found[0])
        away = points[list(PUPILS), :2].mean(axis=0) - box.centre
        return points if np.hypot(*away) < box.width / 2 else None


class _Reading(NamedTuple):
    """What is seen in a photo as it stands."""

    photo: Photo
    faces: list[Box]  # largest first
    body: Points  # (33, 4)
    mask: Array  # (H, W) 0..1
    landmarks: Points | None  # of the first face

    @property
    def is_upright(self) -> bool:
        """Whether it may be believed, or the photo may stand another way up."""
        score = self.faces[0].score if self.faces else 0.0
        return upright.is_upright(self._roll, upright.body_roll(self.body), score)

    @property
    def _roll(self) -> float:
        return np.nan if self.landmarks is None else angles(self.landmarks).roll

    def face(self) -> Face:
        """The sitter's face with its verdict. Raises `PhotoError`: `face.none`, `face.many`."""
        _require_one(self.faces)
        if self.landmarks is None:
            nothing = np.full((LANDMARKS, 3), np.nan, np.float32)
            verdict = SelfieVerdict(self._fault_without_a_mesh())
            return Face(self.photo, nothing, self.body, self.mask, np.nan, np.nan, np.nan, verdict)
        held = angles(self.landmarks)
        hidden = hidden_regions(align_face(self.photo.pixels, self.landmarks))
        verdict = judge(self.photo.pixels, self.landmarks, held, self.mask, hidden)
        if verdict.good and upright.is_wrong_way_up(held.roll, upright.body_roll(self.body)):
            verdict = SelfieVerdict("face.upright")
        return Face(self.photo, self.landmarks, self.body, self.mask, *held, verdict, hidden)

    def _fault_without_a_mesh(self) -> str:
        """Raises `PhotoError("face.none")`. The mesh cannot be asked: it fits a face to a head's back."""
        if self.faces:
            return "face.close" if self.faces[0].fills(self.photo.pixels) else "face.turned"
        if not _somebody(self.mask, self.body):
            raise PhotoError("face.none")
        shoulders = self.body[[RIGHT_SHOULDER, LEFT_SHOULDER], 1]
        if np.isnan(shoulders).all():  # a silhouette that rises from below
            return "face.back"
        return "face.back" if shoulders.max() < SHOULDERS_SEEN * len(self.mask) else "face.close"


def _require_one(boxes: Sequence[Box]) -> None:
    """One face, or one that is clearly the largest. Raises `PhotoError("face.many")`."""
    alike = [box for box in boxes if box.area * CLEARLY_THE_SITTER > boxes[0].area]
    if len(alike) > 1:
        raise PhotoError("face.many", n=len(alike))


def _padded(pixels: Pixels) -> Window:
    """The picture with grey about it."""
    height, width = pixels.shape[:2]
    pad = int(PADDING * max(height, width))
    share = min(1.0, LONGEST / max(height, width)) / (1 + 2 * PADDING)
    small = cv2.resize(pixels, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)
    edge = int(pad * share)
    grey = cv2.copyMakeBorder(small, edge, edge, edge, edge, cv2.BORDER_CONSTANT, value=(117, 117, 117))
    return Window(-pad, -pad, width + 2 * pad, height + 2 * pad, grey.astype(np.uint8, copy=False))


def _somebody(mask: Array, body: Points) -> bool:
    """Whether a person is in the picture, though no face: a body, or a silhouette that rises from below."""
    person = mask > 0.5
    edge = max(1, len(mask) // 20)
    rises = person[-edge:].mean() > 0.5 and person[:edge].mean() < 0.05
    return bool(person.mean() > 0.1 and (rises or not np.isnan(body).any()))
