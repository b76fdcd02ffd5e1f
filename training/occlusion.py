"""Fits the weights by which `pipelines.selfie.occlusion` tells a seen region of a face from a covered one.

    FACE_VALUE_PORTRAITS=... python -m training.occlusion

Portraits of `train/`, but for the people on whom `evaluation.selfies` reports, as they are and with things
laid over them at random (`training.covers`). A region whose patch is mostly covered is hidden, one hardly
touched is seen; logistic regression, which leans towards seen. Prints how it does on people who were not
fitted. Writes pipelines/selfie/occlusion.npz, and sheets to look at to runs/occlusion.
"""

import os
import sys
import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image

from evaluation.likeness import ROOT, persons_of, rows_of
from evaluation.selfies import TRAIN
from pipelines.arrays import Array, Floats, Mask, Pixels, Points
from pipelines.mesh import FaceFrame, align_face
from pipelines.selfie.face import FaceFinder
from pipelines.selfie.occlusion import PAIRED, PATCHES, WEIGHTS, looks
from training.covers import covered, light_changed
from training.hands import hand_on_a_cheek

RUNS = ROOT / "runs" / "occlusion"
LEAST_SCALE = 0.3  # softer ones say nothing of edges
COVERED_EACH, PLAIN_EACH, HANDS_EACH = 4, 2, 4  # pictures of each sitter
SEEN = 0.06  # share of a patch that is covered, at most
# At least. A hand that holds a chin leaves the upper half of a cheek.
HIDDEN: Mapping[str, float] = {"eyes": 0.6, "nose": 0.6, "mouth": 0.6, "cheeks": 0.5}
RIDGE, STEPS = 100.0, 6
SHOWN = 240  # covered faces on a sheet
CHECKED = 4  # one sitter of so many is not fitted
# Log odds by which what is doubtful counts as seen: of 690 plain faces not fitted no mouth and one nose is
# taken for hidden then, and 97 and 94 % of those that are hidden. Hollow and turned cheeks look a little like
# fingers: 13 of 1,380 plain ones not fitted are taken for hidden, and 95 % of those that are hidden.
IN_DOUBT: Mapping[str, float] = {"eyes": 0.5, "nose": 0.5, "mouth": 0.5, "cheeks": 1.0}


class Example(NamedTuple):
    """One patch of one picture."""

    region: str
    look: Floats
    is_seen: bool
    is_plain: bool  # nothing lies anywhere on this face
    is_checked: bool


def examples_of(
    face: FaceFrame, lies: Array | None, is_checked: bool, regions: Collection[str] = tuple(PATCHES)
) -> Iterator[Example]:
    """The patches of a face's regions that are clearly seen or clearly hidden."""
    height, width = face.pixels.shape[:2]
    under = np.zeros((height, width), np.float32)
    if lies is not None:
        under = cv2.warpAffine(lies, face.matrix, (width, height)).astype(np.float32)
    seen = looks(face)
    for region in regions:
        patch = PATCHES[region]
        sides = (under, under[:, ::-1]) if region in PAIRED else (under,)
        for look, side in zip(seen[region], sides, strict=True):
            inset_x, inset_y = patch.width // 6, patch.height // 6
            core = side[patch.top + inset_y : patch.top + patch.height - inset_y,
                        patch.left + inset_x : patch.left + patch.width - inset_x]  # fmt: skip
            share = float(core.mean())
            if share >= HIDDEN[region] or share <= SEEN:
                yield Example(region, look.astype(np.float32), share <= SEEN, lies is None, is_checked)


def gathered(job: tuple[Path, Sequence[tuple[str, bool]]]) -> list[Example]:
    """The examples of some sitters; a sheet of the first covered ones goes to runs/occlusion."""
    folder, sitters = job
    found, cells = list[Example](), list[Pixels]()
    with FaceFinder() as finder:
        for number, (file, is_checked) in enumerate(sitters):
            dice = np.random.default_rng(zlib.crc32(file.encode()))
            pixels = np.asarray(Image.open(folder / "train" / file).convert("RGB"))
            other = np.asarray(Image.open(folder / "train" / sitters[number - 1][0]).convert("RGB"))
            mesh = finder.meshes([pixels])[0]
            if mesh is None:
                continue
            made: list[tuple[Pixels, Array | None]] = [(pixels, None)] * PLAIN_EACH
            made += [covered(pixels, mesh, other, dice) for _ in range(COVERED_EACH)]
            pictures = [light_changed(picture, dice) for picture, _ in made]
            for picture, (_, lies), seen in zip(pictures, made, finder.meshes(pictures), strict=True):
                if seen is not None:
                    found += examples_of(align_face(picture, seen), lies, is_checked)
            held = list(_held_cheeks(finder, pixels, mesh, file, is_checked))
            found += [example for _, examples in held for example in examples]
            if len(cells) < SHOWN:
                cells += [*pictures[PLAIN_EACH:], *(picture for picture, _ in held)]
    rows = [np.hstack(cells[start : start + 12]) for start in range(0, len(cells) - 11, 12)]
    sheet = cv2.resize(np.vstack(rows), None, fx=0.4, fy=0.4, interpolation=cv2.INTER_AREA)
    Image.fromarray(sheet).save(RUNS / f"{zlib.crc32(sitters[0][0].encode())}.png")
    return found


def _held_cheeks(
    finder: FaceFinder, pixels: Pixels, mesh: Points, file: str, is_checked: bool
) -> Iterator[tuple[Pixels, list[Example]]]:
    """Pictures with a hand on a cheek, and what they show of cheeks: of a mouth hands teach too little."""
    dice = np.random.default_rng((zlib.crc32(file.encode()), 1))  # its own: other examples stay as they are
    made = [hand_on_a_cheek(pixels, mesh, dice) for _ in range(HANDS_EACH)]
    pictures = [light_changed(picture, dice) for picture, _ in made]
    for picture, (_, lies), seen in zip(pictures, made, finder.meshes(pictures), strict=True):
        if seen is not None:
            yield picture, list(examples_of(align_face(picture, seen), lies, is_checked, ("cheeks",)))


def fitted(rows: Floats, seen: Mask) -> Floats:
    """Ridge logistic regression by Newton's method, both classes weighing the same; the constant last."""
    middle, spread = rows.mean(axis=0), rows.std(axis=0) + 1e-6
    wide = np.column_stack([(rows - middle) / spread, np.ones(len(rows))])
    worth = np.where(seen, 0.5 / seen.mean(), 0.5 / (~seen).mean())
    ridge = RIDGE * np.eye(wide.shape[1])
    ridge[-1, -1] = 1e-6
    weights = np.zeros(wide.shape[1])
    for _ in range(STEPS):
        likely = 1 / (1 + np.exp(-np.clip(wide @ weights, -30, 30)))
        curve = wide.T @ (wide * (worth * likely * (1 - likely))[:, None]) + ridge
        weights = weights + np.linalg.solve(curve, wide.T @ (worth * (seen - likely)) - ridge @ weights)
    weights[:-1] /= spread
    weights[-1] -= middle @ weights[:-1]
    return np.asarray(weights)


def weights_of(region: str, some: Sequence[Example]) -> Floats:
    """The weights of a region; prints how they do on those not fitted."""
    rows = np.array([example.look for example in some], np.float64)
    seen, plain, checked = (
        np.array([getattr(example, name) for example in some])
        for name in ("is_seen", "is_plain", "is_checked")
    )
    weights = fitted(rows[~checked], seen[~checked])
    weights[-1] += IN_DOUBT[region]
    doubted = rows @ weights[:-1] + weights[-1] < 0
    for name, which in (("plain", plain), ("hidden", ~seen), ("seen beside a cover", seen & ~plain)):
        some_of = doubted[checked & which]
        print(f"{region}, {name}: {some_of.sum()} of {len(some_of)} taken for hidden")
    return weights


def sitters(folder: Path) -> list[tuple[str, bool]]:
    """File, and whether that person is checked on and not fitted."""
    persons = persons_of(folder)
    reported = {persons.get(f"{name}.jpg", f"{name}.jpg") for name in TRAIN}
    chosen = []
    for row in rows_of(folder / "train.csv"):
        person = persons.get(row["file"], row["file"])
        if person not in reported and float(row["native_scale"]) >= LEAST_SCALE:
            chosen.append((row["file"], zlib.crc32(person.encode()) % CHECKED == 0))
    return chosen


def main() -> None:
    """Both cores, then the weights."""
    folder = Path(os.environ["FACE_VALUE_PORTRAITS"])
    RUNS.mkdir(parents=True, exist_ok=True)
    todo = sitters(folder)[: int(sys.argv[1]) if len(sys.argv) > 1 else None]
    with ProcessPoolExecutor(2) as pool:
        parts = pool.map(gathered, [(folder, todo[half::2]) for half in (0, 1)])
        found = [example for some in parts for example in some]
    regions = {region: [example for example in found if example.region == region] for region in PATCHES}
    weights = {region: weights_of(region, some).astype(np.float32) for region, some in regions.items()}
    np.savez(WEIGHTS, **weights)


if __name__ == "__main__":
    main()
