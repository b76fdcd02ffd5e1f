"""One portrait measured for commissioning, by the booth's own instruments, against its plate.

Pictures are uint8 (H, W, 3) sRGB; landmarks (478, 2 or 3) px. A measure that nothing could be measured of is
None, never 0.
"""

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from pipelines.arrays import Pixels, Points
from pipelines.draw.pose_map import HEAD
from pipelines.measure.likeness import Subject
from pipelines.measure.recognition import Recognizer
from pipelines.measure.tone import skin
from pipelines.mesh import pupil_distance
from pipelines.selfie.face import Face, FaceFinder
from pipelines.sitting import Portrait, measure_portrait

POSED = tuple(HEAD.values())  # nose, pupils, ears: what of a face the pose map shows
FINE = 0.25  # of the Nyquist frequency: what is above carries lashes, pores, single hairs (evaluation.mini)
DARK, BRIGHT = 16.0, 239.0  # mean grey value of an empty frame that is called black, and white

FrameKind = Literal["a picture", "black", "grey", "white"]


@dataclass(frozen=True)
class PortraitRow:
    """What one portrait came to."""

    sitter: str
    cell: str  # its name
    seed: int
    frame: float  # standard deviation of the grey values as drawn: what is finished has the plate's detail
    grey: float  # their mean
    found: bool  # whether a face is
    lightness: float | None  # L* of the skin on its plate
    skin: float | None = None  # L*, positive where it came out lighter
    pose: float | None = None  # pupil distances
    recognition: float | None = None  # distance to the photograph
    sharpness: float | None = None  # share of the plate's
    change: float | None = None  # grey values
    likeness: float | None = None  # `LikenessReport.total_change`
    picture: str = ""  # a JPEG in base64; of the first seed, and only where it may be shown

    def emptiness(self, least: float) -> FrameKind:
        """What a frame of less contrast is called; not a number becomes black where it becomes a picture."""
        if self.frame >= least:
            return "a picture"
        return "black" if self.grey < DARK else "white" if self.grey > BRIGHT else "grey"


def portrait_row(
    portrait: Portrait,
    names: tuple[str, str],
    reference: Subject | None,
    face: Face,
    tools: tuple[FaceFinder, Recognizer],
) -> PortraitRow:
    """Measure a portrait; `names` are its sitter's and its cell's, `reference` is its plate, measured."""
    finder, recognizer = tools
    drawn = cv2.cvtColor(portrait.rendering.image, cv2.COLOR_RGB2GRAY).astype(np.float64)
    plain = (*names, portrait.rendering.seed, _round(drawn.std()) or 0.0, _round(drawn.mean()) or 0.0)
    if reference is None:
        return PortraitRow(*plain, found=False, lightness=None)
    lightness = _round(np.nanmedian(skin(reference.face.photo.pixels, reference.landmarks).tones[:, 0]))
    seen, subject = measure_portrait(portrait, reference, finder)
    if subject is None or seen.likeness is None:
        return PortraitRow(*plain, found=False, lightness=lightness)
    plate, inside = reference.face.photo.pixels, head(reference.landmarks)
    changed = np.abs(portrait.image[inside].astype(np.float64) - plate[inside]).mean()
    fine = fine_power(portrait.image, subject.landmarks) / max(fine_power(plate, reference.landmarks), 1e-9)
    return PortraitRow(
        *plain,
        found=True,
        lightness=lightness,
        skin=_round(seen.likeness.measures["skin"].value),
        pose=_round(pose_error(reference.landmarks, subject.landmarks)),
        recognition=_round(recognizer.answer([face], subject.face).value),
        sharpness=_round(fine),
        change=_round(changed),
        likeness=_round(seen.likeness.total_change),
    )


def pose_error(asked: Points, found: Points) -> float:
    """Median distance of the landmarks that the pose map shows, in pupil distances; nothing is aligned."""
    away = np.linalg.norm(asked[POSED, :2] - found[POSED, :2], axis=1)
    return float(np.median(away) / pupil_distance(np.asarray(asked, np.float32)))


def head(points: Points) -> tuple[slice, slice]:
    """Rows and columns of the face, brows to chin, within the picture."""
    low, high = points[:, :2].min(axis=0).astype(int), points[:, :2].max(axis=0).astype(int) + 1
    return slice(max(0, low[1]), high[1]), slice(max(0, low[0]), high[0])


def fine_power(picture: Pixels, points: Points) -> float:
    """Mean power of the luma above a quarter of the Nyquist frequency, in the face, under a Hann window."""
    grey = cv2.cvtColor(np.ascontiguousarray(picture[head(points)]), cv2.COLOR_RGB2GRAY).astype(np.float64)
    window = np.outer(np.hanning(grey.shape[0]), np.hanning(grey.shape[1]))
    power = np.abs(np.fft.fft2((grey - grey.mean()) * window)) ** 2
    down, across = np.fft.fftfreq(grey.shape[0]), np.fft.fftfreq(grey.shape[1])
    return float(power[np.hypot(down[:, None], across[None]) > FINE / 2].mean())


def _round(value: float | None) -> float | None:
    """To four places: beyond, two machines differ."""
    return None if value is None or not np.isfinite(value) else round(float(value), 4)
