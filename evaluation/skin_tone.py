"""How well a lightened skin tone is restored.

    FACE_VALUE_PORTRAITS=... python -m evaluation.skin_tone [check|test ...]

Of the sitters that check the likeness report those with full-size pictures, and those of `test/`, each on
the plate of the grey look, 1080 x 1350, as portraits are finished. Skin is made lighter or darker by
three methods that the product does not know (`evaluation.drift`) and restored; what is left is told
as CIEDE2000: of the skin measure, and pixel by pixel of the face. Writes docs/skin-tone.md, and
sheets (plate, spoilt, restored) to look at to runs/skin_tone.
"""

import os
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image
from skimage.color import deltaE_ciede2000

from errors import PhotoError
from evaluation.drift import lighter, lighter_by_gain, lighter_by_gamma
from evaluation.likeness import BANDS, ROOT, BenchSitter, LikenessLab, sitters, sizes_of
from pipelines.arrays import Pixels
from pipelines.measure.likeness import Subject
from pipelines.measure.skin_tone import face_skin, restore_tone
from pipelines.measure.tone import lab_of, tone_change
from pipelines.selfie.photo import Photo

RUNS = ROOT / "runs" / "skin_tone"
METHODS = {"additive": lighter, "gamma": lighter_by_gamma, "gain": lighter_by_gain}
AMOUNTS = (-6, 4, 6, 8)  # L*
SHOWN = 6  # the amount on the sheets
SHEET_ROWS = 6
PARTS = ("check", "test")  # of the sitters; a page of some of them says so


class Answer(NamedTuple):
    """One face, spoilt and restored; CIEDE2000 against the plate."""

    band: str
    part: str
    method: str
    amount: int
    tone_before: float
    tone_after: float
    pixels_after: float  # median over the face


def judged(sitter: BenchSitter, lab: LikenessLab, folder: Path) -> tuple[list[Answer], Pixels]:
    """All answers of a sitter, and their row of the sheet."""
    pixels = lab.plate_of(lab.face(folder / sitter.file), "finished")
    plate = lab.subject(pixels)
    answers, row = [], [pixels]
    for method, change in METHODS.items():
        for amount in AMOUNTS:
            spoilt = change(amount)(pixels, plate.landmarks, plate.face.mask)
            portrait = lab.subject(spoilt)
            mended = restore_tone(plate, portrait)
            answers.append(_answer(sitter, method, amount, plate, portrait, mended))
            if amount == SHOWN:
                row += [spoilt, mended]
    return answers, np.hstack(row)


def _answer(
    sitter: BenchSitter, method: str, amount: int, plate: Subject, portrait: Subject, mended: Pixels
) -> Answer:
    after = replace(portrait.face, photo=Photo(mended))
    before = tone_change(plate.face, portrait.face, plate.landmarks, portrait.landmarks)
    rest = tone_change(plate.face, after, plate.landmarks, portrait.landmarks)
    apart = deltaE_ciede2000(lab_of(plate.face.photo.pixels), lab_of(mended))
    return Answer(
        sitter.band,
        sitter.part,
        method,
        amount,
        before.delta_e,
        rest.delta_e,
        float(np.median(apart[face_skin(plate)])),
    )


def work(job: tuple[Path, list[BenchSitter], int]) -> list[Answer]:
    """Some sitters; their sheet goes to runs/skin_tone."""
    folder, some, number = job
    lab, answers, rows = LikenessLab(folder), [], []
    for sitter in some:
        with suppress(PhotoError):
            found, row = judged(sitter, lab, folder)
            answers += found
            rows.append(row)
    lab.close()
    if rows:
        name = f"{some[0].part}-{number:02}.jpg"
        Image.fromarray(np.vstack(rows)).save(RUNS / name, quality=92)
    return answers


def jobs(folder: Path, parts: Sequence[str] = PARTS) -> Iterator[tuple[Path, list[BenchSitter], int]]:
    """Sheets of few sitters, one part each."""
    everyone = [sitter for sitter in sitters(folder) if "finished" in sizes_of(sitter)]
    for part in parts:
        some = sorted((sitter for sitter in everyone if sitter.part == part), key=lambda sitter: sitter.band)
        for number, start in enumerate(range(0, len(some), SHEET_ROWS)):
            yield folder, some[start : start + SHEET_ROWS], number


def page(answers: Sequence[Answer]) -> str:
    """docs/skin-tone.md."""
    groups: dict[tuple[str, int, str], list[Answer]] = defaultdict(list)
    for answer in answers:
        groups[answer.part, answer.amount, answer.band].append(answer)
    rows = [
        "| sitters | change, L* | band | n | tone before | tone after, p95 | pixels after, p50 | p95 |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for part in PARTS:
        for amount in AMOUNTS:
            for band in BANDS:
                if some := groups[part, amount, band]:
                    rows.append(_row(part, amount, band, some))
    asked = "".join(f" {part}" for part in PARTS if any(answer.part == part for answer in answers))
    return HEAD.format(asked=asked) + "\n".join(rows) + "\n" + TAIL


def _row(part: str, amount: int, band: str, some: Sequence[Answer]) -> str:
    before = np.median([answer.tone_before for answer in some])
    after = np.quantile([answer.tone_after for answer in some], 0.95)
    middle, worst = np.quantile([answer.pixels_after for answer in some], (0.5, 0.95))
    return (
        f"| {part} | {amount:+d} | {band} | {len(some)} | {before:.1f} | {after:.2f} | "
        f"{middle:.2f} | {worst:.2f} |"
    )


HEAD = """# How well a skin tone is restored

Written by `python -m evaluation.skin_tone{asked}`. Plates (1080 x 1350, as portraits are finished) of
sitters on whom no threshold was set, their skin made lighter or darker by three methods (added in L*, a gamma
curve, more light), then restored. CIEDE2000 against the plate: *tone* by the skin measure of the report,
*pixels* the median over the face. Three methods a sitter make n.

"""
TAIL = """
What is spoilt here is the plate itself, so the correction meets the plate's own light. A model that also
turns the light leaves more. Where more light clipped a bright forehead, what was lost there does not come
back: a pale patch stays. Backdrop, hair and clothes are not touched where they are not coloured like skin.
"""


def main() -> None:
    """Both cores, then the page."""
    folder = Path(os.environ["FACE_VALUE_PORTRAITS"])
    RUNS.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(2) as pool:
        parts = pool.map(work, jobs(folder, sys.argv[1:] or PARTS))
        answers = [answer for some in parts for answer in some]
    (ROOT / "docs" / "skin-tone.md").write_text(page(answers), encoding="utf-8")


if __name__ == "__main__":
    main()
