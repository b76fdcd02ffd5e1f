"""A mouth moved on the two shipped faces: which way, how far, and what stays where it was."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from errors import PresetError
from pipelines.look import EXPRESSIONS, Expression, Framing, read_expressions, read_looks
from pipelines.plate.expression import lips_meet, mouth_change, warp_mouth
from pipelines.plate.framing import transform_points
from pipelines.plate.studio import Studio, plate
from pipelines.selfie.face import FaceFinder
from pipelines.selfie.photo import Photo
from presets import read_preset

pytestmark = pytest.mark.draws

SMILE, SERIOUS = (read_expressions()[name].smile for name in ("warm_smile", "serious"))
CANVAS = (1080, 1350)
CLOSE = Framing(head_height=0.645, eye_line=0.42)
LEAST = 0.04  # of the mouth's width: what people see, twice what the mesh wavers by
STAYS = (468, 473, 33, 263, 70, 300, 168, 4, 2, 98, 327, 152, 10, 234, 454)  # pupils, lids, brows, nose, oval
OVAL = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
    152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)  # fmt: skip
Pixels = NDArray[np.uint8]
Points = NDArray[np.float32]
Shown = tuple[Pixels, Points]
Show = Callable[[Photo], Shown]


@pytest.fixture(scope="module")
def show(finder: FaceFinder, studio: Studio) -> Show:
    """A photo's plate, and the landmarks on it; made once."""
    made: dict[int, Shown] = {}

    def once(photo: Photo) -> Shown:
        if id(photo) not in made:
            face = finder.find(photo)
            shown = plate(studio.cut_out(face), read_looks()["grey"], CANVAS, CLOSE)
            made[id(photo)] = shown.pixels, transform_points(shown.matrix, face.landmarks[:, :2])
        return made[id(photo)]

    return once


@pytest.fixture(params=["astronaut", "hopper"])
def sample(request: pytest.FixtureRequest, show: Show) -> Shown:
    return show(request.getfixturevalue(request.param))


def width(landmarks: Points) -> float:
    return float(np.hypot(*(landmarks[61, :2] - landmarks[291, :2])))


def dot(landmarks: Points, index: int, amount: float) -> NDArray[np.float64]:
    """How far a soft dot, set on a landmark, is moved: (x, y) in mouth widths."""
    rows, columns = np.mgrid[: CANVAS[1], : CANVAS[0]]
    x, y = landmarks[index, :2]
    spot = 255 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * 3.0**2))
    picture = np.repeat(spot.round().astype(np.uint8)[..., None], 3, axis=2)
    moved, before = (one[..., 0].astype(float) for one in (warp_mouth(picture, landmarks, amount), picture))
    centres = [np.array([(one * columns).sum(), (one * rows).sum()]) / one.sum() for one in (moved, before)]
    return (centres[0] - centres[1]) / width(landmarks)


def found(pixels: Pixels, finder: FaceFinder) -> Points:
    return finder.find(Photo(np.ascontiguousarray(pixels))).landmarks


def asked(shown: Shown, amount: float, finder: FaceFinder) -> float:
    """The change of the mouth that the finder sees."""
    return mouth_change(found(shown[0], finder), found(warp_mouth(*shown, amount), finder))


def turned(pixels: Pixels, landmarks: Points, degrees: float) -> Shown:
    """A picture tilted about its middle, with its landmarks."""
    matrix = cv2.getRotationMatrix2D((CANVAS[0] / 2, CANVAS[1] / 2), degrees, 0.8)
    tilted = cv2.warpAffine(pixels, matrix, CANVAS, flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE)
    return tilted, transform_points(matrix, landmarks[:, :2])


# Which way


def test_a_warm_smile_is_seen_by_who_looks_again(sample: Shown, finder: FaceFinder) -> None:
    assert asked(sample, SMILE, finder) > LEAST


def test_a_serious_mouth_is_seen_where_lips_meet(hopper: Photo, show: Show, finder: FaceFinder) -> None:
    assert lips_meet(show(hopper)[1])
    assert asked(show(hopper), SERIOUS, finder) < -LEAST


def test_a_smile_lifts_and_widens_and_a_serious_mouth_does_the_opposite(sample: Shown) -> None:
    for corner, outwards in ((61, -1), (291, 1)):
        x, y = dot(sample[1], corner, 1.0)
        assert 0.02 < outwards * x < 0.09 and -0.12 < y < -0.04
        x, y = dot(sample[1], corner, -1.0)
        assert -0.09 < outwards * x < -0.02 and 0.03 < y < 0.12


def test_twice_the_amount_is_twice_the_way(sample: Shown) -> None:
    half, whole = dot(sample[1], 61, 0.5), dot(sample[1], 61, 1.0)
    assert np.allclose(2 * half, whole, atol=0.01)


def test_a_laugh_is_moved_less_than_closed_lips(astronaut: Photo, hopper: Photo, show: Show) -> None:
    laugh, closed = (dot(show(photo)[1], 291, 1.0) for photo in (astronaut, hopper))
    assert np.hypot(*laugh) < 0.7 * np.hypot(*closed)


@pytest.mark.parametrize("degrees", [-25, 25])
def test_a_tilted_head_smiles_along_its_own_axes(hopper: Photo, show: Show, degrees: float) -> None:
    level, tilted = show(hopper), turned(*show(hopper), degrees)
    matrix = cv2.getRotationMatrix2D((0, 0), degrees, 1.0)[:, :2]
    for corner in (61, 291):
        assert np.allclose(dot(tilted[1], corner, 1.0), matrix @ dot(level[1], corner, 1.0), atol=0.005)


# What stays


def test_at_nothing_asked_the_picture_is_itself(sample: Shown) -> None:
    assert np.array_equal(warp_mouth(*sample, 0.0), sample[0])


@pytest.mark.parametrize("amount", [SMILE, SERIOUS])
def test_no_pixel_outside_the_face_is_touched(sample: Shown, amount: float) -> None:
    noise = np.random.default_rng(0).integers(0, 256, sample[0].shape, np.uint8)  # shows any move
    inside = np.zeros(noise.shape[:2], np.uint8)
    cv2.fillPoly(inside, [sample[1][list(OVAL)].round().astype(np.int32)], [1.0])
    moved = (warp_mouth(noise, sample[1], amount) != noise).any(axis=2)
    assert not moved[inside == 0].any()
    assert moved[inside == 1].mean() > 0.5


@pytest.mark.parametrize("index", STAYS)
def test_eyes_brows_nose_and_outline_stay(hopper: Photo, show: Show, index: int) -> None:
    for amount in (SMILE, SERIOUS):
        assert np.hypot(*dot(show(hopper)[1], index, amount)) < 0.01


def test_the_picture_that_was_given_is_left_alone(sample: Shown) -> None:
    before = sample[0].copy()
    result = warp_mouth(*sample, SMILE)
    assert result.dtype == np.uint8 and result.shape == before.shape
    assert np.array_equal(sample[0], before)


def test_the_same_arguments_give_the_same_pixels(sample: Shown) -> None:
    assert np.array_equal(warp_mouth(*sample, SMILE), warp_mouth(*sample, SMILE))


def test_a_small_picture_is_moved_as_the_large_one(sample: Shown) -> None:
    share = 256 / CANVAS[0]
    small = cv2.resize(sample[0], (256, 320), interpolation=cv2.INTER_AREA)
    large = cv2.resize(warp_mouth(*sample, SMILE), (256, 320), interpolation=cv2.INTER_AREA).astype(int)
    own = warp_mouth(small, ((sample[1] + 0.5) * share - 0.5).astype(np.float32), SMILE)
    face = slice(130, 250), slice(60, 196)
    assert np.abs(own[face] - large[face]).mean() < 0.35 * np.abs(small[face] - large[face]).mean()


def test_a_face_that_the_picture_cuts_is_warped_as_far_as_it_is_there(hopper: Photo, show: Show) -> None:
    pixels, landmarks = show(hopper)
    left, top = landmarks[[61, 4], [0, 1]].astype(int)
    part = np.ascontiguousarray(pixels[top:, left:])
    assert warp_mouth(part, landmarks - (left, top), SMILE).shape == part.shape
    assert np.array_equal(warp_mouth(part, landmarks + 5000, SMILE), part)


# The measures


def test_a_grin_with_teeth_has_lips_apart(astronaut: Photo, show: Show) -> None:
    assert not lips_meet(show(astronaut)[1])


def test_the_measure_of_a_mouth_knows_no_tilt_and_no_size(sample: Shown) -> None:
    before, after = sample[1], sample[1].copy()
    assert mouth_change(before, before) == 0
    after[[61, 291]] += np.array([[-0.1, -0.2], [0.1, -0.2]], np.float32) * width(before)
    change = mouth_change(before, after)
    assert change == pytest.approx(0.3, abs=0.01)
    assert mouth_change(before, turned(sample[0], after, 30.0)[1]) == pytest.approx(change, abs=0.001)


# The files


def test_each_shipped_expression_asks_for_its_mouth() -> None:
    amounts = {name: one.smile for name, one in read_expressions().items()}
    assert amounts == {"relaxed": 0.0, "warm_smile": 1.0, "serious": -0.6}


def test_a_smile_beyond_the_range_is_refused_by_file_key_and_value(tmp_path: Path) -> None:
    text = (EXPRESSIONS / "warm_smile.toml").read_text(encoding="utf-8")
    grin = tmp_path / "grin.toml"
    grin.write_text(text.replace("smile = 1.0", "smile = 1.4"), encoding="utf-8")
    with pytest.raises(PresetError, match=r"^grin\.toml: smile = 1\.4\. Input should be less than or equal"):
        read_preset(grin, Expression)


# Many people


def test_four_in_five_mouths_move_as_asked(portraits: Path, finder: FaceFinder) -> None:
    smiles, serious = [], []
    for path in sorted((portraits / "test").glob("*.jpg")):
        pixels = np.asarray(Image.open(path).convert("RGB"))
        shown = pixels, found(pixels, finder)
        smiles.append(asked(shown, SMILE, finder) >= LEAST)
        if lips_meet(shown[1]):
            serious.append(asked(shown, SERIOUS, finder) <= -LEAST)
    assert len(smiles) == 24 and np.mean(smiles) >= 0.8
    assert len(serious) >= 3 and np.mean(serious) >= 0.8
