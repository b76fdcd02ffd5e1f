"""Pose maps, faces, prompt and plates to portraits, with any `ModelSet`.

All pictures are uint8 (H, W, 3) sRGB, at the set's canvas unless said otherwise. One seed is one portrait:
its noise is drawn on the processor, so it is the same on every machine and whoever it is drawn with.
torch is imported inside the functions; its import takes seconds.
"""

import inspect
import logging
import queue
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from errors import ChoiceError, TooMuch
from pipelines.conditioning import Conditions, Request, check_request, conditions_of, options_for
from pipelines.loading import SAMPLERS, Loader, Networks, load_networks, quiet
from pipelines.model_set import WEIGHTS, Course, ModelSet, Start, find_device, locate, revisions
from pipelines.preview import Sketch, heading, to_pixels

if TYPE_CHECKING:
    from torch import Tensor

Pixels = NDArray[np.uint8]

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
    seconds: float  # its share of the drawing, and its own decoding
    base: Pixels | None = None  # its plate through the autoencoder alone, where the set has a finish


Event = Progress | Rendering


class _Closed(Exception):
    """Nobody reads the events any more."""


@dataclass(frozen=True, eq=False)
class _Job:
    """One request on its way through the networks, and who hears of it."""

    model_set: ModelSet
    networks: Networks
    request: Request
    course: Course
    put: Callable[[Event], None]
    stop: threading.Event


class Generator:
    """Draws portraits with one model set, one request at a time; others wait for their turn."""

    def __init__(
        self,
        model_set: ModelSet,
        device: str = "auto",
        cache: Path | None = None,
        weights: Path = WEIGHTS,
        loader: Loader = load_networks,
        spared: Callable[[], int] = lambda: 0,
    ) -> None:
        """`spared`: how many cores a drawing that begins now leaves to others."""
        self.model_set = model_set
        self._device = device
        self._where = (cache, weights)
        self._loader = loader
        self._networks: Networks | None = None
        self._batch = 1
        self._spared = spared
        self._cores = 0  # of all that torch would take
        # one thread for all: networks and scheduler have a state, and two at once would crash them
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="draw")

    @property
    def loaded(self) -> bool:
        """Whether a portrait could be begun at once."""
        return self._networks is not None

    def load(self) -> None:
        """Read the networks, unless they are there. Any thread may call this, any number of times.

        Raises `NotDownloaded` before anything is imported, `ChoiceError` when the set does not fit here.
        """
        self._thread.submit(self._ready).result()

    def draw(self, request: Request) -> Iterator[Event]:
        """Progress and portraits, as they come. Closing the iterator cancels within one step.

        Raises at once `ChoiceError` for a start that the set cannot honour and `ValueError` for pictures
        of the wrong shape; while drawing what `load` raises, and `TooMuch`.
        """
        course = self.model_set.course(request.start, request.strength)
        check_request(request, self.model_set)
        return self._events(request, course)

    def revisions(self) -> dict[str, str]:
        """Commit of each repository, digest of a local folder's weights. Raises `NotDownloaded`."""
        return revisions(self.model_set, *self._where)

    def _ready(self) -> Networks:
        if self._networks is None:
            folders = locate(self.model_set, *self._where)
            device = find_device(self._device)
            plan = self.model_set.plan(device.kind, device.gigabytes)
            if plan is None:
                raise ChoiceError(
                    f"{self.model_set.name} needs {self.model_set.least}; {device.name} has "
                    f"{device.gigabytes:.0f} GB. FACE_VALUE_MODELS=auto takes the best set that fits."
                )
            self._networks = self._loader(self.model_set, folders, plan, device)
            self._batch = plan.batch
        return self._networks

    def _events(self, request: Request, course: Course) -> Iterator[Event]:
        events: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        stop = threading.Event()
        work = self._thread.submit(self._draw, request, course, events.put, stop)
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
        self, request: Request, course: Course, put: Callable[[Event], None], stop: threading.Event
    ) -> None:
        networks = self._ready()
        import torch

        self._cores = self._cores or torch.get_num_threads()
        torch.set_num_threads(max(1, self._cores - self._spared()))
        try:
            with quiet(), torch.no_grad():
                self._portraits(_Job(self.model_set, networks, request, course, put, stop))
        finally:
            networks.release()

    def _portraits(self, job: _Job) -> None:
        """All portraits in batches, in smaller ones when the memory does not suffice."""
        conditions, first, seeds = None, 0, job.request.seeds
        while first < len(seeds):
            batch = seeds[first : first + self._batch]
            try:
                conditions = conditions or conditions_of(job.request, job.model_set, job.networks, job.course)
                latents, seconds = _denoise(job, conditions, first, batch)
            except RuntimeError as error:
                if not _out_of_memory(error):
                    raise
            else:
                _hand_over(job, conditions, latents, first, seconds)
                first += len(batch)
                continue
            # here, not in the clause: the error holds on to the memory of the batch that failed
            _free_memory()
            if len(batch) == 1:
                raise TooMuch
            self._batch = len(batch) // 2
            log.warning("Out of memory with %d portraits at a time, now %d.", len(batch), self._batch)


def _denoise(job: _Job, conditions: Conditions, first: int, seeds: tuple[int, ...]) -> tuple["Tensor", float]:
    """Finished latents (n, C, h, w) of some portraits, and the seconds that each took.

    One pipeline serves both starts: from noise it is image to image at strength 1, which gives pixel for
    pixel what diffusers' text-to-image pipeline gives (a test holds it to that).
    """
    import torch

    began = time.perf_counter()
    pipe, (width, height), strength = job.networks.drawing, job.model_set.canvas, job.course.strength or 1.0
    shape = (1, pipe.unet.config.in_channels, height // pipe.vae_scale_factor, width // pipe.vae_scale_factor)
    generators = [torch.Generator("cpu").manual_seed(seed) for seed in seeds]
    noise = torch.cat([torch.randn(shape, generator=generator) for generator in generators])
    noise = noise.to(job.networks.device, job.networks.dtype)
    pipe.scheduler.set_timesteps(job.model_set.steps, device=job.networks.device)
    if conditions.latents is None:
        noisy = noise * pipe.scheduler.init_noise_sigma
    else:
        timesteps, _ = pipe.get_timesteps(job.model_set.steps, strength, job.networks.device)
        clean = conditions.latents[first : first + len(seeds)]
        noisy = pipe.scheduler.add_noise(clean, noise, timesteps[:1].repeat(len(seeds)))
    latents = _call(
        pipe,
        **options_for(conditions, first, len(seeds)),
        latents=noisy,
        generator=generators,
        num_inference_steps=job.model_set.steps,
        strength=strength,
        guidance_scale=job.model_set.guidance,
        callback_on_step_end=_Watcher(job, conditions.sketch, first, noisy),
        output_type="latent",
    ).images
    latents[0, 0, 0, 0].item()  # a GPU answers before it is done: wait, so that the seconds are true
    return latents, (time.perf_counter() - began) / len(seeds)


def _call(pipe: Any, **options: Any) -> Any:
    """Call a pipeline of diffusers, which would swallow an argument that it does not know."""
    unknown = options.keys() - inspect.signature(pipe.__call__).parameters.keys()
    if unknown:
        raise TypeError(f"{type(pipe).__name__} does not take {', '.join(sorted(unknown))}")
    return pipe(**options)


class _Watcher:
    """Called by diffusers after every step: stops if nobody listens, else says how far we are."""

    def __init__(self, job: _Job, sketch: Sketch | None, first: int, noisy: "Tensor") -> None:
        self.job, self.sketch, self.first, self.before = job, sketch, first, noisy

    def __call__(self, pipe: Any, index: int, timestep: Any, tensors: dict[str, Any]) -> dict[str, Any]:
        if self.job.stop.is_set():
            raise _Closed
        after = tensors["latents"]
        previews: tuple[Pixels, ...] = ()
        if self.sketch and index + 1 < self.job.course.executed_steps:
            unit = SAMPLERS[self.job.model_set.scheduler].unit
            previews = tuple(to_pixels(self.sketch(heading(pipe.scheduler, unit, self.before, after))))
        self.before = after
        self.job.put(Progress(self.first, len(after), index + 1, self.job.course.executed_steps, previews))
        return {}


def _hand_over(job: _Job, conditions: Conditions, latents: "Tensor", first: int, seconds: float) -> None:
    """Decode one by one, which bounds the memory, and hand each portrait over at once.

    With its plate's latents decoded too, once a plate, where the set has a finish.
    """
    course = job.course
    how = (course.start, course.strength, course.requested_steps, course.executed_steps)
    for index, latent in enumerate(latents, first):
        if job.stop.is_set():
            raise _Closed
        began, seed = time.perf_counter(), job.request.seeds[index]
        image, base, plate = _decode(job, latent[None]), None, id(job.request.plates[index])
        if job.model_set.finish and conditions.latents is not None:
            if plate not in conditions.bases:
                conditions.bases[plate] = _decode(job, conditions.latents[index : index + 1])
            base = conditions.bases[plate]
        job.put(Rendering(image, index, seed, *how, seconds + time.perf_counter() - began, base))


def _decode(job: _Job, latents: "Tensor") -> Pixels:
    """One picture from scaled latents (1, C, h, w). Raises `TooMuch`."""
    vae = job.networks.drawing.vae
    try:
        return to_pixels(vae.decode(latents / vae.config.scaling_factor).sample)[0]
    except RuntimeError as error:
        if _out_of_memory(error):
            raise TooMuch from error
        raise


def _out_of_memory(error: RuntimeError) -> bool:
    """CUDA has a class of its own for it, Apple's GPU and the processor say it in words."""
    import torch

    words = ("out of memory", "not enough memory", "can't allocate memory")
    return isinstance(error, torch.OutOfMemoryError) or any(text in str(error) for text in words)


def _free_memory() -> None:
    """Give unused memory of the card back, so that a smaller batch finds whole pieces."""
    import torch

    if torch.cuda.is_available():
        torch.cuda.empty_cache()
