"""Face to pose map, the control image that the ControlNet sees.

Takes the landmarks of `face`, sets them on the look's canvas, draws them in OpenPose's format: 18 body
points, limbs as ellipses at 60 % of their colour, joints as circles. For a headshot only nose, neck,
shoulders, eyes and ears are drawn: MediaPipe places hidden limbs too, confidently and wrong (visibility
0.85). Keypoints are (x, y) in canvas pixels, origin top left; NaN means "not drawn". "Right" and "left" are
the sitter's.
"""

import warnings
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from pipelines.arrays import Pixels, Points
from pipelines.look import Framing
from pipelines.mesh import LEFT_CHEEKBONE, LEFT_PUPIL, NOSE_TIP, RIGHT_CHEEKBONE, RIGHT_PUPIL
from pipelines.plate.framing import framing_matrix, transform_points
from pipelines.selfie.face import Face, silence_mediapipe
from pipelines.selfie.upright import LEFT_SHOULDER, RIGHT_SHOULDER

# OpenPose's 18 points, those of a headshot: place in its list, and where MediaPipe's mesh has it.
NOSE, NECK, RIGHT, LEFT = 0, 1, 2, 5  # RIGHT, LEFT: shoulders
RIGHT_EYE, LEFT_EYE, RIGHT_EAR, LEFT_EAR = 14, 15, 16, 17
HEAD = {
    NOSE: NOSE_TIP,
    RIGHT_EYE: RIGHT_PUPIL,
    LEFT_EYE: LEFT_PUPIL,
    RIGHT_EAR: RIGHT_CHEEKBONE,
    LEFT_EAR: LEFT_CHEEKBONE,
}
LEAST_EAR = 0.18  # share of the ear-to-ear span on the ear's side of the nose; a head turned more hides it
LIMBS = (
    *((1, 2), (1, 5), (2, 3), (3, 4), (5, 6), (6, 7), (1, 8), (8, 9), (9, 10), (1, 11), (11, 12), (12, 13)),
    *((1, 0), (0, 14), (14, 16), (0, 15), (15, 17)),
)
COLOURS = (
    *((255, 0, 0), (255, 85, 0), (255, 170, 0), (255, 255, 0), (170, 255, 0), (85, 255, 0)),
    *((0, 255, 0), (0, 255, 85), (0, 255, 170), (0, 255, 255), (0, 170, 255), (0, 85, 255)),
    *((0, 0, 255), (85, 0, 255), (170, 0, 255), (255, 0, 255), (255, 0, 170), (255, 0, 85)),
)  # sRGB
LIMB_SHADE = 0.6

# Half the width of a limb, px: 4 in OpenPose and controlnet_aux. xinsir/controlnet-openpose-sdxl-1.0 was
# trained on lines thickened by 2 + max(width, height) // 1000 from 500 px on, at most 7 (its model card).
# Never thinner than 4: a ControlNet halves the picture three times, and at 256 x 320 that keeps one pixel.
LINE, THICK_FROM_PX, THICKEST = 4, 500, 7

# Shoulders of 24 portraits whose shoulders are in the picture, in pupil distances from the middle of the
# pupils, the head level: 2.07 (0.28) to the side, 2.96 (0.31) down, and 0.034 away from the look per degree.
SHOULDER_OUT, SHOULDER_DOWN, SHOULDER_PER_YAW = 2.07, 2.96, -0.034
# Cropped to the head the same shoulders came out 15 % narrow and 0.3 to 0.6 high, cut off by half a pupil
# distance they are worth nothing; well inside the picture two crops of one portrait still differ by 0.4.
# The weights below come nearest to the uncropped ones: 0.43 off, 0.64 as MediaPipe says, 0.46 the average.
MOST_TRUST, TRUST_AT_BORDER, TRUST_PER_ROOM = 0.75, 0.25, 0.5

SEEN = (512, 640)  # px, the canvas of `draw_mesh`; multiples of 64, as controlnet_aux wants
SEEN_FRAMING = Framing(head_height=0.75, eye_line=0.4)


@dataclass(frozen=True, eq=False)
class Pose:
    """Where the sitter's head and shoulders go on the canvas."""

    keypoints: Points  # (18, 2), canvas px, NaN where not drawn
    image: Pixels  # (H, W, 3), sRGB, black ground

    def __post_init__(self) -> None:
        for array in (self.keypoints, self.image):
            array.setflags(write=False)


def pose_map(face: Face, framing: Framing, canvas: tuple[int, int]) -> Pose:
    """The sitter's head and shoulders on the canvas (width, height), as the ControlNet reads them."""
    matrix = framing_matrix(face, framing, canvas)
    points = np.full((18, 2), np.nan, np.float32)
    points[list(HEAD)] = transform_points(matrix, face.landmarks[list(HEAD.values()), :2])
    points[[RIGHT, LEFT]] = _shoulders(face, matrix)
    points[NECK] = points[[RIGHT, LEFT]].mean(axis=0)
    nose, spread = points[NOSE, 0], points[[RIGHT_EAR, LEFT_EAR], 0]
    share = (nose - spread[0]) / max(spread[1] - spread[0], 1e-6)  # of the span, on the right ear's side
    if share < LEAST_EAR:
        points[RIGHT_EAR] = np.nan
    if share > 1 - LEAST_EAR:
        points[LEFT_EAR] = np.nan
    return Pose(points, draw_pose(points, canvas, limb_half_width(canvas)))


def limb_half_width(canvas: tuple[int, int]) -> int:
    """Half the width of a limb on that canvas, px, as xinsir's ControlNet knows it."""
    longest = max(canvas)
    return LINE * (min(THICKEST, 2 + longest // 1000) if longest >= THICK_FROM_PX else 1)


def draw_pose(keypoints: Points, canvas: tuple[int, int], width: int) -> Pixels:
    """OpenPose's body map, uint8 (H, W, 3) sRGB on black; limbs and joints reach `width` px to each side."""
    image = np.zeros((canvas[1], canvas[0], 3), np.uint8)
    points = keypoints.astype(np.float64)
    shown = np.isfinite(points).all(axis=1)
    for (a, b), colour in zip(LIMBS, COLOURS, strict=False):
        if shown[a] and shown[b]:
            (x, y), (dx, dy) = (points[a] + points[b]) / 2, points[a] - points[b]
            axes, angle = (int(np.hypot(dx, dy) / 2), width), int(np.degrees(np.arctan2(dy, dx)))
            limb = cv2.ellipse2Poly((int(x), int(y)), axes, angle, 0, 360, 1)
            cv2.fillConvexPoly(image, np.asarray(limb), [int(part * LIMB_SHADE) for part in colour])
    for (x, y), colour, here in zip(points, COLOURS, shown, strict=True):
        if here:
            cv2.circle(image, (int(x), int(y)), width, colour, thickness=-1)
    return image


def mesh_detector() -> Any:
    """controlnet_aux's; call it early where somebody waits: the first import takes 2 to 9 s."""
    with warnings.catch_warnings():  # of other people's code
        warnings.simplefilter("ignore")
        from controlnet_aux import MediapipeFaceDetector

    return MediapipeFaceDetector()


def draw_mesh(face: Face) -> Pixels:
    """What the machine saw instead of a person: the 478 points, and the lines between, (640, 512, 3) sRGB.

    controlnet_aux's detector draws the lines; the points are ours.
    """
    detector = mesh_detector()
    matrix = framing_matrix(face, SEEN_FRAMING, SEEN)
    framed = cv2.warpAffine(face.photo.pixels, matrix, SEEN, flags=cv2.INTER_AREA)
    size = min(SEEN)
    with silence_mediapipe():
        lines = detector(framed, output_type="np", detect_resolution=size, image_resolution=size)
    image = np.zeros((SEEN[1], SEEN[0], 3), np.uint8)
    for x, y in transform_points(matrix, face.landmarks[:, :2]):
        cv2.circle(
            image, (round(float(x)), round(float(y))), 2, (120, 130, 140), thickness=-1, lineType=cv2.LINE_AA
        )
    return np.where(lines.any(axis=2, keepdims=True), lines, image).astype(np.uint8)


def _shoulders(face: Face, matrix: Points) -> Points:
    """The sitter's right and left shoulder on the canvas, float32 (2, 2).

    As far as the picture shows them MediaPipe's, otherwise those of the average sitter; both alike, since
    one true and one average shoulder would tilt the sitter.
    """
    right, left = transform_points(matrix, face.pupils)
    apart = left[0] - right[0]
    outwards = np.array([[-SHOULDER_OUT], [SHOULDER_OUT]]) + SHOULDER_PER_YAW * face.yaw
    average = (right + left) / 2 + apart * np.hstack([outwards, np.full((2, 1), SHOULDER_DOWN)])
    found = face.body[[RIGHT_SHOULDER, LEFT_SHOULDER], :2]
    if np.isnan(found).any():
        return np.asarray(average, np.float32)
    size = np.array(face.photo.pixels.shape[1::-1])
    room = float(np.minimum(found, size - found).min()) / face.pupil_distance  # to the nearest border
    trust = float(np.clip(TRUST_AT_BORDER + TRUST_PER_ROOM * room, 0, MOST_TRUST))
    return np.asarray(trust * transform_points(matrix, found) + (1 - trust) * average, np.float32)
