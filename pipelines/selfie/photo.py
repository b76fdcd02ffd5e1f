"""Untrusted bytes to `Photo`: upright, sRGB, bounded. Arrays only, so that all metadata stays behind.

The first bytes decide the format, never a name. Size, pixels and frames are read from the header,
before anything is decoded. JPEG and PNG are walked here and reach Pillow without their text, EXIF
and animation: Pillow inflates the one, warns about the other and would open formats we did not ask for.
"""

import io
import re
import stat
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pillow_heif
from PIL import Image, ImageCms
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from errors import PhotoError
from pipelines.arrays import Pixels

MAX_BYTES = 12 * 2**20  # what any system shows as 12 MB, be it counted by 1000 or by 1024
MAX_PIXELS = 50_000_000  # phones with one big sensor write 48 to 50 million
# Long side after reading, px. A 1080p selfie (1920 px) stays as it is. A phone's 4032 px are halved: a head
# that fills a third of them keeps 680 px, and the largest plate (1080 x 1350) shows one at about 570.
WORKING_SIDE = 2048
TILE = 1024  # px, side of what is converted at a time: a palette of 50 megapixels is never 200 MB of RGBA
MAX_SCANS = 100  # usual progressive files have about 10; each scan costs a pass over all pixels
MAX_SEGMENTS = 1000  # 12 MB of depth map in XMP are 190; Pillow keeps each in a list
MAX_PROFILE = 4 * 2**20  # bytes; printers' profiles reach 2.5 MB
# Under what is transparent: the 18 % grey of the grey card. On white, half-transparent hair would bring
# a halo to a dark backdrop and the picture would be judged brighter than it is.
GROUND = (117, 117, 117)

PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
PNG_READ = {b"IHDR", b"PLTE", b"tRNS", b"acTL", b"iCCP", b"eXIf"}  # and IDAT
# Markers with a length behind them: not stuffing, fill bytes, restarts or TEM.
JPEG_MARKER = re.compile(rb"\xff[\x02-\xcf\xd8-\xfe]")
JPEG_KEPT = (b"JFIF\0", b"Adobe", b"ICC_PROFILE\0")  # the segments that say what the numbers mean
HEIC = {b"heic", b"heix", b"heim", b"heis"}  # ISO/IEC 23008-12, annex B: HEVC still pictures
HEIC_MOVING = {b"hevc", b"hevx", b"hevm", b"hevs", b"msf1"}  # ... and sequences
# EXIF 2.3, tag 0x0112: how to undo what the camera did.
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
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

    image: Image.Image
    profile: bytes | None  # ICC
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
        image = _to_srgb(_shrink(opened.image), opened.profile)
        turn = TURNS.get(opened.orientation)
        return Photo(np.array(image if turn is None else image.transpose(turn)))
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


def _require_pixels(size: tuple[int, int]) -> None:
    if size[0] * size[1] > MAX_PIXELS:
        raise PhotoError("file.pixels", mp=MAX_PIXELS // 10**6)


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
    image.draft(None, _working_size(image.size))
    return _Opened(image, image.info.get("icc_profile"), _orientation(exif))


def _open_png(data: bytes) -> _Opened:
    """A PNG, rebuilt from the chunks that make the picture."""
    chunks = dict[bytes, bytes]()
    pixels = []
    for name, body in png_chunks(data):
        if name == b"IDAT":
            pixels.append(body)
        elif name in PNG_READ:
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
    image = PngImageFile(io.BytesIO(PNG_MAGIC + b"".join(_png_chunk(*chunk) for chunk in kept)))
    return _Opened(image, _png_profile(chunks.get(b"iCCP", b"")), _orientation(chunks.get(b"eXIf", b"")))


def _png_chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def _png_profile(body: bytes) -> bytes | None:
    """The ICC profile of an iCCP chunk, inflated to `MAX_PROFILE` at most."""
    packed = body.partition(b"\0")[2][1:]
    try:
        return zlib.decompressobj().decompress(packed, MAX_PROFILE) or None
    except zlib.error:  # ignored like any broken profile
        return None


def _open_webp(data: bytes) -> _Opened:
    _require_pixels(_webp_size(data))  # before libwebp takes the memory for its canvas
    image = WebPImageFile(io.BytesIO(data))
    if image.n_frames > 1:
        raise PhotoError("file.moving")
    return _Opened(image, image.info.get("icc_profile"), _orientation(image.info.get("exif", b"")))


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
    brands = data[8 : min(int.from_bytes(data[:4], "big"), 256)]  # major, version, compatible ones
    if brands[:4] in HEIC_MOVING:
        raise PhotoError("file.moving")
    if not HEIC & {brands[at : at + 4] for at in range(0, len(brands), 4)}:
        raise PhotoError("file.type")  # AVIF, MP4, MOV and others of the family
    file = pillow_heif.open_heif(data)
    still = file[file.primary_index]
    _require_pixels(still.size)
    pixels = still.data
    _require_pixels(still.size)  # decoding may find another size than the header gave
    image = Image.frombytes(still.mode, still.size, pixels, "raw", still.mode, still.stride)
    profile = still.info.get("icc_profile")
    return _Opened(image, profile if isinstance(profile, bytes) else None)


def _orientation(exif: bytes) -> int:
    """EXIF's orientation, 1 where there is none. Pillow's reader would warn about odd files."""
    tiff = exif.removeprefix(b"Exif\0\0")
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(tiff[:4])
    if order is None:
        return 1
    try:
        (start,) = struct.unpack_from(order + "I", tiff, 4)
        (count,) = struct.unpack_from(order + "H", tiff, start)
        for entry in range(count):
            tag, _, _, value = struct.unpack_from(order + "HHIH", tiff, start + 2 + 12 * entry)
            if tag == 0x0112:
                return int(value)
    except struct.error:  # cut short: nothing more to learn
        pass
    return 1


def _working_size(size: tuple[int, int]) -> tuple[int, int]:
    """Width and height at working size, px; a smaller picture stays as it is."""
    scale = min(1.0, WORKING_SIDE / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _shrink(image: Image.Image) -> Image.Image:
    """The picture at working size, L, RGB or CMYK: by whole boxes, tile by tile, and the rest by Lanczos."""
    goal = _working_size(image.size)
    factor = max(1, max(image.size) // WORKING_SIDE)
    step = factor * max(1, TILE // factor)
    width, height = image.size
    small = Image.new(_flat_mode(image), (-(-width // factor), -(-height // factor)))
    for top in range(0, height, step):
        for left in range(0, width, step):
            box = (left, top, min(left + step, width), min(top + step, height))
            tile = _flat(image.crop(box))
            small.paste(tile.reduce(factor) if factor > 1 else tile, (left // factor, top // factor))
    return small if small.size == goal else small.resize(goal, Image.Resampling.LANCZOS)


def _flat_mode(image: Image.Image) -> str:
    if image.mode.startswith("I;16"):
        return "L"
    if image.has_transparency_data:
        return "RGB"
    return {"1": "L", "L": "L", "CMYK": "CMYK"}.get(image.mode, "RGB")


def _flat(tile: Image.Image) -> Image.Image:
    """Without palette, 16 bits or transparency."""
    if tile.mode.startswith("I;16"):  # Pillow's own conversion clips at 255
        return Image.fromarray((np.asarray(tile) >> 8).astype(np.uint8))
    if tile.has_transparency_data:
        ground = Image.new("RGBA", tile.size, (*GROUND, 255))
        return Image.alpha_composite(ground, tile.convert("RGBA")).convert("RGB")
    return tile.convert(_flat_mode(tile))


def _to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """RGB by the picture's own profile, perceptually. A broken one is ignored, as browsers do: sRGB then."""
    if not profile:
        return image.convert("RGB")
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if image.mode == "L" and source.profile.xcolor_space == "RGB ":  # grey stored with a camera's profile
            image = image.convert("RGB")
        target = ImageCms.createProfile("sRGB")
        converted = ImageCms.profileToProfile(image, source, target, outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return image.convert("RGB")
    return converted or image.convert("RGB")
