"""The identity adapter's crop: features at the places of the template that its encoder learned them at."""

import csv
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from skimage.transform import SimilarityTransform

from pipelines.draw.reference import POINTS, REFERENCE_PX, TEMPLATE, TEMPLATE_PX, alignment, reference_crop
from pipelines.selfie.face import FaceFinder
from pipelines.selfie.photo import Photo, open_photo


def rolled(photo: Photo, degrees: float) -> Photo:
    """The picture turned about its middle, in a frame that holds all of it."""
    height, width = photo.pixels.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 0.8)
    turned = cv2.warpAffine(photo.pixels, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
    return Photo(np.asarray(turned, np.uint8))


def points(photo: Photo, finder: FaceFinder) -> NDArray[np.float64]:
    """The five points where they came to lie in the crop, in sides of it, found anew there."""
    found = finder.find(Photo(reference_crop(finder.find(photo)))).landmarks[list(POINTS), :2]
    return np.asarray((found + 0.5) / REFERENCE_PX, np.float64)


def roll(points: NDArray[np.float64]) -> float:
    """Degrees of the pupils' line."""
    return float(np.degrees(np.arctan2(*(points[1] - points[0])[::-1])))


@pytest.mark.parametrize("degrees", [-25, -10, 0, 10, 25])
def test_the_fit_is_the_least_squares_similarity(
    degrees: float, astronaut: Photo, finder: FaceFinder
) -> None:
    face = finder.find(rolled(astronaut, degrees))
    witness = SimilarityTransform.from_estimate(
        face.landmarks[list(POINTS), :2], TEMPLATE * REFERENCE_PX / TEMPLATE_PX
    )
    assert np.allclose(alignment(face), witness.params[:2], atol=1e-3, rtol=1e-5)


@pytest.mark.parametrize("degrees", [-25, 0, 25])
def test_a_rolled_head_comes_out_level_and_like_the_level_one(
    degrees: float, astronaut: Photo, hopper: Photo, finder: FaceFinder
) -> None:
    for photo in (astronaut, hopper):
        level, turned = points(photo, finder), points(rolled(photo, degrees), finder)
        assert abs(roll(turned)) <= 1 + abs(roll(level))
        assert np.abs(level - turned).max() < 0.02


def test_a_large_photo_is_not_thinned_out(astronaut: Photo, finder: FaceFinder) -> None:
    large = Photo(np.asarray(cv2.resize(astronaut.pixels, None, fx=8, fy=8, interpolation=cv2.INTER_CUBIC)))
    noise = np.random.default_rng(0).normal(0, 60, large.pixels.shape[:2])[..., None]
    noisy = Photo(np.clip(large.pixels + noise, 0, 255).astype(np.uint8))
    clean, crop = (reference_crop(finder.find(photo)).astype(float) for photo in (large, noisy))
    assert np.abs(crop - clean).mean() < 20  # a warp alone would keep all of the noise


def test_faces_of_many_people_lie_where_the_encoder_learned_them(portraits: Path, finder: FaceFinder) -> None:
    with (portraits / "test.csv").open(newline="") as rows:
        files = [portraits / row["file"] for row in csv.DictReader(rows)][:24]
    faces = [finder.find(open_photo(file)) for file in files]
    placed = [
        face.landmarks[list(POINTS), :2] @ m[:, :2].T + m[:, 2] for face in faces for m in [alignment(face)]
    ]
    heights = np.array(placed)[:, :, 1] / REFERENCE_PX
    eyes, mouth = heights[:, :2].mean(axis=1), heights[:, 3:].mean(axis=1)
    assert abs(np.median(eyes) - 0.48) <= 0.01
    assert abs(np.median(mouth) - 0.80) <= 0.01
    assert np.median([abs(roll(np.asarray(one))) for one in placed]) <= 1
