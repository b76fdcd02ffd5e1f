"""Whether the report's skin value is what the patches say: `python -m evaluation.skin_value`.

    FACE_VALUE_PORTRAITS=... python -m evaluation.skin_value

The bundled set draws each sitter of `test/` in every look. Beside the value that a visitor reads (patches
weighed, an exposure taken off) stands the plain median over the same patches, nothing weighed or taken off.
Prints how many lie within 2 L* of it, by band, and those that do not. Answers are kept in runs/skin_value, so
that a run goes on where it stopped, with a picture (plate, portrait) of each that lies farther off.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from evaluation.likeness import BANDS, ROOT, band_of, rows_of
from evaluation.likeness_page import Rate
from pipelines.draw.generate import Generator
from pipelines.draw.model_set import ModelSet, read_model_sets
from pipelines.look import read_looks
from pipelines.measure.likeness import compare, subject_in
from pipelines.measure.tone import skin
from pipelines.order import Order
from pipelines.plate.studio import Studio
from pipelines.selfie.face import FaceFinder
from pipelines.selfie.photo import open_photo
from pipelines.sitting import Portrait, draw_portraits, set_ups

RUNS = ROOT / "runs" / "skin_value"
NEAR = 2.0  # L*; less than what is flagged
SEED = 7


class SkinLab:
    """Everything that draws and measures."""

    def __init__(self) -> None:
        self.finder, self._studio = FaceFinder(), Studio()
        self._mini: ModelSet = read_model_sets()["mini"]
        self._generator = Generator(self._mini, "cpu")

    def answers(self, file: Path) -> Iterator[dict[str, Any]]:
        """Of one sitter in every look: the report's value and the plain one, L*."""
        face = self.finder.find(open_photo(file))
        cutout = self._studio.cut_out(face)
        for name, look in read_looks().items():
            order = Order(look, variations=1, seed=SEED)
            setups = list(set_ups(cutout, order, self._mini))
            events = draw_portraits(order, [face], setups, self._generator)
            portrait = next(event for event in events if isinstance(event, Portrait)).image
            first, second = (subject_in(pixels, self.finder) for pixels in (setups[0].asked, portrait))
            if first is None or second is None:
                continue
            told = compare(first, second).measures["skin"].value
            tones = [skin(seen.face.photo.pixels, seen.landmarks).tones[:, 0] for seen in (first, second)]
            plain = float(np.nanmedian(tones[1] - tones[0]))
            yield {"file": file.name, "look": name, "told": told, "plain": plain}
            if told is not None and abs(told - plain) > NEAR:
                both = np.hstack([setups[0].asked, portrait])
                Image.fromarray(both).save(RUNS / f"{file.stem}-{name}.jpg", quality=92)


def table(answers: list[dict[str, Any]], bands: dict[str, str]) -> str:
    """How many are near, by band, and the others by name."""
    known = [answer for answer in answers if answer["told"] is not None]
    lines = [f"{len(answers)} portraits, in {len(answers) - len(known)} of them skin was not measured"]
    for name, which in {"all": BANDS, **{band: (band,) for band in BANDS}}.items():
        some = [answer for answer in known if bands[answer["file"]] in which]
        near = sum(abs(answer["told"] - answer["plain"]) <= NEAR for answer in some)
        lines.append(f"{name}: within {NEAR:g} L* {Rate(near, len(some))}")
    far = [answer for answer in known if abs(answer["told"] - answer["plain"]) > NEAR]
    return "\n".join([*lines, *(str(answer) for answer in far)])


def main() -> None:
    """Answer what is not answered, then print."""
    folder = Path(os.environ["FACE_VALUE_PORTRAITS"])
    RUNS.mkdir(parents=True, exist_ok=True)
    bands = {Path(row["file"]).name: band_of(float(row["skin_ita"])) for row in rows_of(folder / "test.csv")}
    lab = SkinLab()
    for file in sorted((folder / "test").glob("*.jpg")):
        kept = RUNS / f"{file.stem}.json"
        if not kept.exists():
            kept.write_text(json.dumps(list(lab.answers(file))), encoding="utf-8")
    lab.finder.close()
    answers = [
        answer for file in sorted(RUNS.glob("*.json")) for answer in json.loads(file.read_text("utf-8"))
    ]
    print(table(answers, bands))


if __name__ == "__main__":
    main()
