"""Other machines that draw, against this one: what a line before them gains, and what the way there costs.

    python -m bench.fleet

All replicas stand on this machine, in a cluster that is started for the run. The small set is drawn with one
and two of them and without: on a machine with few cores that says what the way costs, not what more machines
gain. Sleepers only wait, so what they lose is lost by the queue; they show nothing else.
Prints each figure with its goal (`GOALS`) and the machine.
"""

import os
import platform
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.sleeper import MINI, STEPS, Sleeper, entries, grey_request
from pipelines.draw.fleet import Fleet
from pipelines.draw.gateway import HERE
from pipelines.draw.generate import Generator

GOALS = {
    "efficiency of 8": 0.95,
    "preview later": 0.030,  # s
    "cancel to free": 0.050,  # s beyond a step
}
REQUESTS = 8  # of the small set, for each figure
EACH = 6  # drawings of a sleeper
REPLICAS = (1, 2, 4, 8)
STEP_S = 0.1  # of a sleeper: together as long as the small set draws
CANCELS = 15


@contextmanager
def fleet(replicas: int, build: Callable[[], object] | None = None) -> Iterator[Fleet]:
    """A cluster on this machine with all its replicas at work."""
    there = Fleet(MINI, "cpu", HERE, replicas, build)  # type: ignore[arg-type]
    there.load()
    while there.state.running < replicas:
        time.sleep(0.1)
    try:
        yield there
    finally:
        there.close()


def seconds_for(count: int, generator: Generator) -> float:
    """For that many requests, with as many callers as are drawn at once."""

    def draw(seed: int) -> None:
        for _ in generator.draw(grey_request(seed)):
            pass

    with ThreadPoolExecutor(generator.places) as callers:
        list(callers.map(draw, range(generator.places)))  # warms each of them
        began = time.perf_counter()
        list(callers.map(draw, range(count)))
        return time.perf_counter() - began


def measure_throughput() -> None:
    """Portraits of the small set."""
    here = Generator(MINI, "cpu")
    here.load()
    alone = seconds_for(REQUESTS, here)
    here.unload()
    print(f"small set, {REQUESTS} requests in this process: {alone:.2f} s")
    for replicas in (1, 2):
        with fleet(replicas) as there:
            spent = seconds_for(REQUESTS, there)
        print(f"small set, {replicas} replicas: {spent:.2f} s, {alone / spent:.2f} x of this process")


def measure_queue(folder: Path) -> None:
    """Sleepers: the time that they sleep, as a share of the time that their line takes."""
    print("Sleepers do no work: this is what the queue alone loses, not what more machines gain.")
    for replicas in REPLICAS:
        with fleet(replicas, partial(Sleeper, folder / f"of-{replicas}", STEP_S)) as there:
            spent = seconds_for(EACH * replicas, there)
        efficiency = EACH * STEPS * STEP_S / spent
        goal = f" (goal >= {GOALS['efficiency of 8']})" if replicas == REPLICAS[-1] else ""
        print(f"sleepers, {replicas} replicas: efficiency {efficiency:.3f}{goal}")


def measure_way(folder: Path) -> None:
    """With one sleeper: how much later its first preview comes, and how soon it is free after a cancel."""
    diary, later, free = folder / "way", [], []
    with fleet(1, partial(Sleeper, diary, STEP_S)) as there:
        for seed in range(CANCELS):
            asked = time.time()
            with closing(there.draw(grey_request(seed))) as events:  # type: ignore[type-var]
                next(iter(events))
                later.append(time.time() - asked - STEP_S)
                closed = time.time()
            with closing(there.draw(grey_request(seed))) as events:  # type: ignore[type-var]
                next(iter(events))
            free.append(entries(diary, "begin")[-1].at - closed - STEP_S)
            time.sleep(2 * STEP_S)
    report("first preview, added", later, GOALS["preview later"])
    report("cancel to the next drawing's begin, beyond a step", free, GOALS["cancel to free"])


def report(what: str, seconds: list[float], goal: float) -> None:
    """Median and worst, in milliseconds."""
    median, worst = statistics.median(seconds) * 1e3, max(seconds) * 1e3
    print(f"{what}: {median:.0f} ms (median of {len(seconds)}; worst {worst:.0f}; goal <= {goal * 1e3:.0f})")


def main() -> None:
    """Measure and print."""
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    with TemporaryDirectory() as folder:
        measure_way(Path(folder))
        measure_queue(Path(folder))
    measure_throughput()


if __name__ == "__main__":
    main()
