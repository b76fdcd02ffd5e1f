"""The judges of the small model: each must notice what it is there for, on the two shipped faces."""

import cv2
import numpy as np
import pytest

from evaluation.mini import copies, strangers
from evaluation.mini_judges import (
    POSED,
    aligned_crop,
    fine_power,
    median_interval,
    pose_error,
    pupils_apart,
    separability,
    skin,
)
from evaluation.mini_sitters import KnownFaces, SitterFindings
from pipelines.selfie.face import FaceFinder
from pipelines.selfie.photo import Photo

Seen = tuple[
    "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]", "np.ndarray[tuple[int, ...], np.dtype[np.float64]]"
]


@pytest.fixture(scope="module")
def face(astronaut: Photo, finder: FaceFinder) -> Seen:
    return astronaut.pixels, np.asarray(finder.find(astronaut).landmarks[:, :2], np.float64)


@pytest.fixture(scope="module")
def stranger(hopper: Photo, finder: FaceFinder) -> Seen:
    return hopper.pixels, np.asarray(finder.find(hopper).landmarks[:, :2], np.float64)


def test_a_blurred_face_has_less_fine_power(face: Seen) -> None:
    pixels, points = face
    blurred = np.asarray(cv2.GaussianBlur(pixels, (0, 0), 1.5), np.uint8)
    assert fine_power(blurred, points) < 0.2 * fine_power(pixels, points)


def test_a_moved_face_is_off_by_what_it_was_moved(face: Seen) -> None:
    _, points = face
    assert pose_error(points, points) == 0
    moved = points + np.array([0.1 * pupils_apart(points), 0])
    assert np.isclose(pose_error(points, moved), 0.1) and len(POSED) == 5


def test_the_same_face_larger_and_turned_has_the_same_crop_and_a_stranger_has_not(
    face: Seen, stranger: Seen
) -> None:
    pixels, points = face
    turn = cv2.getRotationMatrix2D((256, 200), 8, 0.8)
    turned = np.asarray(cv2.warpAffine(pixels, turn, (512, 512), flags=cv2.INTER_AREA), np.uint8)
    own = aligned_crop(pixels, points)
    assert own @ aligned_crop(turned, points @ turn[:, :2].T + turn[:, 2]) > 0.97
    assert own @ aligned_crop(*stranger) < 0.9


def test_skin_is_read_from_the_cheeks(face: Seen) -> None:
    pixels, points = face
    painted = pixels.copy()
    painted[: int(points[:, 1].min())] = 0
    assert np.allclose(skin(pixels, points), skin(painted, points))
    assert skin(np.asarray(pixels * 0.8, np.uint8), points)[0] < skin(pixels, points)[0] - 5


def test_cues_tell_what_differs_and_guess_where_nothing_does() -> None:
    dice = np.random.default_rng(0)
    sitters = np.repeat(np.arange(40), 2)
    alike = dice.normal(size=(2, 80, 4))
    assert 0.35 < separability(alike[0], alike[1], sitters) < 0.65
    assert separability(alike[0], alike[1] + np.array([2, 0, 0, 0]), sitters) > 0.85


def test_who_a_sitter_is_tells_nothing_of_what_a_picture_is() -> None:
    dice = np.random.default_rng(1)
    sitters = np.repeat(np.arange(30), 3)
    own = dice.normal(size=(30, 6))[sitters]  # cues that only say who it is, the same in both pictures
    assert abs(separability(own, own, sitters) - 0.5) < 0.1


def test_an_interval_holds_the_median_and_narrows_with_more_sitters() -> None:
    dice = np.random.default_rng(2)
    few, many = dice.normal(size=10).tolist(), dice.normal(size=400).tolist()
    for values in (few, many):
        middle, low, high = median_interval(values)
        assert low <= middle <= high
    assert median_interval(many)[2] - median_interval(many)[1] < 0.5
    assert np.isnan(median_interval([])[0])


def test_a_portrait_nearer_to_a_training_picture_than_strangers_are_to_each_other_is_a_copy() -> None:
    one = SitterFindings()
    one.measures["nearest_training"] += [0.6, 0.3, 0.6]
    one.measures["alike_training"] += [0.7, 0.7, 0.9]
    found = copies([one], (0.5, 0.8))
    assert np.isclose(found["share"], 1 / 3) and found["nearest"] == 0.3 and found["n"] == 3


def test_two_pictures_of_one_person_are_no_strangers() -> None:
    descriptors = np.array([[0.0, 0], [0.1, 0], [1, 0], [0, 2]])
    crops = np.eye(4)
    known = KnownFaces(("a.jpg", "b.jpg", "c.jpg", "d.jpg"), descriptors, crops)
    apart, alike = strangers(known, [["a.jpg", "b.jpg"], ["c.jpg"], ["d.jpg"]])
    assert 0.9 <= apart <= 0.91 and alike == 0
    assert strangers(known, [["a.jpg"], ["b.jpg"], ["c.jpg"], ["d.jpg"]])[0] < 0.11
