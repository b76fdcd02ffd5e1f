"""Marks are read back, by us and by others; hostile ones say nothing; the caption lies beside the picture."""

import io
import json
import shutil
import struct
import subprocess
import tomllib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFont

from pipelines.marks.note import SOURCES, VERSION, Mark, MarkKind, add_caption, mark, read_mark
from pipelines.selfie.photo import Photo, read_photo
from tests.hostile import ODD, REFUSED, card, encoded, png_chunk, with_jpeg_segment, with_png_chunk
from words import read_words

ROOT = Path(__file__).parent.parent
SIZES = [(256, 320), (896, 1120), (1080, 1350)]
XMP_HEAD = b"http://ns.adobe.com/xap/1.0/\0"


def as_png(packet: bytes) -> bytes:
    return with_png_chunk(png_chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + packet))


def packet_of(file: bytes) -> bytes:
    """The XMP packet as Pillow finds it."""
    with Image.open(io.BytesIO(file)) as image:
        found = image.info["xmp"]
    assert isinstance(found, bytes)
    return found


@pytest.mark.parametrize("format", ["PNG", "JPEG"])
@pytest.mark.parametrize("kind", SOURCES)
def test_a_mark_is_read_back(kind: MarkKind, format: str) -> None:
    file = mark(card(), kind, format=format)  # type: ignore[arg-type]
    assert read_mark(file) == Mark(kind, SOURCES[kind], f"Face Value {VERSION}")


def test_noise_plate_and_photograph_have_the_terms_of_the_iptc() -> None:
    assert {kind: term.rsplit("/", 1) for kind, term in SOURCES.items()} == {
        "generated": ["http://cv.iptc.org/newscodes/digitalsourcetype", "trainedAlgorithmicMedia"],
        "from_plate": [
            "http://cv.iptc.org/newscodes/digitalsourcetype",
            "compositeWithTrainedAlgorithmicMedia",
        ],
        "plate": ["http://cv.iptc.org/newscodes/digitalsourcetype", "humanEdits"],
        "drawing": ["http://cv.iptc.org/newscodes/digitalsourcetype", "algorithmicMedia"],
    }


@pytest.mark.parametrize("format", ["PNG", "JPEG"])
def test_pillow_finds_the_mark_where_the_xmp_specification_wants_it(format: str) -> None:
    packet = packet_of(mark(card(), "generated", format=format))  # type: ignore[arg-type]
    assert SOURCES["generated"].encode() in packet


@pytest.mark.skipif(shutil.which("exiftool") is None, reason="exiftool (libimage-exiftool-perl) is not here")
@pytest.mark.parametrize("format", ["PNG", "JPEG"])
def test_exiftool_reads_the_mark_and_we_read_what_exiftool_wrote(format: str, tmp_path: Path) -> None:
    file = tmp_path / f"portrait.{format.lower()}"
    file.write_bytes(mark(card(), "from_plate", format=format))  # type: ignore[arg-type]
    told = subprocess.run(["exiftool", "-json", "-n", file], capture_output=True, check=True).stdout
    assert json.loads(told)[0]["DigitalSourceType"] == SOURCES["from_plate"]
    subprocess.run(["exiftool", "-q", "-XMP-dc:Title=me", file], check=True)
    found = read_mark(file.read_bytes())
    assert found is not None
    assert found.kind == "from_plate"


def test_a_png_keeps_every_pixel(astronaut: Photo) -> None:
    assert np.array_equal(read_photo(mark(astronaut.pixels, "generated")).pixels, astronaut.pixels)


def test_a_jpeg_keeps_the_colours(astronaut: Photo) -> None:
    read = read_photo(mark(astronaut.pixels, "generated", format="JPEG")).pixels.astype(int)
    assert np.abs(read - astronaut.pixels).mean() < 2


def test_a_mark_holds_nothing_but_kind_and_software() -> None:
    with Image.open(io.BytesIO(mark(card(), "plate"))) as image:
        assert set(image.info) == {"XML:com.adobe.xmp", "xmp"}
    packets = {packet_of(mark(pixels, "plate")) for pixels in (card(), card(40, 50), card()[::-1].copy())}
    assert len(packets) == 1  # the same for every sitter and at any time


def test_the_version_is_the_projects() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["project"]["version"] == VERSION


def test_a_property_written_as_an_element_is_read_too() -> None:
    attribute = f'Iptc4xmpExt:DigitalSourceType="{SOURCES["plate"]}"'.encode()
    element = (
        f"<Iptc4xmpExt:DigitalSourceType>{SOURCES['plate']}</Iptc4xmpExt:DigitalSourceType></rdf:Description>"
    ).encode()
    packet = packet_of(mark(card(), "plate")).replace(attribute, b"").replace(b"/>", b">" + element)
    found = read_mark(as_png(packet))
    assert found is not None
    assert found.kind == "plate"


def foreign() -> dict[str, bytes]:
    """Files that are not ours, some of which try to look like it."""
    ours = packet_of(mark(card(), "generated"))
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 12))
    bomb = f'<!DOCTYPE x [<!ENTITY l0 "ha">{laughs}]><x>&l11;</x>'.encode()
    fetch = b'<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]><x>&f;</x>'
    return {
        "photo": encoded(card(), "jpeg"),
        "other software": as_png(ours.replace(b"Face Value", b"Other Tool")),
        "software with a tail": as_png(ours.replace(b"Face Value 0", b"Face Value 0\x1b[31m")),
        "unknown term": as_png(ours.replace(b"trainedAlgorithmicMedia", b"digitalCapture")),
        "packet in plain text": ours,
        "packet behind the picture": encoded(card(), "jpeg") + ours,
        "packet of another key": with_png_chunk(png_chunk(b"iTXt", b"Comment\0\0\0\0\0" + ours)),
        "packet in UTF-16": as_png(ours.decode().encode("utf-16")),
        "packet with a NUL": as_png(ours.replace(b"rdf:about", b"rdf:\0bout")),
        "packet of 1 MB": as_png(ours.replace(b"<?xpacket end", b" " * 2**20 + b"<?xpacket end")),
        "packet cut short": as_png(ours[: len(ours) // 2]),
        "entities that grow": as_png(bomb),
        "entity that fetches": with_jpeg_segment(0xE1, XMP_HEAD + fetch),
        "depth": as_png(b"<a>" * 9000 + b"</a>" * 9000),
        "empty packet": with_jpeg_segment(0xE1, XMP_HEAD),
        "png cut in its first chunk": b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 99) + b"iTXt",
    }


@pytest.mark.parametrize("name", foreign())
def test_a_foreign_or_hostile_file_has_no_mark(name: str) -> None:
    assert read_mark(foreign()[name]) is None


@pytest.mark.parametrize("name", [*REFUSED, *ODD])
def test_no_hostile_file_has_a_mark(name: str) -> None:
    make = ODD[name] if name in ODD else REFUSED[name][0]
    assert read_mark(make()) is None


MARKED = {"png": mark(card(16, 20), "generated"), "jpeg": mark(card(16, 20), "generated", format="JPEG")}


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(sorted(MARKED)),
    st.lists(st.tuples(st.integers(0, 900), st.binary(min_size=1, max_size=6)), max_size=6),
    st.integers(0, 2000),
)
def test_a_damaged_mark_is_a_mark_of_ours_or_none(
    kind: str, wounds: list[tuple[int, bytes]], length: int
) -> None:
    data = bytearray(MARKED[kind])
    for at, written in wounds:
        data[at : at + len(written)] = written
    found = read_mark(bytes(data[:length]))
    assert found is None or SOURCES[found.kind] == found.source


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.binary(max_size=300), st.text(max_size=300).map(str.encode).map(as_png)))
def test_any_bytes_have_a_mark_of_ours_or_none(data: bytes) -> None:
    assert read_mark(data) is None


@pytest.mark.parametrize("size", SIZES)
def test_the_caption_lies_below_the_picture_and_leaves_it_alone(size: tuple[int, int]) -> None:
    picture = card(*size)
    printed = add_caption(picture, "Made with AI")
    strip = printed[size[1] :]
    assert np.array_equal(printed[: size[1]], picture)
    assert printed.shape[1:] == (size[0], 3)
    assert size[1] * 0.04 < len(strip) < size[1] * 0.08  # narrow
    assert (strip == strip[..., :1]).all()  # no colour beside skin


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    "text", ["Made with AI", "A label as long as some language may want it to be, and more"]
)
def test_the_caption_is_white_on_dark_and_inside_its_strip(size: tuple[int, int], text: str) -> None:
    strip = add_caption(card(*size), text)[size[1] :, :, 0]
    edges = np.concatenate((strip[0], strip[-1], strip[:, 0], strip[:, -1]))
    assert edges.max() == strip[0, 0] < 30
    assert strip.max() > 200
    if text == "Made with AI":
        rows = np.flatnonzero((strip > 120).any(1))
        assert len(rows) >= 8  # px from the top of an M to its foot: read at 100 %


def test_a_labelled_file_is_marked_too() -> None:
    file = mark(card(256, 320), "generated", label="Made with AI")
    assert read_photo(file).pixels.shape == (344, 256, 3)
    assert read_mark(file) is not None


def test_the_font_has_every_letter_that_is_written_below_a_ladders_pictures() -> None:
    font, say = ImageFont.load_default(24), read_words().say
    missing = bytes(font.getmask("\U0010fffd"))
    for letter in {*say("stage.photograph"), *say("ladder.left", p="0123456789")} - {" "}:
        assert bytes(font.getmask(letter)) != missing, letter
