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
from typing import NamedTuple

import cv2
import numpy as np
from pydantic import BaseModel, ConfigDict

from errors import PhotoError
from pipelines.arrays import Pixels, Points
from pipelines.measure.hair import Hair, colour_change, hair_of, outline_change, outline_loss
from pipelines.measure.mouth import teeth_share
from pipelines.measure.shape import SHAPES, Shape, averaged_mesh, shape_change, shape_of
from pipelines.measure.smoothing import smoothing
from pipelines.measure.tone import ToneChange, tone_change
from pipelines.mesh import CHEEKBONES, LEFT_PUPIL, NOSE_TIP, OVAL, PUPILS, RIGHT_PUPIL, angles, pupil_distance
from pipelines.plate.framing import transform_points
from pipelines.selfie.face import Face, FaceFinder
from pipelines.selfie.photo import Photo
from presets import parse_table, read_table

Lab = tuple[float, float, float]  # L*, a*, b* under D65
Outline = Points  # a closed line, (n, 2) px

TABLE = Path(__file__).parent / "likeness.toml"
MOST_YAW = 20.0  # degrees; pairs of photos differ no more up to there than ahead
REPAINTED = 1.2  # where surroundings tell no exposure, skin is noisier by so much
POSE_POINTS = (NOSE_TIP, *CHEEKBONES)  # as in the pose map
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
        return self.level == Level.A_LITTLE and self.name in SHAPES


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


class Reading(NamedTuple):
    """What one measure found between two pictures."""

    value: float  # in the measure's unit; NaN where nothing could be measured
    why: str = "hidden"  # then: the key of the sentence that says so
    more: bool | None = None  # which of two sentences; None: by the value's sign
    looser: float = 1.0  # times its limits, where two pictures tell less
    values: Mapping[str, object] = {}  # of the sentence


_EITHER_WAY = (Level.A_LITTLE, Level.CLEARLY)
Read = Callable[[Subject, Subject, ToneChange], Reading]  # of the reference, the portrait, both skins


@dataclass(frozen=True)
class MeasureKind:
    """A kind of measure: how it is taken, where it is shown, and how it is told."""

    name: str
    frame: str  # of the report: "skin", "face", "hair"; empty where only the table has it
    read: Read
    directed: tuple[Level, ...] = ()  # verdicts that have a sentence for more and one for less
    needs: frozenset[str] = frozenset()  # regions of the face without which there is nothing to measure
    expressive: bool = False  # whether another expression changes it
    scale: float = 1.0  # from its unit to what people are told, most of it hundredths

    def key(self, level: Level, more: bool) -> str:
        """Of presets/words."""
        key = f"likeness.{self.name}_{level.replace(' ', '_')}"
        return f"{key}_{'more' if more else 'less'}" if level in self.directed else key

    @property
    def keys(self) -> tuple[str, ...]:
        """Every key that its verdicts may have, after that of its name."""
        levels = (Level.UNCHANGED, Level.A_LITTLE, Level.CLEARLY)
        found = [self.key(level, more) for level in levels for more in (True, False)]
        return tuple(dict.fromkeys([f"likeness.{self.name}", *found]))

    def figure(self, value: float) -> tuple[str, str]:
        """The key of the words for how much it changed, and the number in them."""
        size = self.scale * abs(value)
        way = "less" if value < 0 and self.directed == _EITHER_WAY else "more"
        return f"likeness.figure_{self.name}_{way}", f"{size:.0f}" if size >= 2 else f"{size:.1f}"


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
    def total_change(self) -> float:
        """How much, over all measures: 1 would be "clearly" everywhere. Puts portraits in their order."""
        shares = [
            min(WORST, abs(measure.value) / thresholds()[measure.name].clearly)
            for measure in self.measures.values()
            if measure.value is not None
        ]
        return float(np.mean(shares)) if shares else 0.0


def as_json(measures: Iterable[Measure], say: Callable[..., str]) -> dict[str, dict[str, object]]:
    """The contract of `compare --json`; `say` gives a key and its values their sentence."""
    return {
        measure.name: {**measure_report(measure), "words": say(measure.key, **measure.values)}
        for measure in measures
    }


def measure_report(measure: Measure) -> dict[str, object]:
    """A measure as `report.json` holds it."""
    value = None if measure.value is None else round(measure.value, 3)
    return {"value": value, "unit": measure.unit, "verdict": measure.level.value}


@cache
def thresholds(path: Path = TABLE) -> Mapping[str, Threshold]:
    """The tables of likeness.toml. Raises `PresetError` naming measure, key, value and rule."""
    return {name: parse_table(table, Threshold, path.name, name) for name, table in read_table(path).items()}


def study(face: Face, finder: FaceFinder) -> Subject:
    """Measure one picture; once a plate, for all portraits that are compared with it."""
    landmarks = averaged_mesh(face, finder)
    return Subject(face, landmarks, shape_of(landmarks), hair_of(face, landmarks))


def compare(
    reference: Subject, portrait: Subject, doubts: bool = True, expression: bool = False
) -> LikenessReport:
    """What `portrait` changed of the sitter in `reference`: the plate in the same look, or another photo.

    `expression`: whether the sitter asked for another one, which then is to blame for a mouth that changed.
    Without `doubts` also what is not to be believed has its value, for the bench that says what that is.
    """
    tone = tone_change(reference.face, portrait.face, reference.landmarks, portrait.landmarks)
    judged = [_judge(measured, measured.read(reference, portrait, tone)) for measured in MEASURE_KINDS]
    if doubts:
        judged = [
            _check_doubts(kind, measure, reference, portrait, expression)
            for kind, measure in zip(MEASURE_KINDS, judged, strict=True)
        ]
    eyes = portrait.landmarks[list(PUPILS), :2].mean(axis=0)
    return LikenessReport(
        measures={measure.name: measure for measure in judged},
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
    faces = [
        transform_points(subject.hair.matrix, subject.landmarks[list(OVAL), :2])
        for subject in (reference, portrait)
    ]
    hairs = [_ring(subject.hair) for subject in (reference, portrait)]
    return {
        name: (transform_points(back, first), transform_points(back, second))
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
        heads.append(np.array([(complex(*points[point, :2]) - middle) / apart for point in POSE_POINTS]))
    return float(np.abs(heads[1] - heads[0]).mean())


def _skin(_: Subject, __: Subject, tone: ToneChange) -> Reading:
    looser = 1 + (REPAINTED - 1) * (1 - tone.trust)
    return Reading(tone.lighter, looser=looser, values={"delta_e": round(tone.delta_e, 1)})


def _ratio(name: str) -> Read:
    """How far one of `SHAPES` is off."""
    return lambda first, second, _: Reading(shape_change(first.shape, second.shape)[name])


def _teeth(first: Subject, second: Subject, _: ToneChange) -> Reading:
    before, after = (teeth_share(subject.face, subject.landmarks) for subject in (first, second))
    return Reading(after - before)


def _smoothing(first: Subject, second: Subject, _: ToneChange) -> Reading:
    gone = smoothing(first.face, second.face, first.landmarks, second.landmarks)
    return Reading(gone, why="no_lines")


def _hair(first: Subject, second: Subject, _: ToneChange) -> Reading:
    share = outline_loss(first.hair, second.hair)
    change = outline_change(first.hair, second.hair)
    return Reading(change, more=share <= 0, values={"percent": round(100 * abs(share))})


def _hair_colour(first: Subject, second: Subject, _: ToneChange) -> Reading:
    change = colour_change(first.hair, second.hair)
    return Reading(np.nan, why="bald") if change is None else Reading(change)


def _pose(first: Subject, second: Subject, _: ToneChange) -> Reading:
    return Reading(pose_change(first.landmarks, second.landmarks))


# Every measure, in the order of the report. To add one: its function and a line here (a ratio: its field of
# `Shape` and its name in `SHAPES`), its limits in likeness.toml, its sentences and its figure in
# presets/words/en.toml. tests/test_likeness.py names what is missing.
_JAW, _EYES, _MOUTH, _CHEEKS = (frozenset({region}) for region in ("jaw", "eyes", "mouth", "cheeks"))
# The mesh shows less of a bend than a ruler, so a ratio is told larger (docs/likeness.md, "reads"; a jaw that
# is bent by 5 % at the chin is bent by half of it at its corners).
MEASURE_KINDS = (
    MeasureKind("skin", "skin", _skin, _EITHER_WAY, _CHEEKS),
    MeasureKind("smoothing", "skin", _smoothing, _EITHER_WAY, _CHEEKS, scale=100),
    MeasureKind("jaw", "face", _ratio("jaw"), _EITHER_WAY, _JAW, scale=4.5),
    MeasureKind("face", "face", _ratio("face"), _EITHER_WAY, _JAW, scale=1.6),
    MeasureKind("eyes", "face", _ratio("eyes"), _EITHER_WAY, _EYES, scale=4.0),
    MeasureKind("mouth", "face", _ratio("mouth"), _EITHER_WAY, _MOUTH, expressive=True, scale=1.5),
    MeasureKind("teeth", "face", _teeth, _EITHER_WAY, _MOUTH, expressive=True, scale=100),
    MeasureKind("hair", "hair", _hair, (Level.CLEARLY,), scale=100),
    MeasureKind("hair_colour", "hair", _hair_colour),
    MeasureKind("pose", "", _pose, scale=100),
)
MEASURES = tuple(measured.name for measured in MEASURE_KINDS)
# Each frame of the report, and the measures of which it tells the worst.
FRAMES = {
    frame: tuple(measured.name for measured in MEASURE_KINDS if measured.frame == frame)
    for frame in dict.fromkeys(measured.frame for measured in MEASURE_KINDS)
    if frame
}


def _judge(measured: MeasureKind, reading: Reading) -> Measure:
    """The verdict on a value, and the key of its sentence."""
    limits, size = thresholds()[measured.name], abs(reading.value)
    if not np.isfinite(reading.value):
        return _no_measure(measured.name, reading.why)
    level = Level.UNCHANGED
    if size >= limits.flag * reading.looser:
        level = Level.CLEARLY if size >= limits.clearly * reading.looser else Level.A_LITTLE
    more = reading.value > 0 if reading.more is None else reading.more
    key, value = measured.key(level, more), reading.value
    return Measure(measured.name, level, key, reading.values, value, limits.unit, limits.noise, limits.pair)


def _no_measure(name: str, why: str) -> Measure:
    limits = thresholds()[name]
    return Measure(
        name, Level.NOT_MEASURED, f"likeness.{why}", {}, None, limits.unit, limits.noise, limits.pair
    )


def _check_doubts(
    kind: MeasureKind, measure: Measure, reference: Subject, portrait: Subject, expression: bool
) -> Measure:
    """The measure, unless these two pictures cannot tell it; the sentence then says why."""
    why = ""
    if kind.needs & reference.face.hidden:
        why = "hidden"
    elif min(reference.pupils, portrait.pupils) < thresholds()[kind.name].least_pupils:
        why = "small"
    elif kind.name in SHAPES and max(abs(reference.yaw), abs(portrait.yaw)) > MOST_YAW:
        why = "turned"
    elif expression and kind.expressive and measure.level in (Level.A_LITTLE, Level.CLEARLY):
        why = "expression"
    return _no_measure(kind.name, why) if why else measure
