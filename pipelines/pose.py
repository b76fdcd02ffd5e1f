"""Face to pose map, the control image that the ControlNet sees."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from pipelines.face import Face
from pipelines.look import Framing

HEAD_PER_PUPILS = 3.6  # crown to chin over the distance of the pupils


@dataclass(frozen=True, eq=False)
class Pose:
    """Where the sitter's head and shoulders go on the canvas."""

    keypoints: NDArray[np.float32]  # (18, 2), canvas px, NaN where not drawn
    image: NDArray[np.uint8]  # (H, W, 3), sRGB, black ground

    def __post_init__(self) -> None:
        for array in (self.keypoints, self.image):
            array.setflags(write=False)


def framing_matrix(face: Face, framing: Framing, canvas: tuple[int, int]) -> NDArray[np.float32]:
    """Photo px to canvas px (width, height), float32 (2, 3): pupils level, at the eye line, head as tall as asked."""
    width, height = canvas
    right, left = face.pupils.astype(np.float64)
    apart = left - right
    distance = np.hypot(*apart) / max(0.8, np.cos(np.radians(face.yaw)))
    scale = framing.head_height * height / (HEAD_PER_PUPILS * distance)
    turn = -np.arctan2(apart[1], apart[0])
    linear = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    middle = (right + left) / 2
    shift = np.array([width / 2, framing.eye_line * height]) - linear @ middle
    return np.column_stack([linear, shift]).astype(np.float32)


_COLOURS = (
    (255, 0, 0), (255, 85, 0), (255, 170, 0), (255, 255, 0), (170, 255, 0), (85, 255, 0),
    (0, 255, 0), (0, 255, 85), (0, 255, 170), (0, 255, 255), (0, 170, 255), (0, 85, 255),
    (0, 0, 255), (85, 0, 255), (170, 0, 255), (255, 0, 255), (255, 0, 170), (255, 0, 85),
)  # fmt: skip
_LIMBS = (
    (1, 2), (1, 5), (2, 3), (3, 4), (5, 6), (6, 7), (1, 8), (8, 9), (9, 10), (1, 11), (11, 12), (12, 13),
    (1, 0), (0, 14), (14, 16), (0, 15), (15, 17),
)  # fmt: skip


def draw(keypoints: NDArray[np.float32], canvas: tuple[int, int], width: int) -> NDArray[np.uint8]:
    """OpenPose's body map, uint8 (H, W, 3) sRGB: limbs as ellipses at 60 %, joints as circles, `width` px."""
    image = np.zeros((canvas[1], canvas[0], 3), np.uint8)
    shown = np.isfinite(keypoints).all(axis=1)
    for (a, b), colour in zip(_LIMBS, _COLOURS, strict=False):
        if shown[a] and shown[b]:
            start, end = keypoints[a].astype(np.float64), keypoints[b].astype(np.float64)
            middle, (dx, dy) = (start + end) / 2, start - end
            angle = int(np.degrees(np.arctan2(dy, dx)))
            axes = (int(np.hypot(dx, dy) / 2), width)
            limb = cv2.ellipse2Poly((int(middle[0]), int(middle[1])), axes, angle, 0, 360, 1)
            cv2.fillConvexPoly(image, limb, [int(c * 0.6) for c in colour])
    for (x, y), colour, here in zip(keypoints, _COLOURS, shown, strict=True):
        if here:
            cv2.circle(image, (int(x), int(y)), width, colour, thickness=-1)
    return image


def pose_map(face: Face, framing: Framing, canvas: tuple[int, int]) -> Pose:
    """The sitter's head and shoulders on the canvas (width, height)."""
    matrix = framing_matrix(face, framing, canvas)
    points = np.full((18, 2), np.nan, np.float32)
    points[[0, 14, 15, 16, 17]] = face.landmarks[[4, 468, 473, 234, 454], :2]
    if np.isfinite(face.body).all():
        points[[2, 5]] = face.body[[12, 11], :2]
        points[1] = points[[2, 5]].mean(axis=0)
    points = (points @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)
    width = 4 if max(canvas) < 500 else 4 * min(7, 2 + max(canvas) // 1000)
    return Pose(points, draw(points, canvas, width))


def seen(face: Face) -> NDArray[np.uint8]:
    """The mesh that MediaPipe saw, drawn by controlnet_aux on black, uint8 (H, W, 3) sRGB."""
    from controlnet_aux import MediapipeFaceDetector

    size = 512
    return np.asarray(
        MediapipeFaceDetector()(
            face.photo.pixels, output_type="np", detect_resolution=size, image_resolution=size
        )
    )
