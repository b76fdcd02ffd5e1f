"""How long a studio plate takes: `python -m bench.plate`.

A 1080p selfie (an example, enlarged into 1920 x 1080) to a plate of 1080 x 1350. Wall clock and CPU time:
beside other work the wall clock also counts the waiting. Goal: 0.6 s for cut-out and plate together.
"""

import argparse
import os
import platform
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import cv2
import numpy as np
from skimage.data import astronaut

from pipelines.look import read_looks
from pipelines.plate import matte, studio
from pipelines.plate.masks import Segmenter
from pipelines.plate.studio import Studio, plate
from pipelines.selfie.face import FaceFinder
from pipelines.selfie.photo import Photo

CANVAS = (1080, 1350)
GOAL_S = 0.6
STAGES = {
    matte: (
        "sitter_mask", "grabcut_veto", "key_hair", "room_colour_share", "trimap",
        "closed_form_alpha", "guided_filter", "colour_cut", "veil_correction", "unmix_colours",
    ),
    studio: ("place_on_canvas", "draw_ground", "light_gain", "add_rim_light", "grain"),
}  # fmt: skip


class Watch:
    """Seconds of each stage, wall clock and CPU, over all its calls in one round."""

    def __init__(self) -> None:
        self.rounds: list[dict[str, tuple[float, float]]] = []

    def timed(self, name: str, work: Callable[..., Any]) -> Callable[..., Any]:
        """The same function, timed under `name`."""

        def run(*args: Any, **options: Any) -> Any:
            wall, cpu = time.perf_counter(), time.process_time()
            result = work(*args, **options)
            before = self.rounds[-1].get(name, (0.0, 0.0)) if self.rounds else (0.0, 0.0)
            spent = (before[0] + time.perf_counter() - wall, before[1] + time.process_time() - cpu)
            if self.rounds:
                self.rounds[-1][name] = spent
            return result

        return run

    def seconds(self, name: str) -> tuple[float, float]:
        """Median wall clock and CPU time of a stage."""
        spent = [entry.get(name, (0.0, 0.0)) for entry in self.rounds]
        return median(wall for wall, _ in spent), median(cpu for _, cpu in spent)


def selfie() -> Photo:
    """A 1920 x 1080 photo of one person."""
    picture = cv2.resize(astronaut(), (1080, 1080), interpolation=cv2.INTER_CUBIC)
    return Photo(np.ascontiguousarray(np.pad(picture, ((0, 0), (420, 420), (0, 0)), mode="reflect")))


def main() -> None:
    """Print each stage, and the whole against the goal."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=9)
    options.add_argument("--look", default="grey")
    options.add_argument("--threads", type=int, default=0, help="OpenCV's threads; 0 leaves them as they are")
    chosen = options.parse_args()
    if chosen.threads:
        cv2.setNumThreads(chosen.threads)
    look, watch = read_looks()[chosen.look], Watch()
    for module, names in STAGES.items():
        for name in names:
            setattr(module, name, watch.timed(name, getattr(module, name)))
    Segmenter.mask = watch.timed("masks", Segmenter.mask)  # type: ignore[method-assign]
    with FaceFinder() as finder, Studio() as room:
        face = finder.find(selfie())
        cut_out, make = watch.timed("cut_out", room.cut_out), watch.timed("plate", plate)
        make(cut_out(face), look, CANVAS)  # the first builds graphs
        for _ in range(chosen.rounds):
            watch.rounds.append({})
            make(cut_out(face), look, CANVAS)
    report(watch, chosen.rounds)


def report(watch: Watch, rounds: int) -> None:
    """One line a stage, then the sum and its share of the goal."""
    print(f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, median of {rounds}")
    for name in ("masks", *STAGES[matte], "cut_out", *STAGES[studio], "plate"):
        wall, cpu = watch.seconds(name)
        print(f"{name:12} {wall * 1000:6.0f} ms, CPU {cpu * 1000:6.0f} ms")
    wall, cpu = (a + b for a, b in zip(watch.seconds("cut_out"), watch.seconds("plate"), strict=True))
    print(f"{'together':12} {wall * 1000:6.0f} ms, CPU {cpu * 1000:6.0f} ms: {wall / GOAL_S:.2f} of the goal")


if __name__ == "__main__":
    main()
