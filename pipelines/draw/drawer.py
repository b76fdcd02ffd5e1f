"""What is asked of the networks, and what a family of them answers: the same for every `ModelSet`.

Pictures are uint8 (H, W, 3) sRGB, at the set's canvas unless said otherwise.
"""

import contextlib
import inspect
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from pipelines.arrays import Pixels
from pipelines.draw.machine import Device
from pipelines.draw.model_set import Course, ModelSet, Start
from pipelines.draw.plan import Plan

if TYPE_CHECKING:
    import torch
    from torch import Tensor

Watch = Callable[[int, Callable[[], tuple[Pixels, ...]]], None]  # step 1..n, and what would draw its previews
MOST_REFERENCES = 4


@dataclass(frozen=True, eq=False)
class DrawRequest:
    """What to draw. Portraits differ by their seed, and by their light and crop: pose map and plate."""

    prompt: str
    negative_prompt: str  # read by sets with guidance only
    controls: tuple[Pixels, ...]  # the pose map of each portrait
    references: tuple[Pixels, ...]  # up to four square face crops of any size, the best first
    plates: tuple[Pixels, ...]  # one each
    seeds: tuple[int, ...]  # one each
    identity: float  # IP-Adapter scale, 0..1
    pose: float  # ControlNet scale, 0..1.5
    start: Start | None = None  # None: the set's own
    strength: float | None = None  # share of the schedule, for a start from the plate; None: the set's own

    def only(self, place: int, seed: int) -> "DrawRequest":
        """The same for the portrait at one place alone, with another seed."""
        return replace(self, controls=(self.controls[place],), plates=(self.plates[place],), seeds=(seed,))

    def after(self, count: int) -> "DrawRequest":
        """The same without the first portraits."""
        left = self.controls[count:], self.plates[count:], self.seeds[count:]
        return replace(self, controls=left[0], plates=left[1], seeds=left[2])


def check_request(request: DrawRequest, model_set: ModelSet) -> None:
    """Programming errors, said before a thread starts."""
    width, height = model_set.canvas
    for name, pictures in (("controls", request.controls), ("plates", request.plates)):
        if len(pictures) != len(request.seeds):
            raise ValueError(f"{name}: {len(pictures)} for {len(request.seeds)} seeds")
        for pixels in pictures:
            if pixels.shape != (height, width, 3) or pixels.dtype != np.uint8:
                raise ValueError(f"{name}: {pixels.dtype} {pixels.shape}, not uint8 {(height, width, 3)}")
    if len(request.references) > MOST_REFERENCES:
        raise ValueError(f"{len(request.references)} references, at most {MOST_REFERENCES}")


class Drawer(Protocol):
    """A set's networks on a device, ready to draw. Runs in one thread, without gradients."""

    plan: Plan

    def encode(self, request: DrawRequest, course: Course) -> Any:
        """What the networks are conditioned on: made once, for all portraits of a request."""

    def denoise(
        self, conditions: Any, course: Course, first: int, seeds: tuple[int, ...], watch: Watch
    ) -> "Tensor":
        """Finished latents (n, ...) of the portraits from `first` on, one a seed.

        `watch` is called after each step; what it raises ends the drawing, and the next one is not harmed.
        """

    def decode(self, latents: "Tensor", tiled: bool = False) -> list[Pixels]:
        """Pictures from latents; `tiled` takes longer and a fraction of the memory."""

    def plate_latents(self, conditions: Any, index: int) -> "Tensor | None":
        """The latents (1, ...) of a portrait's plate where the drawing starts from it."""

    def release(self) -> None:
        """After a drawing, or when one was cut short: free what the plan does not keep on the card."""


Loader = Callable[[ModelSet, dict[str, Path], Plan, Device], Drawer]


# ---- what all families' drawers are made with


def call(pipe: Any, **options: Any) -> Any:
    """Call a pipeline of diffusers, which would swallow an argument that it does not know."""
    unknown = options.keys() - inspect.signature(pipe.__call__).parameters.keys()
    if unknown:
        raise TypeError(f"{type(pipe).__name__} does not take {', '.join(sorted(unknown))}")
    return pipe(**options)


@contextlib.contextmanager
def silence_diffusers() -> Iterator[None]:
    """Keep diffusers and transformers from writing to stderr: advice to programmers, progress bars."""
    import diffusers.utils.logging as of_diffusers
    import transformers.utils.logging as of_transformers

    before = [(log, log.get_verbosity()) for log in (of_diffusers, of_transformers)]
    for log, _ in before:
        log.set_verbosity(logging.CRITICAL)
        log.disable_progress_bar()
    try:
        yield
    finally:
        for log, verbosity in before:
            log.set_verbosity(verbosity)


def number_type(plan: Plan) -> "torch.dtype":
    """What to compute with. bfloat16 halves the time of the small set where a processor has it built in.

    Measured on an EPYC with avx512_bf16, 256 x 320, four portraits: 1.9 s against 4.3 s, and a portrait of
    four still equals the same drawn alone. Without those instructions bfloat16 is slower than float32.
    """
    import torch

    if plan.dtype != "quick":
        dtype: torch.dtype = getattr(torch, plan.dtype)
        return dtype
    able: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return torch.bfloat16 if able.get("avx512_bf16") or able.get("amx_bf16") else torch.float32


def wait_for_device() -> None:
    """A GPU answers before it is done: wait, so that seconds are true."""
    import torch

    if torch.cuda.is_initialized():
        torch.cuda.synchronize()
    elif torch.backends.mps.is_available():
        torch.mps.synchronize()


def out_of_memory(error: RuntimeError) -> bool:
    """CUDA has a class of its own for it, Apple's GPU and the processor say it in words."""
    import torch

    words = ("out of memory", "not enough memory", "can't allocate memory")
    return isinstance(error, torch.OutOfMemoryError) or any(text in str(error) for text in words)
