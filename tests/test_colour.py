"""Photos come in with the colours that a browser shows, whatever their numbers mean."""

import io
import zlib
from collections.abc import Callable

import numpy as np
import pillow_heif
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from evaluation.colour import (
    CICP_PQ,
    ICC,
    LINEAR,
    P3_CORNERS,
    WAYS,
    chart,
    differences,
    face,
    heic,
    hlg_signal,
    icc_profile,
    png,
    power_signal,
    pq_signal,
    signal,
    srgb_signal,
)
from pipelines.arrays import Pixels
from pipelines.selfie.colour import by_code_points, to_srgb
from pipelines.selfie.photo import GROUND, WORKING_SIDE, read_photo
from tests.hostile import card, encoded, png_chunk

WHITE, PQ, HLG = 203.0, (9, 16), (9, 18)


def shown(code: float, points: tuple[int, int]) -> float:
    """Light, cd/m2, that a grey of this signal is shown with; sRGB's white is `WHITE`."""
    source = by_code_points(*points)
    assert source
    value = to_srgb(np.full((1, 1, 3), round(code * 65535), np.uint16), source)[0, 0, 0] / 255
    return WHITE * float(value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4)


def test_the_formulas_that_write_the_files_give_published_values() -> None:
    # ITU-R BT.2408, tables 1 and 3: diffuse white and the 18 % grey card; BT.2100: PQ of 100 and 1000 cd/m2
    for light, pq in ((203, 0.58), (26, 0.38), (100, 0.508), (1000, 0.7518), (0, 0)):
        assert pq_signal(np.array(light / WHITE)) == pytest.approx(pq, abs=0.005)
    for light, hlg in ((203, 0.75), (26, 0.38), (1000, 1.0)):
        assert hlg_signal(np.full(3, light / WHITE)) == pytest.approx(hlg, abs=0.005)


@pytest.mark.parametrize(
    ("code", "points", "light"),
    [
        (0.58, PQ, 203),  # BT.2408, table 1
        (0.38, PQ, 26),
        (0.508, PQ, 100),  # SMPTE ST 2084
        (0.75, HLG, 203),
        (0.38, HLG, 26),
    ],
)
def test_a_published_signal_is_shown_with_its_light(
    code: float, points: tuple[int, int], light: float
) -> None:
    assert shown(code, points) == pytest.approx(light, rel=0.03)


# Mean CIEDE2000. By `python -m evaluation.colour` the chart is 0.8 off at most, and 1.7 where P3 is taken for
# sRGB; the face is grainy: a JPEG of it in sRGB is 1.2 off.
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("subject", "most"), [(chart, 1.0), (face, 2.0)])
def test_colours_come_in_as_they_were(way: str, subject: Callable[[], Pixels], most: float) -> None:
    wanted = subject()
    found = read_photo(WAYS[way](wanted)).pixels
    assert found.shape == wanted.shape
    assert differences(wanted, found).mean() <= most


CODE_POINTS_P3 = (b"cICP", bytes((12, 13, 0, 1)))
A98_CHUNK = (b"iCCP", b"a\0\0" + zlib.compress(icc_profile(*ICC["A98"])))
SRGB_CHUNK, LINEAR_CHUNK = (b"sRGB", b"\0"), (b"gAMA", LINEAR)


@pytest.mark.parametrize(
    ("chunks", "wanted"),
    [
        ((LINEAR_CHUNK, SRGB_CHUNK, A98_CHUNK, CODE_POINTS_P3), "P3"),
        ((LINEAR_CHUNK, SRGB_CHUNK, A98_CHUNK), "A98"),
        ((LINEAR_CHUNK, (b"cHRM", P3_CORNERS), SRGB_CHUNK), "sRGB"),
        ((LINEAR_CHUNK, (b"iCCP", b"a\0\0nothing packed")), "linear"),
        ((LINEAR_CHUNK, (b"iCCP", b"a\0\0" + zlib.compress(b"no profile" * 20))), "linear"),
        ((LINEAR_CHUNK, (b"cICP", bytes((3, 13, 0, 1)))), "linear"),  # reserved
        ((LINEAR_CHUNK, (b"cICP", bytes((2, 2, 0, 1)))), "linear"),  # unspecified
        ((LINEAR_CHUNK, (b"cICP", bytes((9, 16, 9, 1)))), "linear"),  # a matrix, which RGB has not
        ((LINEAR_CHUNK, (b"cICP", bytes((12, 13, 0)))), "linear"),
        ((LINEAR_CHUNK, (b"cHRM", bytes(32))), "linear"),  # no triangle
        ((LINEAR_CHUNK, (b"cHRM", P3_CORNERS[:-1])), "linear"),
        (((b"gAMA", bytes(4)),), "sRGB"),
        (((b"gAMA", LINEAR[1:]),), "sRGB"),
    ],
)
def test_of_a_pngs_colour_chunks_the_first_that_says_something_counts(
    chunks: tuple[tuple[bytes, bytes], ...], wanted: str
) -> None:
    """PNG, third edition: cICP, iCCP, sRGB, then gAMA and cHRM, wherever they stand."""
    ways = {
        "P3": ("P3", srgb_signal),
        "A98": ("A98", power_signal(256 / 563)),
        "sRGB": ("sRGB", srgb_signal),
        "linear": ("sRGB", power_signal(1)),
    }
    found = read_photo(png(signal(card(), *ways[wanted]), *chunks)).pixels
    assert differences(card(), found).max() < 3


def test_a_colour_chunk_behind_the_pixels_says_nothing() -> None:
    data = png(card() / 255)
    found = read_photo(data[:-12] + png_chunk(*LINEAR_CHUNK) + data[-12:]).pixels
    assert np.array_equal(found, card())


def test_what_is_lighter_than_white_is_white_and_keeps_no_colour_outside_srgb() -> None:
    light = np.array([[[1.0, 1.0, 1.0], [4.9, 4.9, 4.9], [49.0, 20.0, 5.0], [0.0, 0.0, 0.0]]])
    patches = read_photo(png(pq_signal(light).repeat(8, 0), (b"cICP", bytes((9, 16, 0, 1))), bits=16)).pixels
    assert patches[4].tolist() == [[255, 255, 255]] * 3 + [[0, 0, 0]]


def _linear(value: int) -> float:
    return float(signal(np.full((1, 1, 3), value, np.uint8), "sRGB", power_signal(1))[0, 0, 0])


def test_every_kind_of_png_is_converted() -> None:
    """Linear light of (200, 100, 50), of the grey 90, and of nothing over the grey card."""
    colour, grey, chunk = [_linear(part) for part in (200, 100, 50)], _linear(90), (b"gAMA", LINEAR)
    index = Image.new("P", (8, 8), 0)
    index.putpalette([round(part * 255) for part in colour])
    palette = encoded(index, "png")
    half = [round((part + ground) / 2) for part, ground in zip((200, 100, 50), GROUND, strict=True)]
    for data, wanted, within in (
        (png(np.full((8, 8, 3), colour), chunk), (200, 100, 50), 3),
        (png(np.full((8, 8), grey), chunk), (90,) * 3, 3),
        (png(np.full((8, 8), grey), chunk, bits=16), (90,) * 3, 0),
        (png(np.full((8, 8, 2), (grey, 1)), chunk, bits=16), (90,) * 3, 3),
        (png(np.full((8, 8, 4), (*colour, 1)), chunk, bits=16), (200, 100, 50), 0),
        (png(np.full((8, 8, 4), (*colour, 0)), chunk), GROUND, 1),
        (png(np.full((8, 8, 4), (*colour, 0)), chunk, bits=16), GROUND, 0),
        (png(np.full((8, 8, 4), (*colour, 0.5)), chunk, bits=16), half, 16),  # blent as light, not as values
        (palette[:33] + png_chunk(*chunk) + palette[33:], (200, 100, 50), 3),
    ):
        pixels = read_photo(data).pixels
        assert pixels.shape == (8, 8, 3)
        assert np.abs(pixels[4, 4].astype(int) - wanted).max() <= within, (pixels[4, 4], wanted)


def test_a_grey_heic_of_ten_bits_is_converted() -> None:
    file = io.BytesIO()
    codes = np.full((64, 64), round(0.58 * 65535), "<u2")
    points = {"color_primaries": 9, "transfer_characteristics": 16, "matrix_coefficients": 9}
    pillow_heif.encode("L;16", (64, 64), codes.tobytes(), file, quality=-1, full_range_flag=1, **points)
    assert read_photo(file.getvalue()).pixels.min() >= 254


def test_a_heic_that_does_not_say_is_srgb() -> None:
    found = read_photo(heic(card() / 255, 2, 2, 6)).pixels
    assert differences(card(), found).mean() < 1


def test_a_big_picture_of_sixteen_bits_keeps_its_ramp() -> None:
    """Averaged and enlarged by no step of eight bits, and no seam between its tiles."""
    across = np.linspace(0, 255, 2 * WORKING_SIDE + 1200)
    light = signal(np.rint(across).astype(np.uint8)[None, :, None].repeat(3, 2), "BT.2020", pq_signal)
    row = read_photo(png(light.repeat(40, 0), (b"cICP", bytes((9, 16, 0, 1))), bits=16)).pixels
    assert row.shape == (15, WORKING_SIDE, 3)
    assert set(np.diff(row[3, :, 0].astype(int))) <= {0, 1}


def test_the_tables_of_h273_name_colours_that_white_is_white_in() -> None:
    white = np.full((1, 1, 3), 65535, np.uint16)
    for primaries in (1, 4, 5, 6, 7, 8, 9, 10, 11, 12, 22):
        for transfer in (1, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 17):
            source = by_code_points(primaries, transfer)
            assert source
            assert to_srgb(white, source).min() >= 254, (primaries, transfer)
            assert to_srgb(white * 0, source).max() == 0, (primaries, transfer)
    for unknown in (0, 2, 3, 23, 255):
        assert by_code_points(unknown, 13) is None
        assert by_code_points(1, 0) is None


@settings(max_examples=150)
@given(
    st.dictionaries(
        st.sampled_from([b"cICP", b"iCCP", b"sRGB", b"gAMA", b"cHRM"]),
        st.one_of(
            st.binary(max_size=40), st.binary(min_size=4, max_size=4), st.binary(min_size=32, max_size=32)
        ),
    ),
    st.sampled_from([8, 16]),
    st.integers(1, 4),
)
def test_a_png_with_any_colour_chunks_is_read(chunks: dict[bytes, bytes], bits: int, channels: int) -> None:
    data = png(np.full((4, 6, channels), 0.5), *chunks.items(), bits=bits)
    assert read_photo(data).pixels.shape == (4, 6, 3)


@settings(max_examples=100)
@given(st.binary(max_size=200), st.lists(st.tuples(st.integers(0, 10**6), st.binary(min_size=1, max_size=4))))
def test_any_profile_is_read_or_ignored(tail: bytes, wounds: list[tuple[int, bytes]]) -> None:
    profile = bytearray(icc_profile(*ICC["BT.2020"], CICP_PQ) + tail)
    for place, written in wounds:
        at = place % len(profile)
        profile[at : at + len(written)] = written
    assert read_photo(encoded(card(), "webp", icc_profile=bytes(profile))).pixels.shape == (64, 96, 3)
