"""How often the face-recognition program is right.

    FACE_VALUE_PORTRAITS=... python -m evaluation.recognition

All faces of `train/`: pairs of photos of one person (`pairs.csv`, without one picture twice) against all
pairs of strangers, by band of skin tone; a pair belongs to a band where both photos do. The limit is the
product's own. Descriptors are of public portraits, stay in memory and are written nowhere. Writes
docs/recognition.md.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from errors import PhotoError
from evaluation.likeness import BANDS, ROOT, SAME_PICTURE, band_of, persons_of, rows_of
from evaluation.likeness_page import Rate, row
from pipelines.arrays import Floats
from pipelines.measure.recognition import SAME_PERSON, Recognizer
from pipelines.selfie.face import FaceFinder
from pipelines.selfie.photo import open_photo

Descriptors = Floats  # (n, 128)


def descriptors(folder: Path, files: Sequence[str]) -> dict[str, Descriptors]:
    """Of every file in which a face is found."""
    found, asked = {}, Recognizer()
    with FaceFinder() as finder:
        for i, file in enumerate(files, 1):
            with suppress(PhotoError):
                one = asked.descriptor(finder.find(open_photo(folder / "train" / file)))
                if np.isfinite(one).all():
                    found[file] = one
            print(f"\r{i} of {len(files)}", end="", flush=True)
    return found


def same(known: dict[str, Descriptors], folder: Path) -> Iterator[tuple[str, str, float]]:
    """Pairs of photos of one person, with their distance."""
    for pair in rows_of(folder / "pairs.csv"):
        first, second = pair["first"], pair["second"]
        if float(pair["distance"]) >= SAME_PICTURE and first in known and second in known:
            yield first, second, float(np.linalg.norm(known[first] - known[second]))


def strangers(known: dict[str, Descriptors], persons: dict[str, str], files: Sequence[str]) -> Descriptors:
    """All distances between photos of two people, (pairs,)."""
    every = np.array([known[file] for file in files])
    squares = (every**2).sum(axis=1)
    apart = np.sqrt(np.maximum(0, squares[:, None] + squares[None] - 2 * every @ every.T))
    names = np.array([persons.get(file, file) for file in files])
    return np.asarray(apart[np.triu(names[:, None] != names[None], 1)])


def page(known: dict[str, Descriptors], folder: Path) -> str:
    """docs/recognition.md."""
    bands = {one["file"]: band_of(float(one["skin_ita"])) for one in rows_of(folder / "train.csv")}
    pairs, persons = list(same(known, folder)), persons_of(folder)
    lines = [
        row("band", "photos", "one person, found", "strangers, taken for one", "of pairs"),
        row(*["---"] * 5),
    ]
    for name, which in {"all": tuple(BANDS), **{band: (band,) for band in BANDS}}.items():
        files = [file for file in known if bands[file] in which]
        own = [away for first, second, away in pairs if bands[first] in which and bands[second] in which]
        apart = strangers(known, persons, files)
        taken = 100 * float((apart < SAME_PERSON).mean())
        found = Rate(sum(away < SAME_PERSON for away in own), len(own))
        lines.append(row(name, len(files), found, f"{taken:.3f} %", f"{len(apart):,}"))
    everyone = np.array([away for *_, away in pairs])
    told = _quantiles(everyone, strangers(known, persons, list(known)))
    return HEAD.format(limit=SAME_PERSON) + "\n".join(lines) + f"\n\n{told}\n"


def _quantiles(own: Descriptors, apart: Descriptors) -> str:
    same_person = ", ".join(
        f"p{round(100 * share)} {np.quantile(own, share):.2f}" for share in (0.05, 0.5, 0.9, 0.99)
    )
    near = ", ".join(
        f"one in {round(1 / share):,} below {np.quantile(apart, share):.3f}"
        for share in (0.01, 0.001, 0.0001)
    )
    return f"Distances. One person: {same_person}. Strangers: {near}."


HEAD = """# How often the face-recognition program is right

Written by `python -m evaluation.recognition`, with dlib's network and five points of our own mesh, on
official portraits. Two photos are taken for the same person below {limit}. Pairs of one person are
different pictures of them. Brackets: 95 % interval (Wilson), then the number of pairs. Brothers,
father and son come as near as two photos of one person: the answer is evidence, no proof.

"""


def main() -> None:
    """All of them."""
    folder = Path(os.environ["FACE_VALUE_PORTRAITS"])
    known = descriptors(folder, [one["file"] for one in rows_of(folder / "train.csv")])
    (ROOT / "docs" / "recognition.md").write_text(page(known, folder), encoding="utf-8")


if __name__ == "__main__":
    main()
