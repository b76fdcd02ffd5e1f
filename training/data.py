"""Make what the mini set learns from: the portraits on the looks' own plates, with captions and poses.

    FACE_VALUE_PORTRAITS=... python -m training.data            # writes runs/mini/plates

The product's own matte, studio, framing and pose map are used, so training and use see the same plates.
Held out with all their pictures, so that validation never meets a known face: 60 sitters. Writes
`pictures.npy` and `poses.npy` (uint8 (n, 320, 256, 3), every second one mirrored) and `captions.json`.
"""

import argparse
import csv
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from errors import PhotoError
from pipelines.face import Face, FaceFinder
from pipelines.look import Look, read_expressions, read_looks
from pipelines.model_set import read_model_sets
from pipelines.photo import Photo, open_photo
from pipelines.pose import pose_map
from pipelines.studio import Studio, plate

LEAST_SCALE = 0.4  # pixels of the original per pixel; below, pictures are too soft to learn from
HELD_OUT = 60
LOOKS_EACH = 2
# A selfie in such a state is sent back; a training picture may be small or turned
USABLE = ("camera.good", "face.small", "face.turned")


@dataclass(frozen=True, eq=False)
class Example:
    """One plate with its pose map and caption."""

    picture: NDArray[np.uint8]
    pose: NDArray[np.uint8]
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


def band_weights(folder: Path, files: list[str]) -> list[float]:
    """Sampling weights that make dark, mid and light skin weigh alike; they sum to 1.

    Bands of `skin_ita` (individual typology angle, degrees): below 10, to 38, above.
    """
    with (folder / "train.csv").open() as rows:
        angle = {row["file"]: float(row["skin_ita"]) for row in csv.DictReader(rows)}
    bands = np.digitize([angle[file] for file in files], (10, 38), right=True)
    counts = np.bincount(bands, minlength=3)
    weights = 1 / (counts[bands] * np.count_nonzero(counts))
    return [float(weight) for weight in weights]


def smile(face: Face) -> float:
    """How much a mouth smiles, in pupil distances: its width, raised corners and opening."""
    points = face.landmarks[:, :2]
    width = float(np.linalg.norm(points[61] - points[291]))
    raised = float((points[13, 1] + points[14, 1] - points[61, 1] - points[291, 1]) / 2)
    opened = float(points[14, 1] - points[13, 1])
    return (width + 1.5 * raised + 0.5 * opened) / face.pupil_distance


def expression_of(face: Face, bounds: tuple[float, float] = (1.12, 1.27)) -> str:
    """Serious, relaxed or a warm smile; the bounds are terciles of the training portraits."""
    names = ("serious", "relaxed", "warm_smile")
    return read_expressions()[names[int(np.searchsorted(bounds, smile(face)))]].prompt


def examples(folder: Path, files: list[str], looks: dict[str, Look]) -> Iterator[Example]:
    """Each sitter in `LOOKS_EACH` looks, once as they are and once mirrored; failures are skipped."""
    mini = read_model_sets()["mini"]
    rng = np.random.default_rng(1)
    with FaceFinder() as finder, Studio() as studio:
        for file in files:
            photo = open_photo(folder / "train" / file)
            try:
                face = finder.find(photo)
                mirrored = finder.find(Photo(np.ascontiguousarray(photo.pixels[:, ::-1])))
            except PhotoError:
                continue
            if face.verdict.key not in USABLE:
                continue
            cutout = studio.cut_out(face)
            for name in rng.choice(sorted(looks), LOOKS_EACH, replace=False):
                look = looks[name]
                framing = mini.framing or look.framing
                picture = plate(cutout, look, mini.canvas, framing).pixels
                caption = f"{look.prompt}, {expression_of(face)}"
                yield Example(picture, pose_map(face, framing, mini.canvas).image, caption, file)
                pose = pose_map(mirrored, framing, mini.canvas).image
                yield Example(np.ascontiguousarray(picture[:, ::-1]), pose, caption, file)


def all_captions() -> list[str]:
    """Every caption there can be: each look with each expression. The tokenizers know these words."""
    expressions = read_expressions().values()
    return sorted(f"{look.prompt}, {mood.prompt}" for look in read_looks().values() for mood in expressions)


def write(out: Path, folder: Path, made: Iterator[Example]) -> None:
    """Gather all examples into three files, and say how far it is."""
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
    index = {"captions": captions, "files": files, "weights": band_weights(folder, files)}
    (out / "captions.json").write_text(json.dumps(index))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/mini/plates"))
    parser.add_argument("--limit", type=int, default=None, help="only so many files, to try it")
    wanted = parser.parse_args()
    portraits = Path(os.environ["FACE_VALUE_PORTRAITS"])
    write(wanted.out, portraits, examples(portraits, split(portraits)[0][: wanted.limit], read_looks()))
