"""What lies over a face: masks of any colour are asked to be taken off, dark glasses are named and pass."""

from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from evaluation.real_hands import REAL_HANDS
from evaluation.spoilt_selfies import HIGH_EDGE, LOW_EDGE, Spoil, dark_glasses, flat_mask, masked, palm
from pipelines.look import read_looks
from pipelines.measure.likeness import compare, subject_in
from pipelines.mesh import Angles, align_face
from pipelines.plate.studio import Studio, plate
from pipelines.selfie.check import judge
from pipelines.selfie.face import Face, FaceFinder
from pipelines.selfie.occlusion import PATCHES, REFUSED, REGIONS, hidden_regions
from pipelines.selfie.photo import Photo
from words import read_words

pytestmark = pytest.mark.draws

# Of `train/`: a hijab, big beards, glasses, hair to the brows, a hat; none is an enlarged picture.
DRESSED = ("O000173", "L000578", "F000476", "R000619", "K000400", "W000788", "H001094", "F000477", "021118")
COLOURS = ("blue", "white", "black", "red", "dots", "skin")


@pytest.fixture(scope="module")
def faces(finder: FaceFinder, astronaut: Photo, hopper: Photo) -> list[Face]:
    return [finder.find(astronaut), finder.find(hopper)]


def seen(finder: FaceFinder, face: Face, how: Spoil) -> Face:
    return finder.find(Photo(how(face.photo.pixels, face.landmarks).copy()))


def of_portraits(finder: FaceFinder, folder: Path, names: tuple[str, ...]) -> list[Face]:
    paths = [folder / f"{name}.jpg" for name in names]
    return [finder.find(Photo(np.array(Image.open(path).convert("RGB")))) for path in paths]


def test_nothing_lies_over_a_bare_face(faces: list[Face]) -> None:
    assert [face.hidden for face in faces] == [frozenset()] * 2


def test_beards_glasses_hats_and_a_hijab_cover_nothing(finder: FaceFinder, portraits: Path) -> None:
    for face in of_portraits(finder, portraits / "train", DRESSED):
        assert face.verdict.good and not face.hidden


@pytest.mark.parametrize("edge", [HIGH_EDGE, LOW_EDGE], ids=["over the nose", "under the nose"])
@pytest.mark.parametrize("colour", COLOURS)
def test_a_mask_is_asked_to_be_taken_off(
    finder: FaceFinder, faces: list[Face], colour: str, edge: tuple[int, ...]
) -> None:
    for face in faces:
        found = seen(finder, face, partial(masked, colour, edge))
        assert found.verdict.key == "face.covered"
        assert {"mouth", "jaw"} <= found.hidden <= set(REGIONS)


def test_a_pale_polygon_is_a_mask(finder: FaceFinder, faces: list[Face]) -> None:
    assert [seen(finder, face, flat_mask).verdict.key for face in faces] == ["face.covered"] * 2


def test_masks_on_all_tones_of_skin_are_seen(finder: FaceFinder, portraits: Path) -> None:
    for face in of_portraits(finder, portraits / "test", ("021137", "021726", "022139")):
        for colour in ("blue", "black", "skin"):
            assert seen(finder, face, partial(masked, colour, HIGH_EDGE)).verdict.key == "face.covered"


def test_a_hand_over_the_mouth_is_asked_away(finder: FaceFinder, faces: list[Face]) -> None:
    assert [seen(finder, face, partial(palm, "mouth")).verdict.key for face in faces] == ["face.covered"] * 2


def test_a_hand_on_a_cheek_passes_and_hides_it(finder: FaceFinder, faces: list[Face]) -> None:
    found = [seen(finder, face, partial(palm, "cheek")) for face in faces]
    assert ["cheeks" in face.hidden for face in found] == [True] * 2
    assert found[1].verdict.good  # only a mouth must be free


@pytest.mark.parametrize("how", list(REAL_HANDS))
def test_a_real_hand_hides_a_cheek_of_any_tone(finder: FaceFinder, portraits: Path, how: str) -> None:
    for face in of_portraits(finder, portraits / "test", ("021137", "021726", "022139")):
        assert "cheeks" in seen(finder, face, REAL_HANDS[how]).hidden


def test_skin_is_not_measured_in_the_plate_of_a_face_with_a_hand_on_it(
    finder: FaceFinder, faces: list[Face], studio: Studio
) -> None:
    held = seen(finder, faces[1], partial(palm, "cheek"))
    shown = subject_in(plate(studio.cut_out(held), read_looks()["grey"], (576, 720)).pixels, finder)
    assert shown is not None
    found = compare(shown, shown).measures
    assert {found[name].key for name in ("skin", "smoothing")} == {"likeness.hidden"}


@pytest.mark.parametrize("style", ["black", "brown"])
def test_dark_glasses_pass_and_hide_the_eyes(finder: FaceFinder, faces: list[Face], style: str) -> None:
    found = [seen(finder, face, partial(dark_glasses, style)) for face in faces]
    assert [face.hidden for face in found] == [{"eyes"}] * 2
    assert found[1].verdict.good  # the first face is so small that glasses make it too small


def test_neither_light_nor_tone_counts(faces: list[Face]) -> None:
    for face in faces:
        frame = align_face(face.photo.pixels, face.landmarks)
        for gain in (0.25, 0.5, 1.4):
            lit = ((frame.pixels / 255.0) ** 2.2 * gain).clip(0, 1) ** (1 / 2.2) * 255
            assert not hidden_regions(frame._replace(pixels=lit.round().astype(np.uint8)))


def test_a_bare_sheet_has_none_of_the_regions(faces: list[Face]) -> None:
    frame = align_face(faces[0].photo.pixels, faces[0].landmarks)
    grain = np.random.default_rng(0).normal(140, 6, frame.pixels.shape)
    sheet = cv2.GaussianBlur(grain.clip(0, 255).astype(np.uint8), (0, 0), 1)
    assert {"eyes", "nose", "mouth", "jaw"} <= hidden_regions(frame._replace(pixels=sheet))


@pytest.mark.parametrize("region", sorted({*PATCHES, "jaw"}))
def test_only_a_hidden_mouth_refuses(faces: list[Face], region: str) -> None:
    face = faces[1]
    held = Angles(face.yaw, face.pitch, face.roll)
    verdict = judge(face.photo.pixels, face.landmarks, held, face.mask, {region})
    assert verdict.key == ("face.covered" if region in REFUSED else "camera.good")


def test_what_covers_a_face_has_its_sentence() -> None:
    assert "mask" in read_words().say("face.covered")
