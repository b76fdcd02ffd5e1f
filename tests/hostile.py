"""Files that a stranger may hand us, made here byte by byte; and the few honest odd ones that must be taken.

`REFUSED` maps a name to a function that makes the bytes and the key of the sentence they earn.
`ODD` maps a name to a function whose bytes are a readable photo of `card()` all the same.
"""

import io
import random
import struct
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pillow_heif
from numpy.typing import NDArray
from PIL import Image

FORMATS = ("jpeg", "png", "webp", "heic")
PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
# TIFF's types of whole numbers that fit where a tag's value stands: BYTE, SHORT, LONG, and with a sign.
INTEGERS = {"B": 1, "H": 3, "I": 4, "b": 6, "h": 8, "i": 9}
# Corners of the card, clockwise from the top left: no turn and no mirror of it looks like itself.
CORNERS = ((200, 40, 40), (40, 160, 60), (230, 230, 230), (40, 60, 180))


def card(width: int = 96, height: int = 64) -> NDArray[np.uint8]:
    """Four quadrants in `CORNERS`, uint8 (H, W, 3) sRGB."""
    pixels = np.empty((height, width, 3), np.uint8)
    top, left = slice(None, height // 2), slice(None, width // 2)
    low, right = slice(height // 2, None), slice(width // 2, None)
    for (rows, columns), colour in zip(
        ((top, left), (top, right), (low, right), (low, left)), CORNERS, strict=True
    ):
        pixels[rows, columns] = colour
    return pixels


def encoded(image: Image.Image | NDArray[np.uint8], kind: str, **options: object) -> bytes:
    """`image` as a file of one of `FORMATS` or of any that Pillow writes; near lossless."""
    picture = image if isinstance(image, Image.Image) else Image.fromarray(image)
    file = io.BytesIO()
    if kind == "heic":
        pillow_heif.from_pillow(picture).save(file, **{"quality": 95, "chroma": 444} | options)
    else:
        finest = {"jpeg": {"quality": 98, "subsampling": 0}, "webp": {"lossless": True}}.get(kind, {})
        picture.save(file, kind, **finest | options)
    return file.getvalue()


def exif(orientation: int, order: str = ">", form: str = "H", *, kind: int = 0, count: int = 1) -> bytes:
    """An EXIF block that says only how the camera was held (tag 0x0112), as one of `INTEGERS`.

    `kind` and `count` of the tag may be others than those of what is stored.
    """
    value = struct.pack(order + form, orientation).ljust(4, b"\0")
    mark = {">": b"MM\0*", "<": b"II*\0"}[order]
    head = struct.pack(order + "IHHHI", 8, 1, 0x0112, kind or INTEGERS[form], count)
    return b"Exif\0\0" + mark + head + value + bytes(4)


def png_chunk(name: bytes, body: bytes) -> bytes:
    """One chunk with its checksum."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(width: int, height: int, *chunks: bytes, rows: bytes = b"", depth: int = 8, colour: int = 6) -> bytes:
    """A PNG that claims a size, with whatever `chunks` before its packed `rows`."""
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    return PNG_MAGIC + header + b"".join(chunks) + png_chunk(b"IDAT", rows) + png_chunk(b"IEND", b"")


def zeros(count: int) -> bytes:
    """`count` zero bytes, packed about a thousand to one without ever holding them."""
    packer = zlib.compressobj(9)
    parts = [packer.compress(bytes(min(2**20, count - at))) for at in range(0, count, 2**20)]
    return b"".join(parts) + packer.flush()


def with_png_chunk(chunk: bytes) -> bytes:
    """The card as a PNG with `chunk` behind its header."""
    data = encoded(card(), "png")
    return data[:33] + chunk + data[33:]


def with_jpeg_segment(marker: int, body: bytes) -> bytes:
    """The card as a JPEG with one more segment at its start."""
    data = encoded(card(), "jpeg")
    return data[:2] + bytes((0xFF, marker)) + struct.pack(">H", len(body) + 2) + body + data[2:]


def jpeg_of_size(width: int, height: int) -> bytes:
    """A small JPEG whose frame header claims another size."""
    data = encoded(card(), "jpeg")
    at = data.index(b"\xff\xc0") + 5
    return data[:at] + struct.pack(">HH", height, width) + data[at + 4 :]


def jpeg_of_scans(count: int, image: Image.Image | None = None) -> bytes:
    """A progressive JPEG whose last refining scan comes `count` times more."""
    data = encoded(image or card(), "jpeg", progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:-2] + data[last:-2] * count + data[-2:]


def webp_of_size(width: int, height: int) -> bytes:
    """The first chunk of an extended WebP that claims a canvas, and nothing behind it."""
    sides = struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3]
    chunk = b"VP8X" + struct.pack("<IB3x", 10, 0) + sides
    return b"RIFF" + struct.pack("<I", 4 + len(chunk)) + b"WEBP" + chunk


def heic_of_size(width: int, height: int) -> bytes:
    """A small HEIC whose item property claims another size."""
    data = encoded(card(), "heic")
    at = data.index(b"ispe") + 8
    return data[:at] + struct.pack(">II", width, height) + data[at + 8 :]


def heic_of_brand(brand: bytes) -> bytes:
    """A HEIC that says it is something else of its family."""
    data = encoded(card(), "heic")
    return data[:8] + brand + data[12:]


def heic_of_brands(*brands: bytes) -> bytes:
    """A HEIC whose brands are these and no other: the first is the major one."""
    data = encoded(card(), "heic")
    length = int.from_bytes(data[:4], "big")
    listed = brands[0] + bytes(4) + b"".join(brands[at % len(brands)] for at in range((length - 16) // 4))
    return data[:8] + listed + data[length:]


def heif_box(kind: bytes, *parts: bytes) -> bytes:
    """One box of ISO/IEC 14496-12."""
    body = b"".join(parts)
    return struct.pack(">I", len(body) + 8) + kind + body


@dataclass(frozen=True)
class Item:
    """One item of a HEIC: its kind, size, content, what it is made of (indices into its list)."""

    kind: bytes
    size: tuple[int, int]
    body: bytes
    parts: tuple[int, ...] = ()
    properties: tuple[bytes, ...] = ()  # boxes beside the size


def heic_of_items(*items: Item) -> bytes:
    """A HEIC of `items`; the first is the picture. What is equal is kept once."""
    listed, held, places, stored, known = [], [], [], b"", list[bytes]()
    for number, item in enumerate(items, 1):
        listed.append(heif_box(b"infe", struct.pack(">IHH4sx", 2 << 24, number, 0, item.kind)))
        own = (heif_box(b"ispe", struct.pack(">III", 0, *item.size)), *item.properties)
        known += [box for box in dict.fromkeys(own) if box not in known]
        indices = bytes(known.index(box) + 1 for box in own)
        held.append(struct.pack(">HB", number, len(own)) + indices)
        stored += b"" if item.body in stored else item.body
        places.append(struct.pack(">HHHHII", number, 1, 0, 1, stored.index(item.body), len(item.body)))
    count = len(items)
    made = [
        struct.pack(f">HH{len(item.parts)}H", number, len(item.parts), *(part + 1 for part in item.parts))
        for number, item in enumerate(items, 1)
        if item.parts
    ]
    meta = heif_box(
        b"meta",
        bytes(4),
        heif_box(b"hdlr", bytes(8), b"pict", bytes(13)),
        heif_box(b"pitm", struct.pack(">IH", 0, 1)),
        heif_box(b"iinf", struct.pack(">IH", 0, count), *listed),
        heif_box(b"iloc", struct.pack(">IHH", 1 << 24, 0x4400, count), *places),
        heif_box(b"iprp", heif_box(b"ipco", *known), heif_box(b"ipma", struct.pack(">II", 0, count), *held)),
        *([heif_box(b"iref", bytes(4), *(heif_box(b"dimg", body) for body in made))] if made else []),
        heif_box(b"idat", stored),
    )
    return heif_box(b"ftyp", b"heic", bytes(4), b"mif1heic") + meta


def coded(pixels: NDArray[np.uint8], **options: object) -> Item:
    """A picture in HEVC, to be an item."""
    data = encoded(pixels, "heic", **options)
    at, held = data.index(b"hvcC") - 4, data.index(b"mdat") + 4
    config = data[at : at + int.from_bytes(data[at : at + 4], "big")]
    return Item(b"hvc1", (pixels.shape[1], pixels.shape[0]), data[held:], properties=(config,))


def overlay(size: tuple[int, int], parts: Sequence[int]) -> Item:
    """Pictures laid upon each other at the corner of a canvas."""
    body = struct.pack(">BB4HII", 0, 1, 0, 0, 0, 65535, *size) + bytes(8 * len(parts))
    return Item(b"iovl", size, body, tuple(parts))


def grid(size: tuple[int, int], columns: int, parts: Sequence[int]) -> Item:
    """Tiles side by side, the last ones standing over the edge."""
    body = struct.pack(">BBBBII", 0, 1, len(parts) // columns - 1, columns - 1, *size)
    return Item(b"grid", size, body, tuple(parts))


def heic_of_tiles(pixels: NDArray[np.uint8], tile: int = 64, **options: object) -> bytes:
    """What a phone writes: `pixels` in square tiles and a grid of them."""
    height, width = pixels.shape[:2]
    padded = np.pad(pixels, ((0, -height % tile), (0, -width % tile), (0, 0)), "edge")
    rows, columns = (side // tile for side in padded.shape[:2])
    places = [
        (slice(y * tile, (y + 1) * tile), slice(x * tile, (x + 1) * tile))
        for y in range(rows)
        for x in range(columns)
    ]
    tiles = [coded(np.ascontiguousarray(padded[place]), **options) for place in places]
    return heic_of_items(grid((width, height), columns, range(1, len(tiles) + 1)), *tiles)


def heic_of_overlays(depth: int, each: int, side: int = 64) -> bytes:
    """Overlays of overlays: `each` of the next, `depth` deep, the last of one picture."""
    layers = [overlay((side, side), [level + 1] * each) for level in range(depth)]
    return heic_of_items(*layers, coded(card(side, side), quality=10, chroma=420))


def heic_of_pictures(count: int, side: int = 64) -> bytes:
    """One item that holds the same picture again and again."""
    picture = coded(card(side, side), quality=10, chroma=420)
    return heic_of_items(replace(picture, body=picture.body * count))


def heic_of_one_tile(columns: int, rows: int, side: int, size: tuple[int, int]) -> bytes:
    """A grid that is one tile again and again, cut to `size`."""
    tile = coded(card(side, side), quality=10, chroma=420)
    return heic_of_items(grid(size, columns, [1] * (columns * rows)), tile)


def heic_of_turns(count: int) -> bytes:
    """The card, turned again and again."""
    picture = coded(card())
    turns = (heif_box(b"irot", b"\1"),) * count
    return heic_of_items(replace(picture, properties=(*picture.properties, *turns)))


def heic_in_itself() -> bytes:
    """An overlay of an overlay of the first."""
    return heic_of_items(overlay((96, 64), [1, 2]), overlay((96, 64), [0, 2]), coded(card()))


def mp4() -> bytes:
    """The boxes of a film, with nothing in them."""
    return b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + b"\0\0\0\x10moov" + bytes(8) + b"\0\0\0\x10mdat" + bytes(8)


def moving(kind: str) -> bytes:
    """An animation of two pictures."""
    first, second = Image.fromarray(card()), Image.fromarray(card()[::-1])
    file = io.BytesIO()
    first.save(file, kind, save_all=True, append_images=[second], duration=100)
    return file.getvalue()


def mpo() -> bytes:
    """What phones write: a JPEG with a second picture (depth, gain map, other eye) behind it."""
    return moving("MPO")


def heic_of_two() -> bytes:
    """A HEIC with two pictures; the second is the primary one and is the card."""
    file = io.BytesIO()
    both = pillow_heif.from_pillow(Image.fromarray(card()[:, ::-1].copy()))
    both.add_from_pillow(Image.fromarray(card()))
    both.save(file, quality=95, chroma=444, primary_index=1)
    return file.getvalue()


def zip_bomb() -> bytes:
    """20 MB of zeros in a ZIP archive of 20 KB."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("selfie.jpg", bytes(20 * 2**20))
    return file.getvalue()


def _half(kind: str) -> Callable[[], bytes]:
    """The first half of a photo that does not compress to nothing."""

    def cut() -> bytes:
        noise = np.random.default_rng(1).integers(0, 256, (64, 96, 3), np.uint8)
        data = encoded(noise, kind)
        return data[: len(data) // 2]

    return cut


REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "nothing": (bytes, "file.type"),
    "noise": (lambda: random.Random(1).randbytes(5000), "file.type"),
    "html": (lambda: b"<!DOCTYPE html><script>alert(1)</script>", "file.type"),
    "svg": (
        lambda: b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>',
        "file.type",
    ),
    "gif": (lambda: moving("GIF"), "file.type"),
    "tiff": (lambda: encoded(card(), "tiff"), "file.type"),
    "avif": (lambda: encoded(card(), "avif"), "file.type"),
    "avif that says it is any still picture": (
        lambda: encoded(card(), "avif").replace(b"avif", b"mif1"),
        "file.type",
    ),
    "heic that says it is a film": (lambda: heic_of_brands(b"isom"), "file.type"),
    "mp4": (mp4, "file.type"),
    "zip bomb": (zip_bomb, "file.type"),
    "13 MB": (lambda: encoded(card(), "jpeg") + bytes(13 * 2**20), "file.big"),
    "png of 2.5 billion pixels": (lambda: png(50_000, 50_000, rows=zeros(2**20)), "file.pixels"),
    "png of 2 ** 64 pixels": (lambda: png(2**32 - 1, 2**32 - 1, rows=zeros(2**20)), "file.pixels"),
    "jpeg of 4 billion pixels": (lambda: jpeg_of_size(65_000, 65_000), "file.pixels"),
    "webp of 281 billion pixels": (lambda: webp_of_size(2**24, 2**24), "file.pixels"),
    "heic of 4 billion pixels": (lambda: heic_of_size(65_000, 65_000), "file.pixels"),
    # a few kilobytes each, and minutes to decode
    "heic of overlays of large overlays": (lambda: heic_of_overlays(3, 5, 1024), "file.pixels"),
    "heic of thousands of overlays": (lambda: heic_of_overlays(3, 20, 64), "file.broken"),
    "heic of overlays nine deep": (lambda: heic_of_overlays(9, 1), "file.broken"),
    "heic in itself": (heic_in_itself, "file.broken"),
    "heic of one tile again and again": (lambda: heic_of_one_tile(16, 16, 1024, (1024, 1024)), "file.pixels"),
    "heic of a hundred pictures in one": (lambda: heic_of_pictures(100, 1024), "file.pixels"),
    "heic of a hundred turns": (lambda: heic_of_turns(100), "file.broken"),
    "moving webp": (lambda: moving("WEBP"), "file.moving"),
    "moving png": (lambda: moving("PNG"), "file.moving"),
    "moving heic": (lambda: heic_of_brand(b"hevc"), "file.moving"),
    "half a jpeg": (_half("jpeg"), "file.broken"),
    "half a png": (_half("png"), "file.broken"),
    "half a webp": (_half("webp"), "file.broken"),
    "half a heic": (_half("heic"), "file.broken"),
    "jpeg of one marker": (lambda: b"\xff\xd8\xff", "file.broken"),
    "jpeg of 1000 scans": (lambda: jpeg_of_scans(1000), "file.broken"),
    "jpeg of a million segments": (
        lambda: b"\xff\xd8" + b"\xff\xe0\0\x07JFIF\0" * 10**6 + encoded(card(), "jpeg")[2:],
        "file.broken",
    ),
    "png without palette": (lambda: png(10, 10, colour=3, rows=zeros(110)), "file.broken"),
    "png without pixels": (lambda: png(10, 10), "file.broken"),
    "png without header": (lambda: PNG_MAGIC + png_chunk(b"IEND", b""), "file.broken"),
    "webp without picture": (lambda: webp_of_size(100, 100), "file.broken"),
}

ODD: dict[str, Callable[[], bytes]] = {
    "phone's jpeg of two pictures": mpo,
    "heic of two pictures": heic_of_two,
    "phone's heic of tiles": lambda: heic_of_tiles(card()),
    "heic of an overlay of tiles": lambda: heic_of_items(
        overlay((96, 64), [1]),
        grid((96, 64), 2, [2, 3]),
        coded(np.ascontiguousarray(card()[:, :64])),
        coded(card()[:, 95:].repeat(64, 1)),
    ),
    "png with a zTXt bomb": lambda: with_png_chunk(png_chunk(b"zTXt", b"a\0\0" + zeros(2**28))),
    "png with an iTXt bomb": lambda: with_png_chunk(
        png_chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zeros(2**28))
    ),
    "png with an iCCP bomb": lambda: with_png_chunk(png_chunk(b"iCCP", b"a\0\0" + zeros(2**28))),
    "png with a broken profile": lambda: with_png_chunk(png_chunk(b"iCCP", b"a\0\0nothing packed")),
    "png with broken code points": lambda: with_png_chunk(png_chunk(b"cICP", b"\x09\x10\x00")),
    "png with a gamma of nothing": lambda: with_png_chunk(png_chunk(b"gAMA", bytes(4))),
    "png with corners on one line": lambda: with_png_chunk(
        png_chunk(b"cHRM", struct.pack(">8I", 31270, 32900, 10000, 10000, 20000, 20000, 30000, 30000))
    ),
    "png with corners out of all bounds": lambda: with_png_chunk(png_chunk(b"cHRM", b"\xff" * 32)),
    "jpeg with a broken profile": lambda: encoded(card(), "jpeg", icc_profile=b"no profile" * 30),
    "webp with a broken profile": lambda: encoded(card(), "webp", icc_profile=b"no profile" * 30),
    "jpeg with broken EXIF": lambda: with_jpeg_segment(0xE1, b"Exif\0\0MM\0*" + b"\0\0\0\x08\xff\xff" * 9),
    "jpeg with a broken MPO index": lambda: with_jpeg_segment(0xE2, b"MPF\0MM\0*" + b"\xff" * 40),
    "jpeg with a page behind it": lambda: encoded(card(), "jpeg") + b"<script>alert(1)</script>",
}
