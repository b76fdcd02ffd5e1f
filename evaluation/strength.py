"""How much redrawing keeps the sitter: the sweep behind the small set's strength and steps.

    FACE_VALUE_PORTRAITS=... python -m evaluation.strength [--sitters 24]

Held-out sitters as in `evaluation.mini`, two finished portraits each in the booth's own light and crops. For
every strength and number of steps: how far the portraits are from their sitter by face recognition, how many
are nearer to their own sitter than to any training face, and how much of the plate was changed within the
face. The choice is the strongest course whose sitters stay: nearest is their own in 95 %, median distance
0.42.
"""

import argparse
import os
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np

from errors import PhotoError
from evaluation import mini_judges as judges
from evaluation.mini import FACES, chosen
from evaluation.mini_sitters import MiniLab, own_faces
from pipelines.draw.generate import Generator
from pipelines.draw.model_set import read_model_sets
from pipelines.order import Order
from pipelines.plate.studio import Studio
from pipelines.selfie.face import FaceFinder
from pipelines.selfie.photo import open_photo
from pipelines.sitting import find_faces
from training.data import split
from votes.tally import wilson

COURSES = ((0.15, 20), (0.2, 20), (0.25, 20), (0.3, 20), (0.35, 20), (0.25, 40))  # strength, steps
StrengthRow = tuple[
    float, bool, float
]  # distance to the own sitter, whether nobody is nearer, grey values changed


def drawn(lab: MiniLab, path: Path, index: int, strength: float) -> list[StrengthRow]:
    """Two portraits of one sitter. Raises `PhotoError` for a photograph that would be taken again."""
    (face,) = find_faces([open_photo(path)], lab.finder)
    cutout, own, rows = lab.studio.cut_out(face), lab.recognizer.descriptor(face), []
    look = lab.looks[index % len(lab.looks)]
    order = Order(look, variations=2, seed=10 * index, strength=strength)
    for portrait in lab.draw(order, face, lab.set_up(cutout, order)):
        if one := lab.see(portrait.image):
            to_own, to_other = lab.nearness(one, own)
            inside = judges.head(one.points)
            changed = np.abs(portrait.image[inside].astype(float) - portrait.setup.plate.pixels[inside])
            rows.append((to_own, to_own < to_other, float(changed.mean())))
    return rows


def told(strength: float, steps: int, rows: list[StrengthRow]) -> str:
    """One line of the table."""
    away, nearest, changed = (np.array(column) for column in zip(*rows, strict=True))
    low, high = wilson(int(nearest.sum()), len(nearest))
    return (
        f"strength {strength:.2f} of {steps} steps ({int(strength * steps)} run): distance "
        f"{np.median(away):.3f}, own sitter {int(nearest.sum())} of {len(nearest)} "
        f"({100 * low:.0f} to {100 * high:.0f} %), changed by {changed.mean():.1f} grey values"
    )


def main() -> None:
    """Every course on every sitter."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sitters", type=int, default=24)
    count = parser.parse_args().sitters
    folder, mini = Path(os.environ["FACE_VALUE_PORTRAITS"]), read_model_sets()["mini"]
    with FaceFinder() as finder, Studio() as studio:
        known = own_faces(finder, folder / "train", split(folder)[0], FACES)
        for strength, steps in COURSES:
            generator = Generator(mini.model_copy(update={"steps": steps}), "cpu")
            lab, rows = MiniLab(generator, finder, studio, known), list[StrengthRow]()
            for index, (file, _) in enumerate(chosen(folder, count)):
                with suppress(PhotoError):
                    rows += drawn(lab, folder / "train" / file, index, strength)
                print(f"\r{index + 1} of {count}", end="", file=sys.stderr, flush=True)
            print(told(strength, steps, rows), flush=True)


if __name__ == "__main__":
    main()
