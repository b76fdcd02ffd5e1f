"""Hair before a plain wall: strands of it, and the wall's light in it. The truth is drawn."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from evaluation.scenes import compose, person_of
from pipelines.arrays import Array, Mask
from pipelines.plate.masks import signed_distance
from pipelines.plate.matte import Cutout
from pipelines.plate.studio import Studio
from pipelines.selfie.face import FaceFinder
from pipelines.selfie.photo import Photo

pytestmark = pytest.mark.draws

BLUE = np.array([70, 110, 235], np.float32)


@pytest.fixture(scope="module")
def truth(astronaut: Photo, finder: FaceFinder, studio: Studio) -> Cutout:
    return studio.cut_out(finder.find(astronaut))


def hair(cutout: Cutout) -> Mask:
    """About the head, above the nose, without the face."""
    rows, columns = np.mgrid[: cutout.alpha.shape[0], : cutout.alpha.shape[1]]
    (x, y), d = cutout.face.pupils.mean(axis=0), cutout.face.pupil_distance
    return np.asarray((rows < y + 0.2 * d) & (np.hypot(columns - x, rows - y) < 3 * d), bool)


def blueness(colours: Array) -> Array:
    """How much more blue than red and green a colour is."""
    return np.asarray(colours[..., 2] - colours[..., :2].mean(axis=-1), np.float32)


def test_strands_of_curls_before_a_plain_wall_are_kept(truth: Cutout, studio: Studio) -> None:
    scene = compose("curls", person_of(truth), [], np.random.default_rng(4))
    found = studio.cut_out(replace(truth.face, photo=Photo(scene.pixels))).alpha
    strands = hair(truth) & (scene.alpha > 0.95) & (truth.alpha < 0.05)
    assert strands.sum() > 500
    assert found[strands].mean() > 0.65  # .46 by the masks alone


def test_a_blue_walls_light_in_grey_hair_is_taken_out(truth: Cutout, studio: Studio) -> None:
    depth = signed_distance(truth.alpha > 0.5) / truth.face.pupil_distance
    caught = 0.25 * np.exp(-depth.clip(0) / 0.08)[..., None]
    grey = cv2.cvtColor(cv2.cvtColor(truth.foreground, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    lit = grey * (1 - caught) + BLUE * caught
    alpha = truth.alpha[..., None]
    photo = Photo(np.asarray((lit * alpha + BLUE * (1 - alpha)).round(), np.uint8))
    found = studio.cut_out(replace(truth.face, photo=photo))
    rim = hair(truth) & (truth.alpha > 0.98) & (depth < 0.1)
    before, seen = (
        blueness(colours[rim].astype(np.float32)).mean() for colours in (photo.pixels, found.foreground)
    )
    assert before > 15  # the wall's light was there
    assert seen < 0.5 * before
