"""How sure the likeness report is: `FACE_VALUE_PORTRAITS=... python -m evaluation.likeness`.

Thresholds are set on some sitters of `train/` and checked on others, who are in no picture of the first, both
drawn by skin-tone band; and on `test/`, which sets nothing. Each sitter's plate is compared with copies of
itself: re-encoded and taken again (noise), and spoilt by a known amount (`evaluation.drift`); and photos
of one person with each other. Writes pipelines/measure/likeness.toml, docs/likeness.md and its picture.
Answers are kept in runs/likeness, so that a run goes on where it stopped.
"""

import argparse
import csv
import json
import os
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment

from errors import PhotoError
from evaluation.drift import DRIFTS, RETOUCHED, Drifts, mixed, same
from evaluation.likeness_page import page, plot, table_of_thresholds
from pipelines.arrays import Pixels
from pipelines.draw.generate import Generator
from pipelines.draw.model_set import read_model_sets
from pipelines.look import Framing, read_looks
from pipelines.measure.likeness import MEASURES, TABLE, Subject, compare, study
from pipelines.measure.shape import MEAN_FACE, align_mesh, average_meshes
from pipelines.mesh import LEFT_PUPIL, RIGHT_PUPIL
from pipelines.order import Order
from pipelines.plate.studio import Studio, plate
from pipelines.selfie.face import Face, FaceFinder
from pipelines.selfie.photo import Photo, open_photo
from pipelines.sitting import PLATE_SIZE, Portrait, draw_portraits, prepare

ROOT = Path(__file__).parent.parent
RUNS = ROOT / "runs" / "likeness"
BANDS = {"dark": (-90.0, 10.0), "mid": (10.0, 38.0), "light": (38.0, 91.0)}  # skin_ita, degrees
LEAST_SCALE = 0.5  # of the originals; softer ones are enlarged too much
SETTING, CHECKING = 50, 25  # sitters a band
# px; pupils 55, 77 and 232 apart. "finished" is what the small set hands over.
SIZES = {"small": (256, 320), "large": (576, 720), "finished": PLATE_SIZE}
FINISHED = "finished"  # where changes are made: at the size that people see
COPIES = 2
SAME_PICTURE = 0.2  # of descriptors, by pairs.csv: nearer ones are one picture twice
REDRAWN = "redrawn"
CHUNK = 3


class BenchSitter(NamedTuple):
    """One photo, and who checks or sets with it."""

    file: str
    band: str
    part: str  # "set", "check" or "test"


def sitters(folder: Path) -> list[BenchSitter]:
    """By band, one photo a person, the same ones each time."""
    persons = persons_of(folder)
    chosen, taken = [], set[str]()
    rows = sorted(rows_of(folder / "train.csv"), key=lambda row: zlib.crc32(row["file"].encode()))
    left = {(part, band): n for part, n in (("check", CHECKING), ("set", SETTING)) for band in BANDS}
    for row in rows:
        person, band = persons.get(row["file"], row["file"]), band_of(float(row["skin_ita"]))
        part = next((part for part in ("check", "set") if left[part, band]), None)
        if part and person not in taken and float(row["native_scale"]) >= LEAST_SCALE:
            taken.add(person)
            left[part, band] -= 1
            chosen.append(BenchSitter(f"train/{row['file']}", band, part))
    test = [
        BenchSitter(row["file"], band_of(float(row["skin_ita"])), "test")
        for row in rows_of(folder / "test.csv")
    ]
    return chosen + test


def thinned(everyone: list[BenchSitter], every: int) -> list[BenchSitter]:
    """One of so many of each band of those that check, whose full-size pictures take long; everyone else."""
    groups: dict[str, list[BenchSitter]] = defaultdict(list)
    for sitter in everyone:
        if sitter.part == "check":
            groups[sitter.band].append(sitter)
    others = [sitter for sitter in everyone if sitter.part != "check"]
    return [sitter for group in groups.values() for sitter in group[::every]] + others


def sizes_of(sitter: BenchSitter) -> tuple[str, ...]:
    """Full-size pictures take seconds each: they set nothing."""
    return tuple(size for size in SIZES if size != FINISHED or sitter.part != "set")


def band_of(ita: float) -> str:
    """By the individual typology angle: a rough order from dark to light, not a truth."""
    return next(name for name, (low, high) in BANDS.items() if low <= ita < high)


def rows_of(file: Path) -> list[dict[str, str]]:
    """A CSV file's rows by its header."""
    with file.open(encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def persons_of(folder: Path) -> dict[str, str]:
    """For each photo that is in a pair one name that all photos of that person share."""
    leader: dict[str, str] = {}

    def of(file: str) -> str:
        while leader.setdefault(file, file) != file:
            file = leader[file]
        return file

    for row in rows_of(folder / "pairs.csv"):
        leader[of(row["first"])] = of(row["second"])
    return {file: of(file) for file in leader}


class LikenessLab:
    """Everything that measures, in one process."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._finder, self._studio = FaceFinder(), Studio()
        self._look, self._mini = read_looks()["grey"], read_model_sets()["mini"]
        self._generator = Generator(self._mini, "cpu")

    def close(self) -> None:
        """Give MediaPipe's graphs back: a chunk's would stay in memory."""
        self._finder.close()
        self._studio.close()

    def face(self, file: Path) -> Face:
        """Raises `PhotoError` where there is none."""
        return self._finder.find(open_photo(file))

    def plate_of(self, face: Face, size: str) -> Pixels:
        """As the product makes it, on a canvas of that size."""
        framing: Framing | None = None if size == "large" else self._mini.framing
        return plate(self._studio.cut_out(face), self._look, SIZES[size], framing).pixels

    def subject(self, pixels: Pixels) -> Subject:
        """Raises `PhotoError` where no face is found."""
        face = self._finder.find(Photo(pixels))
        if np.isnan(face.landmarks).any():
            raise PhotoError("face.none")
        return study(face, self._finder)

    def answers(self, sitter: BenchSitter) -> list[dict[str, Any]]:
        """Every comparison of one sitter, in the sizes that are theirs."""
        face = self.face(self._folder / sitter.file)
        dice = np.random.default_rng(zlib.crc32(sitter.file.encode()))
        found = []
        for size in sizes_of(sitter):
            pixels = self.plate_of(face, size)
            reference = self.subject(pixels)
            spoilt = DRIFTS if size == FINISHED else {}
            for kind, sign, changed in self._variants(pixels, reference, dice, spoilt):
                with suppress(PhotoError):
                    values = self._compared(reference, changed)
                    found.append({**sitter._asdict(), "size": size, "kind": kind, "sign": sign, **values})
        return found

    def more(self, sitter: BenchSitter, known: set[tuple[str, str, str]]) -> list[dict[str, Any]]:
        """Changes that `known` has no answer about, retouching, and what the small set does."""
        face, found = self.face(self._folder / sitter.file), []
        pixels = self.plate_of(face, FINISHED)
        reference = self.subject(pixels)
        for kind, sign, changed in self._later(pixels, reference, face):
            if (sitter.file, FINISHED, kind) in known:
                continue
            with suppress(PhotoError):
                values = self._compared(reference, changed())
                found.append({**sitter._asdict(), "size": FINISHED, "kind": kind, "sign": sign, **values})
        return found

    def _later(
        self, pixels: Pixels, reference: Subject, face: Face
    ) -> Iterator[tuple[str, int, Callable[[], Pixels]]]:
        dice = np.random.default_rng(zlib.crc32(pixels[::40].tobytes()))
        for measure, drifts in DRIFTS.items():
            for name, sign, change in drifts:
                spoilt = partial(change, pixels, reference.landmarks, reference.face.mask)
                yield f"{measure} {name}", sign, lambda spoilt=spoilt: mixed(spoilt(), dice)  # type: ignore[misc]
        for name, retouch in RETOUCHED.items():
            yield name, 0, partial(retouch, pixels)
        yield REDRAWN, 0, lambda: self._redrawn(face)

    def _redrawn(self, face: Face) -> Pixels:
        """As the small set draws and finishes that sitter, with its own strength."""
        order = Order(self._look, variations=1, seed=7)
        setups = list(prepare([face], order, self._studio, self._mini))
        events = draw_portraits(order, [face], setups, self._generator)
        return next(event for event in events if isinstance(event, Portrait)).image

    def _compared(self, reference: Subject, changed: Pixels) -> dict[str, Any]:
        measures = compare(reference, self.subject(changed), doubts=False).measures
        return {"values": {name: measure.value for name, measure in measures.items()}}

    def _variants(
        self, pixels: Pixels, reference: Subject, dice: np.random.Generator, spoilt: Drifts
    ) -> Iterator[tuple[str, int, Pixels]]:
        for _ in range(COPIES):
            yield "same", 0, same(pixels, dice)
            yield "mixed", 0, mixed(pixels, dice)
        points, person = reference.landmarks, reference.face.mask
        for measure, drifts in spoilt.items():
            for name, sign, change in drifts:
                yield f"{measure} {name}", sign, mixed(change(pixels, points, person), dice)

    def pair(self, first: str, second: str) -> list[dict[str, Any]]:
        """Two photos of one person, as they are."""
        one, other = (
            self.subject(open_photo(self._folder / "train" / file).pixels) for file in (first, second)
        )
        measures = compare(one, other, doubts=False).measures
        return [{"kind": "pair", "values": {name: found.value for name, found in measures.items()}}]


def work(job: tuple[str, Path, list[Any]]) -> None:
    """One chunk, into a file of its own."""
    name, folder, chunk = job
    lab, lines = LikenessLab(folder), []
    known = {
        (read_answer["file"], read_answer["size"], read_answer["kind"])
        for read_answer in read_answers()
        if "file" in read_answer
    }
    for one in chunk:
        with suppress(PhotoError):
            found = (
                lab.pair(*one)
                if not isinstance(one, BenchSitter)
                else (lab.more(one, known) if name.startswith("more") else lab.answers(one))
            )
            lines += [json.dumps(answer) for answer in found]
    lab.close()
    part = RUNS / f"{name}.part"
    part.write_text("\n".join(lines), encoding="utf-8")
    part.replace(RUNS / f"{name}.jsonl")


def jobs(folder: Path, every: int) -> Iterator[tuple[str, Path, list[Any]]]:
    """What is not answered yet; of the sitters that check one in `every`."""
    pairs = [
        (row["first"], row["second"])
        for row in rows_of(folder / "pairs.csv")
        if float(row["distance"]) >= SAME_PICTURE
    ]
    everyone = thinned(sitters(folder), every)
    judges = [sitter for sitter in everyone if sitter.part != "set"]
    setting = [sitter for sitter in everyone if sitter.part == "set"]
    for kind, everything in (("setting", setting), ("pairs", pairs), ("judges", judges), ("more", judges)):
        for start in range(0, len(everything), CHUNK):  # "more" comes last: it asks what the first left out
            name = f"{kind}-{start:04}"
            if not (RUNS / f"{name}.jsonl").exists():
                yield name, folder, list(everything[start : start + CHUNK])


def read_answers() -> list[dict[str, Any]]:
    """All of them."""
    return [
        json.loads(line)
        for file in sorted(RUNS.glob("*.jsonl"))
        for line in file.read_text(encoding="utf-8").splitlines()
    ]


def average_face(folder: Path) -> None:
    """The average of faces that look ahead, made symmetric: pipelines/measure/mean_face.npy."""
    meshes = []
    with FaceFinder() as finder:
        for sitter in sitters(folder):
            with suppress(PhotoError):
                face = finder.find(open_photo(folder / sitter.file))
                if abs(face.yaw) < 8 and sitter.part == "set":
                    meshes.append(average_meshes(face, finder, None))
    mean = meshes[0].astype(np.float64)
    for _ in range(6):
        mean = symmetric(np.mean([align_mesh(mesh, mean) for mesh in meshes], axis=0))
    np.save(MEAN_FACE, mean.astype(np.float32))


def symmetric(mean: "np.ndarray[Any, np.dtype[np.float64]]") -> "np.ndarray[Any, np.dtype[np.float64]]":
    """The face and its mirror image halfway, upright, its pupils one apart."""
    mean = (mean - mean.mean(axis=0)) / np.hypot(*(mean[RIGHT_PUPIL, :2] - mean[LEFT_PUPIL, :2]))
    partners = matched(mean)
    mean = (mean + align_mesh(mean[partners] * (-1, 1, 1), mean)) / 2
    across = mean[LEFT_PUPIL] - mean[RIGHT_PUPIL]
    across /= np.linalg.norm(across)
    ahead = np.cross(across, (0, 1, 0))
    ahead /= np.linalg.norm(ahead)
    mean = mean @ np.stack([across, np.cross(ahead, across), ahead]).T
    mean[:, 0] -= mean[[RIGHT_PUPIL, LEFT_PUPIL], 0].mean()
    return np.asarray((mean + mean[partners] * (-1, 1, 1)) / 2)


def matched(face: "np.ndarray[Any, np.dtype[np.float64]]") -> "np.ndarray[Any, np.dtype[np.int_]]":
    """The points of a nearly symmetric face that its reflection puts nearest to each, one to one."""
    far = np.linalg.norm(face[:, None] - (face * (-1, 1, 1))[None], axis=2)
    return np.asarray(linear_sum_assignment(far)[1])


def by_kind(answers: Sequence[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """The same answers by what was done to the picture."""
    groups: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for answer in answers:
        groups[answer["kind"]].append(answer)
    return groups


def main() -> None:
    """Answer what is not answered, then write."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--mean", action="store_true", help="work out the average face first")
    options.add_argument("--every", type=int, default=1, help="one of so many sitters that check")
    options.add_argument("--limits", default=",".join(MEASURES), help="measures whose limits are set anew")
    options.add_argument("--workers", type=int, default=2, help="processes")
    given = options.parse_args()
    chosen = tuple(given.limits.split(","))
    folder = Path(os.environ["FACE_VALUE_PORTRAITS"])
    RUNS.mkdir(parents=True, exist_ok=True)
    if given.mean:
        average_face(folder)
    with ProcessPoolExecutor(given.workers) as pool:
        for done, _ in enumerate(pool.map(work, jobs(folder, given.every)), 1):
            print(f"\r{done} chunks", end="", flush=True)
    answers = read_answers()
    TABLE.write_text(table_of_thresholds(answers, chosen), encoding="utf-8")
    plot(answers, ROOT / "docs" / "likeness.png")
    (ROOT / "docs" / "likeness.md").write_text(page(answers, given.every, chosen), encoding="utf-8")


if __name__ == "__main__":
    main()
