"""What a signed mark costs: `python -m bench.marks`.

A picture of one megapixel, with fine detail, written as JPEG and as PNG: with the note only (`provenance`),
and with note and signature (`signing`), in turns in one process. Both are read back first. Goal: at most
0.2 s for a signed JPEG, writing included. Then the check of such a file in a process of its own (`proof`),
for which there is no rival.
"""

import argparse
import os
import platform
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Literal

import cv2
import numpy as np
from skimage.data import astronaut

from pipelines.arrays import Pixels
from pipelines.draw.model_set import read_model_sets
from pipelines.marks.note import mark
from pipelines.marks.signing import Signer
from pipelines.marks.verify import ProofVerdict, prove

SIZE = (896, 1120)  # width, height in px: the canvas of the large sets, 1.0 megapixel
GOAL_S = 0.2
FORMATS: tuple[Literal["JPEG", "PNG"], ...] = ("JPEG", "PNG")


def picture() -> Pixels:
    """A photograph of that size, with a grain that no encoder can flatten."""
    large = cv2.resize(astronaut(), SIZE, interpolation=cv2.INTER_CUBIC).astype(np.int16)
    grain = np.random.default_rng(7).normal(0, 3, large.shape)
    return np.asarray(np.clip(large + grain, 0, 255), np.uint8)


def seconds(work: Callable[[], object]) -> float:
    """Wall clock of one call."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def main() -> None:
    """One line a format: milliseconds with and without signature, their ratio, and the goal."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=15)
    rounds = options.parse_args().rounds
    pixels, model_set = picture(), read_model_sets()["mini"]
    print(f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, median of {rounds}")
    with tempfile.TemporaryDirectory() as folder:
        signer = Signer(Path(folder))
        began = time.perf_counter()
        signer.load()
        print(f"first need: library and new key in {time.perf_counter() - began:.2f} s")
        for format in FORMATS:
            sign = partial(signer.sign, pixels, "generated", model_set, format=format)
            compare(signer, pixels, format, rounds, sign)


def compare(
    signer: Signer, pixels: Pixels, format: Literal["JPEG", "PNG"], rounds: int, sign: Callable[[], bytes]
) -> None:
    """Print the line of a format, and that of the check."""
    signed, plain = sign(), mark(pixels, "generated", format=format)
    if (
        prove(signed, signer.own_chain()).verdict != ProofVerdict.OURS
        or prove(plain, None).verdict != ProofVerdict.NOTE
    ):
        raise SystemExit("The two files do not carry what they should.")
    pairs = [
        (seconds(sign), seconds(lambda: mark(pixels, "generated", format=format))) for _ in range(rounds)
    ]
    ours, note = (median(one) for one in zip(*pairs, strict=True))
    check = median(seconds(lambda: prove(signed, signer.own_chain())) for _ in range(rounds))
    print(
        f"{format}: signed {ours * 1000:.0f} ms, note only {note * 1000:.0f} ms: {ours / note:.2f} x, "
        f"{ours / GOAL_S:.2f} of the goal; {len(signed) - len(plain):,} bytes more; "
        f"check {check * 1000:.0f} ms"
    )


if __name__ == "__main__":
    main()
