"""Photos of every format, damaged by a seed: the same name and number give the same bytes everywhere."""

import random
from collections.abc import Callable, Iterator
from functools import cache
from typing import Literal, NamedTuple

import numpy as np
from PIL import Image

from evaluation.colour import ICC, WAYS, icc_profile
from pipelines.selfie.photo import PNG_MAGIC, jpeg_segments
from tests.hostile import (
    card,
    encoded,
    exif,
    heic_of_tiles,
    heic_of_two,
    moving,
    mp4,
    mpo,
    png_chunk,
    with_png_chunk,
)

WOUNDS_EACH = (1, 1, 1, 2, 4)  # of many, most files are refused at their first bytes
# What a length or a count is set to: nothing, little, and the edges of signed and unsigned numbers.
EXTREMES = (b"\0\0\0\0", b"\0\0\0\1", b"\x7f\xff\xff\xff", b"\x80\0\0\0", b"\xff\xff\xff\xff")
CONTAINERS = {b"meta": 4, b"iinf": 6, b"iref": 4, b"iprp": 0, b"ipco": 0}  # boxes of boxes, bytes before them


class Piece(NamedTuple):
    """A chunk, segment or box: where it is, and where its length stands."""

    start: int
    end: int
    length_at: int


def _small(mode: str = "RGB") -> Image.Image:
    return Image.fromarray(card(48, 32)).convert(mode)


def _noise() -> Image.Image:
    return Image.fromarray(np.random.default_rng(1).integers(0, 256, (64, 64, 3), np.uint8))


P3 = icc_profile(*ICC["P3"])
SEEDS: dict[str, tuple[Callable[[], bytes], ...]] = {
    "jpeg": (
        lambda: encoded(_small(), "jpeg", exif=exif(6), icc_profile=P3),
        lambda: encoded(_small(), "jpeg", progressive=True, quality=50),
        lambda: encoded(_small("CMYK"), "jpeg"),
        lambda: encoded(_noise().convert("L"), "jpeg", restart_marker_blocks=2),
        mpo,
    ),
    "png": (
        lambda: encoded(_small(), "png", exif=exif(6), icc_profile=P3),
        lambda: encoded(_small("P"), "png", transparency=b"\x80" * 9),
        lambda: encoded(_small("RGBA"), "png", bits=8),
        lambda: WAYS["PNG, cICP PQ, 16 bit"](card(24, 16)),
        lambda: with_png_chunk(png_chunk(b"zTXt", b"a\0\0" + bytes(50))),
        lambda: moving("PNG"),
    ),
    "webp": (
        lambda: encoded(_small(), "webp", exif=exif(6), icc_profile=P3),
        lambda: encoded(_noise(), "webp", lossless=False, quality=60),
        lambda: encoded(_small("RGBA"), "webp"),
        lambda: moving("WEBP"),
    ),
    "heic": (
        lambda: encoded(_small(), "heic", exif=exif(6)),
        lambda: encoded(_small("RGBA"), "heic"),
        lambda: heic_of_tiles(card(), quality=50),
        heic_of_two,
        lambda: WAYS["HEIC, nclx PQ, 10 bit"](card(64, 64)),
    ),
    "others": (
        lambda: encoded(_small(), "tiff"),
        lambda: encoded(_small(), "avif"),
        lambda: encoded(_small("P"), "gif"),
        lambda: encoded(_small(), "bmp"),
        lambda: b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>',
        lambda: b"<!DOCTYPE html><script>alert(1)</script>",
        lambda: b"selfie.jpg\n" * 40,
        mp4,
    ),
}


@cache
def seeds(kind: str) -> tuple[bytes, ...]:
    """The photos of a kind, whole."""
    return tuple(make() for make in SEEDS[kind])


def damaged(kind: str, number: int) -> bytes:
    """A photo of `kind` with a few wounds."""
    chance = random.Random(f"{kind} {number}")
    return wounded(chance.choice(seeds(kind)), chance)


def wounded(whole: bytes, chance: random.Random) -> bytes:
    """The same with a few wounds; never the same."""
    data = whole
    for _ in range(chance.choice(WOUNDS_EACH)):
        data = chance.choice(WOUNDS)(data, chance)
    return data if data != whole else data[:-1]


def pieces(data: bytes) -> list[Piece]:
    """What a file is made of; nothing where it is not of a format that has pieces."""
    if data.startswith(b"\xff\xd8"):
        return [Piece(start, min(end, len(data)), start + 2) for _, start, end in jpeg_segments(data)]
    if data.startswith(PNG_MAGIC):
        return list(_chunks(data, 8, "big", 12))
    if data.startswith(b"RIFF"):
        return list(_chunks(data, 12, "little", 8, offset=4))
    return list(_boxes(data, 0, len(data))) if data[4:8] == b"ftyp" else []


def _chunks(
    data: bytes, at: int, order: Literal["big", "little"], around: int, offset: int = 0
) -> Iterator[Piece]:
    while at + 8 <= len(data):
        length = int.from_bytes(data[at + offset : at + offset + 4], order)
        end = min(len(data), at + around + length)
        yield Piece(at, end, at + offset)
        at = end


def _boxes(data: bytes, at: int, end: int) -> Iterator[Piece]:
    while at + 8 <= end:
        after = min(end, at + max(8, int.from_bytes(data[at : at + 4], "big")))
        yield Piece(at, after, at)
        if (kind := data[at + 4 : at + 8]) in CONTAINERS:
            yield from _boxes(data, at + 8 + CONTAINERS[kind], after)
        at = after


def _flip(data: bytes, chance: random.Random) -> bytes:
    """One bit, or a few bytes in a row."""
    if not data:
        return data
    at = chance.randrange(len(data))
    if chance.random() < 0.5:
        return data[:at] + bytes((data[at] ^ 1 << chance.randrange(8),)) + data[at + 1 :]
    return data[:at] + chance.randbytes(chance.randint(1, 4)) + data[at + 4 :]


def _cut(data: bytes, chance: random.Random) -> bytes:
    """The end, all but the first numbers, or a bit from the middle."""
    first, last = sorted(chance.randint(0, len(data)) for _ in range(2))
    kept = data[:first] + data[min(last, first + 40) :]
    return chance.choice((data[:last], data[: chance.randint(8, 64)], kept))


def _stretch(data: bytes, chance: random.Random) -> bytes:
    """A length or another number is nothing, or more than there is."""
    found = pieces(data)
    at = chance.choice(found).length_at if found and chance.random() < 0.6 else chance.randint(0, len(data))
    width = 2 if data.startswith(b"\xff\xd8") else chance.choice((1, 2, 4))
    return data[:at] + chance.choice(EXTREMES)[-width:] + data[at + width :]


def _repeat(data: bytes, chance: random.Random) -> bytes:
    """A piece twice, or many times."""
    found = pieces(data)
    if not found:
        return data * 2
    start, end, _ = chance.choice(found)
    return data[:end] + data[start:end] * chance.choice((1, 1, 2, 50)) + data[end:]


def _move(data: bytes, chance: random.Random) -> bytes:
    """A piece stands elsewhere, or nowhere."""
    found = pieces(data)
    if not found:
        return data[::-1]
    start, end, _ = chance.choice(found)
    left, to = data[:start] + data[end:], chance.choice(found).start
    return left if chance.random() < 0.3 else left[:to] + data[start:end] + left[to:]


def _splice(data: bytes, chance: random.Random) -> bytes:
    """The beginning of this, the end of another; or a piece of another in it."""
    other = chance.choice(seeds(chance.choice(sorted(SEEDS))))
    found = pieces(other)
    at = chance.randint(0, len(data))
    if found and chance.random() < 0.5:
        start, end, _ = chance.choice(found)
        return data[:at] + other[start:end] + data[at:]
    return data[:at] + other[chance.randint(0, len(other)) :]


WOUNDS = (_flip, _flip, _flip, _cut, _stretch, _repeat, _move, _splice)
