"""Do photos come in with the colours that a browser shows? `python -m evaluation.colour`.

A colour chart, skin tones and a face in sRGB are written in each way that cameras and programs have, read as
a visitor's photo, and compared with themselves: CIEDE2000, mean and most. Light is made into numbers by the
standards' own formulas for cameras; the reader (`pipelines.selfie.colour`) has those for displays.
"""

import io
import struct
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pillow_heif
from numpy.typing import NDArray
from PIL import Image
from skimage.color import deltaE_ciede2000
from skimage.data import astronaut

from pipelines.arrays import Floats, Pixels
from pipelines.measure.tone import lab_of, linear
from pipelines.selfie.photo import PNG_MAGIC, read_photo

PATCH = 24  # px; an even number of x265's blocks
# X-Rite's sRGB values of the ColorChecker Classic, row by row from dark skin to black.
COLOR_CHECKER = """
115 82 68   194 150 130  98 122 157  87 108 67    133 128 177  103 189 170
214 126 44  80 91 166    193 90 99   94 60 108    157 188 64   224 163 46
56 61 150   70 148 73    175 54 60   231 199 31   187 86 149   8 133 161
243 243 242 200 200 200  160 160 160 122 122 121  85 85 85     52 52 52
"""
# The Monk Skin Tone Scale, skintone.google, ten tones of the open "Monk Skin Tone" swatches.
MONK = "f6ede4 f3e7db f7ead0 eadaba d7bd96 a07e56 825c43 604134 3a312a 292420"
# Light of sRGB's primaries to light of others: CSS Color 4 (Display P3), Adobe RGB (1998), 4.3.6.1 by way of
# XYZ, ITU-R BT.2087 (BT.2020).
MATRICES = {
    "sRGB": np.eye(3),
    "P3": np.array([[0.822462, 0.177538, 0], [0.033194, 0.966806, 0], [0.017083, 0.072397, 0.910520]]),
    "A98": np.array([[0.715126, 0.284874, 0], [0, 1, 0], [0, 0.041162, 0.958838]]),
    "BT.2020": np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]]),
}
BT2020_LUMINANCE = np.array([0.2627, 0.6780, 0.0593])  # ITU-R BT.2100, table 4
WHITE = 203.0  # cd/m2, ITU-R BT.2408: diffuse white
# gAMA and cHRM bodies: in 1/100000; D65, Display P3.
LINEAR = struct.pack(">I", 100_000)
P3_CORNERS = struct.pack(">8I", 31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000)

Curve = Callable[[Floats], Floats]
Way = Callable[[Pixels], bytes]


def chart() -> Pixels:
    """The ColorChecker in six columns and the skin tones in three (the darkest twice), a patch `PATCH` px."""
    checker = np.array(COLOR_CHECKER.split(), np.uint8).reshape(4, 6, 3)
    tones = np.array([list(bytes.fromhex(tone)) for tone in MONK.split()], np.uint8)
    columns = np.concatenate([tones, tones[-2:]]).reshape(4, 3, 3)
    patches: Pixels = np.concatenate([checker, columns], axis=1)
    return patches.repeat(PATCH, 0).repeat(PATCH, 1)


def face() -> Pixels:
    """Eileen Collins, NASA (public domain): her face and what is around it, 224 x 224."""
    return np.ascontiguousarray(astronaut()[:224, 112:336])


def differences(wanted: Pixels, found: Pixels) -> Floats:
    """CIEDE2000, pixel by pixel."""
    return np.asarray(deltaE_ciede2000(lab_of(wanted), lab_of(found)))


def srgb_signal(light: Floats) -> Floats:
    """IEC 61966-2-1."""
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def bt709_signal(light: Floats) -> Floats:
    """ITU-R BT.709-6, item 1.2."""
    return np.where(light < 0.018, 4.5 * light, 1.099 * light**0.45 - 0.099)


def pq_signal(light: Floats) -> Floats:
    """SMPTE ST 2084, inverse EOTF; light 1.0 is `WHITE`."""
    m1, m2 = 2610 / 4096 / 4, 2523 / 4096 * 128
    c1, c2, c3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
    y = (light * WHITE / 10_000) ** m1
    return np.asarray(((c1 + c2 * y) / (1 + c3 * y)) ** m2)


def hlg_signal(light: Floats) -> Floats:
    """ITU-R BT.2100, table 5: from a 1000 cd/m2 display back to the scene, then the OETF; (..., 3)."""
    shown = light * WHITE / 1000
    scene = shown * np.maximum(shown @ BT2020_LUMINANCE, 1e-9)[..., None] ** ((1 - 1.2) / 1.2)
    a, b, c = 0.17883277, 1 - 4 * 0.17883277, 0.5 - 0.17883277 * np.log(4 * 0.17883277)
    high = a * np.log(np.maximum(12 * scene - b, 1e-9)) + c
    return np.where(scene <= 1 / 12, np.sqrt(3 * scene), high)


def power_signal(gamma: float) -> Curve:
    """A camera's exponent, as gAMA has it."""
    return lambda light: np.asarray(light**gamma)


def signal(pixels: Pixels, primaries: str, curve: Curve) -> Floats:
    """The same colours as signals 0..1 of other primaries and another curve."""
    return curve((linear(pixels) @ MATRICES[primaries].T).clip(0, 1)).clip(0, 1)


def png(values: Floats, *chunks: tuple[bytes, bytes], bits: int = 8) -> bytes:
    """Signals (H, W), or with 2 to 4 channels, as a PNG with these chunks before the pixels."""
    height, width, channels = np.atleast_3d(values).shape
    codes = np.rint(values * (2**bits - 1)).astype(f">u{bits // 8}").reshape(height, -1)
    rows = b"".join(b"\0" + row.tobytes() for row in codes)
    header = struct.pack(">IIBBBBB", width, height, bits, {1: 0, 2: 4, 3: 2, 4: 6}[channels], 0, 0, 0)
    body = ((b"IHDR", header), *chunks, (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return PNG_MAGIC + b"".join(
        struct.pack(">I", len(part)) + name + part + struct.pack(">I", zlib.crc32(name + part))
        for name, part in body
    )


def heic(values: Floats, primaries: int, transfer: int, matrix: int, bits: int = 8, **options: Any) -> bytes:
    """Signals (H, W, 3) as a HEIC with these code points (nclx)."""
    file, depth = io.BytesIO(), 8 if bits == 8 else 16
    codes = np.rint(values * (2**depth - 1)).astype(f"<u{depth // 8}")
    points = {"color_primaries": primaries, "transfer_characteristics": transfer}
    points |= {"matrix_coefficients": matrix, "full_range_flag": 1}
    mode = "RGB" if depth == 8 else "RGB;16"
    size = (values.shape[1], values.shape[0])
    finest = {"quality": 95, "chroma": 444} | points | options
    pillow_heif.encode(mode, size, codes.tobytes(), file, **finest)
    return file.getvalue()


def saved(values: Floats, kind: str, **options: Any) -> bytes:
    """Signals 0..1 as a file by Pillow, near lossless."""
    file = io.BytesIO()
    finest = {"WEBP": {"lossless": True}, "PNG": {}}.get(kind, {"quality": 98, "subsampling": 0})
    Image.fromarray(np.rint(values * 255).astype(np.uint8)).save(file, kind, **finest | options)
    return file.getvalue()


def two_pictures(pixels: Pixels) -> bytes:
    """MPO: behind the picture another, as phones with two lenses write it."""
    return saved(pixels / 255, "MPO", save_all=True, append_images=[Image.fromarray(255 - pixels)])


def gain_map(pixels: Pixels) -> bytes:
    """Ultra HDR: behind the picture how much brighter each part may become, in grey, a quarter as wide."""
    bright = Image.fromarray(pixels).convert("L").reduce(4)
    icc = icc_profile(*ICC["P3"])
    base = signal(pixels, "P3", srgb_signal)
    return saved(base, "MPO", save_all=True, append_images=[bright], icc_profile=icc)


def icc_profile(primaries: list[tuple[float, float]], curve: bytes, *more: tuple[bytes, bytes]) -> bytes:
    """An ICC profile of RGB primaries (x, y) under D65, adapted to D50 by Bradford's matrix; `more` tags."""
    bradford = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
    d65, d50 = np.array([0.95047, 1, 1.08883]), np.array([0.9642, 1, 0.8249])
    columns = np.array([(x / y, 1, (1 - x - y) / y) for x, y in primaries]).T
    matrix = columns * np.linalg.solve(columns, d65)
    adapted = np.linalg.inv(bradford) @ np.diag(bradford @ d50 / (bradford @ d65)) @ bradford @ matrix
    tags = {b"wtpt": _xyz(d50)} | {
        name: _xyz(adapted[:, at]) for at, name in enumerate((b"rXYZ", b"gXYZ", b"bXYZ"))
    }
    tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve) | dict(more)
    table, body, at = b"", b"", 128 + 4 + 12 * len(tags)
    for name, value in tags.items():
        table += struct.pack(">4sII", name, at + len(body), len(value))
        body += value
    head = struct.pack(">I4sI4s4s4s", at + len(body), b"lcms", 0x04300000, b"mntr", b"RGB ", b"XYZ ")
    head = (head + bytes(12) + b"acsp").ljust(68, b"\0") + _xyz(d50)[8:]
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body


def _xyz(value: NDArray[np.float64]) -> bytes:
    return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(part * 65536) for part in value))


# IEC 61966-2-1 as a parametric curve; Adobe RGB (1998): 563 / 256.
SRGB_CURVE = b"para\0\0\0\0\0\3\0\0" + struct.pack(
    ">5i", *(round(65536 * part) for part in (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045))
)
A98_CURVE = b"curv\0\0\0\0" + struct.pack(">IH", 1, 563) + b"\0\0"
ICC = {
    "P3": ([(0.68, 0.32), (0.265, 0.69), (0.15, 0.06)], SRGB_CURVE),
    "A98": ([(0.64, 0.33), (0.21, 0.71), (0.15, 0.06)], A98_CURVE),
    "BT.2020": ([(0.708, 0.292), (0.170, 0.797), (0.131, 0.046)], SRGB_CURVE),
}
CICP_PQ = (b"cicp", b"cicp\0\0\0\0" + bytes((9, 16, 0, 1)))  # ICC.1:2022, 10.3


def _by_icc(kind: str, primaries: str, curve: Curve) -> Way:
    return lambda pixels: saved(
        signal(pixels, primaries, curve), kind, icc_profile=icc_profile(*ICC[primaries])
    )


def _by_chunks(primaries: str, curve: Curve, *chunks: tuple[bytes, bytes], bits: int = 8) -> Way:
    return lambda pixels: png(signal(pixels, primaries, curve), *chunks, bits=bits)


def _by_nclx(
    primaries: str, curve: Curve, points: tuple[int, int, int], bits: int = 8, chroma: int = 444
) -> Way:
    return lambda pixels: heic(signal(pixels, primaries, curve), *points, bits=bits, chroma=chroma)


def _by_named_icc(pixels: Pixels) -> bytes:
    profile = icc_profile(*ICC["BT.2020"], CICP_PQ)
    return saved(signal(pixels, "BT.2020", pq_signal), "WEBP", icc_profile=profile)


def _narrow(pixels: Pixels) -> bytes:
    """H.273, 8.3: black is 16, white 235 of 255."""
    values = (16 + 219 * signal(pixels, "BT.2020", pq_signal)) / 255
    return png(values, (b"cICP", bytes((9, 16, 0, 0))))


A98_GAMMA = power_signal(256 / 563)
WAYS: dict[str, Way] = {
    "JPEG, sRGB": lambda pixels: saved(pixels / 255, "JPEG"),
    "JPEG, ICC Display P3": _by_icc("JPEG", "P3", srgb_signal),
    "JPEG, ICC Adobe RGB": _by_icc("JPEG", "A98", A98_GAMMA),
    "JPEG of two pictures (MPO)": two_pictures,
    "JPEG with a gain map (Ultra HDR)": gain_map,
    "WebP, ICC Display P3": _by_icc("WEBP", "P3", srgb_signal),
    "WebP, ICC that names PQ": _by_named_icc,
    "PNG, sRGB": lambda pixels: png(pixels / 255),
    "PNG, gAMA 1.0": _by_chunks("sRGB", power_signal(1), (b"gAMA", LINEAR)),
    "PNG, gAMA 1.0, 16 bit": _by_chunks("sRGB", power_signal(1), (b"gAMA", LINEAR), bits=16),
    "PNG, gAMA 1/1.8": _by_chunks("sRGB", power_signal(1 / 1.8), (b"gAMA", struct.pack(">I", 55556))),
    "PNG, gAMA 1/2.2": _by_chunks("sRGB", power_signal(1 / 2.2), (b"gAMA", struct.pack(">I", 45455))),
    "PNG, cHRM P3": _by_chunks("P3", srgb_signal, (b"cHRM", P3_CORNERS)),
    "PNG, gAMA 1.0, cHRM P3, 16 bit": _by_chunks(
        "P3", power_signal(1), (b"gAMA", LINEAR), (b"cHRM", P3_CORNERS), bits=16
    ),
    "PNG, ICC Adobe RGB": _by_icc("PNG", "A98", A98_GAMMA),
    "PNG, cICP P3": _by_chunks("P3", srgb_signal, (b"cICP", bytes((12, 13, 0, 1)))),
    "PNG, cICP PQ": _by_chunks("BT.2020", pq_signal, (b"cICP", bytes((9, 16, 0, 1)))),
    "PNG, cICP PQ, narrow range": _narrow,
    "PNG, cICP PQ, 16 bit": _by_chunks("BT.2020", pq_signal, (b"cICP", bytes((9, 16, 0, 1))), bits=16),
    "PNG, cICP HLG": _by_chunks("BT.2020", hlg_signal, (b"cICP", bytes((9, 18, 0, 1)))),
    "PNG, cICP BT.709": _by_chunks("sRGB", bt709_signal, (b"cICP", bytes((1, 1, 0, 1)))),
    "HEIC, nclx sRGB": _by_nclx("sRGB", srgb_signal, (1, 13, 6)),
    "HEIC, nclx P3": _by_nclx("P3", srgb_signal, (12, 13, 6)),
    "HEIC, nclx BT.709": _by_nclx("sRGB", bt709_signal, (1, 1, 1)),
    "HEIC, nclx BT.2020": _by_nclx("BT.2020", bt709_signal, (9, 14, 9)),
    "HEIC, nclx linear, 10 bit": _by_nclx("sRGB", power_signal(1), (1, 8, 1), bits=10),
    "HEIC, nclx P3, 10 bit": _by_nclx("P3", srgb_signal, (12, 13, 6), bits=10),
    "HEIC, nclx PQ, 10 bit": _by_nclx("BT.2020", pq_signal, (9, 16, 9), bits=10),
    "HEIC, nclx PQ, 10 bit, 4:2:0": _by_nclx("BT.2020", pq_signal, (9, 16, 9), bits=10, chroma=420),
    "HEIC, nclx HLG, 10 bit": _by_nclx("BT.2020", hlg_signal, (9, 18, 9), bits=10),
}


def main() -> None:
    """The table."""
    print("| way | chart, mean | chart, most | face, mean | face, most |\n| --- | --- | --- | --- | --- |")
    for name, way in WAYS.items():
        told = [differences(pixels, read_photo(way(pixels)).pixels) for pixels in (chart(), face())]
        print(f"| {name} | " + " | ".join(f"{some.mean():.2f} | {some.max():.1f}" for some in told) + " |")


if __name__ == "__main__":
    main()
