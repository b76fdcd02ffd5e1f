"""How good the small offline model is, on sitters that it has never seen.

    FACE_VALUE_PORTRAITS=... python -m evaluation.mini [--quick | --sitters 30] [--sheet FILE] [--json]

Held-out sitters (`training.data.split`), as many of each skin-tone band as there are; one look each, two
portraits at the set's own strength, finished, and the ladder's six strengths. Medians are of sitters (a
sitter's portraits averaged first) with a bootstrap interval, shares of portraits with Wilson's. `--sheet`
draws plate, portrait and ladder of each sitter. The last line is one JSON object.
"""

import argparse
import csv
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from errors import PhotoError
from evaluation.mini_judges import median_interval, separability
from evaluation.mini_sitters import KnownFaces, MiniLab, SitterFindings, own_faces
from pipelines.draw.generate import Generator, Progress
from pipelines.draw.machine import WEIGHTS
from pipelines.draw.model_set import read_model_sets
from pipelines.exhibit import crop_to_fit
from pipelines.ladder import RUNGS
from pipelines.look import read_looks
from pipelines.order import Order
from pipelines.plate.studio import Studio
from pipelines.selfie.face import FaceFinder
from pipelines.selfie.photo import open_photo
from pipelines.sitting import find_faces, request_for
from training.data import sitters as people
from training.data import split
from votes.tally import wilson

BANDS = ("dark", "mid", "light")  # skin_ita below 10, to 38, above
FACES = Path("runs/mini/faces.npz")
CELL = (432, 540)  # width, height in px of a picture on the sheet
VARIED = ("seed", "light", "crop")
MOODS = ("warm_smile", "serious")
Gathered = dict[str, list[SitterFindings]]


def chosen(folder: Path, count: int) -> list[tuple[str, str]]:
    """(file, band) of so many held-out sitters, bands in turn as long as each lasts; one file a sitter."""
    with (folder / "train.csv").open() as rows:
        angle = {row["file"]: float(row["skin_ita"]) for row in csv.DictReader(rows)}
    with (folder / "pairs.csv").open() as rows:
        others = {row["second"] for row in csv.DictReader(rows)}
    waiting: dict[str, list[str]] = {band: [] for band in BANDS}
    for file in split(folder)[1]:
        if file not in others:
            waiting[BANDS[int(np.digitize(angle[file], (10, 38), right=True))]].append(file)
    taken: list[tuple[str, str]] = []
    while len(taken) < count and any(waiting.values()):
        taken += [(waiting[band].pop(0), band) for band in BANDS if waiting[band]]
    return taken[:count]


def gather(lab: MiniLab, folder: Path, sitters: list[tuple[str, str]]) -> tuple[Gathered, int]:
    """Findings by band, and how many photographs were sent back."""
    gathered: Gathered = {band: [] for band in BANDS}
    sent_back = 0
    for index, (file, band) in enumerate(sitters):
        try:
            gathered[band].append(lab.judge(folder / "train" / file, index))
        except PhotoError:
            sent_back += 1
        print(f"{index + 1} of {len(sitters)} sitters", file=sys.stderr, flush=True)
    return gathered, sent_back


def per_sitter(found: Sequence[SitterFindings], name: str) -> list[float]:
    """A sitter's pictures averaged: they are no independent draws."""
    return [statistics.mean(one.measures[name]) for one in found if one.measures.get(name)]


def share(found: Sequence[SitterFindings], name: str) -> dict[str, float]:
    """Of pictures, with Wilson's interval."""
    values = [value for one in found for value in one.measures.get(name, [])]
    low, high = wilson(round(sum(values)), len(values))
    return {"share": sum(values) / max(1, len(values)), "low": low, "high": high, "n": len(values)}


def median(found: Sequence[SitterFindings], name: str) -> dict[str, float]:
    """Of sitters, with a bootstrap interval."""
    values = per_sitter(found, name)
    middle, low, high = median_interval(values)
    return {"median": middle, "low": low, "high": high, "n": len(values)}


def by_band(gathered: Gathered, name: str) -> dict[str, dict[str, float]]:
    """`median` for all, then for each band."""
    everyone = [one for band in BANDS for one in gathered[band]]
    return {"all": median(everyone, name)} | {band: median(gathered[band], name) for band in BANDS}


MOVED = {"moves": median, "share": share}


def strangers(known: KnownFaces, people: list[list[str]]) -> tuple[float, float]:
    """How near real people come to somebody else: descriptor distance that 99 % keep, likeness of crops too.

    `people` groups files by person. Two pictures of one person are no strangers.
    """
    person = {file: index for index, files in enumerate(people) for file in files}
    who = np.array([person[file] for file in known.files])
    same = who[:, None] == who[None]
    squares = (known.descriptors**2).sum(axis=1)
    apart = np.sqrt(np.maximum(0, squares[:, None] + squares - 2 * known.descriptors @ known.descriptors.T))
    nearest = np.where(same, np.inf, apart).min(axis=1)
    likest = np.where(same, -1, known.crops @ known.crops.T).max(axis=1)
    return float(np.quantile(nearest, 0.01)), float(np.quantile(likest, 0.99))


def copies(found: Sequence[SitterFindings], limits: tuple[float, float]) -> dict[str, float]:
    """Portraits no nearer to any training picture than `strangers` come to each other, by both measures."""
    nearest = [value for one in found for value in one.measures["nearest_training"]]
    alike = [value for one in found for value in one.measures["alike_training"]]
    apart = [a >= limits[0] and b <= limits[1] for a, b in zip(nearest, alike, strict=True)]
    low, high = wilson(sum(apart), len(apart))
    found_at = {"nearest": min(nearest), "likest": max(alike)}
    real = {"strangers_nearest": limits[0], "strangers_likest": limits[1]}
    return {"share": statistics.mean(apart), "low": low, "high": high, "n": len(apart)} | found_at | real


def auc(found: Sequence[SitterFindings]) -> float:
    """How well simple cues tell portrait from plate."""
    rows = [(index, pair) for index, one in enumerate(found) for pair in one.cues]
    photographs, portraits = (np.stack([pair[side] for _, pair in rows]) for side in (0, 1))
    return separability(photographs, portraits, np.array([index for index, _ in rows]))


def timed(lab: MiniLab, path: Path) -> dict[str, float]:
    """Four portraits, warm, medians of three: seconds by the clock, of processor, to the first preview."""
    model_set, order = lab.generator.model_set, Order(read_looks()["grey"])
    (face,) = find_faces([open_photo(path)], lab.finder)
    cutout = lab.studio.cut_out(face)
    request = request_for(order, [face], lab.set_up(cutout, order), model_set)
    whole, first, worked = [], [], []
    for _ in range(4):
        began, busy, seen = time.perf_counter(), time.process_time(), 0.0
        for event in lab.generator.draw(request):
            if isinstance(event, Progress) and event.previews:
                seen = seen or time.perf_counter() - began
        whole.append(time.perf_counter() - began)
        worked.append(time.process_time() - busy)
        first.append(seen)
    spent = {"four_portraits": whole, "first_preview": first, "four_portraits_of_processor": worked}
    return {f"seconds_{name}": statistics.median(values[1:]) for name, values in spent.items()}


def reported(gathered: Gathered, limits: tuple[float, float]) -> dict[str, object]:
    """Every row of the table, by name."""
    everyone = [one for band in BANDS for one in gathered[band]]
    skins = {band: median(gathered[band], "skin")["median"] for band in BANDS if gathered[band]}
    return {
        "face_found": share(everyone, "face_found_share"),
        "own_sitter": share(everyone, "own_sitter_share"),
        "distance": by_band(gathered, "distance"),
        "distance_of_plate": median(everyone, "distance of plate"),
        "distance_of_round_trip": by_band(gathered, "distance of round trip"),
        "distance_by_strength": {
            f"{rung:g}": by_band(gathered, f"distance at {rung:g}")
            | {
                "own_sitter": share(everyone, f"own_sitter_share at {rung:g}"),
                "face_found": share(everyone, f"face_found_share at {rung:g}"),
            }
            for rung in RUNGS
        },
        "no_copy": copies(everyone, limits),
        "pose": median(everyone, "pose"),
        "backdrop": median(everyone, "backdrop"),
        "skin": by_band(gathered, "skin"),
        "skin_worst_to_best_band": max(skins.values()) / min(skins.values()),
        "psnr_by_band": by_band(gathered, "psnr"),
        "sharpness": by_band(gathered, "sharpness"),
        "sharpness_drawn": median(everyone, "sharpness_drawn"),
        **{f"varied_by_{name}": median(everyone, f"varied_by_{name}") for name in VARIED},
        **{f"{name}_{what}": of(everyone, f"{name}_{what}") for name in MOODS for what, of in MOVED.items()},
        "cues_auc": auc(everyone),
    }


def sheet(gathered: Gathered) -> "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]":
    """A row a sitter: plate, portrait, then the ladder."""
    names = ["plate", "portrait", *(f"{rung:g}" for rung in RUNGS)]
    rows = []
    for band in BANDS:
        for one in gathered[band]:
            blank = np.zeros_like(one.pictures["plate"])
            cells = [crop_to_fit(one.pictures.get(name, blank), CELL) for name in names]
            rows.append(np.hstack(cells))
    return np.vstack(rows)


def rounded(value: object) -> object:
    """Numbers to four places, however deep they lie."""
    if isinstance(value, dict):
        return {key: rounded(one) for key, one in value.items()}
    return round(value, 4) if isinstance(value, float) else value


def weights_beside(folder: Path) -> Path:
    """A place in which `folder` is called as the model set expects."""
    place = Path(tempfile.mkdtemp())
    (place / "mini").symlink_to(folder.resolve())
    return place


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sitters", type=int, default=60)
    parser.add_argument("--quick", action="store_true", help="six sitters")
    parser.add_argument("--weights", type=Path, default=WEIGHTS / "mini", help="a folder of exported weights")
    parser.add_argument("--strength", type=float, help="instead of the set's own")
    parser.add_argument("--steps", type=int, help="instead of the set's own")
    parser.add_argument("--sheet", type=Path, help="a PNG of what was judged")
    parser.add_argument("--json", action="store_true", help="nothing but the last line")
    wanted = parser.parse_args()
    folder = Path(os.environ["FACE_VALUE_PORTRAITS"])
    changes = {name: value for name in ("strength", "steps") if (value := getattr(wanted, name)) is not None}
    model_set = read_model_sets()["mini"].model_copy(update=changes)
    sitters = chosen(folder, 6 if wanted.quick else wanted.sitters)
    with FaceFinder() as finder, Studio() as studio:
        generator = Generator(model_set, "cpu", weights=weights_beside(wanted.weights))
        lab = MiniLab(generator, finder, studio, own_faces(finder, folder / "train", split(folder)[0], FACES))
        spent = timed(lab, folder / "train" / sitters[0][0])
        gathered, sent_back = gather(lab, folder, sitters)
    rows = reported(gathered, strangers(lab.known, people(folder)))
    everyone = [one for band in BANDS for one in gathered[band]]
    summary: dict[str, object] = {
        "machine": f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores",
        "strength": model_set.strength,
        "steps": model_set.steps,
        "sitters": len(everyone),
        "sent_back": sent_back,
        "load": os.getloadavg()[1],  # over five minutes: above the cores, the clock tells of others too
        **spent,
        "psnr": median(everyone, "psnr")["median"],
        "own_sitter_share": share(everyone, "own_sitter_share")["share"],
        "face_found_share": share(everyone, "face_found_share")["share"],
        "sharpness_ratio": median(everyone, "sharpness")["median"],
    }
    if wanted.sheet:
        wanted.sheet.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(wanted.sheet), sheet(gathered)[..., ::-1])
    if not wanted.json:
        for name, row in (summary | rows).items():
            print(f"{name}: {json.dumps(rounded(row))}")
    print(json.dumps(rounded(summary | {"rows": rows})))


if __name__ == "__main__":
    main()
