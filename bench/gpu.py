"""A card in under ten minutes: what a set takes on it, eager and compiled, and which smaller cards would do.

    python -m bench.gpu                # full-size networks, random weights: an NVIDIA card, 8 minutes
    python -m bench.gpu --tiny         # toy networks: does it run? any machine
    python -m bench.gpu --set sdxl-lightning --minutes 5

Random weights take as long as trained ones. Each line is printed when it is there; a section that would pass
the time is left out, and says so. Goals, of four portraits with pose and identity on an H100 or H200: 8 steps
from the plate at strength 0.375 in 0.45 s, 4 steps from noise in 0.5 s.
"""

import argparse
import gc
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch

from bench.generate import peak_of, renderings, request_of
from errors import VisitorError
from pipelines.arrays import Pixels
from pipelines.draw.drawer import Drawer, DrawRequest
from pipelines.draw.generate import Generator, Rendering, load_drawer
from pipelines.draw.machine import WEIGHTS, Device
from pipelines.draw.model_set import ModelSet, read_model_sets
from pipelines.draw.plan import DeviceKind, Plan
from tests.hub import FULL, TINY, build_hub

FOUR = 4
PLATE_GOAL_S, NOISE_GOAL_S, NOISE_STEPS, GOALS_CANVAS = 0.45, 0.5, 4, (896, 1120)
# Memory as sold, GB of 10^9 bytes as the driver reports it, less what context and screen take.
SMALLER = {"24 GB": 25.0, "16 GB": 16.5, "12 GB": 12.5, "8 GB": 8.2}
TAKEN_GB = 0.6


class Clock:
    """What is left of the time."""

    def __init__(self, minutes: float) -> None:
        self._ends = time.perf_counter() + 60 * minutes

    @property
    def left(self) -> float:
        """Seconds."""
        return self._ends - time.perf_counter()


class Card:
    """One set with random weights, on the card by one plan at a time."""

    def __init__(self, model_set: ModelSet, cache: Path, kind: DeviceKind) -> None:
        self.model_set, self.cache, self.kind = model_set, cache, kind
        self._generator: Generator | None = None

    @property
    def generator(self) -> Generator:
        """What draws now. Whoever keeps it keeps its networks on the card."""
        assert self._generator, "load a plan first"  # noqa: S101 - of the bench's own making
        return self._generator

    def load(self, plan: Plan, **changes: object) -> None:
        """Draw by this plan from now on; the networks before it leave the card first."""
        self._generator = None
        _free()

        def loader(model_set: ModelSet, folders: dict[str, Path], _: Plan, device: Device) -> Drawer:
            return load_drawer(model_set, folders, plan, device)

        model_set = self.model_set.model_copy(update={"memory": (plan,), **changes})
        self._generator = Generator(model_set, self.kind, self.cache, WEIGHTS, loader)
        self._generator.load()

    def request(self, count: int = FOUR) -> DrawRequest:
        """An order of a public-domain face."""
        return request_of(self.model_set, count)

    def plan(self, **changes: object) -> Plan:
        """All networks on the card, four portraits together."""
        plain = Plan(device=self.kind, gigabytes=0, batch=FOUR, decode=FOUR, dtype="float32")
        half = {"dtype": "float16"} if self.kind == "cuda" else {}
        return plain.model_copy(update=half | changes)


def main() -> None:
    """Print a line a measurement."""
    asked = _arguments()
    clock, kind = Clock(asked.minutes), _kind()
    name = torch.cuda.get_device_name() if kind == "cuda" else "no card: a processor"
    model_set = read_model_sets()[asked.set]
    if asked.tiny:
        model_set = model_set.model_copy(update={"canvas": (128, 160)})
    print(f"{asked.set} with random weights, {'toy' if asked.tiny else 'full'} size, on {name}", flush=True)
    gigabytes = sum(part.gigabytes for part in model_set.parts.by_role().values())
    with tempfile.TemporaryDirectory(dir=roomy(gigabytes)) as folder:
        began = time.perf_counter()
        with torch.device(kind):  # a card draws 2.6 billion numbers in a second
            cache = build_hub(Path(folder), [model_set], TINY if asked.tiny else FULL)
        print(f"networks written in {time.perf_counter() - began:.0f} s", flush=True)
        card = Card(model_set, cache, kind)
        drawn = _section(clock, 90, "eager", lambda: _eager(card))
        _section(clock, 200, "compiled", lambda: _compiled(card, drawn))
        if kind == "cuda":
            _section(clock, 150, "smaller cards", lambda: _smaller(card, clock))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    sets = [
        name
        for name, read_model_set in read_model_sets().items()
        if read_model_set.family == "sdxl" and not read_model_set.rehearsal
    ]
    parser.add_argument("--set", default="realvis-lightning", choices=sets)
    parser.add_argument("--tiny", action="store_true", help="toy networks, to see that it runs")
    parser.add_argument("--minutes", type=float, default=9.0)
    return parser.parse_args()


def _section(clock: Clock, needed_s: float, name: str, measure: Callable[[], Any]) -> Any:
    if clock.left < needed_s:
        print(f"{name}: left out, {clock.left:.0f} s left", flush=True)
        return None
    return measure()


def _eager(card: Card) -> list[Pixels]:
    """Networks as they are. Returns what they draw, for others to be compared with."""
    card.load(card.plan())
    asked = card.request()
    drawn = [made.image for made in renderings(card.generator, asked)]
    for count in (1, 2, FOUR):
        _tell(f"eager, {count} from the plate", card, card.request(count))
    _tell("eager, four, no pose", card, replace(asked, pose=0.0))
    _tell("eager, four, all steps from noise", card, replace(asked, start="noise"))
    for cost in renderings(card.generator, asked)[0].costs:
        print(f"  {cost.stage:<8} {cost.seconds:.3f} s", flush=True)
    return drawn


def _compiled(card: Card, drawn: list[Pixels] | None) -> None:
    """U-Net and ControlNet compiled: the goals, and that no dial compiles anew."""
    card.load(card.plan(compiled=FOUR))
    began = time.perf_counter()
    card.generator.warm()
    print(f"compiled in {time.perf_counter() - began:.0f} s", flush=True)
    asked, has_goals = card.request(), card.model_set.distilled and card.model_set.canvas == GOALS_CANVAS
    if drawn:
        mine = [made.image for made in renderings(card.generator, asked)]
        apart = np.mean([np.abs(a.astype(int) - b).mean() for a, b in zip(mine, drawn, strict=True)])
        print(f"  {apart:.2f}/255 from what the eager networks draw", flush=True)
    _tell("compiled, four from the plate", card, asked, PLATE_GOAL_S if has_goals else None)
    others = replace(asked, identity=0.31, pose=0.5, references=asked.references * 2)
    for what, changed in (("another identity, pose and number of faces", others), ("from noise", None)):
        began = time.perf_counter()
        renderings(card.generator, changed or replace(asked, start="noise"))
        print(f"  {what}, once: {time.perf_counter() - began:.2f} s", flush=True)
    if card.model_set.distilled:
        card.load(card.plan(compiled=FOUR), steps=NOISE_STEPS, distilled=NOISE_STEPS, start="noise")
        card.generator.warm()
        goal = NOISE_GOAL_S if has_goals else None
        _tell(f"compiled, four, {NOISE_STEPS} steps from noise", card, asked, goal)


def _smaller(card: Card, clock: Clock) -> None:
    """The plans for smaller cards, in as much memory as those have."""
    total = torch.cuda.get_device_properties(0).total_memory / 1e9
    for sold, gigabytes in SMALLER.items():
        plan = card.model_set.plan("cuda", gigabytes)
        if plan is None or gigabytes >= total or clock.left < 40:
            continue
        with _at_most(gigabytes - TAKEN_GB, total):
            try:
                card.load(plan.model_copy(update={"compiled": 0}))
                _tell(f"{sold}: {plan.keep}, batches of {plan.batch}", card, card.request())
            except (RuntimeError, VisitorError) as error:  # OutOfMemory is a visitor's
                print(f"{sold}: {plan.keep} fails ({type(error).__name__})", flush=True)


def _tell(what: str, card: Card, asked: DrawRequest, goal: float | None = None) -> None:
    """Median seconds of five after one to warm up, with the most that any stage held of the card."""
    renderings(card.generator, asked)
    spent: list[float] = []
    made: list[Rendering] = []
    for _ in range(5):
        began = time.perf_counter()
        made += renderings(card.generator, asked)
        spent.append(time.perf_counter() - began)
    seconds, held = median(spent), peak_of(made)
    ratio = f", {seconds / goal:.2f}x the goal of {goal:g} s" if goal else ""
    print(f"{what}: {seconds:.3f} s{ratio}" + (f", peak {held:.1f} GB" if held else ""), flush=True)


@contextmanager
def _at_most(gigabytes: float, total: float) -> Iterator[None]:
    torch.cuda.set_per_process_memory_fraction(gigabytes / total)
    try:
        yield
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)


def _kind() -> DeviceKind:
    return "cuda" if torch.cuda.is_available() else "cpu"


def roomy(gigabytes: float) -> str | None:
    """A disk in memory, from which networks are read at its speed, where that has room for them."""
    shared = Path("/dev/shm")
    has_room = shared.is_dir() and shutil.disk_usage(shared).free / 1e9 > gigabytes + 1
    return str(shared) if has_room else None


def _free() -> None:
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


if __name__ == "__main__":
    main()
