"""What a portrait changed: each measure with value, unit, noise, verdict, and the key of its sentence.

Nobody is told more than was measured: where a face is too small, too far turned, or hidden, the verdict is
"not measured" and the sentence says why. How the thresholds came about, and how often they are wrong, stands
in docs/likeness.md; they are data, in likeness.toml.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from errors import PhotoError, PresetError
from pipelines.draw.pose_map import onto
from pipelines.look import complaint, read_table
from pipelines.measure.hair import Hair, colour_change, hair_of, less, outline_change
from pipelines.measure.shape import Shape, looked_at, shape_of
from pipelines.measure.tone import ToneChange, tone_change
from pipelines.selfie.check import LEFT_PUPIL, OVAL, RIGHT_PUPIL, Pixels, Points, angles, pupil_distance
from pipelines.selfie.face import Face, FaceFinder
from pipelines.selfie.photo import Photo

Lab = tuple[float, float, float]  # L*, a*, b* under D65
Outline = NDArray[np.float32]  # (n, 2) px

TABLE = Path(__file__).parent / "likeness.toml"
MOST_YAW = 20.0  # degrees; pairs of photos differ no more up to there than ahead
REPAINTED = 1.2  # where surroundings tell no exposure, skin is noisier by so much
POSE_POINTS = (4, 234, 454)  # nose and ears, as in the pose map
SIGNED = ("skin", "jaw", "face", "eyes")  # measures with a sentence for each direction
WORST = 3.0  # a single measure counts no more than so many times "clearly" when portraits are put in order


class Level(StrEnum):
    """The verdict of a measure."""

    UNCHANGED = "unchanged"
    A_LITTLE = "a little"
    CLEARLY = "clearly"
    NOT_MEASURED = "not measured"


class Threshold(BaseModel):
    """One table of likeness.toml."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    unit: str
    flag: float
    clearly: float
    noise: float
    pair: float
    least_pupils: float


@dataclass(frozen=True)
class Measure:
    """One thing that may have changed."""

    name: str
    level: Level
    key: str  # of presets/words, with its values
    values: Mapping[str, object] = field(default_factory=dict)
    value: float | None = None  # signed, in `unit`; None where it was not measured
    unit: str = ""
    noise: float = 0.0  # 95 % of re-encoded copies differ less
    pair: float = 0.0  # half of all other photos of the same person differ less

    @property
    def unsure(self) -> bool:
        """Whether another photo of the same person could differ as much, which `likeness.unsure` says."""
        return self.level == Level.A_LITTLE and self.name in Shape._fields


@dataclass(frozen=True, eq=False)
class Subject:
    """One picture with everything that is measured on it alone."""

    face: Face
    landmarks: Points  # (478, 3) px, averaged over six looks
    shape: Shape
    hair: Hair

    @property
    def pupils(self) -> float:
        """Their distance, px."""
        return pupil_distance(self.landmarks)

    @property
    def yaw(self) -> float:
        """Degrees."""
        return angles(self.landmarks).yaw


@dataclass(frozen=True, eq=False)
class LikenessReport:
    """A portrait against its reference. It holds no picture."""

    measures: Mapping[str, Measure]
    tones: tuple[Lab, Lab]  # skin of the reference, exposed as the portrait is, and of the portrait
    outlines: Mapping[
        str, tuple[Outline, Outline]
    ]  # "face", "hair": the reference's, pupils on pupils; its own
    eyes: tuple[float, float]  # the middle between the portrait's pupils, px
    pupil_distance: float  # px of the portrait
    size: tuple[int, int]  # of the portrait, width and height in px

    @property
    def changed(self) -> float:
        """How much, over all measures: 1 would be "clearly" everywhere. Puts portraits in their order."""
        shares = [
            min(WORST, abs(one.value) / thresholds()[one.name].clearly)
            for one in self.measures.values()
            if one.value is not None
        ]
        return float(np.mean(shares)) if shares else 0.0


def as_json(measures: Iterable[Measure], say: Callable[..., str]) -> dict[str, dict[str, object]]:
    """The contract of `compare --json`; `say` gives a key and its values their sentence."""
    return {one.name: {**as_told(one), "words": say(one.key, **one.values)} for one in measures}


def as_told(one: Measure) -> dict[str, object]:
    """A measure as `report.json` holds it."""
    value = None if one.value is None else round(one.value, 3)
    return {"value": value, "unit": one.unit, "verdict": one.level.value}


@cache
def thresholds(path: Path = TABLE) -> Mapping[str, Threshold]:
    """The tables of likeness.toml. Raises `PresetError` naming measure, key, value and rule."""
    found: dict[str, Threshold] = {}
    for name, table in read_table(path).items():
        try:
            found[name] = Threshold.model_validate(table)
        except ValidationError as error:
            raise PresetError(f"{path.name}: {name}.{complaint(error)}") from error
    return found


def study(face: Face, finder: FaceFinder) -> Subject:
    """Measure one picture; once a plate, for all portraits that are compared with it."""
    landmarks = looked_at(face, finder)
    return Subject(face, landmarks, shape_of(landmarks), hair_of(face, landmarks))


def compare(reference: Subject, portrait: Subject, doubts: bool = True) -> LikenessReport:
    """What `portrait` changed of the sitter in `reference`: the plate in the same look, or another photo.

    Without `doubts` also what is not to be believed has its value, for the bench that says what that is.
    """
    tone = tone_change(reference.face, portrait.face, reference.landmarks, portrait.landmarks)
    judged = [
        _skin(tone),
        *(_judged(name, value) for name, value in _shape(reference.shape, portrait.shape)),
        _hair(reference.hair, portrait.hair),
        _hair_colour(reference.hair, portrait.hair),
        _judged("pose", pose_change(reference.landmarks, portrait.landmarks)),
    ]
    if doubts:
        judged = [_believed(one, reference, portrait) for one in judged]
    eyes = portrait.landmarks[[RIGHT_PUPIL, LEFT_PUPIL], :2].mean(axis=0)
    return LikenessReport(
        measures={one.name: one for one in judged},
        tones=tone.tones,
        outlines=_outlines(reference, portrait),
        eyes=(float(eyes[0]), float(eyes[1])),
        pupil_distance=portrait.pupils,
        size=(portrait.face.photo.pixels.shape[1], portrait.face.photo.pixels.shape[0]),
    )


def subject_in(pixels: Pixels, finder: FaceFinder) -> Subject | None:
    """A plate or a portrait, measured; None where no face is found in it."""
    try:
        face = finder.find(Photo(pixels.copy()))
    except PhotoError:
        return None
    return None if np.isnan(face.landmarks).any() else study(face, finder)


def _outlines(reference: Subject, portrait: Subject) -> dict[str, tuple[Outline, Outline]]:
    """Face and hair of both, px of the portrait; in the frames of the hair their pupils lie on each other."""
    back = cv2.invertAffineTransform(portrait.hair.matrix)
    faces = [onto(one.hair.matrix, one.landmarks[list(OVAL), :2]) for one in (reference, portrait)]
    hairs = [_ring(one.hair) for one in (reference, portrait)]
    return {
        name: (onto(back, first), onto(back, second))
        for name, (first, second) in (("face", faces), ("hair", hairs))
    }


def _ring(hair: Hair) -> Outline:
    """The longest contour of an outline, px of its frame."""
    rings = cv2.findContours(hair.outline.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)[0]
    if not rings:
        return np.zeros((0, 2), np.float32)
    return np.asarray(max(rings, key=cv2.contourArea)[:, 0], np.float32)


def pose_change(reference: Points, portrait: Points) -> float:
    """Mean distance of nose and ears when the pupils lie on each other, in distances between the pupils."""
    heads = []
    for points in (reference, portrait):
        right, left = points[RIGHT_PUPIL, :2], points[LEFT_PUPIL, :2]
        apart = complex(*(left - right))
        middle = complex(*((left + right) / 2))
        heads.append(np.array([(complex(*points[one, :2]) - middle) / apart for one in POSE_POINTS]))
    return float(np.abs(heads[1] - heads[0]).mean())


def _shape(first: Shape, second: Shape) -> list[tuple[str, float]]:
    return [(name, getattr(second, name) - getattr(first, name)) for name in Shape._fields]


def _skin(tone: ToneChange) -> Measure:
    looser = 1 + (REPAINTED - 1) * (1 - tone.trust)
    return _judged("skin", tone.lighter, looser, delta_e=round(tone.delta_e, 1))


def _hair(first: Hair, second: Hair) -> Measure:
    share = less(first, second)
    one = _judged("hair", outline_change(first, second), percent=round(100 * abs(share)))
    if one.level != Level.CLEARLY:
        return one
    return Measure(**{**vars(one), "key": f"{one.key}_{'less' if share > 0 else 'more'}"})


def _hair_colour(first: Hair, second: Hair) -> Measure:
    change = colour_change(first, second)
    return _unmeasured("hair_colour", "bald") if change is None else _judged("hair_colour", change)


def _judged(name: str, value: float, looser: float = 1.0, **values: object) -> Measure:
    """The verdict on a value, and the key of its sentence: for signed measures one for each direction."""
    limits, size = thresholds()[name], abs(value)
    if not np.isfinite(value):
        return _unmeasured(name, "hidden")
    level = Level.UNCHANGED
    if size >= limits.flag * looser:
        level = Level.CLEARLY if size >= limits.clearly * looser else Level.A_LITTLE
    key = f"likeness.{name}_{level.replace(' ', '_')}"
    if name in SIGNED and level != Level.UNCHANGED:
        key += "_more" if value > 0 else "_less"
    return Measure(name, level, key, values, value, limits.unit, limits.noise, limits.pair)


def _unmeasured(name: str, why: str) -> Measure:
    limits = thresholds()[name]
    return Measure(
        name, Level.NOT_MEASURED, f"likeness.{why}", {}, None, limits.unit, limits.noise, limits.pair
    )


def _believed(one: Measure, reference: Subject, portrait: Subject) -> Measure:
    """The measure, unless these two pictures cannot tell it: a face too small, a shape turned too far."""
    if min(reference.pupils, portrait.pupils) < thresholds()[one.name].least_pupils:
        return _unmeasured(one.name, "small")
    if one.name in Shape._fields and max(abs(reference.yaw), abs(portrait.yaw)) > MOST_YAW:
        return _unmeasured(one.name, "turned")
    return one
