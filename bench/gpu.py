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

from bench.generate import portraits, request_of
from pipelines.drawer import Drawer, Pixels, Request
from pipelines.generate import Generator, Rendering, load_drawer
from pipelines.machine import WEIGHTS, Device
from pipelines.model_set import Kind, ModelSet, Plan, read_model_sets
from tests.hub import FULL, TINY, build_hub

FOUR = 4
PLATE_GOAL_S, NOISE_GOAL_S, NOISE_STEPS = 0.45, 0.5, 4
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
    """One set with random weights, loaded by any plan."""

    def __init__(self, model_set: ModelSet, cache: Path, kind: Kind) -> None:
        self.model_set, self.cache, self.kind = model_set, cache, kind
        self.drawer: Any = None

    def load(self, plan: Plan, **changes: object) -> Generator:
        """A generator with this plan; the one before it is given back to the card first."""
        self.drawer = None
        _free()

        def loader(model_set: ModelSet, folders: dict[str, Path], _: Plan, device: Device) -> Drawer:
            self.drawer = load_drawer(model_set, folders, plan, device)
            return self.drawer  # type: ignore[no-any-return]

        model_set = self.model_set.model_copy(update={"memory": (plan,), **changes})
        generator = Generator(model_set, self.kind, self.cache, WEIGHTS, loader)
        generator.load()
        return generator

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
    with tempfile.TemporaryDirectory(dir=_roomy()) as folder:
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
    sets = [name for name, one in read_model_sets().items() if one.family == "sdxl" and not one.rehearsal]
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
    generator = card.load(card.plan())
    asked = request_of(generator.model_set, FOUR)
    drawn = portraits(generator, asked)
    for count in (1, 2, FOUR):
        _tell(f"eager, {count} from the plate", generator, request_of(generator.model_set, count))
    _tell("eager, four, no pose", generator, replace(asked, pose=0.0))
    _tell("eager, four, all steps from noise", generator, replace(asked, start="noise"))
    for stage, seconds in _stages(generator, asked).items():
        print(f"  {stage:<8} {seconds:.3f} s", flush=True)
    return drawn


def _compiled(card: Card, drawn: list[Pixels] | None) -> None:
    """U-Net and ControlNet compiled: the goals, and that no dial compiles anew."""
    generator = card.load(card.plan(compiled=FOUR))
    began = time.perf_counter()
    generator.warm()
    print(f"compiled in {time.perf_counter() - began:.0f} s", flush=True)
    asked = request_of(generator.model_set, FOUR)
    if drawn:
        apart = np.mean(
            [
                np.abs(a.astype(int) - b).mean()
                for a, b in zip(portraits(generator, asked), drawn, strict=True)
            ]
        )
        print(f"  {apart:.2f}/255 from what the eager networks draw", flush=True)
    _tell("compiled, four from the plate", generator, asked, PLATE_GOAL_S)
    began = time.perf_counter()
    portraits(generator, replace(asked, identity=0.31, pose=0.5, references=asked.references * 2))
    print(f"  another identity, pose and number of faces: {time.perf_counter() - began:.2f} s", flush=True)
    generator = card.load(card.plan(compiled=FOUR), steps=NOISE_STEPS, distilled=NOISE_STEPS, start="noise")
    generator.warm()
    _tell(f"compiled, four, {NOISE_STEPS} steps from noise", generator, asked, NOISE_GOAL_S)


def _smaller(card: Card, clock: Clock) -> None:
    """The plans for smaller cards, in as much memory as those have."""
    total = torch.cuda.get_device_properties(0).total_memory / 1e9
    for sold, gigabytes in SMALLER.items():
        plan = card.model_set.plan("cuda", gigabytes)
        if plan is None or gigabytes >= total or clock.left < 40:
            continue
        plan = plan.model_copy(update={"compiled": 0})
        with _at_most(gigabytes - TAKEN_GB, total):
            try:
                generator = card.load(plan)
                asked = request_of(generator.model_set, FOUR)
                _tell(f"{sold}: {plan.keep}, batches of {plan.batch}", generator, asked)
            except (RuntimeError, MemoryError) as error:
                print(f"{sold}: {plan.keep} fails ({type(error).__name__})", flush=True)
        card.drawer = None


def _tell(what: str, generator: Generator, asked: Request, goal: float | None = None) -> None:
    """Median seconds of five after one to warm up, with the peak of the card."""
    portraits(generator, asked)
    _free()
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    spent = []
    for _ in range(5):
        began = time.perf_counter()
        portraits(generator, asked)
        spent.append(time.perf_counter() - began)
    seconds = median(spent)
    ratio = f", {seconds / goal:.2f}x the goal of {goal:g} s" if goal else ""
    peak = f", peak {torch.cuda.max_memory_allocated() / 1e9:.1f} GB" if torch.cuda.is_available() else ""
    print(f"{what}: {seconds:.3f} s{ratio}{peak}", flush=True)


def _stages(generator: Generator, asked: Request) -> dict[str, float]:
    """Seconds of one drawing by stage."""
    last = next(event for event in generator.draw(asked) if isinstance(event, Rendering))
    return {cost.stage: cost.seconds for cost in last.costs}


@contextmanager
def _at_most(gigabytes: float, total: float) -> Iterator[None]:
    torch.cuda.set_per_process_memory_fraction(gigabytes / total)
    try:
        yield
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)


def _kind() -> Kind:
    return "cuda" if torch.cuda.is_available() else "cpu"


def _roomy() -> str | None:
    """13 GB of networks are read at memory's speed where there is a disk in it."""
    shared = Path("/dev/shm")
    return str(shared) if torch.cuda.is_available() and shared.is_dir() else None


def _free() -> None:
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


if __name__ == "__main__":
    main()
