"""A whole, upright face, or a sentence: photos turned and cut, of two shipped faces and some portraits."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from errors import PhotoError
from evaluation.spoilt_selfies import Spoil, filling, head_cut, side_cut, tilted, turned
from pipelines.mesh import CHEEKBONES, CHIN, HAIRLINE
from pipelines.selfie.crop import crop_fault, crown
from pipelines.selfie.face import Face, FaceFinder
from pipelines.selfie.photo import Photo
from pipelines.selfie.upright import body_roll, is_upright, is_wrong_way_up, quarters
from words import read_words

pytestmark = pytest.mark.draws

OF_TEST = ("021137", "021726", "022139")  # dark, mid and light skin


@pytest.fixture(scope="module")
def faces(finder: FaceFinder, astronaut: Photo, hopper: Photo) -> list[Face]:
    return [finder.find(astronaut), finder.find(hopper)]


@pytest.fixture(scope="module")
def sitters(finder: FaceFinder, portraits: Path) -> list[Face]:
    paths = [portraits / "test" / f"{name}.jpg" for name in OF_TEST]
    return [finder.find(Photo(np.array(Image.open(path).convert("RGB")))) for path in paths]


def spoilt(face: Face, how: Spoil) -> Photo:
    return Photo(how(face.photo.pixels, face.landmarks).copy())


def said(finder: FaceFinder, photo: Photo) -> str:
    try:
        return finder.find(photo).verdict.key
    except PhotoError as refusal:
        return refusal.key


# Which way up.


@pytest.mark.parametrize("by", [1, 2, 3])
def test_a_turned_photo_is_used_upright(finder: FaceFinder, faces: list[Face], by: int) -> None:
    for face in faces:
        found = finder.find(spoilt(face, partial(turned, by)))
        assert found.verdict.good
        assert np.array_equal(found.photo.pixels, face.photo.pixels)
        assert found.roll == pytest.approx(face.roll, abs=3)
        assert found.mask.shape == face.mask.shape
        assert np.abs(found.landmarks[:, :2] - face.landmarks[:, :2]).max() < 0.1 * face.pupil_distance
        assert np.abs(found.body[:13, :2] - face.body[:13, :2]).max() < 0.3 * face.pupil_distance


def test_turned_portraits_of_all_tones_are_used_upright(finder: FaceFinder, sitters: list[Face]) -> None:
    for face in sitters:
        for by in (1, 2, 3):
            found = finder.find(spoilt(face, partial(turned, by)))
            assert found.verdict.good and found.roll == pytest.approx(face.roll, abs=3)


@pytest.mark.parametrize("degrees", [-60, -30, 15, 60])
def test_a_tilted_head_passes_as_it_is(finder: FaceFinder, faces: list[Face], degrees: int) -> None:
    for face in faces:
        photo = spoilt(face, partial(tilted, degrees))
        found = finder.find(photo)
        assert found.verdict.good and found.photo is photo
        assert found.roll == pytest.approx(face.roll + degrees, abs=5)


def test_an_upright_photo_is_read_once(
    finder: FaceFinder, hopper: Photo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Live pictures on two cores have no time for four readings."""
    readings = []
    read = finder._read

    def counted(photo: Photo) -> object:
        readings.append(photo)
        return read(photo)

    monkeypatch.setattr(finder, "_read", counted)
    assert finder.find(hopper).verdict.good
    assert len(readings) == 1


@pytest.mark.parametrize(
    ("face", "body", "score", "believed"),
    [
        (3, -20, 0.6, True),
        (60, 80, 0.9, True),  # sitter and picture tilted
        (-60, 10, 0.9, True),  # the head alone
        (-88, -84, 1.8, False),
        (2, 178, 1.5, False),  # a mesh laid upright over a face that is upside down
        (65, 104, 1.8, False),
        (0, np.nan, 1.8, True),
        (0, np.nan, 1.5, False),
        (np.nan, 5, 0, True),
        (np.nan, np.nan, 0, False),
    ],
)
def test_the_meshs_roll_is_believed_where_the_body_or_sure_detectors_agree(
    face: float, body: float, score: float, believed: bool
) -> None:
    assert is_upright(face, body, score) is believed


def test_a_lean_is_undone_by_right_angles() -> None:
    assert [quarters(roll) for roll in (5, 93, -88, 175, -178, np.nan)] == [0, 1, 3, 2, 2, 0]
    assert is_wrong_way_up(0, 175) and is_wrong_way_up(90, 95)
    assert not is_wrong_way_up(60, 20) and not is_wrong_way_up(0, np.nan)


def test_a_body_leans_as_its_picture_does(faces: list[Face]) -> None:
    for face in faces:
        assert abs(body_roll(face.body)) < 30
    upside_down = faces[0].body * (-1, -1, 1, 1)
    assert abs(body_roll(upside_down)) > 150
    assert np.isnan(body_roll(np.full((33, 4), np.nan)))


# Crown to chin, cheek to cheek.


@pytest.mark.parametrize(
    "how",
    [
        partial(head_cut, 0.2),
        partial(head_cut, 1.0),
        *(partial(side_cut, side, share) for side in ("left", "right", "bottom") for share in (0.2, 0.33)),
    ],
    ids=lambda spoil: "-".join(str(part) for part in (spoil.func.__name__, *spoil.args)),
)
def test_a_head_that_is_cut_is_asked_for_whole(finder: FaceFinder, faces: list[Face], how: Spoil) -> None:
    assert [said(finder, spoilt(face, how)) for face in faces] == ["face.cut"] * 2


@pytest.mark.parametrize("share", [0.98, 0.8])
def test_a_face_that_fills_the_picture_is_asked_to_step_back(
    finder: FaceFinder, faces: list[Face], share: float
) -> None:
    assert [said(finder, spoilt(face, partial(filling, share))) for face in faces] == ["face.close"] * 2


def test_cut_portraits_of_all_tones_are_refused(finder: FaceFinder, sitters: list[Face]) -> None:
    for face in sitters:
        assert said(finder, spoilt(face, partial(head_cut, 0.6))) == "face.cut"
        assert said(finder, spoilt(face, partial(filling, 0.8))) == "face.close"


def on_canvas(face: Face, left: float, top: float, width: int, height: int) -> str | None:
    """What is said of the face moved so far on an empty canvas."""
    moved = face.landmarks[:, :2] + (left, top)
    return crop_fault(moved, np.zeros((height, width), np.float32))


def test_each_end_of_the_head_needs_its_margin(faces: list[Face]) -> None:
    face = faces[1]
    points = face.landmarks[:, :2]
    tall = np.hypot(*(points[HAIRLINE] - points[CHIN]))
    right, left = points[list(CHEEKBONES), 0]
    top, chin = crown(face.landmarks)[1], points[CHIN, 1]
    size = 4000
    for room, fault in ((0.01, "face.cut"), (0.05, None)):
        assert on_canvas(face, 1000, room * tall - top, size, size) == fault
        assert on_canvas(face, 1000, size - chin - room * tall, size, size) == fault
        assert on_canvas(face, room * tall - right, 1000, size, size) == fault
        assert on_canvas(face, size - left - room * tall, 1000, size, size) == fault


def test_a_crown_is_above_the_hairline(faces: list[Face]) -> None:
    points = faces[1].landmarks[:, :2]
    tall = np.hypot(*(points[HAIRLINE] - points[CHIN]))
    assert on_canvas(faces[1], 1000, 0.15 * tall - points[HAIRLINE, 1], 4000, 4000) == "face.cut"


def test_hair_at_the_upper_border_is_cut_and_a_person_beside_is_not(faces: list[Face]) -> None:
    points = faces[1].landmarks[:, :2]
    room = 0.08 * np.hypot(*(points[HAIRLINE] - points[CHIN]))
    moved = points + np.array([1000, room - crown(points)[1]])
    mask = np.zeros((4000, 4000), np.float32)
    mask[:, 3000:] = 1
    assert crop_fault(moved, mask) is None
    mask[:, 1000:2000] = 1
    assert crop_fault(moved, mask) == "face.cut"


def test_what_is_new_has_its_sentence() -> None:
    words = read_words()
    sentences = {words.say(f"face.{key}") for key in ("cut", "close", "upright", "back", "turned")}
    assert len(sentences) == 5


def test_every_spoilt_picture_is_another(faces: list[Face]) -> None:
    """The evaluation's makers do what they are named for."""
    from evaluation.selfies import KINDS

    pixels, points = faces[1].photo.pixels, faces[1].landmarks
    makers: dict[str, Callable[..., object]] = {
        name: make for kind in KINDS.values() for name, make in kind.items() if name != "as it is"
    }
    made = {name: np.asarray(make(pixels, points)) for name, make in makers.items()}
    same = [name for name, picture in made.items() if np.array_equal(picture, pixels)]
    assert not same
    assert len({picture.tobytes() for picture in made.values()}) == len(made)
