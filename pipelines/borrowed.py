"""A Generator whose GPU is lent for each drawing, as on a Hugging Face Space with ZeroGPU.

The networks are placed on the card while the program starts, in its main thread. A function under the
decorator then runs in a forked process that holds a real card for at most a stated time; what it yields
travels back. Threads do not survive a fork, so the worker thread is made anew over there.
Source: the `spaces` package, 2026-11, and huggingface.co/docs/hub/spaces-zerogpu.
"""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

from errors import NoQuota
from pipelines.conditioning import Request
from pipelines.generate import Event, Generator

# What a visitor's quota must still hold, and the longest a drawing may take: four portraits of eight steps
# and their decoding are 0.4 PFLOP, a few seconds on that card; the rest is for a slow start.
LONGEST_S = 30

Lend = Callable[[Callable[..., Any]], Callable[..., Any]]


def is_lent() -> bool:
    """Whether this machine's GPU is lent for each call."""
    return os.environ.get("SPACES_ZERO_GPU", "").lower() in ("1", "t", "true")


def zero_gpu() -> Lend:
    """The decorator of the `spaces` package, which such a Space has installed. Import it before torch."""
    import spaces

    lend: Lend = spaces.GPU(duration=LONGEST_S)
    return lend


class Borrowed(Generator):
    """Draws like any `Generator`, each time on a card that is lent for it."""

    def __init__(self, *given: Any, lend: Lend, **named: Any) -> None:
        super().__init__(*given, **named)
        self._lent_draw = lend(self._draw_there)

    def load(self) -> None:
        """In the calling thread, which must be the main one: only there a card may be noted."""
        self._ready()

    def draw(self, request: Request) -> Iterator[Event]:
        """As `Generator.draw`; raises `NoQuota` when the visitor's share is spent."""
        with closing(self._lent_draw(request)) as events:
            try:
                yield from events
            except Exception as error:
                raise _as_ours(error) from error

    def _draw_there(self, request: Request) -> Iterator[Event]:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="draw")
        yield from super().draw(request)


def _as_ours(error: Exception) -> Exception:
    """The package tells a spent quota by a Gradio error whose title or text says so, and by nothing else."""
    said = f"{getattr(error, 'title', '')} {error}".lower()
    return NoQuota() if "quota" in said else error
