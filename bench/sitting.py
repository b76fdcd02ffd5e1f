"""The whole chain with the small offline model, warm: what a visitor waits for.

    python -m bench.sitting

Prints the median of 7 sittings on the shipped example, and the share of each stage. There is no rival
to compare with: the ratio is to the goal (`GOALS`).
"""

import os
import platform
import statistics
import time
from collections import defaultdict

import cv2
import numpy as np
from skimage.data import astronaut

from pipelines.draw.finish import transfer_detail
from pipelines.draw.generate import Generator, Progress
from pipelines.draw.model_set import read_model_sets
from pipelines.look import read_looks
from pipelines.order import Order
from pipelines.plate.studio import Studio
from pipelines.selfie.face import FaceFinder
from pipelines.selfie.photo import Photo
from pipelines.sitting import Done, PlateReady, PortraitReady, PoseReady, on_canvas, sit

SITTINGS = 7
GOALS = {  # s, on 2 cores
    "plate": 0.6,
    "first preview": 1.0,
    "last step to last portrait": 2.5,
    "four portraits": 5.0,
    "one finish alone": 0.35,
}


def selfie() -> Photo:
    """The example as a phone would send it: 1080 px wide, 1920 px high with the ground continued."""
    picture = cv2.resize(np.asarray(astronaut()), (1080, 1080), interpolation=cv2.INTER_CUBIC)
    return Photo(cv2.copyMakeBorder(picture, 420, 420, 0, 0, cv2.BORDER_REPLICATE))


def one_sitting(order: Order, finder: FaceFinder, studio: Studio, generator: Generator) -> dict[str, float]:
    """Seconds a stage, and from the pose map to the first preview and to the last portrait."""
    seconds: dict[str, float] = {}
    drawing = stepped = 0.0
    for event in sit([selfie()], order, finder, studio, generator):
        now = time.perf_counter()
        if isinstance(event, PoseReady):
            drawing = now
        elif isinstance(event, Progress):
            stepped = now
            if event.previews:
                seconds.setdefault("first preview", now - drawing)
        elif isinstance(event, PortraitReady):
            seconds["last step to last portrait"] = now - stepped
            last = event.portrait
        elif isinstance(event, Done):
            seconds["four portraits"] = now - drawing
            began, asked, alpha = time.perf_counter(), last.setup.asked, last.setup.plate.alpha
            transfer_detail(last.rendering.image, on_canvas(asked, last.model_set), asked, alpha)
            seconds["one finish alone"] = time.perf_counter() - began
            seconds |= {
                stage: spent for stage, spent in event.report["seconds"].items() if stage != "portraits"
            }
        elif isinstance(event, PlateReady):
            assert event.plate.pixels.shape == (1350, 1080, 3)  # noqa: S101 - rivals must do the same work
    return seconds


def main() -> None:
    """Measure and print."""
    order = Order(read_looks()["grey"], seed=7)
    generator = Generator(read_model_sets()["mini"], "cpu")
    generator.load()
    spent: dict[str, list[float]] = defaultdict(list)
    with FaceFinder() as finder, Studio() as studio:
        one_sitting(order, finder, studio, generator)  # warms graphs and caches
        for _ in range(SITTINGS):
            for stage, seconds in one_sitting(order, finder, studio, generator).items():
                spent[stage].append(seconds)
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, median of {SITTINGS}")
    for stage, all_seconds in spent.items():
        median = statistics.median(all_seconds)
        goal = f", {median / GOALS[stage]:.2f} x the goal of {GOALS[stage]} s" if stage in GOALS else ""
        print(f"{stage}: {median:.2f} s{goal}")


if __name__ == "__main__":
    main()
