"""Pose maps, faces, prompt and plates to portraits, with any `ModelSet`.

All pictures are uint8 (H, W, 3) sRGB, at the set's canvas unless said otherwise. One seed is one portrait:
its noise is drawn on the processor, so it is the same on every machine and whoever it is drawn with.
What differs between families of networks is in their drawers; nothing here knows a model's name.
torch is imported inside the functions; its import takes seconds.
"""

import logging
import queue
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np

from errors import ChoiceError, OutOfMemory
from pipelines.arrays import Pixels
from pipelines.draw.drawer import (
    Drawer,
    DrawRequest,
    Loader,
    check_request,
    out_of_memory,
    silence_diffusers,
    wait_for_device,
)
from pipelines.draw.klein import load_klein
from pipelines.draw.machine import WEIGHTS, Device, find_device, locate, revisions
from pipelines.draw.model_set import Course, ModelSet, Start
from pipelines.draw.plan import Plan
from pipelines.draw.sdxl import load_sdxl

if TYPE_CHECKING:
    from torch import Tensor

T = TypeVar("T")
Stage = Literal["encode", "denoise", "decode"]
FAMILIES: dict[str, Loader] = {"sdxl": load_sdxl, "flux2-klein": load_klein}

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Progress:
    """A step was done, for some portraits together."""

    first: int  # index of the first of them in the request's seeds
    count: int
    step: int  # 1..steps
    steps: int  # that really run
    previews: tuple[Pixels, ...] = ()  # half the canvas wide; none at the last step

    @property
    def is_first_half(self) -> bool:
        """Whether what it previews is half drawn at most."""
        return self.step <= max(1, self.steps // 2)


@dataclass(frozen=True)
class Cost:
    """What a stage of a drawing took."""

    stage: Stage
    portraits: int  # that it was done for together
    seconds: float
    gigabytes: float | None  # most memory allocated on the card (10^9 bytes); None without a card


@dataclass(frozen=True, eq=False)
class Rendering:
    """A finished portrait and what made it."""

    image: Pixels
    index: int  # in the request's seeds
    seed: int
    start: Start
    strength: float | None  # None from noise
    requested_steps: int
    executed_steps: int
    seconds: float  # its share of encoding, drawing and decoding
    base: Pixels | None = None  # its plate through the autoencoder alone, where the set has a finish
    costs: tuple[Cost, ...] = ()  # of its batch, stage by stage


DrawEvent = Progress | Rendering


class _Closed(Exception):
    """Nobody reads the events any more."""


@dataclass(frozen=True, eq=False)
class _Job:
    """One request on its way through the networks, and who hears of it."""

    model_set: ModelSet
    drawer: Drawer
    request: DrawRequest
    course: Course
    put: Callable[[DrawEvent], None]
    stop: threading.Event
    bases: dict[int, Pixels] = field(default_factory=dict)  # plates through the autoencoder alone, by id


def load_drawer(model_set: ModelSet, folders: dict[str, Path], plan: Plan, device: Device) -> Drawer:
    """The set's networks, read by its family's loader."""
    return FAMILIES[model_set.family](model_set, folders, plan, device)


class Generator:
    """Draws portraits with one model set, one request at a time; others wait for their turn."""

    may_compile = True  # whether networks may be compiled while the program runs

    def __init__(
        self,
        model_set: ModelSet,
        device: str = "auto",
        cache: Path | None = None,
        weights: Path = WEIGHTS,
        loader: Loader = load_drawer,
        spared: Callable[[], int] = lambda: 0,
    ) -> None:
        """`spared`: how many cores a drawing that begins now leaves to others."""
        self.model_set = model_set
        self._device = device
        self._where = (cache, weights)
        self._loader = loader
        self._drawer: Drawer | None = None
        self._batch = 1
        self._spared = spared
        self._cores = 0  # of all that torch would take
        # one thread for all: networks and scheduler have a state, and two at once would crash them
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="draw")

    @property
    def places(self) -> int:
        """How many requests are drawn at once."""
        return 1

    def load(self) -> None:
        """Read the networks, unless they are there. Any thread may call this, any number of times.

        Raises `NotDownloaded` before anything is imported, `ChoiceError` when the set does not fit here.
        """
        self._thread.submit(self._ready).result()

    def unload(self) -> None:
        """Give the networks' memory back, after what is being drawn; `load` reads them anew."""
        self._thread.submit(self._forget).result()

    def close(self) -> None:
        """Nothing outlives the process."""

    def warm(self) -> None:
        """Compile what the plan wants compiled, by drawing once, which takes minutes.

        Nothing to do for a plan without, nor where the memory does not suffice: then smaller batches are
        drawn, as they are. Raises what `load` raises.
        """
        self.load()
        count = self._drawer.plan.compiled if self._drawer else 0
        if not count:
            return
        width, height = self.model_set.canvas
        grey = (np.full((height, width, 3), 128, np.uint8),) * count
        try:
            for _ in self.draw(
                DrawRequest("", "", grey, (), grey, tuple(range(count)), identity=1.0, pose=1.0)
            ):
                pass
        except OutOfMemory:
            log.warning("Too little memory to draw %d portraits together: nothing is compiled.", count)

    def draw(self, request: DrawRequest) -> Iterator[DrawEvent]:
        """Progress and portraits, as they come. Closing the iterator cancels within one step.

        Raises at once `ChoiceError` for a start that the set cannot honour and `ValueError` for pictures
        of the wrong shape; while drawing what `load` raises, and `OutOfMemory`.
        """
        self._course_of(request)
        return self._events(request)

    def begin(
        self, request: DrawRequest, put: Callable[[DrawEvent], None], stop: threading.Event
    ) -> Future[None]:
        """The same without waiting: `put` gets each event, in the thread that draws; `stop` ends it there.

        Raises at once what `draw` does; the future raises what drawing raises.
        """
        return self._thread.submit(self._draw, request, self._course_of(request), put, stop)

    def revisions(self) -> dict[str, str]:
        """Commit of each repository, digest of a local folder's weights. Raises `NotDownloaded`."""
        return revisions(self.model_set, *self._where)

    def _ready(self) -> Drawer:
        if self._drawer is None:
            folders = locate(self.model_set, *self._where)
            device = find_device(self._device)
            plan = self.model_set.plan(device.kind, device.gigabytes)
            if plan is None:
                raise ChoiceError(
                    f"{self.model_set.name} needs {self.model_set.least}; {device.name} has "
                    f"{device.gigabytes:.0f} GB. FACE_VALUE_MODELS=auto takes the best set that fits."
                )
            if not self.may_compile:
                plan = plan.model_copy(update={"compiled": 0})
            self._drawer = self._loader(self.model_set, folders, plan, device)
            self._batch = plan.batch
        return self._drawer

    def _forget(self) -> None:
        if drawer := self._drawer:
            self._drawer = None
            _free_memory(drawer)

    def _course_of(self, request: DrawRequest) -> Course:
        """Raises for what this set cannot draw."""
        course = self.model_set.course(request.start, request.strength)
        check_request(request, self.model_set)
        return course

    def _events(self, request: DrawRequest) -> Iterator[DrawEvent]:
        events: queue.SimpleQueue[DrawEvent | None] = queue.SimpleQueue()
        stop = threading.Event()
        work = self.begin(request, events.put, stop)
        work.add_done_callback(lambda _: events.put(None))
        try:
            while (event := events.get()) is not None:
                yield event
            work.result()  # raises what the thread raised
        finally:
            stop.set()
            if not work.cancel():  # it has begun
                wait((work,))

    def _draw(
        self, request: DrawRequest, course: Course, put: Callable[[DrawEvent], None], stop: threading.Event
    ) -> None:
        drawer = self._ready()
        import torch

        # beside a card the room has its core; and networks are compiled for one number of threads
        if drawer.plan.device == "cpu":
            self._cores = self._cores or torch.get_num_threads()
            torch.set_num_threads(max(1, self._cores - self._spared()))
        try:
            with silence_diffusers(), torch.no_grad():
                self._portraits(_Job(self.model_set, drawer, request, course, put, stop))
        finally:
            drawer.release()

    def _portraits(self, job: _Job) -> None:
        """All portraits in batches, in smaller ones when the memory does not suffice."""
        first, seeds = 0, job.request.seeds
        conditions, encoding = _encode(job)
        while first < len(seeds):
            batch = seeds[first : first + self._batch_of(len(seeds) - first)]
            try:
                watcher = _Watcher(job, first, len(batch))
                denoise = partial(job.drawer.denoise, conditions, job.course, first, batch, watcher)
                latents, cost = _measure_cost("denoise", len(batch), denoise)
            except RuntimeError as error:
                if not out_of_memory(error):
                    raise
            else:
                _hand_over(job, conditions, latents, first, (encoding, cost))
                first += len(batch)
                continue
            # here, not in the clause: the error holds on to the memory of the batch that failed
            _free_memory(job.drawer)
            if len(batch) == 1:
                raise OutOfMemory
            self._batch = len(batch) // 2
            log.warning("Out of memory with %d portraits at a time, now %d.", len(batch), self._batch)

    def _batch_of(self, left: int) -> int:
        """How many of the portraits that are left to draw together: as many as is compiled for, if any."""
        compiled = self._drawer.plan.compiled if self._drawer else 0
        return compiled if 0 < compiled <= min(left, self._batch) else min(left, self._batch)


def _encode(job: _Job) -> tuple[Any, Cost]:
    """What the request conditions the networks on; again where the card was full. Raises `OutOfMemory`."""
    encode = partial(job.drawer.encode, job.request, job.course)
    for _ in range(2):
        try:
            return _measure_cost("encode", len(job.request.seeds), encode)
        except RuntimeError as error:
            if not out_of_memory(error):
                raise
        _free_memory(job.drawer)
    raise OutOfMemory


def _hand_over(job: _Job, conditions: Any, latents: "Tensor", first: int, costs: tuple[Cost, ...]) -> None:
    """Decode as many together as the plan allows, and hand each portrait over at once.

    With its plate's latents decoded too, once a plate, where the set has a finish.
    """
    course, together = job.course, max(1, job.drawer.plan.decode)
    how = (course.start, course.strength, course.requested_steps, course.executed_steps)
    drawn = sum(cost.seconds / cost.portraits for cost in costs)
    for offset in range(0, len(latents), together):
        if job.stop.is_set():
            raise _Closed
        part = latents[offset : offset + together]
        images, cost = _measure_cost("decode", len(part), partial(_decode, job.drawer, part))
        for index, image in enumerate(images, first + offset):
            base, seed = _base(job, conditions, index), job.request.seeds[index]
            seconds = drawn + cost.seconds / cost.portraits
            job.put(Rendering(image, index, seed, *how, seconds, base, (*costs, cost)))


def _base(job: _Job, conditions: Any, index: int) -> Pixels | None:
    """A portrait's plate through the autoencoder alone, where the set has a finish: once a plate."""
    if not job.model_set.finish or job.stop.is_set():
        return None
    plate = id(job.request.plates[index])
    latents = job.drawer.plate_latents(conditions, index)
    if plate not in job.bases and latents is not None:
        (job.bases[plate],) = _decode(job.drawer, latents)
    return job.bases.get(plate)


def _decode(drawer: Drawer, latents: "Tensor") -> list[Pixels]:
    """Pictures from latents: together, or one by one, or each in tiles, as the memory allows.

    Raises `OutOfMemory`.
    """
    ways: tuple[tuple[int, bool], ...] = ((len(latents), False), (1, False), (1, True))
    for together, tiled in ways:
        try:
            parts = latents.split(together)
            return [image for part in parts for image in drawer.decode(part, tiled)]
        except RuntimeError as error:
            if not out_of_memory(error):
                raise
        _free_memory(drawer)  # here, not in the clause: the error holds on to what it could not use
    raise OutOfMemory


def _measure_cost(stage: Stage, portraits: int, work: Callable[[], T]) -> tuple[T, Cost]:
    """What the work gives, with the seconds it took and the most memory that the card held meanwhile."""
    import torch

    card = torch.cuda.is_initialized()
    if card:
        torch.cuda.reset_peak_memory_stats()
    began = time.perf_counter()
    result = work()
    wait_for_device()
    seconds = time.perf_counter() - began
    return result, Cost(stage, portraits, seconds, torch.cuda.max_memory_allocated() / 1e9 if card else None)


class _Watcher:
    """Called after every step: stops if nobody listens, else says how far we are."""

    def __init__(self, job: _Job, first: int, count: int) -> None:
        self.job, self.first, self.count = job, first, count

    def __call__(self, step: int, previews: Callable[[], tuple[Pixels, ...]]) -> None:
        if self.job.stop.is_set():
            raise _Closed
        steps = self.job.course.executed_steps
        shown = previews() if step < steps else ()  # the portrait itself follows the last one
        self.job.put(Progress(self.first, self.count, step, steps, shown))


def _free_memory(drawer: Drawer) -> None:
    """Give unused memory of the card back, so that whatever comes next finds whole pieces."""
    import torch

    drawer.release()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
