"""A picture made ready for a vote keeps its truth to itself."""

import io
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from pipelines.draw.model_set import read_model_sets
from pipelines.exhibit import EXHIBIT, PHONE, crop_to_fit, exhibit, exhibits, pair
from pipelines.marks.note import mark
from tests.hostile import card

SIZE = (256, 320)
SETS = read_model_sets()


def noise(width: int, height: int) -> Any:
    return np.random.default_rng(7).integers(0, 255, (height, width, 3), np.uint8)


def test_a_smooth_picture_and_a_rich_one_differ_in_nothing_but_the_picture() -> None:
    smooth, rich = np.full((1350, 1080, 3), 128, np.uint8), noise(480, 600)
    rich[:] = cv2.GaussianBlur(rich, (0, 0), 2)
    files = exhibits([smooth, rich], SIZE)
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
    shown = crop_to_fit(wide, SIZE)
    assert shown.shape == (320, 256, 3)
    assert shown[160, 40, 0] > 200
    assert shown[160, 200].sum() == 0
    assert np.array_equal(crop_to_fit(card(256, 320), SIZE), card(256, 320))


@pytest.mark.parametrize("shape", [(1, 1), (1, 5000), (5000, 1), (319, 257)])
def test_any_shape_becomes_that_size(shape: tuple[int, int]) -> None:
    image = Image.open(io.BytesIO(exhibit(noise(*shape), SIZE)))
    assert image.size == SIZE


def shown_in(file: bytes) -> Any:
    return np.asarray(Image.open(io.BytesIO(file)))


def fine(pixels: Any) -> float:
    """Power that a canvas of 512 px cannot hold, in the middle of the picture where the face is."""
    grey = cv2.cvtColor(pixels[300:700, 280:620], cv2.COLOR_RGB2GRAY).astype(np.float64)
    rows, columns = grey.shape
    power = np.abs(np.fft.fft2((grey - grey.mean()) * np.outer(np.hanning(rows), np.hanning(columns)))) ** 2
    far = np.hypot(*np.meshgrid(np.fft.fftfreq(rows), np.fft.fftfreq(columns), indexing="ij"))
    return float(power[far > 0.32].sum())


def textured() -> Any:
    """A picture of the plate's size with detail in every pixel."""
    return cv2.GaussianBlur(noise(1080, 1350), (0, 0), 0.8)


def test_the_photograph_of_a_finished_set_is_the_plate_itself() -> None:
    plate, portrait = textured(), np.full((1350, 1080, 3), 120, np.uint8)
    photograph, _ = pair(plate, portrait, SETS["mini"])
    assert np.array_equal(shown_in(photograph), shown_in(exhibits([plate, portrait], EXHIBIT)[0]))


def test_the_photograph_of_another_set_holds_no_more_than_its_canvas() -> None:
    plate = textured()
    for name in ("sdxl-laptop", "realvis-lightning"):
        model_set = SETS[name]
        photograph, portrait = pair(plate, crop_to_fit(plate, model_set.canvas), model_set)
        assert np.array_equal(shown_in(photograph), shown_in(portrait))  # the size alone gives nothing away
    laptop, full = (shown_in(pair(plate, plate, SETS[name])[0]) for name in ("sdxl-laptop", "mini"))
    assert fine(laptop) < 0.5 * fine(full)


def test_exhibits_of_every_set_have_one_size_and_a_pair_one_length_and_one_quality() -> None:
    assert EXHIBIT[0] >= 864 and EXHIBIT[1] >= 1080
    for name, model_set in SETS.items():
        width, height = model_set.canvas if model_set.finish is None else (1080, 1350)
        files = pair(textured(), np.full((height, width, 3), 90, np.uint8), model_set)
        images = [Image.open(io.BytesIO(file)) for file in files]
        assert {image.size for image in images} == {EXHIBIT}, name
        assert len({len(file) for file in files}) == 1
        assert images[0].quantization == images[1].quantization  # type: ignore[attr-defined]


def test_a_phone_gets_both_truths_in_ninety_thousand_bytes_however_rich_they_are() -> None:
    smooth = np.full((1350, 1080, 3), 128, np.uint8)
    rich = cv2.GaussianBlur(noise(480, 600), (0, 0), 0.7)  # overflows at the first quality
    files = exhibits([smooth, rich], PHONE)
    images = [Image.open(io.BytesIO(file)) for file in files]
    assert [len(file) for file in files] == [90_000, 90_000]
    assert images[0].quantization == images[1].quantization  # type: ignore[attr-defined]
    best = Image.open(io.BytesIO(exhibits([smooth, smooth], PHONE)[0]))
    assert images[0].quantization != best.quantization  # type: ignore[attr-defined]  # both gave way
