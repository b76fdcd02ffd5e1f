"""Whether a selfie will do: the mesh and its pixels measured, and the first thing to mend.

Points are pixels of the photo, origin top left; "right" and "left" are the sitter's. No measure looks at
the tone of the skin: darkness is judged by glints, eyes and teeth, brightness by clipping, sharpness by a
ratio of edges. The figures beside the constants come from official portraits (24 of 480 x 600 px, 1,673 of
256 x 320 px, all skin tones) and from darkened, brightened, blurred and shrunk copies of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Points = NDArray[np.float32]

RIGHT_PUPIL, LEFT_PUPIL = 468, 473  # FaceMesh with refine_landmarks
# Outer corner, inner corner, pupil, cheek, and three pairs of opposite points of the lids.
EYES = (
    (33, 133, RIGHT_PUPIL, 205, ((160, 144), (159, 145), (158, 153))),
    (263, 362, LEFT_PUPIL, 425, ((387, 373), (386, 374), (385, 380))),
)
OVAL = (
    *(10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152),
    *(148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109),
)

LEVEL_PITCH = -7.4  # degrees; hairline to chin leans so much in the median of 1,696 portraits
MOST_YAW, MOST_PITCH = 25.0, 25.0  # degrees; 99.9 % of the portraits are within 24 and 21
SMALLEST = 40.0  # px between the pupils; the smallest of our good portraits has 43
# Brightest channel of the brightest hundredth of the face. Portraits 139 and more; at a tenth of the light
# 60 to 90, whatever the tone.
DARKEST = 100.0
MOST_CLIPPED = 0.05  # share of the face whose green is clipped
# Portraits enlarged by less than 2.5 have 2.2 and more, whatever the tone; blurred by a gaussian of 2.5 px
# (0.04 pupil distances) 23 of 24 have less.
LEAST_SHARP = 2.2
LEAST_OPEN = 0.09  # the one sitter of 1,696 with closed eyes 0.075, the narrowest open ones 0.103
LEAST_IRIS = 0.22  # open 0.31 and more; lids painted over 0.13 in the median
ENOUGH_PX, ENOUGH_SHARP, ENOUGH_OPEN = 120.0, 4.0, 0.2  # more of it does not make a better selfie

FRAME, FRAME_PUPILS = (125, 130), 48.0  # px: brows to chin and ear to ear
FRAME_SIDE = 4.5  # pupil distances that the frame may need of the photo, turned


@dataclass(frozen=True)
class Verdict:
    """Whether a selfie will do: a key of `presets/words` and its values."""

    key: str  # "camera.good", or "face.small", "face.dark", ...
    values: dict[str, object] = field(default_factory=dict)

    @property
    def good(self) -> bool:
        """True when the selfie can be used."""
        return self.key == "camera.good"


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


class Frame(NamedTuple):
    """The face level, its pupils so many px apart, so that a measure means the same in every photo."""

    pixels: Pixels  # (h, w, 3) sRGB
    points: Points  # (478, 2), where the landmarks are in it
    matrix: NDArray[np.float64]  # (2, 3), photo px to frame px


def judge(pixels: Pixels, landmarks: Points, held: Angles) -> Verdict:
    """The first thing to mend, in the order in which mending helps the rest."""
    if abs(held.yaw) > MOST_YAW or abs(held.pitch) > MOST_PITCH:
        return Verdict("face.turned")
    apart = pupil_distance(landmarks)
    if apart < SMALLEST:
        return Verdict("face.small", {"wanted": round(SMALLEST), "found": int(apart)})
    face = frame(pixels, landmarks)
    failings = {
        "face.dark": brightest(face) < DARKEST,
        "face.bright": clipped(face) > MOST_CLIPPED,
        "face.blur": sharpness(face) < LEAST_SHARP,
        "face.eyes": opening(landmarks) < LEAST_OPEN or iris(face) < LEAST_IRIS,
    }
    return Verdict(next((key for key, fails in failings.items() if fails), "camera.good"))


def worth(pixels: Pixels, landmarks: Points, held: Angles) -> float:
    """How good a selfie is to build on, 0..1: frontal, large, sharp, eyes open."""
    frontal = np.cos(np.radians(held.yaw)) * np.cos(np.radians(held.pitch))
    # Each share stops at enough: more pixels or sharper noise do not make up for a turned head.
    large = min(1.0, pupil_distance(landmarks) / ENOUGH_PX)
    sharp = min(1.0, sharpness(frame(pixels, landmarks)) / ENOUGH_SHARP)
    awake = min(1.0, opening(landmarks) / ENOUGH_OPEN)
    return float(frontal**4 * np.sqrt(large * sharp * awake))


def pupil_distance(landmarks: Points) -> float:
    """Between the pupils in the picture, px."""
    return _apart(landmarks, RIGHT_PUPIL, LEFT_PUPIL)


def angles(landmarks: Points) -> Angles:
    """How the head is held, by the mesh's depth (which flattens: a full profile comes out near 40)."""
    across = landmarks[454] - landmarks[234] + landmarks[263] - landmarks[33]  # to the picture's right
    down = landmarks[152] - landmarks[10]  # hairline to chin
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


def frame(
    pixels: Pixels,
    landmarks: Points,
    size: tuple[int, int] = FRAME,
    pupils: float = FRAME_PUPILS,
    eye_line: float = 0.35,
    side: float = FRAME_SIDE,
) -> Frame:
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
    return Frame(level.astype(np.uint8, copy=False), (points @ turn.T + shift).astype(np.float32), whole)


def brightest(face: Frame) -> float:
    """The brightest channel of the brightest hundredth of the face, 0..255: glints, eyes, teeth."""
    return float(np.percentile(_inside(face).max(axis=1), 99))


def clipped(face: Frame) -> float:
    """Share of the face where light is lost: green at its end (red alone ends early on any skin)."""
    return float((_inside(face)[:, 1] >= 250).mean())


def sharpness(face: Frame) -> float:
    """Energy of one-pixel edges over that of the same edges blurred by 2 px, the least of four directions.

    Motion blurs one direction only; skin, contrast and exposure cancel out.
    """
    grey = cv2.cvtColor(face.pixels, cv2.COLOR_RGB2GRAY).astype(np.float32)
    soft = cv2.GaussianBlur(grey, (0, 0), 2.0).astype(np.float32, copy=False)

    def energy(image: Points, step: list[list[int]]) -> float:
        return float(np.square(cv2.filter2D(image, -1, np.array(step, np.float32))[4:-4, 4:-4]).mean())

    steps = ([[-1, 1]], [[-1], [1]], [[-1, 0], [0, 1]], [[0, -1], [1, 0]])
    return min(energy(grey, step) / max(energy(soft, step), 1e-6) for step in steps)


def opening(landmarks: Points) -> float:
    """How far the wider open eye is open: lids over the width of the eye. One closed eye is a wink."""
    return max(
        sum(_apart(landmarks, *pair) for pair in lids) / len(lids) / _apart(landmarks, outer, inner)
        for outer, inner, *_, lids in EYES
    )


def iris(face: Frame) -> float:
    """How much darker it is where an iris should be than on the skin below, 0..1, the darker eye.

    The mesh may imagine open lids over closed ones. Dark glasses count as open eyes.
    """
    light = (cv2.cvtColor(face.pixels, cv2.COLOR_RGB2GRAY) / 255.0) ** 2.2

    def part(
        point: int, wide: float, left: float, right: float, top: float, bottom: float
    ) -> NDArray[np.float64]:
        x, y = face.points[point]
        rows = slice(round(y + top * wide), round(y + bottom * wide) + 1)
        return np.asarray(light[rows, round(x + left * wide) : round(x + right * wide) + 1])

    def darker(outer: int, inner: int, pupil: int, cheek: int) -> float:
        wide = _apart(face.points, outer, inner)
        below, cheek_light = (
            float(np.median(part(point, wide, *where)))
            for point, where in ((pupil, (-0.4, 0.4, 0.2, 0.38)), (cheek, (-0.2, 0.2, -0.2, 0.2)))
        )
        skin = max(below, 0.5 * cheek_light, 1e-6)  # below the eye may be the glass of dark glasses
        return float(np.clip(1 - part(pupil, wide, -0.08, 0.08, -0.22, 0.22) / skin, 0, 1).mean())

    return max(darker(*points) for *points, _ in EYES)


def _inside(face: Frame) -> NDArray[np.uint8]:
    """The pixels within the face's oval, (n, 3)."""
    return face.pixels[filled(face, OVAL)]


def filled(face: Frame, points: Sequence[int]) -> NDArray[np.bool_]:
    """Which pixels of a frame lie within that ring of landmarks, (h, w)."""
    ring = np.round(face.points[list(points)]).astype(np.int32)
    drawn = cv2.fillPoly(np.zeros(face.pixels.shape[:2], np.uint8), [ring], [1.0])
    return np.asarray(drawn) > 0


def _apart(points: Points, a: int, b: int) -> float:
    return float(np.hypot(*(points[a, :2] - points[b, :2])))
