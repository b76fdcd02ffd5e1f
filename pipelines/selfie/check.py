"""Whether a selfie will do: the mesh and its pixels measured, and the first thing to mend.

Points are pixels of the photo, origin top left; "right" and "left" are the sitter's. No measure looks at
the tone of the skin: darkness is judged by glints, eyes and teeth, brightness by clipping, sharpness by a
ratio of edges. The figures beside the constants come from official portraits (24 of 480 x 600 px, 1,673 of
256 x 320 px, all skin tones) and from darkened, brightened, blurred and shrunk copies of them.
"""

from collections.abc import Set
from dataclasses import dataclass, field

import cv2
import numpy as np

from pipelines.arrays import Array, Floats, Pixels, Points
from pipelines.mesh import EYES, OVAL, Angles, Eye, FaceFrame, align_face, distance, pupil_distance, ring_mask
from pipelines.selfie.crop import crop_fault
from pipelines.selfie.occlusion import REFUSED

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


@dataclass(frozen=True)
class SelfieVerdict:
    """Whether a selfie will do: a key of `presets/words` and its values."""

    key: str  # "camera.good", or "face.small", "face.dark", ...
    values: dict[str, object] = field(default_factory=dict)

    @property
    def good(self) -> bool:
        """True when the selfie can be used."""
        return self.key == "camera.good"


def judge(
    pixels: Pixels, landmarks: Points, held: Angles, mask: Array, hidden: Set[str] = frozenset()
) -> SelfieVerdict:
    """The first thing to mend, in the order in which mending helps the rest.

    `mask`: (H, W) 0..1, share of person, of the size of `pixels`. `hidden`: as `Face.hidden`.
    """
    if fault := crop_fault(landmarks, mask):  # first: of a face that is cut, no angle can be trusted
        return SelfieVerdict(fault)
    if abs(held.yaw) > MOST_YAW or abs(held.pitch) > MOST_PITCH:
        return SelfieVerdict("face.turned")
    apart = pupil_distance(landmarks)
    if apart < SMALLEST:
        return SelfieVerdict("face.small", {"wanted": round(SMALLEST), "found": int(apart)})
    face = align_face(pixels, landmarks)
    skin = _inside(face)
    failings = {
        "face.dark": brightest(skin) < DARKEST,
        "face.bright": clipped_share(skin) > MOST_CLIPPED,
        "face.blur": sharpness(face) < LEAST_SHARP,
        "face.covered": bool(REFUSED & hidden),
        "face.eyes": opening(landmarks) < LEAST_OPEN or iris(face) < LEAST_IRIS,
    }
    return SelfieVerdict(next((key for key, fails in failings.items() if fails), "camera.good"))


def worth(pixels: Pixels, landmarks: Points, held: Angles) -> float:
    """How good a selfie is to build on, 0..1: frontal, large, sharp, eyes open."""
    frontal = np.cos(np.radians(held.yaw)) * np.cos(np.radians(held.pitch))
    # Each share stops at enough: more pixels or sharper noise do not make up for a turned head.
    large = min(1.0, pupil_distance(landmarks) / ENOUGH_PX)
    sharp = min(1.0, sharpness(align_face(pixels, landmarks)) / ENOUGH_SHARP)
    awake = min(1.0, opening(landmarks) / ENOUGH_OPEN)
    return float(frontal**4 * np.sqrt(large * sharp * awake))


def brightest(skin: Pixels) -> float:
    """The brightest channel of the brightest hundredth of pixels (n, 3), 0..255: glints, eyes, teeth."""
    return float(np.percentile(skin.max(axis=1), 99))


def clipped_share(skin: Pixels) -> float:
    """Share of pixels (n, 3) where light is lost: green at its end (red alone ends early on any skin)."""
    return float((skin[:, 1] >= 250).mean())


def sharpness(face: FaceFrame) -> float:
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
        sum(distance(landmarks, *pair) for pair in eye.lids)
        / len(eye.lids)
        / distance(landmarks, eye.outer, eye.inner)
        for eye in EYES
    )


def iris(face: FaceFrame) -> float:
    """How much darker it is where an iris should be than on the skin below, 0..1, the darker eye.

    The mesh may imagine open lids over closed ones. Dark glasses count as open eyes.
    """
    light = (cv2.cvtColor(face.pixels, cv2.COLOR_RGB2GRAY) / 255.0) ** 2.2

    def part(point: int, wide: float, left: float, right: float, top: float, bottom: float) -> Floats:
        x, y = face.points[point]
        rows = slice(round(y + top * wide), round(y + bottom * wide) + 1)
        return np.asarray(light[rows, round(x + left * wide) : round(x + right * wide) + 1])

    def darker(eye: Eye) -> float:
        wide = distance(face.points, eye.outer, eye.inner)
        below, cheek_light = (
            float(np.median(part(point, wide, *where)))
            for point, where in ((eye.pupil, (-0.4, 0.4, 0.2, 0.38)), (eye.cheek, (-0.2, 0.2, -0.2, 0.2)))
        )
        skin = max(below, 0.5 * cheek_light, 1e-6)  # below the eye may be the glass of dark glasses
        return float(np.clip(1 - part(eye.pupil, wide, -0.08, 0.08, -0.22, 0.22) / skin, 0, 1).mean())

    return max(darker(eye) for eye in EYES)


def _inside(face: FaceFrame) -> Pixels:
    """The pixels within the face's oval, (n, 3)."""
    return face.pixels[ring_mask(face, OVAL)]
