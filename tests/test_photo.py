"""What a stranger's file may do to us: become a `Photo`, or earn a sentence. Nothing else."""

import os
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageFile

from errors import PhotoError
from evaluation.colour import ICC, WAYS, icc_profile
from pipelines.selfie.photo import GROUND, MAX_BYTES, WORKING_SIDE, Photo, open_photo, read_photo
from tests.hostile import (
    FORMATS,
    INTEGERS,
    ODD,
    REFUSED,
    card,
    encoded,
    exif,
    heic_of_brands,
    heic_of_two,
    mpo,
    png,
    png_chunk,
    zeros,
)
from words import read_words

# How the camera stored an upright picture `u` for each orientation: EXIF 2.3, tag 0x0112, where the
# first row and the first column of the file are.
STORED: dict[int, Callable[[NDArray[np.uint8]], NDArray[np.uint8]]] = {
    1: lambda u: u,  # top, left
    2: lambda u: u[:, ::-1],  # top, right
    3: lambda u: u[::-1, ::-1],  # bottom, right
    4: lambda u: u[::-1],  # bottom, left
    5: lambda u: u.transpose(1, 0, 2),  # left, top
    6: lambda u: np.rot90(u),  # right, top
    7: lambda u: np.rot90(u, 2).transpose(1, 0, 2),  # right, bottom
    8: lambda u: np.rot90(u, -1),  # left, bottom
}

# The same colours in other spaces, as the tests of CSS Color 4 give them (web-platform-tests,
# css/css-color) and coloraide's own: name, the space's numbers in 0..1, sRGB in 0..255.
DISPLAY_P3 = [
    ((0.91749, 0.20029, 0.13856), (255, 0, 0)),
    ((0.94965, 0.6629, 0.23297), (255, 165, 0)),
    ((0.21604, 0.49418, 0.13151), (0, 128, 0)),
    ((0.87709, 0.53133, 0.91095), (238, 130, 238)),
    ((0.50196, 0.50196, 0.50196), (128, 128, 128)),
]
A98 = [((0.281363, 0.498012, 0.116746), (0, 128, 0)), ((1, 1, 1), (255, 255, 255)), ((0, 0, 0), (0, 0, 0))]


def near(photo: Photo, wanted: NDArray[np.uint8], within: int = 4) -> bool:
    """Whether the middles of the four quadrants are as wanted."""
    height, width = wanted.shape[:2]
    rows, columns = np.ix_((height // 4, height * 3 // 4), (width // 4, width * 3 // 4))
    if photo.pixels.shape != wanted.shape:
        return False
    return bool(np.abs(photo.pixels[rows, columns].astype(int) - wanted[rows, columns]).max() <= within)


P3_PROFILE, A98_PROFILE = icc_profile(*ICC["P3"]), icc_profile(*ICC["A98"])


@pytest.mark.parametrize("name", REFUSED)
def test_a_hostile_file_earns_the_sentence_that_fits(name: str) -> None:
    make, key = REFUSED[name]
    with pytest.raises(PhotoError) as caught:
        read_photo(make())
    assert caught.value.key == key
    assert "{" not in read_words().sentence(caught.value)


@pytest.mark.parametrize("name", ODD)
def test_an_odd_file_of_an_honest_phone_is_read(name: str) -> None:
    assert near(read_photo(ODD[name]()), card(), within=12)


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("orientation", STORED)
def test_every_orientation_lands_upright_and_unmirrored(kind: str, orientation: int) -> None:
    stored = Image.fromarray(np.ascontiguousarray(STORED[orientation](card())))
    photo = read_photo(encoded(stored, kind, exif=exif(orientation)))
    assert near(photo, card())


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp"])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("form", INTEGERS)
def test_the_orientation_is_read_whatever_integer_it_is(kind: str, order: str, form: str) -> None:
    stored = Image.fromarray(np.ascontiguousarray(STORED[6](card())))
    assert near(read_photo(encoded(stored, kind, exif=exif(6, order, form))), card())


@pytest.mark.parametrize("block", [exif(6, form="H", kind=2), exif(9), exif(6)[:-9], exif(6, count=2**31)])
def test_an_orientation_that_says_nothing_turns_nothing(block: bytes) -> None:
    assert near(read_photo(encoded(card(), "jpeg", exif=block)), card())


def test_the_orientation_of_a_heic_is_its_containers() -> None:
    """Cameras and pillow-heif write EXIF's and the same as irot and imir; other programs EXIF's alone."""
    plain, turned = (encoded(Image.fromarray(card()), "heic", exif=exif(held)) for held in (1, 6))
    assert b"irot" in turned
    only_exif = plain.replace(exif(1)[6:], exif(6)[6:])
    assert only_exif != plain
    assert near(read_photo(only_exif), card())


@pytest.mark.parametrize("brand", [b"mif1", b"heis", b"miaf", b"MiHE"])
def test_a_heic_is_what_opens_not_what_it_calls_itself(brand: bytes) -> None:
    assert near(read_photo(heic_of_brands(brand, b"mif1")), card())


@pytest.mark.parametrize("kind", FORMATS)
def test_a_known_portrait_keeps_its_colours_through_each_format(kind: str, astronaut: Photo) -> None:
    read = read_photo(encoded(astronaut.pixels, kind))
    assert read.pixels.shape == astronaut.pixels.shape
    assert np.abs(read.pixels.astype(int) - astronaut.pixels).mean() < 1.5


def test_a_real_jpeg_reads_as_every_viewer_shows_it(hopper: Photo) -> None:
    import matplotlib

    path = Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"
    assert np.array_equal(open_photo(path).pixels, hopper.pixels)


def test_real_portraits_read_as_every_viewer_shows_them(portraits: Path) -> None:
    for file in sorted((portraits / "test").glob("*.jpg")):
        with Image.open(file) as viewer:
            shown = np.asarray(viewer.convert("RGB")).astype(int)
        assert np.abs(open_photo(file).pixels - shown).max() <= 1, file.name


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp"])
@pytest.mark.parametrize(("icc", "pairs"), [(P3_PROFILE, DISPLAY_P3), (A98_PROFILE, A98)], ids=["P3", "A98"])
def test_another_colour_space_is_brought_to_srgb(
    kind: str, icc: bytes, pairs: list[tuple[tuple[float, ...], tuple[int, ...]]]
) -> None:
    for given_colour, wanted in pairs:
        patch = np.full((32, 32, 3), np.round(np.multiply(given_colour, 255)), np.uint8)
        found = read_photo(encoded(patch, kind, icc_profile=icc)).pixels[16, 16]
        # near black 8 bits of another gamut are up to 13 sRGB steps apart, and so is their rounding
        slack = np.where(np.array(wanted) < 16, 13, 2)
        assert (np.abs(found.astype(int) - wanted) <= slack).all(), (given_colour, wanted, found)


def test_an_iphones_heic_is_brought_to_srgb() -> None:
    patch = Image.fromarray(
        np.full((64, 64, 3), np.round(np.multiply((0.94965, 0.6629, 0.23297), 255)), np.uint8)
    )
    patch.info["icc_profile"] = P3_PROFILE
    patch.info["icc_profile_type"] = "prof"
    assert np.abs(read_photo(encoded(patch, "heic")).pixels[32, 32].astype(int) - (255, 165, 0)).max() <= 8


def test_grey_stored_with_a_cameras_profile_stays_grey() -> None:
    grey = Image.new("L", (32, 32), 128)
    assert (
        np.abs(read_photo(encoded(grey, "jpeg", icc_profile=P3_PROFILE)).pixels.astype(int) - 128).max() <= 1
    )


def _modes() -> dict[str, tuple[bytes, tuple[int, int, int]]]:
    """Files of one colour in every mode that the formats know, and the colour to be read."""
    colour, half = (200, 100, 50), (158, 108, 84)  # half: halfway from the colour to GROUND
    rgb = Image.new("RGB", (32, 32), colour)
    seen = Image.new("RGBA", (32, 32), (*colour, 128))
    deep = png_chunk(b"tRNS", struct.pack(">3H", 1, 2, 3))
    rows = zlib.compress((b"\0" + struct.pack(">3H", 51400, 25700, 12850) * 8) * 8)
    return {
        "cmyk jpeg": (encoded(rgb.convert("CMYK"), "jpeg"), colour),
        "grey jpeg": (encoded(Image.new("L", (32, 32), 90), "jpeg"), (90, 90, 90)),
        "palette": (encoded(rgb.convert("P", palette=Image.Palette.ADAPTIVE), "png"), colour),
        "palette with alpha": (encoded(rgb.convert("P", palette=1), "png", transparency=b"\x80" * 256), half),
        "16 bit grey": (
            encoded(Image.fromarray(np.full((32, 32), 90 * 257, np.uint16)), "png"),
            (90, 90, 90),
        ),
        "16 bit colour": (png(8, 8, deep, rows=rows, depth=16, colour=2), colour),
        "1 bit": (encoded(Image.new("1", (32, 32), 1), "png"), (255, 255, 255)),
        "grey with alpha": (encoded(Image.new("LA", (32, 32), (90, 0)), "png"), GROUND),
        "half transparent png": (encoded(seen, "png"), half),
        "half transparent webp": (encoded(seen, "webp"), half),
        "half transparent heic": (encoded(seen, "heic"), half),
    }


@pytest.mark.parametrize("name", _modes())
def test_every_mode_becomes_rgb_and_transparency_the_grey_card(name: str) -> None:
    data, wanted = _modes()[name]
    pixels = read_photo(data).pixels
    assert pixels.dtype == np.uint8
    assert pixels.ndim == 3
    assert np.abs(pixels.astype(int) - wanted).max() <= 4


@pytest.mark.parametrize(
    ("given_size", "wanted"),
    [
        ((1920, 1080), (1920, 1080)),  # a 1080p selfie
        ((2049, 100), (2048, 100)),
        ((4032, 3024), (2048, 1536)),  # a phone
        ((3000, 5000), (1229, 2048)),
        ((9000, 7), (2048, 2)),
        ((1, 1), (1, 1)),
    ],
)
@pytest.mark.parametrize("kind", ["jpeg", "png"])
def test_a_big_photo_is_brought_to_working_size(
    kind: str, given_size: tuple[int, int], wanted: tuple[int, int]
) -> None:
    photo = read_photo(encoded(card(*given_size), kind))
    assert photo.pixels.shape == (wanted[1], wanted[0], 3)
    if min(wanted) > 2:
        assert near(photo, card(*wanted))


def test_tiles_leave_no_seam() -> None:
    across = np.linspace(0, 255, 2 * WORKING_SIDE + 1200)
    ramp = np.repeat(np.round(across).astype(np.uint8)[None, :, None], 40, 0).repeat(3, 2)
    row = read_photo(encoded(ramp, "png")).pixels[3, :, 0].astype(int)
    assert set(np.diff(row)) <= {0, 1}


def test_only_pixels_are_left_and_they_cannot_be_written() -> None:
    photo = read_photo(encoded(card(), "jpeg", exif=exif(1), comment=b"my home address"))
    assert list(vars(photo)) == ["pixels"]
    assert not photo.pixels.flags.writeable


def test_a_name_means_nothing(tmp_path: Path) -> None:
    (tmp_path / "selfie.txt").write_bytes(encoded(card(), "heic"))
    (tmp_path / "page.jpg").write_bytes(REFUSED["html"][0]())
    assert near(open_photo(tmp_path / "selfie.txt"), card())
    with pytest.raises(PhotoError, match=r"file\.type"):
        open_photo(tmp_path / "page.jpg")


def test_a_path_that_is_no_photo_is_refused_without_reading(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")  # reading it would wait for ever
    with (tmp_path / "big.jpg").open("wb") as file:
        file.truncate(100 * 2**20)
    for name, key in {
        "nobody.jpg": "file.missing",
        "nul\0.jpg": "file.missing",
        "x" * 300: "file.missing",
        ".": "file.type",
        "pipe.jpg": "file.type",
        "big.jpg": "file.big",
    }.items():
        with pytest.raises(PhotoError, match=key):
            open_photo(tmp_path / name)


def test_twelve_megabytes_are_taken_and_one_byte_more_is_not() -> None:
    data = encoded(card(), "jpeg")
    assert near(read_photo(data.ljust(MAX_BYTES, b"\0")), card())
    with pytest.raises(PhotoError, match=r"file\.big"):
        read_photo(data.ljust(MAX_BYTES + 1, b"\0"))


def test_reading_leaves_pillow_as_it_was() -> None:
    files = [encoded(card(), kind) for kind in FORMATS]
    before = (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES, dict(Image.OPEN))
    for data in files:
        read_photo(data)
    after = (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES, dict(Image.OPEN))
    assert after == before


@settings(max_examples=300, deadline=None)
@given(
    st.binary(max_size=400),
    st.sampled_from([b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF\0\0\0\0WEBPVP8X"]),
)
def test_any_bytes_give_a_photo_or_a_sentence(data: bytes, start: bytes) -> None:
    _read(start + data)


SMALL = {kind: encoded(card(24, 16), kind, exif=exif(6)) for kind in ("jpeg", "png", "webp")}
SMALL |= {"heic": encoded(card(64, 64), "heic", exif=exif(6)), "mpo": mpo(), "two": heic_of_two()}
SMALL |= {
    "PQ in a PNG": WAYS["PNG, cICP PQ, 16 bit"](card(24, 16)),
    "PQ in a HEIC": WAYS["HEIC, nclx PQ, 10 bit"](card(64, 64)),
}
SMALL["palette"] = encoded(Image.fromarray(card()).convert("P"), "png", transparency=b"\x80" * 9)


@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from(sorted(SMALL)),
    st.lists(st.tuples(st.integers(0, 10**6), st.binary(min_size=1, max_size=4)), max_size=6),
    st.one_of(st.none(), st.floats(0, 1)),
)
def test_a_damaged_photo_gives_a_photo_or_a_sentence(
    kind: str, wounds: list[tuple[int, bytes]], cut: float | None
) -> None:
    data = bytearray(SMALL[kind])
    for place, written in wounds:
        at = place % len(data)
        data[at : at + len(written)] = written
    _read(bytes(data if cut is None else data[: round(cut * len(data))]))


def _read(data: bytes) -> None:
    try:
        pixels = read_photo(data).pixels
    except PhotoError as error:
        assert error.key.startswith("file.")
    else:
        assert pixels.ndim == 3
        assert pixels.dtype == np.uint8


# Allows a fresh process `argv[1]` MB more than it has, then opens the other arguments.
BOUNDED = """
import resource, sys
from pathlib import Path
from errors import PhotoError
from pipelines.selfie.photo import open_photo
taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (taken + int(sys.argv[1]) * 2**20,) * 2)
for name in sys.argv[2:]:
    try:
        print(open_photo(Path(name)).pixels.shape)
    except PhotoError as error:
        print(error.key, repr(error.__cause__))
"""


def read_within(megabytes: int, files: dict[str, bytes], folder: Path) -> dict[str, str]:
    """What became of each file in a process that may take only so much memory on top."""
    for name, data in files.items():
        (folder / name).write_bytes(data)
    done = subprocess.run(
        [
            sys.executable,
            "-W",
            "error",
            "-c",
            BOUNDED,
            str(megabytes),
            *(str(folder / name) for name in files),
        ],
        cwd=Path(__file__).parent.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    return dict(zip(files, done.stdout.splitlines(), strict=True))


needs_proc = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="counts memory the Linux way")


@pytest.mark.app
@needs_proc
def test_bombs_are_refused_or_read_within_100_megabytes(tmp_path: Path) -> None:
    bombs = {name: make() for name, (make, _) in REFUSED.items() if name != "13 MB"}
    for name, found in read_within(100, bombs, tmp_path).items():
        assert found.split()[0] == REFUSED[name][1], name
    for name, found in read_within(100, {name: make() for name, make in ODD.items()}, tmp_path).items():
        assert found == "(64, 96, 3)", name


@pytest.mark.app
@needs_proc
@pytest.mark.parametrize(
    ("kind", "megabytes"),
    [("png", 350), ("jpeg", 600), ("webp", 900)],  # measured: 240, 480 and 790
)
def test_fifty_megapixels_take_no_more_than_they_must(kind: str, megabytes: int, tmp_path: Path) -> None:
    size = (8160, 6120)
    if kind == "png":  # RGBA, made without holding its 200 MB
        data = png(*size, rows=zeros((size[0] * 4 + 1) * size[1]))
    else:  # progressive CMYK: every coefficient of four planes is held until the last scan
        options = {"jpeg": {"progressive": True}, "webp": {"lossless": True, "quality": 0, "method": 0}}[kind]
        data = encoded(Image.new("CMYK" if kind == "jpeg" else "RGB", size), kind, **options)
    assert read_within(megabytes, {"big": data}, tmp_path) == {"big": "(1536, 2048, 3)"}
