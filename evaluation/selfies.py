"""Which selfies the verdict refuses, and which it must not: whole, upright, uncovered faces.

    FACE_VALUE_PORTRAITS=... python -m evaluation.selfies [kind ...]

The 24 sitters of `test/` and 24 of `train/`, a third of each band of skin tones by the individual typology
angle, each as they are and spoilt in every way of `evaluation.spoilt_selfies`. Prints how many came out
right, by band, and what was said of the others; writes a sheet of each kind to runs/selfies.
"""

import os
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image

from errors import PhotoError
from evaluation.likeness import BANDS, ROOT, band_of, rows_of
from evaluation.real_hands import REAL_HANDS
from evaluation.spoilt_selfies import COVERED, CUT, HIDDEN, TILTED, TURNED, Spoil
from pipelines.arrays import Pixels
from pipelines.selfie.face import Face, FaceFinder
from pipelines.selfie.photo import Photo, open_photo

RUNS = ROOT / "runs" / "selfies"
# Of `train/`, not enlarged there, by band: with glasses, beards, long and big hair, a hijab, bald heads.
TRAIN = (
    *("J000309", "F000477", "A000380", "W000788", "C001130", "H001095", "O000173", "I000058"),  # dark
    *("L000578", "M001160", "W000808", "P000617", "F000476", "V000136", "K000385", "B001303"),  # mid
    *("W000814", "P000597", "V000131", "H001094", "R000600", "C001063", "M001163", "R000619"),  # light
)
UPRIGHT = 10.0  # degrees that the roll of a turned photo may differ from the original's
MOST_NAMED = 8  # sitters of each kind that came out wrong
CELL = 160  # px, of the sheets

KINDS: Mapping[str, Mapping[str, Spoil]] = {
    "right": {"as it is": lambda pixels, _: pixels, **TILTED},
    "turned": TURNED,
    "cut": CUT,
    "covered": COVERED,
    "hidden": {**HIDDEN, **REAL_HANDS},
}


class SelfieAnswer(NamedTuple):
    """What was said of one picture."""

    kind: str
    name: str
    sitter: str
    band: str
    key: str  # the verdict's, or the refusal's
    hidden: str
    is_right: bool


def sitters_of(folder: Path) -> list[tuple[Path, str]]:
    """File and band of each."""
    bands = {
        folder / name / Path(row["file"]).name: band_of(float(row["skin_ita"]))
        for name in ("test", "train")
        for row in rows_of(folder / f"{name}.csv")
    }
    files = [*sorted((folder / "test").glob("*.jpg")), *(folder / "train" / f"{name}.jpg" for name in TRAIN)]
    return [(file, bands[file]) for file in files]


def seen(finder: FaceFinder, pixels: Pixels) -> tuple[str, Face | None]:
    """What the finder says of a picture."""
    try:
        face = finder.find(Photo(pixels.copy()))
    except PhotoError as refusal:
        return refusal.key, None
    return face.verdict.key, face


def is_right(kind: str, original: Face, key: str, face: Face | None) -> bool:
    """Wrong pictures are refused, turned ones refused or used upright, right ones never refused."""
    good = key == "camera.good"
    if kind == "turned" and good and face:
        apart = (face.roll - original.roll + 180) % 360 - 180
        return abs(apart) <= UPRIGHT
    if kind == "right":
        return good and face is not None and not face.hidden
    if kind == "hidden":
        return face is not None and (not good or bool(face.hidden))
    return not good


def answers_of(job: tuple[Sequence[tuple[Path, str]], Sequence[str]]) -> list[SelfieAnswer]:
    """All pictures of some sitters."""
    sitters, names = job
    answers = []
    with FaceFinder() as finder:
        for file, band in sitters:
            original = finder.find(open_photo(file))
            for kind, name, spoil in kinds(names):
                pixels = spoil(original.photo.pixels, original.landmarks)
                key, face = seen(finder, pixels)
                right = is_right(kind, original, key, face)
                hidden = " ".join(sorted(face.hidden)) if face else ""
                answers.append(SelfieAnswer(kind, name, file.stem, band, key, hidden, right))
                _keep(pixels, f"{kind} {name}", f"{file.stem} {key} {hidden}")
    return answers


def kinds(names: Sequence[str]) -> Iterator[tuple[str, str, Spoil]]:
    """Kind, name and maker of each picture; all, or those of some kinds."""
    for kind, makers in KINDS.items():
        if not names or kind in names:
            for name, spoil in makers.items():
                yield kind, name, spoil


def table(answers: Sequence[SelfieAnswer]) -> str:
    """Right ones of all, by band, and what was said."""
    groups: dict[tuple[str, str], list[SelfieAnswer]] = defaultdict(list)
    for answer in answers:
        groups[answer.kind, answer.name].append(answer)
    rows = [f"| kind | picture | right | {' | '.join(BANDS)} | said |", "| --- " * (4 + len(BANDS)) + "|"]
    for (kind, name), some in groups.items():
        bands = [[answer.is_right for answer in some if answer.band == band] for band in BANDS]
        shares = " | ".join(f"{sum(band)}/{len(band)}" for band in bands)
        said = Counter(f"{answer.key} {answer.hidden}".strip() for answer in some).most_common()
        told = ", ".join(f"{key} {count}" for key, count in said)
        rows.append(f"| {kind} | {name} | {sum(a.is_right for a in some)}/{len(some)} | {shares} | {told} |")
    wrong: dict[str, list[str]] = defaultdict(list)
    for answer in answers:
        if not answer.is_right:
            wrong[answer.name].append(f"{answer.sitter} ({answer.key})")
    return "\n".join(
        [*rows, "", *(f"{name}: {', '.join(some[:MOST_NAMED])}" for name, some in wrong.items())]
    )


def _keep(pixels: Pixels, name: str, said: str) -> None:
    """One cell of the kind's sheet."""
    share = CELL / max(pixels.shape[:2])
    small = cv2.resize(pixels, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)
    cell = np.zeros((CELL + 14, CELL, 3), np.uint8)
    cell[: small.shape[0], : small.shape[1]] = small
    cv2.putText(cell, said, (2, CELL + 10), cv2.FONT_HERSHEY_SIMPLEX, 0.3, (255, 255, 0), 1, cv2.LINE_AA)
    (RUNS / name).mkdir(parents=True, exist_ok=True)
    Image.fromarray(cell).save(RUNS / name / f"{said.split()[0]}.png")


def _sheets() -> None:
    """The cells of each kind in one picture."""
    for folder in sorted(path for path in RUNS.iterdir() if path.is_dir()):
        cells = [np.asarray(Image.open(file)) for file in sorted(folder.glob("*.png"))]
        cells += [np.zeros_like(cells[0])] * (-len(cells) % 12)
        rows = [np.hstack(cells[start : start + 12]) for start in range(0, len(cells), 12)]
        Image.fromarray(np.vstack(rows)).save(RUNS / f"{folder.name}.png")


def main() -> None:
    """Both cores, then the table."""
    sitters = sitters_of(Path(os.environ["FACE_VALUE_PORTRAITS"]))
    with ProcessPoolExecutor(2) as pool:
        parts = pool.map(answers_of, [(sitters[half::2], sys.argv[1:]) for half in (0, 1)])
        answers = [answer for some in parts for answer in some]
    order = {(kind, name): index for index, (kind, name, _) in enumerate(kinds(()))}
    print(table(sorted(answers, key=lambda answer: order[answer.kind, answer.name])))
    _sheets()


if __name__ == "__main__":
    main()
