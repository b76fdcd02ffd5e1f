"""Which portraits are fit to learn from: photographs of one person, without a frame, cleanly cut out.

    FACE_VALUE_PORTRAITS=... python -m training.selection --dropped runs/mini/plates/dropped.json --sheet FILE

prints how many `training.data` dropped and why, and draws all of them on one PNG to be looked at. The
thresholds were set by looking at such sheets; what they miss is listed by name in `dropped.toml`.
"""

import argparse
import json
import os
import tomllib
from collections import Counter
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import cv2
import numpy as np

from errors import PhotoError
from pipelines.arrays import Array, Pixels
from pipelines.selfie.face import Face, FaceFinder
from pipelines.selfie.photo import Photo, open_photo

LINE_PX, LINE_STEP = (
    11,
    14,
)  # a printed border is narrower than this, and brighter than both its sides by so much
TURNS = range(-16, 17)  # degrees; prints were scanned askew, or turned with the sitter's eyes
EDGES = 0.24, 0.20  # where a border may lie, shares of the width and height
FRAMED = (
    0.89  # share of two sides that a border covers: 56 prints and four other pictures; others at most 0.88
)
SMEAR_STEP, SMEARED = (
    1.2,
    20,
)  # grey values between rows that a border repeated; px of such rows at the bottom

BY_EYE = Path(__file__).parent / "dropped.toml"
# A selfie in such a state is sent back; a training picture may be small or turned
USABLE = ("camera.good", "face.small", "face.turned")
BODY, LEAST_BODY = (
    (slice(290, None), slice(60, 196)),
    0.9,
)  # where a suit belongs on the canvas; its mean alpha


@cache
def by_eye() -> Mapping[str, str]:
    """Reason by file, for what no measure found."""
    table = tomllib.loads(BY_EYE.read_text(encoding="utf-8"))
    return {file: reason for reason, files in table.items() for file in files}


def why_not(file: str, face: Face, finder: FaceFinder) -> str:
    """Why a portrait is left out; empty where it is fit to learn from."""
    if face.verdict.key not in USABLE:
        return face.verdict.key
    if file in by_eye():
        return by_eye()[file]
    if framed(face.photo.pixels) >= FRAMED:
        return "framed"
    if ends_early(face.photo.pixels) >= SMEARED:
        return "ends early"
    return "second face" if another_face(face, finder) else ""


def why_cut_badly(alpha: Array) -> str:
    """Why a plate's matte will not do: the sitter ends above the lower edge. Empty where it does."""
    return "cut badly" if float(alpha[BODY].mean()) < LEAST_BODY else ""


def framed(pixels: Pixels) -> float:
    """How much of the second most covered side of the picture is a thin bright straight line, 0 to 1."""
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    square = cv2.getStructuringElement(cv2.MORPH_RECT, (LINE_PX, LINE_PX))
    line = (cv2.morphologyEx(grey, cv2.MORPH_TOPHAT, square) > LINE_STEP).astype(np.uint8)
    return max(_two_sides(line, angle) for angle in TURNS)


def _two_sides(line: Pixels, angle: float) -> float:
    height, width = line.shape
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), angle, 1)
    turned, there = (
        cv2.warpAffine(picture, turn, (width, height), flags=cv2.INTER_NEAREST)
        for picture in (line, np.ones_like(line))
    )
    upright, level = cv2.dilate(turned, np.ones((1, 5))) * there, cv2.dilate(turned, np.ones((5, 1))) * there
    down = upright.sum(axis=0) / np.maximum(there.sum(axis=0), 0.75 * height)
    across = level.sum(axis=1) / np.maximum(there.sum(axis=1), 0.75 * width)
    side, top = int(EDGES[0] * width), int(EDGES[1] * height)
    shares = [down[:side].max(), down[-side:].max(), across[:top].max(), across[-top:].max()]
    return float(sorted(shares)[-2])


def ends_early(pixels: Pixels) -> int:
    """Rows at the bottom that only repeat the last of the original, px. Turned pictures repeat it aslant."""
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY).astype(np.float64)
    columns, longest = np.arange(grey.shape[1]), 0
    for slant in np.arange(-0.25, 0.26, 0.05):
        rows = 0
        while rows < len(grey) - 1:
            above = np.interp(columns + slant, columns, grey[-rows - 2])
            if np.abs(grey[-rows - 1] - above)[8:-8].mean() >= SMEAR_STEP:
                break
            rows += 1
        longest = max(longest, rows)
    return longest


def another_face(face: Face, finder: FaceFinder) -> bool:
    """Whether somebody is still in the picture when the sitter's face is painted over."""
    pixels, points = face.photo.pixels.copy(), face.landmarks[:, :2]
    (x, y), (wide, high) = points.mean(axis=0), np.ptp(points, axis=0) * 1.44
    plain = np.median(pixels.reshape(-1, 3), axis=0)
    box = (float(x), float(y)), (float(wide), float(high)), 0.0
    cv2.ellipse(pixels, box, [float(value) for value in plain], -1)
    try:
        return bool(np.isfinite(finder.find(Photo(pixels)).landmarks).all())
    except PhotoError as error:
        return error.key == "face.many"


def sheet(folder: Path, dropped: Mapping[str, str]) -> Pixels:
    """All dropped portraits by reason in rows of 24, a quarter of their size, with the reason's beginning."""
    tiles = []
    for file, reason in sorted(dropped.items(), key=lambda item: item[1]):
        picture = np.ascontiguousarray(open_photo(folder / file).pixels[..., ::-1])
        tile = cv2.resize(picture, (64, 80), interpolation=cv2.INTER_AREA)
        tiles.append(cv2.putText(tile, reason[:9], (1, 10), cv2.FONT_HERSHEY_SIMPLEX, 0.33, (255, 255, 255)))
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % 24)
    return np.vstack([np.hstack(tiles[row : row + 24]) for row in range(0, len(tiles), 24)])


def main() -> None:
    """Count and draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dropped", type=Path, default=Path("runs/mini/plates/dropped.json"))
    parser.add_argument("--sheet", type=Path, required=True)
    wanted = parser.parse_args()
    dropped = json.loads(wanted.dropped.read_text(encoding="utf-8"))
    for reason, count in Counter(dropped.values()).most_common():
        print(f"{reason}: {count}")
    cv2.imwrite(str(wanted.sheet), sheet(Path(os.environ["FACE_VALUE_PORTRAITS"]) / "train", dropped))


if __name__ == "__main__":
    main()
