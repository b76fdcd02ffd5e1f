"""MediaPipe's face mesh: its 478 points by name, and what follows from where they lie.

The one place with indices of the mesh. Their source is MediaPipe's canonical face model
(`mediapipe/modules/face_geometry/data/canonical_face_model_uv_visualization.png`) and the rings of
`mediapipe.solutions.face_mesh_connections`, against which `tests/test_mesh.py` holds these. Points are pixels
of a picture, origin top left; "right" and "left" are the sitter's, so right stands on the picture's left.
"""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from pipelines.arrays import Floats, Mask, Pixels, Points

LANDMARKS, SKIN_POINTS = 478, 468  # of FaceMesh with refine_landmarks; without the two irises

RIGHT_PUPIL, LEFT_PUPIL = PUPILS = (468, 473)
IRIS_DIAMETERS = ((469, 471), (470, 472), (474, 476), (475, 477))
HAIRLINE, CHIN = 10, 152  # middle of the forehead's upper end, lower end of the chin
RIGHT_CHEEKBONE, LEFT_CHEEKBONE = CHEEKBONES = (234, 454)  # before the ears, where a face is widest
JAW_CORNERS = (58, 288)
LOWER_JAW = (172, 397)  # a little below its corners
NOSE_TIP, NOSE_BASE = 4, 2
RIGHT_MOUTH_CORNER, LEFT_MOUTH_CORNER = MOUTH_CORNERS = (61, 291)
UPPER_LIP, LOWER_LIP = 0, 17  # middles of their outer edges
UPPER_INNER_LIP, LOWER_INNER_LIP = 13, 14  # and of the inner ones, where closed lips meet


class Eye(NamedTuple):
    """The points of an eye that are measured."""

    outer: int  # corner
    inner: int  # corner
    pupil: int
    cheek: int  # skin below it
    lids: tuple[tuple[int, int], ...]  # opposite points, upper and lower


RIGHT_EYE = Eye(33, 133, RIGHT_PUPIL, 205, ((160, 144), (159, 145), (158, 153)))
LEFT_EYE = Eye(263, 362, LEFT_PUPIL, 425, ((387, 373), (386, 374), (385, 380)))
EYES = (RIGHT_EYE, LEFT_EYE)

# Closed lines, each from one point to the next.
OVAL = (
    *(HAIRLINE, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, CHIN),
    *(148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109),
)
RIGHT_EYE_RING = (33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246)
LEFT_EYE_RING = (263, 249, 390, 373, 374, 380, 381, 382, 362, 398, 384, 385, 386, 387, 388, 466)
LIPS_RING = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185)
INNER_LIPS_RING = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 415, 310, 311, 312, 13, 82, 81, 80, 191)

# Of both sides together, in no order.
LIPS = (
    *(
        61,
        185,
        40,
        39,
        37,
        0,
        267,
        269,
        270,
        409,
        291,
        146,
        91,
        181,
        84,
        17,
        314,
        405,
        321,
        375,
    ),  # outside
    *(
        78,
        191,
        80,
        81,
        82,
        13,
        312,
        311,
        310,
        415,
        308,
        95,
        88,
        178,
        87,
        14,
        317,
        402,
        318,
        324,
    ),  # inside
)
CHEEKS = (205, 425, 50, 280)
LOWER_LIDS = (145, 374, 144, 373, 153, 380)
EYE_CORNERS_AND_UPPER_LIDS = (33, 133, 159, 158, 160, RIGHT_PUPIL, 362, 263, 386, 385, 387, LEFT_PUPIL)
BROW_PEAKS = (105, 334)
BROWS = (70, 63, 105, 66, 107, 300, 293, 334, 296, 336)
NOSE = (168, 6, 197, 195, 5, 4, 1, 19, 2, 94, 98, 97, 326, 327, 64, 294, 48, 278, 129, 358)

# Corners of patches of bare skin, right and left; those on the midline stand alone.
CHEEK_PATCHES = ((117, 118, 101, 36, 205, 187, 147, 123), (346, 347, 330, 266, 425, 411, 376, 352))
FOREHEAD_SIDES = ((103, 67, 69, 104), (332, 297, 299, 333))
FOREHEAD_MIDDLE = ((109, 10, 338, 337, 151, 108),)
MOUTH_SIDES = ((205, 206, 216, 192, 187), (425, 426, 436, 416, 411))
NOSE_PATCH = ((6, 197, 195, 5, 281, 248, 419, 351, 168, 122, 196, 3, 51),)
UNDER_EYES = (
    (31, 228, 229, 230, 231, 232, 120, 119, 118, 117),
    (261, 448, 449, 450, 451, 452, 349, 348, 347, 346),
)

LEVEL_PITCH = -7.4  # degrees; hairline to chin leans so much in the median of 1,696 portraits
FRAME, FRAME_PUPILS = (125, 130), 48.0  # px: brows to chin and ear to ear
FRAME_SIDE = 4.5  # pupil distances that the frame may need of the photo, turned


class Angles(NamedTuple):
    """How a head is held, in degrees."""

    yaw: float  # positive when the sitter looks to the picture's right
    pitch: float  # positive when the sitter looks up
    roll: float  # positive when the head tilts clockwise in the picture


class Window(NamedTuple):
    """A part of a photo, resized."""

    left: int  # px of the photo, as are the next three
    top: int
    width: int
    height: int
    pixels: Pixels  # (h, w, 3) sRGB


class FaceFrame(NamedTuple):
    """A face with the mesh in it: level, its pupils so many px apart, where a measure needs that."""

    pixels: Pixels  # (h, w, 3) sRGB
    points: Points  # (478, 2), where the landmarks are in it
    matrix: Floats  # (2, 3), photo px to frame px


def pupil_distance(landmarks: Points) -> float:
    """Between the pupils in the picture, px."""
    return distance(landmarks, RIGHT_PUPIL, LEFT_PUPIL)


def distance(points: Points, a: int, b: int) -> float:
    """Between two points of the mesh in the picture, px."""
    return float(np.hypot(*(points[a, :2] - points[b, :2])))


def angles(landmarks: Points) -> Angles:
    """How the head is held, by the mesh's depth (which flattens: a full profile comes out near 40)."""
    across = landmarks[LEFT_CHEEKBONE] - landmarks[RIGHT_CHEEKBONE]  # to the picture's right
    across = across + landmarks[LEFT_EYE.outer] - landmarks[RIGHT_EYE.outer]
    down = landmarks[CHIN] - landmarks[HAIRLINE]
    ahead = -np.cross(across, down)
    ahead /= np.linalg.norm(ahead)
    yaw, pitch = np.arctan2(ahead[0], -ahead[2]), np.arcsin(-ahead[1])
    roll = np.arctan2(across[1], across[0])
    return Angles(float(np.degrees(yaw)), float(np.degrees(pitch)) - LEVEL_PITCH, float(np.degrees(roll)))


def window(pixels: Pixels, centre: Points, side: float, longest: int, least: int = 1) -> Window:
    """A square about `centre`, cut at the photo's borders, its long side resized to `least`..`longest` px."""
    height, width = pixels.shape[:2]
    left, right = max(0, int(centre[0] - side / 2)), min(width, int(centre[0] + side / 2) + 1)
    top, bottom = max(0, int(centre[1] - side / 2)), min(height, int(centre[1] + side / 2) + 1)
    right, bottom = max(right, left + 1), max(bottom, top + 1)
    part = pixels[top:bottom, left:right]
    share = float(np.clip(max(part.shape[:2]), least, longest)) / max(part.shape[:2])
    if share != 1:
        size = max(1, round(part.shape[1] * share)), max(1, round(part.shape[0] * share))
        how = cv2.INTER_AREA if share < 1 else cv2.INTER_CUBIC
        part = cv2.resize(part, size, interpolation=how).astype(np.uint8, copy=False)
    return Window(left, top, right - left, bottom - top, np.ascontiguousarray(part))


def align_face(
    pixels: Pixels,
    landmarks: Points,
    size: tuple[int, int] = FRAME,
    pupils: float = FRAME_PUPILS,
    eye_line: float = 0.35,
    side: float = FRAME_SIDE,
) -> FaceFrame:
    """The face warped by its pupils onto (width, height) px; the middle of the eyes at `eye_line` of it.

    `side`: how many pupil distances of the photo that needs.
    """
    distance = pupil_distance(landmarks)
    middle = landmarks[[RIGHT_PUPIL, LEFT_PUPIL], :2].mean(axis=0)
    near = window(pixels, middle, side * distance, max(1, int(side * pupils)))
    share = near.pixels.shape[1] / near.width
    points = (landmarks[:, :2] - (near.left, near.top)) * share
    right, left = points[[RIGHT_PUPIL, LEFT_PUPIL]]
    x, y = (left - right) * pupils / np.square(left - right).sum()
    turn = np.array([[x, y], [-y, x]])
    shift = np.array([size[0] / 2, eye_line * size[1]]) - turn @ (right + left) / 2
    matrix, how = np.column_stack([turn, shift]), cv2.INTER_CUBIC
    level = cv2.warpAffine(near.pixels, matrix, size, flags=how, borderMode=cv2.BORDER_REPLICATE)
    whole = np.column_stack([turn * share, shift - turn @ np.array([near.left, near.top]) * share])
    return FaceFrame(level.astype(np.uint8, copy=False), (points @ turn.T + shift).astype(np.float32), whole)


def ring_mask(face: FaceFrame, ring: Sequence[int]) -> Mask:
    """Which pixels of a frame lie within a closed line of landmarks, (h, w)."""
    corners = np.round(face.points[list(ring)]).astype(np.int32)
    return np.asarray(cv2.fillPoly(np.zeros(face.pixels.shape[:2], np.uint8), [corners], [1.0])) > 0
