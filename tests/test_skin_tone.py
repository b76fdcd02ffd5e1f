"""Restoring the skin tone, on the shipped faces: it undoes a lightening, and touches nothing else."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from skimage.color import deltaE_ciede2000

from evaluation.drift import Change, lighter, lighter_by_gain, lighter_by_gamma
from pipelines.draw.drawer import DrawRequest
from pipelines.draw.generate import Progress, Rendering
from pipelines.draw.model_set import read_model_sets
from pipelines.look import read_looks
from pipelines.measure.likeness import Level, Measure, Subject, subject_in
from pipelines.measure.skin_tone import can_restore_tone, face_skin, restore_tone
from pipelines.measure.tone import lab_of, tone_change
from pipelines.order import Order
from pipelines.plate.studio import Studio, plate
from pipelines.selfie.face import FaceFinder
from pipelines.selfie.photo import Photo
from pipelines.sitting import Portrait, request_for, review, set_up

GREY, MINI = read_looks()["grey"], read_model_sets()["mini"]


@pytest.fixture(scope="module")
def reference(astronaut: Photo, finder: FaceFinder, studio: Studio) -> Subject:
    """A plate of 576 x 720 px."""
    found = subject_in(plate(studio.cut_out(finder.find(astronaut)), GREY, (576, 720)).pixels, finder)
    assert found
    return found


def spoilt(reference: Subject, change: Change, finder: FaceFinder) -> Subject:
    pixels = change(reference.face.photo.pixels, reference.landmarks, reference.face.mask)
    found = subject_in(pixels, finder)
    assert found
    return found


def tone(reference: Subject, other: Subject, pixels: Any) -> float:
    face = replace(other.face, photo=Photo(pixels))
    return tone_change(reference.face, face, reference.landmarks, other.landmarks).delta_e


@pytest.mark.parametrize("way", [lighter, lighter_by_gamma, lighter_by_gain])
@pytest.mark.parametrize("by", [-6, 6])
def test_a_change_of_the_skin_is_undone(
    reference: Subject, finder: FaceFinder, way: Callable[[float], Change], by: int
) -> None:
    portrait = spoilt(reference, way(by), finder)
    mended = restore_tone(reference, portrait)
    assert tone(reference, portrait, portrait.face.photo.pixels) > 3
    assert tone(reference, portrait, mended) <= 1
    apart = deltaE_ciede2000(lab_of(reference.face.photo.pixels), lab_of(mended))
    assert np.median(apart[face_skin(reference)]) <= 2.5


def test_backdrop_clothes_and_eyes_keep_their_pixels(reference: Subject, finder: FaceFinder) -> None:
    portrait = spoilt(reference, lighter(6), finder)
    before, after = portrait.face.photo.pixels, restore_tone(reference, portrait)
    same = (before == after).all(axis=2)
    assert same[portrait.face.mask < 0.02].mean() > 0.99
    height = before.shape[0]
    assert same[int(0.85 * height) :].mean() > 0.95
    for pupil in (468, 473):
        x, y = np.round(portrait.landmarks[pupil, :2]).astype(int)
        assert same[y, x]
    assert not same[face_skin(portrait)].all()


def test_a_portrait_whose_skin_is_right_hardly_changes(reference: Subject) -> None:
    mended = restore_tone(reference, reference)
    assert np.abs(mended.astype(int) - reference.face.photo.pixels).max() <= 2


@pytest.mark.parametrize(
    ("value", "level", "acts"),
    [
        (2.0, Level.UNCHANGED, False),
        (3.0, Level.A_LITTLE, True),
        (-7.9, Level.CLEARLY, True),
        (8.1, Level.CLEARLY, False),
        (None, Level.NOT_MEASURED, False),
    ],
)
def test_the_guard_acts_between_what_is_seen_and_what_can_be_mended(
    value: float | None, level: Level, acts: bool
) -> None:
    assert can_restore_tone(Measure("skin", level, "", {}, value)) is acts


class Lightener:
    """Draws the request's plate, its skin lighter by what is told for that seed."""

    def __init__(self, by: dict[int, float], finder: FaceFinder) -> None:
        self._by, self._finder, self.asked = by, finder, list[int]()

    def draw(self, request: DrawRequest) -> Iterator[Progress | Rendering]:
        for i, seed in enumerate(request.seeds):
            self.asked.append(seed)
            yield Progress(i, 1, 1, 1)
            found = subject_in(request.plates[i], self._finder)
            assert found
            image = lighter(self._by[seed])(request.plates[i], found.landmarks, found.face.mask)
            yield Rendering(image, i, seed, "plate", 0.4, 1, 1, 0.1)


def sat(
    by: dict[int, float], astronaut: Photo, finder: FaceFinder, studio: Studio
) -> tuple[Portrait, Lightener, list[Progress]]:
    """The first of three portraits, reviewed."""
    order, face = Order(GREY, variations=3, seed=5), finder.find(astronaut)
    setups = [set_up(studio.cut_out(face), order, order.shots(MINI)[0], MINI)] * 3
    request = request_for(order, [face], setups, MINI)
    generator: Any = Lightener(by, finder)
    drawn = next(one for one in generator.draw(request) if isinstance(one, Rendering))
    generator.asked.clear()
    portrait, steps = Portrait(drawn.image, drawn, setups[0], GREY, MINI), []
    reviewing = review(portrait, request, finder, generator)
    while True:
        try:
            steps.append(next(reviewing))
        except StopIteration as end:
            return end.value, generator, steps


def test_skin_that_is_too_far_off_is_drawn_again_and_what_is_left_is_mended(
    astronaut: Photo, finder: FaceFinder, studio: Studio
) -> None:
    portrait, generator, steps = sat({5: 16, 8: 5}, astronaut, finder, studio)
    assert generator.asked == [8]  # no seed of the other portraits
    assert (portrait.rendering.seed, portrait.rendering.index) == (8, 0)
    assert [step.first for step in steps] == [0]
    assert portrait.tone_matched is not None and portrait.likeness is not None
    assert portrait.likeness.measures["skin"].value == pytest.approx(5, abs=1.5)  # of the portrait as drawn


def test_it_is_drawn_again_twice_at_most_and_the_best_is_given_with_its_report(
    astronaut: Photo, finder: FaceFinder, studio: Studio
) -> None:
    portrait, generator, _ = sat({5: 16, 8: 12, 11: 18}, astronaut, finder, studio)
    assert generator.asked == [8, 11]
    assert portrait.rendering.seed == 8
    assert portrait.tone_matched is None
    assert portrait.likeness is not None
    assert portrait.likeness.measures["skin"].level == Level.CLEARLY


def test_skin_that_is_right_is_drawn_once(astronaut: Photo, finder: FaceFinder, studio: Studio) -> None:
    portrait, generator, _ = sat({5: 0}, astronaut, finder, studio)
    assert generator.asked == [] and portrait.tone_matched is None
