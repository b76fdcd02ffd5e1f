"""Untrusted bytes to `Photo`: upright, sRGB, bounded. Arrays only, so that all metadata stays behind.

The first bytes decide the format, never a name. Size, pixels and frames are read from the header,
before anything is decoded. JPEG and PNG are walked here and reach Pillow without their text, EXIF
and animation: Pillow inflates the one, warns about the other and would open formats we did not ask for.
A HEIC's items are walked by `heic_items`; what it takes is known before libheif sees it.
"""

import io
import re
import stat
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from errors import PhotoError
from pipelines.arrays import Pixels
from pipelines.selfie.colour import (
    ColourEncoding,
    Meaning,
    by_code_points,
    by_gamma,
    by_profile,
    grey_code,
    through_profile,
    to_srgb,
    unless_srgb,
)
from pipelines.selfie.heic_items import plan_heic
from pipelines.selfie.heic_reader import Decoded, decode, decode_apart
from pipelines.selfie.orientation import read_orientation, upright
from pipelines.selfie.raster import Raster, shrink, shrink_codes, working_size

MAX_BYTES = 12 * 2**20  # what any system shows as 12 MB, be it counted by 1000 or by 1024
MAX_PIXELS = 50_000_000  # phones with one big sensor write 48 to 50 million
# A HEIC's tiles stand over its edge: 8064 x 6048 px in tiles of 512 are 50.3 million. So many are decoded,
# and so many laid on canvases, at most.
MAX_LAYER_PIXELS = MAX_PIXELS * 5 // 4
AT_HAND = (
    2**20
)  # pixels of a HEIC decoded here; a process of its own costs 0.1 s, which is what they would take
# Long side after reading, px. A 1080p selfie (1920 px) stays as it is. A phone's 4032 px are halved: a head
# that fills a third of them keeps 680 px, and the largest plate (1080 x 1350) shows one at about 570.
WORKING_SIDE = 2048
MAX_SCANS = 100  # usual progressive files have about 10; each scan costs a pass over all pixels,
MAX_SCANNED = 20 * MAX_PIXELS  # and 99 over 50 million take 3.7 s
MAX_SEGMENTS = 1000  # 12 MB of depth map in XMP are 190; Pillow keeps each in a list
MAX_PROFILE = 4 * 2**20  # bytes; printers' profiles reach 2.5 MB
# Under what is transparent: the 18 % grey of the grey card. On white, half-transparent hair would bring
# a halo to a dark backdrop and the picture would be judged brighter than it is.
GROUND = (117, 117, 117)

PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
PNG_COLOUR = {b"cICP", b"iCCP", b"sRGB", b"gAMA", b"cHRM"}
PNG_READ = {b"IHDR", b"PLTE", b"tRNS", b"acTL", b"eXIf"} | PNG_COLOUR  # and IDAT
# Markers with a length behind them: not stuffing, fill bytes, restarts or TEM.
JPEG_MARKER = re.compile(rb"\xff[\x02-\xcf\xd8-\xfe]")
JPEG_KEPT = (b"JFIF\0", b"Adobe", b"ICC_PROFILE\0")  # the segments that say what the numbers mean
# ISO/IEC 23008-12: still pictures of any kind and by HEVC; sequences. What opens libheif tells, not these.
HEIF = {b"mif1", b"heic", b"heix", b"heim", b"heis"}
HEIF_MOVING = {b"hevc", b"hevx", b"hevm", b"hevs", b"msf1"}
AVIF = {b"avif", b"avis"}  # libheif would need another decoder
# What Pillow, pillow-heif and zlib raise for bytes that they cannot make a picture of.
BROKEN = (OSError, SyntaxError, ValueError, LookupError, EOFError, RuntimeError, struct.error, zlib.error)


@dataclass(frozen=True, eq=False)
class Photo:
    """One upright picture, never mirrored."""

    pixels: Pixels  # (H, W, 3) sRGB

    def __post_init__(self) -> None:
        self.pixels.setflags(write=False)


@dataclass(frozen=True, eq=False)
class _Opened:
    """A picture whose header was read and found bearable; its pixels wait."""

    raster: Raster
    colour: Meaning
    orientation: int = 1  # EXIF, 1 to 8


def open_photo(path: Path) -> Photo:
    """The photo in a file. Raises `PhotoError`; a file that is too big is not read at all."""
    return read_photo(file_bytes(path))


def file_bytes(path: Path) -> bytes:
    """What is in a file. Raises `PhotoError` `file.missing`, `.type` for no plain file, or `.big`."""
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):  # a folder; or a pipe, which would block
            raise PhotoError("file.type")
        _require_bytes(found.st_size)
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a name with a NUL in it
        raise PhotoError("file.missing") from error


def read_photo(data: bytes) -> Photo:
    """The photo in `data`, long side at most `WORKING_SIDE`.

    Raises `PhotoError`: `file.type`, `.big`, `.pixels`, `.moving` or `.broken`, and nothing else.
    """
    _require_bytes(len(data))
    try:
        opened = _open(data)
        return Photo(np.array(upright(_shown(opened.raster, opened.colour), opened.orientation)))
    except MemoryError as error:
        raise PhotoError("file.pixels", mp=MAX_PIXELS // 10**6) from error
    except BROKEN as error:
        raise PhotoError("file.broken") from error


def jpeg_segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Marker, start and end of each segment of a JPEG, from its first bytes to its end marker.

    A segment starts at its marker; what lies between the end of one and the start of the next is
    compressed picture. What follows the end marker (a phone's second picture, a film) is left out.
    """
    at = 2
    while found := JPEG_MARKER.search(data, at):
        start, marker = found.start(), data[found.start() + 1]
        if marker == 0xD9:
            return
        at = start + 2 + max(2, int.from_bytes(data[start + 2 : start + 4], "big"))
        yield marker, start, at


def png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Name and body of each chunk of a PNG; the last body may be cut short."""
    at = len(PNG_MAGIC)
    while at + 8 <= len(data):
        length, name = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        yield name, data[at + 8 : at + 8 + length]
        at += length + 12


def _require_bytes(count: int) -> None:
    if count > MAX_BYTES:
        raise PhotoError("file.big", mb=MAX_BYTES // 2**20)


def _require_pixels(size: tuple[int, int], most: int = MAX_PIXELS) -> None:
    if size[0] * size[1] > most:
        raise PhotoError("file.pixels", mp=MAX_PIXELS // 10**6)


def _shown(raster: Raster, colour: Meaning) -> Image.Image:
    """RGB in sRGB, at working size. Converted after that: few pixels, and a table's step each."""
    if isinstance(colour, ColourEncoding):
        codes = shrink_codes(raster, WORKING_SIDE, grey_code(GROUND[0], colour))
        return Image.fromarray(to_srgb(codes, colour))
    return through_profile(shrink(raster.image, WORKING_SIDE, GROUND[0]), colour)


def _open(data: bytes) -> _Opened:
    """The picture by what its first bytes are."""
    if data.startswith(b"\xff\xd8\xff"):
        return _open_jpeg(data)
    if data.startswith(PNG_MAGIC):
        return _open_png(data)
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return _open_webp(data)
    if data[4:8] == b"ftyp":
        return _open_heic(data)
    raise PhotoError("file.type")


def _open_jpeg(data: bytes) -> _Opened:
    """A JPEG, or the first picture of several (MPO, as phones write it), at a half to an eighth if huge."""
    pieces, exif, scans = [data[:2]], b"", 0
    for number, (marker, start, end) in enumerate(jpeg_segments(data)):
        scans += marker == 0xDA
        if scans > MAX_SCANS or number > MAX_SEGMENTS:
            raise PhotoError("file.broken")
        body = data[start + 4 : end]
        if marker == 0xDA and scans == 1:
            pieces.append(data[start:])
        elif scans == 0 and (marker < 0xE0 or body.startswith(JPEG_KEPT)):
            pieces.append(data[start:end])
        elif marker == 0xE1 and not exif and body.startswith(b"Exif\0\0"):
            exif = body
    image = JpegImageFile(io.BytesIO(b"".join(pieces)))
    _require_pixels(image.size)
    if scans * image.width * image.height > MAX_SCANNED:
        raise PhotoError("file.broken")
    image.draft(None, working_size(image.size, WORKING_SIDE))
    return _Opened(Raster(image), by_profile(image.info.get("icc_profile")), read_orientation(exif))


def _open_png(data: bytes) -> _Opened:
    """A PNG, rebuilt from the chunks that make the picture."""
    chunks = dict[bytes, bytes]()
    pixels = []
    for name, body in png_chunks(data):
        if name == b"IDAT":
            pixels.append(body)
        elif name in PNG_READ and not (pixels and name in PNG_COLOUR):
            chunks.setdefault(name, body)
    if int.from_bytes(chunks.get(b"acTL", b"")[:4], "big") > 1:
        raise PhotoError("file.moving")
    header = chunks.get(b"IHDR", b"")
    if header[9:10] == b"\3" and b"PLTE" not in chunks:  # Pillow asserts the palette
        raise PhotoError("file.broken")
    if header[8:9] == b"\x10":  # 16 bits a channel: Pillow keeps the upper 8, the key to transparency not
        chunks.pop(b"tRNS", None)
    _require_pixels((int.from_bytes(header[:4], "big"), int.from_bytes(header[4:8], "big")))
    kept: list[tuple[bytes, bytes]] = [
        (name, chunks[name]) for name in (b"IHDR", b"PLTE", b"tRNS") if name in chunks
    ]
    kept += [(b"IDAT", b"".join(pixels)), (b"IEND", b"")]
    packed = PNG_MAGIC + b"".join(_png_chunk(*chunk) for chunk in kept)
    depth = header[8]
    colour = unless_srgb(_png_colour(chunks, depth))
    is_deep = depth == 16 and isinstance(colour, ColourEncoding)
    raster = _deep_png(packed) if is_deep else Raster(PngImageFile(io.BytesIO(packed)))
    return _Opened(raster, colour, read_orientation(chunks.get(b"eXIf", b"")))


def _png_chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def _deep_png(packed: bytes) -> Raster:
    """16 bits a channel. Pillow unpacks the upper 8; told that the bytes stand the other way, the lower."""
    upper, lower = (PngImageFile(io.BytesIO(packed)) for _ in range(2))
    if upper.mode == "I;16":
        grey = np.asarray(upper)
        high, low = (Image.fromarray(half.astype(np.uint8)) for half in (grey >> 8, grey & 255))
        return Raster(high, low, depth=16)
    if upper.tile[0].args not in ("RGB;16B", "RGBA;16B"):  # grey with transparency
        return Raster(upper)
    lower.tile = [upper.tile[0]._replace(args=f"{upper.mode};16L")]
    return Raster(upper, lower, depth=16)


def _png_colour(chunks: dict[bytes, bytes], depth: int) -> Meaning:
    """By the first of cICP, iCCP, sRGB, gAMA with cHRM: PNG (third edition), 4.3, colour chunk priority."""
    named = _png_code_points(chunks.get(b"cICP", b""), depth)
    if found := named or by_profile(_png_profile(chunks.get(b"iCCP", b""))):
        return found
    gamma, corners = chunks.get(b"gAMA", b""), chunks.get(b"cHRM", b"")
    if b"sRGB" in chunks or (len(gamma) != 4 and len(corners) != 32):
        return None
    return by_gamma(
        int.from_bytes(gamma, "big") if len(gamma) == 4 else 0,
        tuple(part / 100_000 for part in struct.unpack(">8I", corners)) if len(corners) == 32 else None,
    )


def _png_code_points(body: bytes, depth: int) -> ColourEncoding | None:
    """Primaries, curve, matrix (RGB only) and range of a cICP chunk; None where it is none that we know."""
    if len(body) != 4 or body[2] != 0 or body[3] > 1:
        return None
    found = by_code_points(*body[:2])
    if not found or body[3] == 1:
        return found
    unit = 2 ** (max(depth, 8) - 8) / (2 ** max(depth, 8) - 1)  # H.273, 8.3: black is 16 units, white 235
    return replace(found, black=16 * unit, white=235 * unit)


def _png_profile(body: bytes) -> bytes | None:
    """The ICC profile of an iCCP chunk, inflated to `MAX_PROFILE` at most."""
    packed = body.partition(b"\0")[2][1:]
    try:
        profile = zlib.decompressobj().decompress(packed, MAX_PROFILE)
    except zlib.error:  # ignored like any broken profile
        return None
    return profile if profile[36:40] == b"acsp" else None  # ICC.1:2022, 7.2.11


def _open_webp(data: bytes) -> _Opened:
    _require_pixels(_webp_size(data))  # before libwebp takes the memory for its canvas
    image = WebPImageFile(io.BytesIO(data))
    if image.n_frames > 1:
        raise PhotoError("file.moving")
    profile = by_profile(image.info.get("icc_profile"))
    return _Opened(Raster(image), profile, read_orientation(image.info.get("exif", b"")))


def _webp_size(data: bytes) -> tuple[int, int]:
    """Width and height, px, as the first chunk says (RFC 9649, 2.5 to 2.7)."""
    if data[12:16] == b"VP8X":
        low_w, high_w, low_h, high_h = struct.unpack_from("<HBHB", data, 24)
        return (high_w << 16 | low_w) + 1, (high_h << 16 | low_h) + 1
    if data[12:16] == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if data[12:16] == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        return width & 0x3FFF, height & 0x3FFF
    raise ValueError("no WebP picture")


def _open_heic(data: bytes) -> _Opened:
    """The primary picture of a HEIC. libheif turns it upright (irot, imir): EXIF must not turn it again."""
    listed = data[8 : min(int.from_bytes(data[:4], "big"), 256)]  # major brand, version, compatible brands
    if listed[:4] in HEIF_MOVING:
        raise PhotoError("file.moving")
    try:
        return _read_heic(data)
    except BROKEN as error:  # of a kind that we read, or MP4, MOV, AVIF and others of the family?
        brands = {listed[at : at + 4] for at in range(0, len(listed), 4)}
        is_heic = brands & HEIF and not brands & AVIF and b"av1C" not in data
        raise PhotoError("file.broken" if is_heic else "file.type") from error


def _read_heic(data: bytes) -> _Opened:
    plan = plan_heic(data)
    _require_pixels(plan.size)
    for pixels in (plan.coded, plan.composed):
        _require_pixels((pixels, 1), MAX_LAYER_PIXELS)
    still = decode(plan.data) if plan.most <= AT_HAND else decode_apart(plan.data)
    _require_pixels(still.size)  # decoding may find another size than the items gave
    colour = unless_srgb(_heic_colour(still))

    def image(mode: str, form: str) -> Image.Image:
        return Image.frombytes(mode, still.size, still.pixels, "raw", form, still.stride)

    if not still.mode.endswith(";16"):
        return _Opened(Raster(image(still.mode, still.mode)), colour)
    # 16 bits each, the lower byte first; Pillow takes the upper one of either order
    mode, upper = ("RGB", "RGB;16L") if still.mode.startswith("RGB") else ("L", "L;16")
    if not isinstance(colour, ColourEncoding):
        return _Opened(Raster(image(mode, upper)), colour)
    deep = Raster(image(mode, upper), image(mode, mode + ";16B"), still.bit_depth)
    return _Opened(deep, colour)


def _heic_colour(still: Decoded) -> Meaning:
    """By its ICC profile, else by its code points; what they do not tell is sRGB's."""
    if found := by_profile(still.profile):
        return found
    primaries, transfer = still.code_points
    return by_code_points(primaries if primaries != 2 else 1, transfer if transfer != 2 else 13)
