"""What the numbers of a picture mean, and the same picture in sRGB: as a browser shows it.

Files say it with an ICC profile, with code points (ITU-T H.273: HEIC's nclx, PNG's cICP) or with a gamma and
chromaticities (PNG's gAMA and cHRM). Light is linear, 1.0 is the reference white, that of sRGB; codes are
uint16, 0..65535 whatever the depth of the file. What is lighter than the reference white, or more colourful
than sRGB, is cut off channel by channel, as a display without headroom does.
"""

import io
import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from pipelines.arrays import Array, Floats, Pixels

# cd/m2 of diffuse white in an HDR picture, ITU-R BT.2408, table 1: 58 % of PQ, 75 % of HLG.
REFERENCE_WHITE = 203.0
PQ_PEAK = 10_000.0  # cd/m2, SMPTE ST 2084
HLG_PEAK = 1000.0  # cd/m2 of the display that BT.2408's 75 % is told of; its system gamma is 1.2 (BT.2100)
HLG_GAMMA = 1.2
CODES = 2**16
BAND = 256  # rows at a time: 4 megapixels of float32 are 48 MB, several times
MAX_GAIN = 100.0  # of one primary by another; XYZ, the widest of H.273, has 3.2
MAX_TAGS = 100  # of an ICC profile, as LittleCMS reads it
SRGB_GAMMA = 45455  # gAMA of files that mean sRGB and say it to old readers (PNG, 11.3.2.5)

Codes = NDArray[np.uint16]
Curve = Callable[[Floats], Floats]  # signal 0..1 -> light
Chromaticities = tuple[
    float, float, float, float, float, float, float, float
]  # x, y of white, red, green, blue


@dataclass(frozen=True, eq=False)
class ColourEncoding:
    """How light was written as numbers. `black` and `white` are the signals of no light and of all."""

    curve: Curve
    matrix: Floats  # (3, 3), light of its primaries to light of sRGB's
    luminance: Floats  # (3,), what each of its primaries gives to it
    black: float = 0.0
    white: float = 1.0

    @property
    def is_srgb(self) -> bool:
        """Whether nothing is to be done. Chromaticities are told to three digits in H.273."""
        full = (self.black, self.white) == (0.0, 1.0)
        return full and self.curve is _srgb and bool(np.abs(self.matrix - np.eye(3)).max() < 2e-3)


Meaning = bytes | ColourEncoding | None  # an ICC profile, code points or a gamma, or nothing: sRGB


def by_code_points(primaries: int, transfer: int) -> ColourEncoding | None:
    """The encoding of two code points of H.273; None if one is reserved or says "unspecified"."""
    curve, corners = _CURVES.get(transfer), _PRIMARIES.get(primaries)
    return encoding(curve, corners) if curve and corners else None


def by_gamma(gamma: int, corners: Chromaticities | None) -> ColourEncoding | None:
    """The encoding of a gAMA chunk, in 1/100000, and of a cHRM chunk; without one (0, None) it is as in sRGB.

    Corners of no colour space are none, as in browsers.
    """
    curve = partial(_power, 100_000 / gamma) if gamma and abs(gamma - SRGB_GAMMA) > 1 else _srgb
    return (encoding(curve, corners) if corners else None) or encoding(curve, _PRIMARIES[1])


def by_profile(profile: bytes | None) -> Meaning:
    """The ICC profile itself, or what it names if that is PQ or HLG (tag cicp, ICC.1:2022, 9.2.17).

    What such a profile has for those who do not know the tag ends at white, or is the maker's own taste.
    """
    named = _code_points(profile or b"")
    return named if named and named.curve in (_pq, _hlg) else profile or None


def unless_srgb(meaning: Meaning) -> Meaning:
    """None where nothing is to be done."""
    return None if isinstance(meaning, ColourEncoding) and meaning.is_srgb else meaning


def _code_points(profile: bytes) -> ColourEncoding | None:
    try:
        (count,) = struct.unpack_from(">I", profile, 128)
        for tag in range(min(count, MAX_TAGS)):
            name, start = struct.unpack_from(">4sI", profile, 132 + 12 * tag)
            if name == b"cicp":
                return by_code_points(*struct.unpack_from("BB", profile, start + 8))
    except struct.error:  # cut short; who reads it in full may find it broken
        pass
    return None


def encoding(
    curve: Curve, corners: Chromaticities, black: float = 0.0, white: float = 1.0
) -> ColourEncoding | None:
    """By its curve and its chromaticities; None if those are no triangle around their white."""
    with np.errstate(all="ignore"):  # strangers write them
        try:
            to_xyz = _to_xyz(corners)
            matrix = np.linalg.inv(_to_xyz(_PRIMARIES[1])) @ _adapted(corners[:2]) @ to_xyz
        except np.linalg.LinAlgError:
            return None
        fits = (np.abs(matrix) < MAX_GAIN).all() and (to_xyz.sum(axis=0) > 0).all()  # NaN does not fit
    return ColourEncoding(curve, matrix, to_xyz[1], black, white) if fits else None


def to_srgb(codes: Codes, source: ColourEncoding) -> Pixels:
    """Codes (H, W, 3) of an encoding, in sRGB."""
    light, encoded = _light(source), _encoded()
    matrix, luminance = source.matrix.T.astype(np.float32), source.luminance.astype(np.float32)
    pixels = np.empty(codes.shape, np.uint8)
    for top in range(0, len(codes), BAND):
        band = light[codes[top : top + BAND]]
        if source.curve is _hlg:  # BT.2100's OOTF: from light of the scene to light of the display
            band *= ((band @ luminance).clip(0) ** np.float32(HLG_GAMMA - 1))[..., None]
            band *= np.float32(HLG_PEAK / REFERENCE_WHITE)
        shown = (band @ matrix).clip(0, 1)
        pixels[top : top + BAND] = encoded[np.rint(shown * (CODES - 1)).astype(np.uint16)]
    return pixels


def grey_code(level: int, source: ColourEncoding) -> int:
    """The code, 0..65535, of what is this grey of sRGB, 0..255."""
    ramp = np.arange(CODES, dtype=np.uint16).reshape(1, -1, 1).repeat(3, 2)
    return min(CODES - 1, int(np.searchsorted(to_srgb(ramp, source)[0, :, 1], level)))


def through_profile(image: Image.Image, profile: bytes | None) -> Image.Image:
    """L, RGB or CMYK by its ICC profile, perceptually. A broken one is ignored, as browsers do: sRGB then."""
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


def _light(source: ColourEncoding) -> Array:
    """Light of each code."""
    signal = (np.linspace(0, 1, CODES) - source.black) / (source.white - source.black)
    return source.curve(signal.clip(0, 1)).astype(np.float32)


@cache
def _encoded() -> NDArray[np.uint8]:
    """Value 0..255 in sRGB of light 0..1 in 65536 steps; in the dark they are a twentieth of a value."""
    light = np.linspace(0, 1, CODES)
    signal = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)  # IEC 61966-2-1
    values: NDArray[np.uint8] = np.rint(255 * signal).astype(np.uint8)
    return values


def _to_xyz(corners: Chromaticities) -> Floats:
    """Light of three primaries to XYZ, where their white has Y 1 (SMPTE RP 177)."""
    x, y = np.reshape(corners, (4, 2)).T
    xyz = np.array((x, y, 1 - x - y))
    primaries = xyz[:, 1:]
    return np.asarray(primaries * np.linalg.solve(primaries, xyz[:, 0] / y[0]))


def _adapted(white: tuple[float, ...]) -> Floats:
    """XYZ under a white to XYZ under D65, by Bradford's matrix (ICC.1:2022, annex E)."""
    bradford = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
    cones = [bradford @ (x / y, 1, (1 - x - y) / y) for x, y in (_PRIMARIES[1][:2], white)]
    return np.asarray(np.linalg.inv(bradford) @ np.diag(cones[0] / cones[1]) @ bradford)


def _power(exponent: float, signal: Floats) -> Floats:
    return np.asarray(signal**exponent)


def _srgb(signal: Floats) -> Floats:
    return np.where(signal <= 0.04045, signal / 12.92, ((signal + 0.055) / 1.055) ** 2.4)


def _bt709(signal: Floats) -> Floats:
    """What the camera's curve undoes, as browsers take it; a television would show it by BT.1886, darker."""
    return np.where(signal < 0.081, signal / 4.5, ((signal + 0.099) / 1.099) ** (1 / 0.45))


def _smpte240(signal: Floats) -> Floats:
    return np.where(signal < 0.0913, signal / 4, ((signal + 0.1115) / 1.1115) ** (1 / 0.45))


def _logarithmic(decades: float, signal: Floats) -> Floats:
    return np.where(signal > 0, 10 ** (decades * (signal - 1)), 0.0)


def _smpte428(signal: Floats) -> Floats:
    return np.asarray(52.37 / 48 * signal**2.6)


def _pq(signal: Floats) -> Floats:
    """SMPTE ST 2084, its EOTF; light of the display."""
    root = signal ** (32 / 2523)
    light = np.maximum(root - 0.8359375, 0) / (18.8515625 - 18.6875 * root)
    return np.asarray(PQ_PEAK / REFERENCE_WHITE * light ** (16384 / 2610))


def _hlg(signal: Floats) -> Floats:
    """ITU-R BT.2100, table 5: HLG's inverse OETF; light of the scene, 1.0 is the most."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    return np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12)


# ITU-T H.273, tables 2 and 3, without "unspecified" and what is reserved.
_C, _D65 = (0.310, 0.316), (0.3127, 0.3290)
_PRIMARIES: dict[int, Chromaticities] = {
    1: (*_D65, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06),  # BT.709, sRGB
    4: (*_C, 0.67, 0.33, 0.21, 0.71, 0.14, 0.08),
    5: (*_D65, 0.64, 0.33, 0.29, 0.60, 0.15, 0.06),
    6: (*_D65, 0.630, 0.340, 0.310, 0.595, 0.155, 0.070),
    7: (*_D65, 0.630, 0.340, 0.310, 0.595, 0.155, 0.070),
    8: (*_C, 0.681, 0.319, 0.243, 0.692, 0.145, 0.049),
    9: (*_D65, 0.708, 0.292, 0.170, 0.797, 0.131, 0.046),  # BT.2020, BT.2100
    10: (1 / 3, 1 / 3, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0),
    11: (0.314, 0.351, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
    12: (*_D65, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),  # Display P3
    22: (*_D65, 0.630, 0.340, 0.295, 0.605, 0.155, 0.077),
}
_CURVES: dict[int, Curve] = {
    **dict.fromkeys((1, 6, 11, 12, 14, 15), _bt709),
    4: partial(_power, 2.2),
    5: partial(_power, 2.8),
    7: _smpte240,
    8: partial(_power, 1.0),
    9: partial(_logarithmic, 2.0),
    10: partial(_logarithmic, 2.5),
    13: _srgb,
    16: _pq,
    17: _smpte428,
    18: _hlg,
}
