"""A picture made ready for a vote keeps its truth to itself."""

import io
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from pipelines.exhibit import exhibit, fitted, pair
from pipelines.face import FaceFinder
from pipelines.generate import Generator
from pipelines.look import read_looks
from pipelines.model_set import is_here, read_model_sets
from pipelines.photo import Photo
from pipelines.provenance import mark
from pipelines.studio import Studio, plate
from tests.hostile import card

SIZE = (256, 320)


@pytest.fixture(scope="module")
def mini() -> Iterator[Generator]:
    model_set = read_model_sets()["mini"]
    if not is_here(model_set):
        pytest.skip("weights/mini is not in this checkout")
    yield Generator(model_set, "cpu")


def noise(width: int, height: int) -> Any:
    return np.random.default_rng(7).integers(0, 255, (height, width, 3), np.uint8)


def test_a_smooth_picture_and_a_rich_one_differ_in_nothing_but_the_picture() -> None:
    smooth, rich = np.full((1350, 1080, 3), 128, np.uint8), noise(480, 600)
    rich[:] = cv2.GaussianBlur(rich, (0, 0), 2)
    files = [exhibit(pixels, SIZE) for pixels in (smooth, rich)]
    images = [Image.open(io.BytesIO(file)) for file in files]
    assert len({len(file) for file in files}) == 1
    assert {image.size for image in images} == {SIZE}
    assert images[0].quantization == images[1].quantization  # type: ignore[attr-defined]
    assert [sorted(image.info) for image in images] == [
        ["jfif", "jfif_density", "jfif_unit", "jfif_version"]
    ] * 2


def test_marks_and_metadata_do_not_pass() -> None:
    marked = mark(card(640, 800), "generated", format="JPEG")
    shown = exhibit(np.asarray(Image.open(io.BytesIO(marked))), SIZE)
    for trace in (b"Exif", b"xmp", b"Photoshop", b"trainedAlgorithmicMedia", b"ICC_PROFILE"):
        assert trace not in shown


def test_the_middle_is_kept_upright_and_not_mirrored() -> None:
    wide = np.zeros((300, 900, 3), np.uint8)
    wide[:, 330:450] = (255, 0, 0)  # left of the middle
    shown = fitted(wide, SIZE)
    assert shown.shape == (320, 256, 3)
    assert shown[160, 40, 0] > 200
    assert shown[160, 200].sum() == 0
    assert np.array_equal(fitted(card(256, 320), SIZE), card(256, 320))


@pytest.mark.parametrize("shape", [(1, 1), (1, 5000), (5000, 1), (319, 257)])
def test_any_shape_becomes_that_size(shape: tuple[int, int]) -> None:
    image = Image.open(io.BytesIO(exhibit(noise(*shape), SIZE)))
    assert image.size == SIZE


def fine(pixels: Any) -> float:
    """Power above a quarter of the Nyquist frequency, in the middle of the picture where the face is."""
    grey = cv2.cvtColor(pixels[60:220, 60:196], cv2.COLOR_RGB2GRAY).astype(np.float64)
    power = np.abs(np.fft.fft2((grey - grey.mean()) * np.outer(np.hanning(160), np.hanning(136)))) ** 2
    far = np.hypot(*np.meshgrid(np.fft.fftfreq(160), np.fft.fftfreq(136), indexing="ij"))
    return float(power[far > 0.125].sum())


def test_the_photograph_goes_through_the_portraits_autoencoder(
    astronaut: Photo, finder: FaceFinder, studio: Studio, mini: Generator
) -> None:
    shown = plate(
        studio.cut_out(finder.find(astronaut)), read_looks()["grey"], (1080, 1350), mini.model_set.framing
    ).pixels
    (control,) = pair(shown, (), mini)
    softened = np.asarray(Image.open(io.BytesIO(control)))
    bare = fitted(shown, SIZE)
    assert fine(softened) < 0.9 * fine(bare)  # what the photograph would have given away
    difference = np.abs(softened.astype(int) - bare).mean()
    assert 0.3 < difference < 8  # the same picture, a little softer
