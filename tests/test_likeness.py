"""What a portrait changed, on the two shipped faces: nothing where nothing was done, and what was done."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from matplotlib.cbook import get_sample_data
from PIL import Image
from skimage.data import astronaut

from evaluation.drift import (
    face,
    grainy,
    jpeg,
    lighter,
    mixed,
    mouth,
    ring,
    smoothed,
    teeth_hidden,
)
from pipelines.__main__ import main
from pipelines.look import read_looks
from pipelines.measure import likeness
from pipelines.measure.likeness import Level, Subject, compare, study
from pipelines.measure.recognition import Recognizer
from pipelines.measure.shape import shape_change, shape_of
from pipelines.measure.tone import skin, tone_change
from pipelines.mesh import CHEEK_PATCHES, EYES, IRIS_DIAMETERS, OVAL
from pipelines.plate.studio import Studio, plate
from pipelines.selfie.face import FaceFinder
from pipelines.selfie.photo import Photo
from words import read_words

pytestmark = pytest.mark.draws


def test_a_measure_has_limits_and_a_sentence_for_each_verdict_and_nothing_else_has() -> None:
    limits, words = likeness.thresholds(), read_words()
    assert set(limits) == set(likeness.MEASURES), "likeness.toml and the list of measures differ"
    keys = {key for measured in likeness.MEASURE_KINDS for key in measured.keys}
    keys |= {measured.figure(sign)[0] for measured in likeness.MEASURE_KINDS for sign in (1.0, -1.0)}
    keys |= {f"result.frame_{frame}" for frame in likeness.FRAMES}
    assert not keys - set(words.tables["en"]), "en.toml lacks sentences"
    told = {
        key for key in words.tables["en"] if re.search(r"^likeness\..*_(unchanged|a_little|clearly)", key)
    }
    others = {key for key in told if key.startswith(("likeness.level_", "likeness.recognition_"))}
    assert not told - keys - others, "en.toml has sentences of no measure"


def subject(pixels: Any, finder: FaceFinder) -> Subject:
    return study(finder.find(Photo(np.ascontiguousarray(pixels))), finder)


@pytest.fixture(scope="module")
def collins(finder: FaceFinder) -> Subject:
    """Pupils about 70 px apart."""
    return subject(cv2.resize(np.asarray(astronaut()), None, fx=2, fy=2)[:640, 160:672], finder)


def test_a_photo_that_was_only_encoded_again_is_unchanged(collins: Subject, finder: FaceFinder) -> None:
    report = compare(collins, subject(jpeg(collins.face.photo.pixels, 85), finder))
    assert set(report.measures) == set(likeness.MEASURES)
    assert report.measures["smoothing"].key == "likeness.small"  # its lines are too fine for this picture
    assert {one.level for name, one in report.measures.items() if name != "smoothing"} == {Level.UNCHANGED}
    assert report.total_change < 0.1


@pytest.mark.parametrize(
    ("by", "key"), [(8, "likeness.skin_clearly_more"), (-8, "likeness.skin_clearly_less")]
)
def test_lightened_and_darkened_skin_is_told_with_its_direction(
    collins: Subject, finder: FaceFinder, by: int, key: str
) -> None:
    spoilt = lighter(by)(collins.face.photo.pixels, collins.landmarks, collins.face.mask)
    skin = compare(collins, subject(spoilt, finder)).measures["skin"]
    assert skin.key == key
    assert skin.value == pytest.approx(by, abs=2)


def lightened(first: Subject, pixels: Any, reference: Any = None) -> float:
    """L* by which skin is lighter in `pixels` than in `reference` or, without that, in `first`."""
    before, after = (
        replace(first.face, photo=Photo(one)) if one is not None else first.face
        for one in (reference, pixels)
    )
    return tone_change(before, after, first.landmarks, first.landmarks).lighter


def test_hair_before_the_cheeks_is_no_skin(collins: Subject) -> None:
    def with_hair(level: int) -> Any:
        pixels = collins.face.photo.pixels.copy()
        for hull in CHEEK_PATCHES:
            corners = cv2.convexHull(np.round(collins.landmarks[list(hull), :2]).astype(np.int32))
            cv2.fillConvexPoly(pixels, corners, (level + 10, level + 4, level))
        return pixels

    assert lightened(collins, with_hair(20), with_hair(45)) == pytest.approx(0, abs=1)


@pytest.mark.parametrize("gain", [0.8, 1.25])
def test_other_surroundings_are_no_other_skin(collins: Subject, gain: float) -> None:
    pixels = collins.face.photo.pixels
    outside = ~ring(pixels, collins.landmarks, OVAL)[..., None]
    light = (pixels / 255.0) ** 2.2 * np.where(outside, gain, 1.0)
    assert abs(lightened(collins, (255 * light.clip(0, 1) ** (1 / 2.2)).astype(np.uint8))) <= 2


@pytest.mark.parametrize(("who", "look"), [("astronaut", "black"), ("hopper", "white")])
def test_the_skins_value_is_near_the_plain_difference_of_its_patches(
    who: str, look: str, finder: FaceFinder, studio: Studio, request: pytest.FixtureRequest
) -> None:
    photo = request.getfixturevalue(who)
    shown = plate(studio.cut_out(finder.find(photo)), read_looks()[look], (576, 720)).pixels
    first, second = subject(shown, finder), subject(mixed(shown, np.random.default_rng(1)), finder)
    before, after = (skin(one.face.photo.pixels, one.landmarks).tones[:, 0] for one in (first, second))
    value = compare(first, second).measures["skin"].value
    assert value == pytest.approx(float(np.median(after - before)), abs=2)


def test_larger_irises_between_narrower_lids_are_no_larger_eyes(collins: Subject) -> None:
    def eyes(width: float, iris: float) -> float:
        points = collins.landmarks.astype(np.float64).copy()
        for eye, (across, along) in zip(EYES, (IRIS_DIAMETERS[:2], IRIS_DIAMETERS[2:]), strict=True):
            for pair, share in (((eye.outer, eye.inner), width), (across, iris), (along, iris)):
                middle = points[list(pair)].mean(axis=0)
                points[list(pair)] = middle + (1 + share) * (points[list(pair)] - middle)
        return shape_change(collins.shape, shape_of(points))["eyes"]

    assert abs(eyes(-0.04, 0.17)) < 0.2
    assert eyes(0.10, 0.10) > 3


def test_a_larger_mouth_is_told_and_so_are_hidden_teeth(collins: Subject, finder: FaceFinder) -> None:
    shown, points, mask = collins.face.photo.pixels, collins.landmarks, collins.face.mask
    grown = compare(collins, subject(mouth(0.10)(shown, points, mask), finder)).measures["mouth"]
    assert grown.value is not None and grown.value > 3
    assert grown.level in (Level.A_LITTLE, Level.CLEARLY)
    closed = subject(teeth_hidden(shown, points, mask), finder)
    teeth = compare(collins, closed).measures["teeth"]
    assert (teeth.level, teeth.key) == (Level.CLEARLY, "likeness.teeth_clearly_less")
    asked = compare(collins, closed, expression=True).measures
    assert (asked["teeth"].level, asked["teeth"].key) == (Level.NOT_MEASURED, "likeness.expression")
    assert asked["skin"].level == Level.UNCHANGED


def test_smoothed_skin_is_told_and_grain_hides_nothing(hopper: Photo, finder: FaceFinder) -> None:
    large = subject(cv2.resize(hopper.pixels, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC), finder)
    shown, points, mask = large.face.photo.pixels, large.landmarks, large.face.mask

    def gone(pixels: Any) -> likeness.Measure:
        again = replace(large, face=replace(large.face, photo=Photo(pixels)))
        return compare(large, again).measures["smoothing"]

    assert gone(grainy(shown)).level == Level.UNCHANGED
    assert gone(jpeg(shown, 75)).level == Level.UNCHANGED
    for grain in (0.0, 6.0):
        retouched = gone(smoothed(1.0, grain)(shown, points, mask))
        assert retouched.level in (Level.A_LITTLE, Level.CLEARLY)
        assert retouched.key.endswith("_more")


def test_what_is_hidden_is_not_measured(collins: Subject) -> None:
    masked = replace(collins, face=replace(collins.face, hidden=frozenset({"mouth"})))
    found = compare(masked, collins).measures
    hidden = {name for name, one in found.items() if one.key == "likeness.hidden"}
    assert hidden == {"mouth", "teeth"}


def test_a_mirror_image_has_the_same_skin_and_shape_however_the_light_falls(
    astronaut: Photo, finder: FaceFinder, studio: Studio
) -> None:
    side_lit = read_looks()["grey"].relight(key=70.0, fill=0.2)
    shown = plate(studio.cut_out(finder.find(astronaut)), side_lit, (576, 720)).pixels
    found = compare(subject(shown, finder), subject(shown[:, ::-1], finder)).measures
    assert {found[one].level for one in ("skin", "jaw", "face", "eyes")} == {Level.UNCHANGED}


def test_verdicts_follow_the_table(
    collins: Subject, finder: FaceFinder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = subject(jpeg(collins.face.photo.pixels, 40), finder)
    assert compare(collins, copy).measures["skin"].level == Level.UNCHANGED
    strict = tmp_path / "likeness.toml"
    tables = [f"{line}\n" for line in likeness.TABLE.read_text().splitlines()]
    start = tables.index("[skin]\n")
    tables[start + 2 : start + 4] = ["flag = 0.0001\n", "clearly = 0.0002\n"]
    strict.write_text("".join(tables))
    loaded = likeness.thresholds(strict)
    monkeypatch.setattr(likeness, "thresholds", lambda: loaded)
    assert compare(collins, copy).measures["skin"].level == Level.CLEARLY


@pytest.mark.parametrize("share", [-0.06, 0.06])
def test_a_face_made_narrower_or_broader_is_told(collins: Subject, finder: FaceFinder, share: float) -> None:
    spoilt = face(share)(collins.face.photo.pixels, collins.landmarks, collins.face.mask)
    found = compare(collins, subject(spoilt, finder)).measures["face"]
    assert found.value is not None and found.value * share > 0
    assert found.level in (Level.A_LITTLE, Level.CLEARLY)


def test_a_face_too_small_to_tell_has_no_number(collins: Subject, finder: FaceFinder) -> None:
    small = cv2.resize(collins.face.photo.pixels, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    jaw = compare(collins, subject(small, finder)).measures["jaw"]
    assert (jaw.level, jaw.value, jaw.key) == (Level.NOT_MEASURED, None, "likeness.small")


def test_recognition_tells_a_person_from_another_and_can_be_switched_off(
    collins: Subject, finder: FaceFinder
) -> None:
    with Image.open(get_sample_data("grace_hopper.jpg", asfileobj=False)) as image:
        hopper = finder.find(Photo(np.array(image.convert("RGB"))))
    again = finder.find(Photo(jpeg(collins.face.photo.pixels, 80)))
    asked = Recognizer()
    if asked.refusal:
        pytest.skip("dlib or its network is not installed here")
    assert asked.answer([hopper, collins.face], again).level == Level.UNCHANGED
    assert asked.answer([hopper], again).key == "likeness.recognition_clearly"
    off = Recognizer(allowed=False).answer([collins.face], again)
    assert (off.level, off.value, off.key) == (Level.NOT_MEASURED, None, "likeness.recognition_off")


def test_the_command_prints_every_measure_as_its_last_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.fromarray(np.asarray(astronaut())).save(tmp_path / "one.png")
    assert main(["compare", str(tmp_path / "one.png"), str(tmp_path / "one.png"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert set(told) == {*likeness.MEASURES, "recognition"}
    assert {frozenset(one) for one in told.values()} == {frozenset(("value", "unit", "verdict", "words"))}
    Image.new("RGB", (300, 300)).save(tmp_path / "none.png")
    assert main(["compare", str(tmp_path / "one.png"), str(tmp_path / "none.png")]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
