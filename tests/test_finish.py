"""The finish: tone and shape from the network, detail from the plate, and nothing pretended."""

from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.draw.finish import MOST_FLOW, agreement, displacement, tone_change, transfer_detail
from pipelines.draw.model_set import read_model_sets
from pipelines.look import read_looks
from pipelines.plate.studio import Plate, Studio, plate
from pipelines.selfie.face import FaceFinder
from pipelines.selfie.photo import Photo

CANVAS, LARGE = (256, 320), (1080, 1350)
MINI = read_model_sets()["mini"]


@pytest.fixture(scope="module")
def shown(astronaut: Photo, finder: FaceFinder, studio: Studio) -> Plate:
    return plate(studio.cut_out(finder.find(astronaut)), read_looks()["grey"], LARGE, MINI.framing)


def textured(shown: Plate) -> Any:
    """The plate of a 1080p camera: with fine texture in every pixel of the sitter, as skin and cloth have."""
    noise = np.random.default_rng(3).normal(0, 14, (*shown.pixels.shape[:2], 1))
    share = shown.alpha[..., None]
    return (shown.pixels + share * noise).clip(0, 255).astype(np.uint8)


def small(pixels: Any) -> Any:
    return np.asarray(cv2.resize(pixels, CANVAS, interpolation=cv2.INTER_AREA), np.uint8)


def cover(shown: Plate) -> Any:
    """How much of each pixel of the canvas is sitter."""
    return cv2.resize(shown.alpha, CANVAS, interpolation=cv2.INTER_AREA)


def softened(pixels: Any) -> Any:
    """What a small autoencoder makes of a picture."""
    return np.asarray(cv2.GaussianBlur(small(pixels), (0, 0), 0.8), np.uint8)


def detail(pixels: Any) -> float:
    """Variance of what a canvas of 256 px cannot hold, in the face."""
    face = pixels[450:850, 380:700].astype(np.float64)
    return float((face - cv2.GaussianBlur(face, (0, 0), 3)).var())


def moved(pixels: Any, by: tuple[float, float]) -> Any:
    shift = np.array([[1, 0, by[0]], [0, 1, by[1]]], np.float32)
    return cv2.warpAffine(pixels, shift, pixels.shape[1::-1], borderMode=cv2.BORDER_REPLICATE)


def test_an_untouched_plate_comes_back_untouched(shown: Plate) -> None:
    pixels = textured(shown)
    base = softened(pixels)
    assert np.abs(transfer_detail(base, base, pixels, shown.alpha).astype(int) - pixels).max() <= 1


def test_it_has_the_detail_that_enlarging_cannot_have(shown: Plate) -> None:
    pixels = textured(shown)
    base = softened(pixels)
    portrait = (base * 0.97 + 4).astype(np.uint8)  # a network that changed the tone only
    made = transfer_detail(portrait, base, pixels, shown.alpha)
    enlarged = cv2.resize(portrait, LARGE, interpolation=cv2.INTER_CUBIC)
    assert made.shape == pixels.shape and made.dtype == np.uint8
    assert 0.8 < detail(made) / detail(pixels) < 1.2
    assert detail(enlarged) < 0.2 * detail(pixels)


def test_detail_goes_where_the_network_put_things(shown: Plate) -> None:
    pixels = textured(shown)
    base = softened(pixels)
    portrait = moved(base, (3, 2))  # right and down
    made = transfer_detail(portrait, base, pixels, shown.alpha)
    scale = LARGE[0] / CANVAS[0]

    def away(by: tuple[float, float]) -> float:
        expected = moved(pixels, (by[0] * scale, by[1] * scale))[500:800, 420:660]
        return float(np.abs(made[500:800, 420:660].astype(int) - expected).mean())

    assert away((3, 2)) < 0.6 * away((0, 0)) and away((3, 2)) < 0.5 * away((-3, -2))


def test_the_flow_says_where_a_pixel_came_from(shown: Plate) -> None:
    base = softened(shown.pixels)
    flow = displacement(moved(base, (3, 2)), base, cover(shown))
    face = flow[110:200, 90:170]
    assert np.abs(face.reshape(-1, 2).mean(axis=0) - (-3, -2)).max() < 0.7


def test_the_tone_that_the_network_chose_is_kept(shown: Plate) -> None:
    base = softened(shown.pixels)
    lab = cv2.cvtColor(base.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    lab[..., 0] += 5
    portrait = (cv2.cvtColor(lab, cv2.COLOR_LAB2RGB).clip(0, 1) * 255).round().astype(np.uint8)
    made = transfer_detail(portrait, base, shown.pixels, shown.alpha)
    before, after = (
        cv2.cvtColor(one.astype(np.float32) / 255, cv2.COLOR_RGB2LAB) for one in (shown.pixels, made)
    )
    inside = cv2.erode(shown.alpha, np.ones((41, 41))) > 0.99
    assert (after - before)[inside][:, 0].mean() == pytest.approx(5, abs=1)


def test_light_from_the_side_is_not_flattened(shown: Plate) -> None:
    """A network that evens the light keeps the mean; how light and shade fall stays the plate's."""
    base = softened(shown.pixels)
    lab = cv2.cvtColor(base.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    x = (np.arange(256) - 128) / 40
    lab[..., 0] += 6 * np.tanh(x)[None]
    portrait = (cv2.cvtColor(lab, cv2.COLOR_LAB2RGB).clip(0, 1) * 255).round().astype(np.uint8)
    change = tone_change(portrait, base, cover(shown)).mean(axis=2)
    drawn = (portrait.astype(float) - base).mean(axis=2)
    left, right = (slice(120, 190), slice(85, 115)), (slice(120, 190), slice(140, 170))
    assert drawn[right].mean() - drawn[left].mean() > 10
    assert change[right].mean() - change[left].mean() < 0.5 * (drawn[right].mean() - drawn[left].mean())


def test_the_backdrop_is_the_studios_whatever_the_network_drew_there(shown: Plate) -> None:
    base = softened(shown.pixels)
    portrait = base.copy()
    portrait[cover(shown) < 0.02] = (200, 30, 30)
    made = transfer_detail(portrait, base, shown.pixels, shown.alpha)
    far = cv2.dilate(shown.alpha, np.ones((161, 161))) < 0.01
    assert far.any() and np.abs(made.astype(int) - shown.pixels)[far].max() <= 1


def test_where_the_network_drew_something_else_the_plates_detail_fades(shown: Plate) -> None:
    base = softened(textured(shown))
    other = base.copy()
    dice = np.random.default_rng(1)
    other[120:180, 90:160] = cv2.GaussianBlur(dice.integers(0, 255, (60, 70, 3), np.uint8), (0, 0), 1.5)
    same, changed = agreement(base, base), agreement(other, base)
    assert same.min() == pytest.approx(1, abs=1e-3)
    assert changed[135:165, 105:145].mean() < 0.6 and changed[250:, :40].min() > 0.99


@settings(max_examples=15)
@given(st.integers(0, 2**32 - 1))
def test_any_drawing_is_finished_alike_twice_and_moves_no_pixel_further_than_told(seed: int) -> None:
    dice = np.random.default_rng(seed)
    base, portrait = (dice.integers(0, 256, (80, 64, 3), np.uint8) for _ in range(2))
    pixels = dice.integers(0, 256, (200, 160, 3), np.uint8)
    alpha = dice.random((200, 160), np.float32)
    made = transfer_detail(portrait, base, pixels, alpha)
    assert np.array_equal(made, transfer_detail(portrait, base, pixels, alpha))
    flow = displacement(portrait, base, cv2.resize(alpha, (64, 80)), 64 / 256)
    assert np.hypot(flow[..., 0], flow[..., 1]).max() <= MOST_FLOW * 64 / 256 + 1e-4
