"""Stands for a Generator on a fleet's machines where only order and time matter: it keeps a diary."""

import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pipelines.draw.drawer import DrawRequest
from pipelines.draw.generate import DrawEvent, Progress, Rendering
from pipelines.draw.model_set import read_model_sets

MINI = read_model_sets()["mini"]
WIDTH, HEIGHT = MINI.canvas
STEPS = 20
PREVIEW = np.zeros((HEIGHT // 2, WIDTH // 2, 3), np.uint8)


class Entry(NamedTuple):
    """A line of the diary."""

    at: float  # s since 1970
    process: int
    seed: int
    did: str  # begin, the number of a step, or end


@dataclass
class Sleeper:
    """Draws grey of its seed's shade in `STEPS` steps, one portrait after the other."""

    diary: Path
    step_s: float = 0.05
    _thread: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1))

    def load(self) -> None:
        """Nothing to read."""

    def warm(self) -> None:
        """Nothing to warm."""

    def revisions(self) -> dict[str, str]:
        """Of no weights."""
        return {"sleep": "1"}

    def begin(
        self, request: DrawRequest, put: Callable[[DrawEvent], None], stop: threading.Event
    ) -> Future[None]:
        """As `Generator.begin`."""
        return self._thread.submit(self._draw, request, put, stop)

    def _draw(self, request: DrawRequest, put: Callable[[DrawEvent], None], stop: threading.Event) -> None:
        for index, seed in enumerate(request.seeds):
            self._note(seed, "begin")
            for step in range(1, STEPS + 1):
                time.sleep(self.step_s)
                self._note(seed, str(step))
                if stop.is_set():
                    break
                put(Progress(index, 1, step, STEPS, (PREVIEW,) if step < STEPS else ()))
            self._note(seed, "end")
            if stop.is_set():
                return
            image = np.full((HEIGHT, WIDTH, 3), seed, np.uint8)
            put(Rendering(image, index, seed, "plate", 0.5, STEPS, STEPS, STEPS * self.step_s))

    def _note(self, seed: int, did: str) -> None:
        with self.diary.open("a", encoding="ascii") as book:
            book.write(f"{time.time()} {os.getpid()} {seed} {did}\n")


def entries(diary: Path, did: str = "") -> list[Entry]:
    """What it did, in order; of one kind, or all."""
    lines = [line.split() for line in diary.read_text(encoding="ascii").splitlines()]
    found = [Entry(float(at), int(process), int(seed), what) for at, process, seed, what in lines]
    return [entry for entry in found if did in ("", entry.did)]


def grey_request(*seeds: int) -> DrawRequest:
    """Grey portraits with these seeds."""
    grey, n = np.full((HEIGHT, WIDTH, 3), 128, np.uint8), len(seeds)
    return DrawRequest("a portrait", "", (np.zeros_like(grey),) * n, (), (grey,) * n, seeds, 0.5, 1.0)
