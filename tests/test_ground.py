"""A plain wall is advised where the ground leaves a trace in the plate: on scenes whose alpha is known."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from evaluation.scenes import Person, compose, person_of
from pipelines.plate.ground import measure_ground
from pipelines.plate.studio import Studio
from pipelines.selfie.face import FaceFinder
from pipelines.selfie.photo import Photo, open_photo

pytestmark = pytest.mark.draws


@pytest.fixture(scope="module")
def sitter(hopper: Photo, finder: FaceFinder, studio: Studio) -> Person:
    """A sample face, cut out of its own photograph."""
    return person_of(studio.cut_out(finder.find(hopper)))


@pytest.mark.parametrize("seed", [0, 1])
def test_before_a_busy_ground_that_leaves_a_trace_it_speaks(
    sitter: Person, finder: FaceFinder, studio: Studio, seed: int
) -> None:
    scene = compose("busy", sitter, [], np.random.default_rng(seed))
    face = finder.find(Photo(scene.pixels))
    wrong = np.abs(studio.cut_out(face).alpha - scene.alpha) > 0.3
    assert wrong.sum() > 0.2 * face.pupil_distance**2
    assert measure_ground(face).leaves_trace


@pytest.mark.parametrize("seed", range(3))
def test_before_a_plain_wall_it_is_silent(sitter: Person, finder: FaceFinder, seed: int) -> None:
    scene = compose("plain", sitter, [], np.random.default_rng(seed))
    assert not measure_ground(finder.find(Photo(scene.pixels))).leaves_trace


def test_stripes_that_leave_no_trace_are_no_reason_to_speak(
    sitter: Person, finder: FaceFinder, studio: Studio
) -> None:
    scene = compose("busy", sitter, [], np.random.default_rng(2))
    face = finder.find(Photo(scene.pixels))
    wrong = np.abs(studio.cut_out(face).alpha - scene.alpha) > 0.3
    assert wrong.sum() < 0.15 * face.pupil_distance**2
    assert not measure_ground(face).leaves_trace


def test_a_face_that_fills_the_photo_has_no_ground_to_speak_of(hopper: Photo, finder: FaceFinder) -> None:
    face = finder.find(hopper)
    (x, y), d = face.pupils.mean(axis=0).astype(int), int(face.pupil_distance)
    near = np.ascontiguousarray(hopper.pixels[y - d : y + 2 * d, x - d : x + d])
    assert not measure_ground(finder.find(Photo(near))).leaves_trace


@pytest.mark.parametrize(
    ("name", "speaks"), [("021763", True), ("021300", True), ("A000379", False), ("W000788", False)]
)
def test_flags_in_the_hair_are_told_from_a_studios_paper(
    portraits: Path, finder: FaceFinder, name: str, speaks: bool
) -> None:
    pixels = open_photo(portraits / "train" / f"{name}.jpg").pixels
    large = cv2.resize(pixels, None, fx=1.5, fy=1.5, interpolation=cv2.INTER_CUBIC)
    assert measure_ground(finder.find(Photo(np.asarray(large, np.uint8)))).leaves_trace is speaks
