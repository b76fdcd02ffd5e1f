"""Whoever stands beside a sitter stays out of the plate: on scenes composed of faces whose alpha is known."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from errors import PhotoError
from evaluation.scenes import SceneJudge, compose, person_of, read_person
from pipelines.arrays import Pixels
from pipelines.plate.bystanders import BystanderFinder
from pipelines.plate.matte import Cutout
from pipelines.plate.studio import Studio
from pipelines.selfie.face import FaceFinder
from pipelines.selfie.photo import Photo

pytestmark = pytest.mark.draws


@pytest.fixture(scope="module")
def both(astronaut: Photo, hopper: Photo, finder: FaceFinder, studio: Studio) -> tuple[Cutout, Cutout]:
    """The two sample faces, cut out of their own photographs."""
    return studio.cut_out(finder.find(astronaut)), studio.cut_out(finder.find(hopper))


@pytest.fixture(scope="module")
def judge(finder: FaceFinder, studio: Studio, both: tuple[Cutout, Cutout]) -> SceneJudge:
    """Judges scenes with the two as the only people."""
    return SceneJudge(finder, studio, [person_of(both[1])])


@pytest.mark.parametrize("seed", [1, 4])
def test_who_stands_beside_the_sitter_is_not_in_the_plate(
    judge: SceneJudge, both: tuple[Cutout, Cutout], seed: int
) -> None:
    scene = compose("bystanders", person_of(both[0]), judge.others, np.random.default_rng(seed))
    error, faces, _ = judge.judge(scene)
    assert faces == 0
    assert error < 0.03  # with her left in it is 0.1


@pytest.mark.parametrize("place", ["cut in half by the edge", "near the edge", "half behind the sitter"])
def test_half_a_face_is_found_and_a_whole_one_once(both: tuple[Cutout, Cutout], place: str) -> None:
    sitter, other = (person_of(cutout) for cutout in both)
    share = 0.7 * sitter.site.d / other.site.d
    behind_sitter = sitter.site.eyes[0] + 1.4 * sitter.site.d
    x = {"cut in half by the edge": 0.0, "near the edge": sitter.site.d}.get(place, behind_sitter)
    eyes = np.array([x, sitter.site.eyes[1] - 0.2 * sitter.site.d])
    matrix, size = (
        np.column_stack([share * np.eye(2), eyes - share * other.site.eyes]),
        sitter.alpha.shape[::-1],
    )
    behind, cover = (cv2.warpAffine(layer, matrix, size) for layer in (other.colours, other.alpha))
    seen = np.full((*sitter.alpha.shape, 3), (120, 140, 150))
    for colours, alpha in ((behind, cover), (sitter.colours, sitter.alpha)):
        seen = alpha[..., None] * colours + (1 - alpha[..., None]) * seen
    pixels = seen.round().clip(0, 255).astype(np.uint8)
    bystanders = BystanderFinder()
    boxes = bystanders.other_faces(pixels, sitter.site)
    beside = [bystanders.is_face_beside(shown, sitter.site) for shown in (sitter.colours, pixels)]
    bystanders.close()
    assert beside == [False, place == "half behind the sitter"]
    assert len(boxes) == 1
    assert np.hypot(*(boxes[0, :2] + boxes[0, 2:] / 2 - eyes)) < 1.8 * sitter.site.d


def noisy(pixels: Pixels, count: int) -> Iterator[Photo]:
    """The same photo as often, each time with a noise of its own."""
    for seed in range(count):
        noise = np.random.default_rng(seed).normal(0, 1, pixels.shape)
        yield Photo(np.asarray((pixels + noise).round().clip(0, 255), np.uint8))


def test_a_shoulder_and_an_ear_beside_other_people_are_not_cut(
    portraits: Path, finder: FaceFinder, studio: Studio
) -> None:
    sitter, *others = (
        read_person(portraits, name, finder, studio) for name in ("G000061", "E000296", "021974")
    )
    scene = compose("bystanders", sitter, others, np.random.default_rng(1))
    missing = [
        (scene.alpha - studio.cut_out(finder.find(photo)).alpha > 0.5).sum()
        for photo in noisy(scene.pixels, 5)  # one grey value moves what is missing between .1 and .8
    ]
    assert np.mean(missing) < 0.5 * sitter.site.d**2  # 2 where the mask is not asked again


def test_as_large_as_the_sitter_is_asked_to_step_aside(
    both: tuple[Cutout, Cutout], finder: FaceFinder
) -> None:
    sitter, other = both
    share = sitter.face.pupil_distance / other.face.pupil_distance
    near = cv2.resize(other.face.photo.pixels, None, fx=share, fy=share)
    near = cv2.copyMakeBorder(near, 0, 512, 0, 0, cv2.BORDER_REPLICATE)[:512]
    with pytest.raises(PhotoError) as refusal:
        finder.find(Photo(np.hstack([sitter.face.photo.pixels, near])))
    assert refusal.value.key == "face.many"


@pytest.mark.parametrize(("kind", "seed"), [("plain", 2), ("busy", 3), ("curls", 2)])
def test_alone_nothing_is_taken_from_the_sitter(
    judge: SceneJudge, both: tuple[Cutout, Cutout], kind: str, seed: int
) -> None:
    scene = compose(kind, person_of(both[0]), [], np.random.default_rng(seed))
    error, faces, _ = judge.judge(scene)
    assert faces == 0
    assert error < 0.01


def test_a_portrait_among_others_is_cut_out_alone(
    portraits: Path, finder: FaceFinder, studio: Studio
) -> None:
    sitter, *others = (
        read_person(portraits, name, finder, studio) for name in ("H001066", "L000560", "E000296")
    )
    judge = SceneJudge(finder, studio, others)
    scene = compose("bystanders", sitter, others, np.random.default_rng(3))
    error, faces, _ = judge.judge(scene)
    assert faces == 0
    assert error < 0.06
