"""How good the small offline model is, on sitters that it has never seen.

    FACE_VALUE_PORTRAITS=... python -m bench.mini [--sitters 20] [--json]

Held-out sitters (`training.data.split`), one look each, two seeds. Prints what came out by band of skin
tone: the autoencoder's round trip (PSNR in dB; skin as median CIEDE2000), portraits in which a face is
found, their skin against the plate's, and how far the pupils moved (in pupil distances).
"""

import argparse
import csv
import json
import os
import statistics
import sys
from collections import defaultdict
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.color import deltaE_ciede2000, rgb2lab

from errors import PhotoError
from pipelines.face import Face, FaceFinder
from pipelines.generate import Generator
from pipelines.look import read_looks
from pipelines.model_set import read_model_sets
from pipelines.photo import Photo, open_photo
from pipelines.sitting import Done, Order, PlateReady, sit
from pipelines.studio import Studio
from training.data import split

Pixels = NDArray[np.uint8]
BANDS = ("dark", "mid", "light")  # skin_ita below 10, to 38, above
ENLARGE = 2  # MediaPipe wants larger faces than 55 px between the pupils


def seen(picture: Pixels, finder: FaceFinder) -> Face | None:
    """The face in a small picture, if MediaPipe finds one."""
    height, width = picture.shape[:2]
    large = cv2.resize(picture, (width * ENLARGE, height * ENLARGE), interpolation=cv2.INTER_CUBIC)
    try:
        return finder.find(Photo(large))
    except PhotoError:
        return None


def skin(picture: Pixels) -> NDArray[np.float64]:
    """Median CIE L*a*b* (D65) of the middle of the face, where the set's framing puts it: (3,)."""
    cheeks = np.concatenate([picture[140:180, 88:112], picture[140:180, 144:168]], axis=1)
    return np.asarray(np.median(rgb2lab(cheeks).reshape(-1, 3), axis=0))


def judge(
    path: Path, index: int, finder: FaceFinder, studio: Studio, generator: Generator
) -> dict[str, list[float]]:
    """All measures of one sitter."""
    looks = list(read_looks().values())
    order = Order(looks[index % len(looks)], variations=2, seed=10 * index)
    plate, measures = np.zeros((0, 0, 3), np.uint8), defaultdict(list)
    for event in sit([open_photo(path)], order, finder, studio, generator):
        if isinstance(event, PlateReady):
            plate = cv2.resize(event.plate.pixels, generator.model_set.canvas, interpolation=cv2.INTER_AREA)
            again = generator.round_trip(plate)
            measures["psnr"].append(float(cv2.PSNR(plate, again)))
            measures["skin_round_trip"].append(float(deltaE_ciede2000(skin(plate), skin(again))))
        if isinstance(event, Done):
            asked = seen(plate, finder)
            for portrait in event.portraits:
                found = seen(portrait.rendering.image, finder)
                measures["face_found_share"].append(float(found is not None))
                measures["skin_portrait"].append(
                    float(deltaE_ciede2000(skin(plate), skin(portrait.rendering.image)))
                )
                if asked and found:
                    moved = np.linalg.norm(asked.pupils - found.pupils, axis=1).mean()
                    measures["pupils_moved"].append(float(moved / asked.pupil_distance))
    return measures


def main() -> None:
    """Measure, and print medians by band (shares as means)."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sitters", type=int, default=60)
    parser.add_argument("--json", action="store_true")
    wanted = parser.parse_args()
    folder = Path(os.environ["FACE_VALUE_PORTRAITS"])
    with (folder / "train.csv").open() as rows:
        angle = {row["file"]: float(row["skin_ita"]) for row in csv.DictReader(rows)}
    gathered: dict[str, dict[str, list[float]]] = {band: defaultdict(list) for band in BANDS}
    sent_back = 0
    generator = Generator(read_model_sets()["mini"], "cpu")
    with FaceFinder() as finder, Studio() as studio:
        for index, file in enumerate(split(folder)[1][: wanted.sitters]):
            band = BANDS[int(np.digitize(angle[file], (10, 38), right=True))]
            try:
                measures = judge(folder / "train" / file, index, finder, studio, generator)
            except PhotoError:  # a selfie like that would be taken again
                sent_back += 1
                continue
            for name, values in measures.items():
                gathered[band][name] += values
    report: dict[str, object] = {"sent_back": sent_back}
    for band, found in gathered.items():
        report[band] = {"portraits": len(found["face_found_share"])} | {
            name: round(statistics.mean(v) if name.endswith("share") else statistics.median(v), 3)
            for name, v in found.items()
        }
    if not wanted.json:
        for name, value in report.items():
            print(f"{name}: {value}")
    sys.stdout.write(json.dumps(report) + "\n")


if __name__ == "__main__":
    main()
