"""A HEIC is weighed before it is decoded, and a large one is decoded where it can do no harm."""

import io
import struct
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pillow_heif
import pytest
from PIL import Image

from evaluation.colour import WAYS
from pipelines.selfie.heic_items import BLOCK, MAX_ITEMS, MAX_LAYERS, plan_heic
from pipelines.selfie.heic_reader import SECONDS, decode, decode_apart
from pipelines.selfie.photo import AT_HAND, MAX_PIXELS, WORKING_SIDE, read_photo
from tests.hostile import (
    Item,
    card,
    coded,
    encoded,
    exif,
    grid,
    heic_of_items,
    heic_of_one_tile,
    heic_of_overlays,
    heic_of_pictures,
    heic_of_tiles,
    heic_of_turns,
    heic_of_two,
    heif_box,
    overlay,
)


def test_each_layer_counts_each_time_it_would_be_decoded() -> None:
    plan = plan_heic(heic_of_overlays(3, 5, 128))
    assert plan.size == (128, 128)
    assert plan.coded == 5**3 * 128**2
    assert plan.composed == (1 + 5 + 5**2) * 128**2


def test_a_tile_counts_as_often_as_it_is_laid() -> None:
    plan = plan_heic(heic_of_one_tile(4, 3, 64, (250, 190)))
    assert (plan.size, plan.coded, plan.composed) == ((250, 190), 12 * 64**2, 250 * 190)


def test_a_canvas_is_as_large_as_it_says_itself() -> None:
    """libheif makes it before it looks whether the size in the list is the same."""
    small = replace(overlay((9000, 9000), [1]), size=(64, 64))
    assert plan_heic(heic_of_items(small, coded(card()))).composed == 9000**2


def test_a_picture_is_decoded_in_whole_blocks() -> None:
    tiny = replace(coded(card()), size=(1, 1))
    assert plan_heic(heic_of_items(tiny)).coded == BLOCK**2


def test_every_picture_in_an_item_counts() -> None:
    assert plan_heic(heic_of_pictures(7)).coded == 7 * 64**2
    many_slices = plan_heic(heic_of_pictures(300))
    assert many_slices.most >= 300 * 64**2


def test_alpha_is_decoded_too_and_counts() -> None:
    opaque, clear = (plan_heic(encoded(Image.new(mode, (128, 64)), "heic")) for mode in ("RGB", "RGBA"))
    assert (opaque.coded, clear.coded) == (128 * 64, 2 * 128 * 64)


def test_what_is_not_decoded_is_struck_out_and_costs_nothing() -> None:
    """EXIF, thumbnails and other pictures; libheif would keep them all in memory."""
    file = io.BytesIO()
    pictures = pillow_heif.from_pillow(Image.fromarray(card(256, 128)))
    pictures.add_from_pillow(Image.fromarray(card(512, 512)))
    pictures.save(file, thumbnails=[64], exif=exif(1), xmp=b"<x/>", primary_index=0)
    plan = plan_heic(file.getvalue())
    assert len(plan.data) == len(file.getvalue())
    assert plan.coded == 256 * 128
    left = pillow_heif.open_heif(bytes(plan.data))
    assert len(left) == 1
    assert left.size == (256, 128)
    assert not left.info["exif"]
    assert not left.info["metadata"]
    assert not left.info["thumbnails"]


def test_the_tiles_are_no_pictures_of_their_own() -> None:
    data = heic_of_tiles(card(200, 150))
    assert len(pillow_heif.open_heif(data)) > 1
    assert len(pillow_heif.open_heif(bytes(plan_heic(data).data))) == 1


def test_a_phones_fifty_megapixels_are_bearable() -> None:
    """8064 x 6048, as one big sensor gives it, in tiles of 512 that stand over the edge."""
    plan = plan_heic(heic_of_one_tile(16, 12, 512, (8064, 6048)))
    assert plan.composed <= MAX_PIXELS < plan.coded <= MAX_PIXELS * 5 // 4
    assert MAX_LAYERS >= 192


def _longer(kind: bytes, body: bytes) -> bytes:
    """The card with another box of a kind, whatever that does to what follows."""
    data = heic_of_items(coded(card()))
    at, meta = data.index(kind) - 4, data.index(b"meta") - 4
    end = at + int.from_bytes(data[at : at + 4], "big")
    inside = data[meta + 8 : at] + heif_box(kind, body) + data[end:]
    if kind == b"ipma":
        iprp = data.index(b"iprp") - 4
        inside = (
            data[meta + 8 : iprp] + heif_box(b"iprp", data[iprp + 8 : at], heif_box(kind, body)) + data[end:]
        )
    return data[:meta] + heif_box(b"meta", inside)


DAMAGED: dict[str, Callable[[], bytes]] = {
    "nothing": bytes,
    "no list": lambda: encoded(card(), "heic").replace(b"meta", b"free"),
    "two lists": lambda: (data := heic_of_items(coded(card()))) + data[data.index(b"meta") - 4 :],
    "two orders": lambda: encoded(card(), "heic").replace(b"hdlr", b"pitm"),
    "a picture of no size": lambda: encoded(card(), "heic").replace(b"ispe", b"free"),
    "a part that is not there": lambda: heic_of_items(overlay((96, 64), [7]), coded(card())),
    "another kind": lambda: heic_of_items(replace(coded(card()), kind=b"jpeg")),
    "too many items": lambda: heic_of_items(coded(card()), *[Item(b"mime", (1, 1), b"x")] * MAX_ITEMS),
    "too many references": lambda: heic_of_items(
        coded(card()), *[Item(b"mime", (1, 1), b"x", (0,) * 60)] * 100
    ),
    "a box within its end": lambda: encoded(card(), "heic").replace(b"\0\0\0\x14ispe", b"\0\0\0\x04ispe"),
    "a hundred thousand slices": lambda: heic_of_items(
        replace(coded(card()), body=b"\0\0\0\x03\x02\x01\x80" * 100_000)
    ),
    "nine deep": lambda: heic_of_overlays(9, 1),
    "eight thousand layers": lambda: heic_of_overlays(3, 20),
    "turned a hundred times": lambda: heic_of_turns(100),
    "a million boxes": lambda: encoded(card(), "heic") + b"\0\0\0\x08free" * 10**6,
    "a million properties": lambda: _longer(b"ipma", struct.pack(">II", 0, 10**6) + bytes(3 * 10**6)),
    "a million places": lambda: _longer(b"iloc", struct.pack(">IHI", 2 << 24, 0, 10**6) + bytes(10**7)),
    "an item in endless places": lambda: _longer(
        b"iloc", struct.pack(">IHHHHH", 1 << 24, 0, 1, 1, 0, 0) + b"\xff\xff"
    ),
    "the same bytes again and again": lambda: heic_of_items(
        grid((64, 64), 30, [1] * 900), replace(coded(card(64, 64)), body=bytes.fromhex("00010000") * 2**14)
    ),
}


WHY = {  # where another reason would hide that this one is not seen
    "too many items": "items that are too many",
    "too many references": "too many references",
    "a hundred thousand slices": "too many pieces",
    "nine deep": "too many layers",
    "eight thousand layers": "too many layers",
    "turned a hundred times": "turned too often",
    "a million boxes": "too many boxes",
    "a million properties": "too many properties",
    "a million places": "a list that is too long",
    "an item in endless places": "a list that is too long",
    "the same bytes again and again": "too many pieces",
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_list_is_refused_before_anything_is_decoded(name: str) -> None:
    with pytest.raises(ValueError, match=WHY.get(name, "[a-z]")):
        plan_heic(DAMAGED[name]())


@pytest.mark.app
@pytest.mark.parametrize("name", ["grey", "alpha", "ten bits", "two", "tiles"])
def test_a_process_of_its_own_reads_the_same(name: str) -> None:
    data = {
        "grey": lambda: encoded(Image.fromarray(card()).convert("L"), "heic"),
        "alpha": lambda: encoded(Image.fromarray(card()).convert("RGBA"), "heic"),
        "ten bits": lambda: WAYS["HEIC, nclx PQ, 10 bit"](card(64, 64)),
        "two": heic_of_two,
        "tiles": lambda: heic_of_tiles(card()),
    }[name]()
    here, apart = decode(data), decode_apart(data)
    assert bytes(here.pixels) == bytes(apart.pixels)
    assert replace(here, pixels=b"") != apart
    for told in ("size", "mode", "stride", "bit_depth", "profile", "code_points"):
        assert getattr(here, told) == getattr(apart, told)


@pytest.mark.app
def test_a_large_photo_is_read_in_a_process_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    data = heic_of_one_tile(5, 4, 512, (2500, 2000))
    assert plan_heic(data).most > AT_HAND
    monkeypatch.setattr("pipelines.selfie.photo.decode", None)
    assert read_photo(data).pixels.shape == (round(WORKING_SIDE * 0.8), WORKING_SIDE, 3)


@pytest.mark.app
def test_time_and_memory_of_that_process_are_bounded() -> None:
    hours = heic_of_one_tile(16, 16, 2048, (2048, 2048))
    with pytest.raises(ValueError, match="bounds"):
        decode_apart(hours, seconds=1)
    large = heic_of_one_tile(8, 8, 512, (4096, 4096))
    with pytest.raises(ValueError, match="bounds"):
        decode_apart(large, memory=150 * 2**20)
    with pytest.raises(ValueError, match="bounds"):
        decode_apart(b"no picture")
    assert np.frombuffer(decode_apart(large).pixels, np.uint8).size == 4096 * 4096 * 3
    assert SECONDS <= 10
