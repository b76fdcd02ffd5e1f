"""Make what the mini set learns from: the portraits on the looks' own plates, with captions and poses.

    FACE_VALUE_PORTRAITS=... python -m training.data            # writes runs/mini/plates

The product's own matte, studio, framing and pose map are used, so training and use see the same plates.
Held out with all their pictures, so that validation never meets a known face: 60 sitters. What
`training.selection` finds unfit is left out. Writes `pictures.npy` and `poses.npy` (uint8 (n, 320, 256, 3),
every second one mirrored), `captions.json`, and `dropped.json` with the reasons.
"""

import argparse
import csv
import json
import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from errors import PhotoError
from pipelines.arrays import Array, Pixels
from pipelines.draw.model_set import read_model_sets
from pipelines.draw.pose_map import pose_map
from pipelines.look import Look, read_expressions, read_looks
from pipelines.mesh import LEFT_MOUTH_CORNER, LOWER_INNER_LIP, RIGHT_MOUTH_CORNER, UPPER_INNER_LIP
from pipelines.plate.matte import Cutout
from pipelines.plate.studio import Studio, plate
from pipelines.selfie.face import Face, FaceFinder
from pipelines.selfie.photo import Photo, open_photo
from training.selection import why_cut_badly, why_not

LEAST_SCALE = 0.4  # pixels of the original per pixel; below, pictures are too soft to learn from
SHARP_SCALE, SOFT_WEIGHT = (
    0.75,
    0.5,
)  # from here on a picture shows detail; the others are drawn half as often
HELD_OUT = 60
LOOKS_EACH = 2  # the second one mirrored


@dataclass(frozen=True, eq=False)
class Example:
    """One plate with its pose map and caption."""

    picture: Pixels
    alpha: Array  # of the picture, 0..1
    pose: Pixels
    caption: str
    file: str


def sitters(folder: Path) -> list[list[str]]:
    """Files grouped by person, as `pairs.csv` joins them, in a fixed order."""
    with (folder / "train.csv").open() as rows:
        files = [row["file"] for row in csv.DictReader(rows) if float(row["native_scale"]) >= LEAST_SCALE]
    person = {file: file for file in files}

    def root(file: str) -> str:
        while person[file] != file:
            file = person[file]
        return file

    with (folder / "pairs.csv").open() as rows:
        for row in csv.DictReader(rows):
            if row["first"] in person and row["second"] in person:
                person[root(row["first"])] = root(row["second"])
    groups: dict[str, list[str]] = {}
    for file in sorted(files):
        groups.setdefault(root(file), []).append(file)
    return [groups[key] for key in sorted(groups)]


def split(folder: Path) -> tuple[list[str], list[str]]:
    """Files to learn from, and files of the held-out sitters."""
    people = sitters(folder)
    held = set(np.random.default_rng(2026).choice(len(people), HELD_OUT, replace=False).tolist())
    learn = [file for index, files in enumerate(people) if index not in held for file in files]
    return learn, [file for index in sorted(held) for file in people[index]]


def scales(folder: Path) -> dict[str, float]:
    """`native_scale` by file: pixels of the original per pixel."""
    with (folder / "train.csv").open() as rows:
        return {row["file"]: float(row["native_scale"]) for row in csv.DictReader(rows)}


def bands(folder: Path, files: list[str]) -> NDArray[np.int64]:
    """0 dark, 1 mid, 2 light: `skin_ita` (individual typology angle, degrees) below 10, to 38, above."""
    with (folder / "train.csv").open() as rows:
        angle = {row["file"]: float(row["skin_ita"]) for row in csv.DictReader(rows)}
    return np.digitize([angle[file] for file in files], (10, 38), right=True)


def band_weights(folder: Path, files: list[str]) -> list[float]:
    """Sampling weights that make dark, mid and light skin weigh alike, soft pictures less; they sum to 1."""
    scale = scales(folder)
    weights = np.array([SOFT_WEIGHT if scale[file] < SHARP_SCALE else 1.0 for file in files])
    of = bands(folder, files)
    weights /= np.bincount(of, weights, minlength=3)[of] * len(np.unique(of))
    return [float(weight) for weight in weights]


def smile(face: Face) -> float:
    """How much a mouth smiles, in pupil distances: its width, raised corners and opening."""
    points = face.landmarks[:, :2]
    width = float(np.linalg.norm(points[RIGHT_MOUTH_CORNER] - points[LEFT_MOUTH_CORNER]))
    upper, lower = points[UPPER_INNER_LIP, 1], points[LOWER_INNER_LIP, 1]
    raised = float((upper + lower - points[RIGHT_MOUTH_CORNER, 1] - points[LEFT_MOUTH_CORNER, 1]) / 2)
    opened = float(lower - upper)
    return (width + 1.5 * raised + 0.5 * opened) / face.pupil_distance


def expression_of(face: Face, bounds: tuple[float, float] = (1.12, 1.27)) -> str:
    """Serious, relaxed or a warm smile; the bounds are terciles of the training portraits."""
    names = ("serious", "relaxed", "warm_smile")
    return read_expressions()[names[int(np.searchsorted(bounds, smile(face)))]].prompt


def examples(
    folder: Path, files: list[str], looks: dict[str, Look], dropped: dict[str, str]
) -> Iterator[Example]:
    """Each fit sitter in one look as they are and mirrored in another; `dropped` says why of the others."""
    with FaceFinder() as finder, Studio() as studio:
        for file in files:
            photo = open_photo(folder / "train" / file)
            try:
                face = finder.find(photo)
                mirrored = finder.find(Photo(np.ascontiguousarray(photo.pixels[:, ::-1])))
            except PhotoError as error:
                dropped[file] = error.key
                continue
            unfit = why_not(file, face, finder)
            if not unfit:
                made = list(_plates(file, studio.cut_out(face), mirrored, looks))
                unfit = why_cut_badly(made[0].alpha)
                yield from made if not unfit else ()
            if unfit:
                dropped[file] = unfit


def _plates(file: str, cutout: Cutout, mirrored: Face, looks: dict[str, Look]) -> Iterator[Example]:
    """`LOOKS_EACH` looks, drawn by the file's name."""
    mini, rng = read_model_sets()["mini"], np.random.default_rng(zlib.crc32(file.encode()))
    for turned, name in enumerate(rng.choice(sorted(looks), LOOKS_EACH, replace=False)):
        look = looks[name]
        framing = mini.framing or look.framing
        made = plate(cutout, look, mini.canvas, framing)
        pose = pose_map(mirrored if turned else cutout.face, framing, mini.canvas).image
        way = slice(None, None, -1 if turned else 1)
        picture, alpha = (np.ascontiguousarray(part[:, way]) for part in (made.pixels, made.alpha))
        yield Example(picture, alpha, pose, f"{look.prompt}, {expression_of(cutout.face)}", file)


def all_captions() -> list[str]:
    """Every caption there can be: each look with each expression. The tokenizers know these words."""
    expressions = read_expressions().values()
    return sorted(f"{look.prompt}, {mood.prompt}" for look in read_looks().values() for mood in expressions)


def write(out: Path, folder: Path, made: Iterator[Example], dropped: dict[str, str]) -> None:
    """Gather all examples into files, and say how far it is."""
    out.mkdir(parents=True, exist_ok=True)
    pictures, poses, captions, files = [], [], [], []
    for example in made:
        pictures.append(example.picture)
        poses.append(example.pose)
        captions.append(example.caption)
        files.append(example.file)
        if len(files) % 200 == 0:
            print(f"{len(files)} examples", flush=True)
    np.save(out / "pictures.npy", np.stack(pictures))
    np.save(out / "poses.npy", np.stack(poses))
    scale = scales(folder)
    index = {"captions": captions, "files": files, "weights": band_weights(folder, files)}
    (out / "captions.json").write_text(
        json.dumps(index | {"soft": [scale[file] < SHARP_SCALE for file in files]})
    )
    (out / "dropped.json").write_text(json.dumps(dropped, indent=1))


def main() -> None:
    """Write what there is to learn from."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/mini/plates"))
    parser.add_argument("--limit", type=int, default=None, help="only so many files, to try it")
    wanted = parser.parse_args()
    folder = Path(os.environ["FACE_VALUE_PORTRAITS"])
    dropped: dict[str, str] = {}
    made = examples(folder, split(folder)[0][: wanted.limit], read_looks(), dropped)
    write(wanted.out, folder, made, dropped)


if __name__ == "__main__":
    main()
