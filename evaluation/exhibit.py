"""Whether the making of an exhibit betrays its truth.

    FACE_VALUE_PORTRAITS=... python -m evaluation.exhibit

The sitters of `test/`, in whom nothing was trained and whose pictures hold detail above the small canvas; a
look each, four portraits in the booth's own lights and crops. Each portrait and its plate go through
`pipelines.exhibit.pair`, as before a vote. A classifier that sees no face, only simple cues (sharpness,
noise, saturation, mean colour, bytes of the JPEG), guesses the truth, cross-validated by sitter. Its area
under the ROC curve is 0.5 where the cues tell nothing. Goal 0.6.
"""

import argparse
import io
import os
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter, laplace
from skimage.color import rgb2hsv, rgb2lab
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from errors import PhotoError
from pipelines.arrays import Floats
from pipelines.draw.generate import Generator
from pipelines.draw.model_set import read_model_sets
from pipelines.exhibit import pair
from pipelines.look import read_looks
from pipelines.order import Order
from pipelines.plate.studio import Studio
from pipelines.selfie.face import FaceFinder
from pipelines.selfie.photo import open_photo
from pipelines.sitting import PortraitReady, sit

Table = Floats

FOLDS = 10
RESAMPLES = 2_000
CUES = ("sharpness", "fine detail", "noise", "saturation", "L", "a", "b", "bytes")


def cues(jpeg: bytes) -> list[float]:
    """What can be measured of a picture without looking at the face: in the order of `CUES`."""
    pixels = np.asarray(Image.open(io.BytesIO(jpeg)).convert("RGB"))
    grey = pixels.mean(axis=2)
    detail = grey - gaussian_filter(grey, 1.5)
    spread = np.median(np.abs(detail[: grey.shape[0] // 8]))  # of the backdrop: above every head
    length = len(jpeg.rstrip(b"\0"))  # the filling behind the end is the same for both
    return [
        float(np.log(laplace(grey).var() + 1)),
        float(np.log(detail.var() + 1)),
        float(spread),
        float(rgb2hsv(pixels)[..., 1].mean()),
        *(float(value) for value in rgb2lab(pixels).reshape(-1, 3).mean(axis=0)),
        float(np.log(length)),
    ]


def exhibits(paths: list[Path], generator: Generator) -> Iterator[tuple[int, tuple[bytes, ...]]]:
    """Sitter by number, and a photograph with the portrait drawn from it, as a voter would get them."""
    looks = list(read_looks().values())
    with FaceFinder() as finder, Studio() as studio:
        for index, path in enumerate(paths):
            order = Order(looks[index % len(looks)], seed=100 * index)
            chain = sit([open_photo(path)], order, finder, studio, generator)
            with suppress(PhotoError), closing(chain) as events:  # a selfie like that would be taken again
                ready = (event.portrait for event in events if isinstance(event, PortraitReady))
                for drawn in islice(ready, order.variations):  # before they are measured
                    yield index, pair(drawn.setup.plate.pixels, drawn.image, generator.model_set)
            print(f"{index + 1} of {len(paths)}", end="\r", file=sys.stderr)


def area(table: Table, truth: Table, sitters: Table) -> tuple[float, float, float]:
    """Area under the ROC curve over sitters that the classifier had not seen, and its 95 % interval."""
    model = make_pipeline(StandardScaler(), LogisticRegression())
    guessed = cross_val_predict(
        model, table, truth, groups=sitters, cv=GroupKFold(FOLDS), method="predict_proba"
    )[:, 1]
    dice, every = np.random.default_rng(1), np.unique(sitters)
    rows = {sitter: np.flatnonzero(sitters == sitter) for sitter in every}
    drawn = []
    for _ in range(RESAMPLES):
        chosen = np.concatenate([rows[sitter] for sitter in dice.choice(every, len(every))])
        drawn.append(roc_auc_score(truth[chosen], guessed[chosen]))
    low, high = np.percentile(drawn, [2.5, 97.5])
    return float(roc_auc_score(truth, guessed)), float(low), float(high)


def main() -> None:
    """Print the area with all cues, and with each alone."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--sitters", type=int, default=24)
    options.add_argument("--strength", type=float, help="instead of the set's own")
    asked = options.parse_args()
    folder = os.environ.get("FACE_VALUE_PORTRAITS")
    if not folder:
        raise SystemExit("FACE_VALUE_PORTRAITS names no folder of portraits.")
    mini = read_model_sets()["mini"]
    if asked.strength:
        mini = mini.model_copy(update={"strength": asked.strength})
    paths = sorted((Path(folder) / "test").glob("*.jpg"))[: asked.sitters]
    pairs = list(exhibits(paths, Generator(mini, "cpu")))
    table = np.array([cues(jpeg) for _, files in pairs for jpeg in files])
    truth, sitters = np.tile([0.0, 1.0], len(pairs)), np.repeat([index for index, _ in pairs], 2)
    for name, columns in (("all cues", range(len(CUES))), *((cue, [i]) for i, cue in enumerate(CUES))):
        found, low, high = area(table[:, list(columns)], truth, sitters)
        print(f"{name:12} {found:.2f} ({low:.2f} to {high:.2f})")


if __name__ == "__main__":
    main()
