"""A Generator whose GPU is lent for each drawing, as on a Hugging Face Space with ZeroGPU.

The networks are placed on the card while the program starts, in its main thread: the `spaces` package notes
what is put there and packs it away when the page launches. A function under its decorator then runs in a
forked process that holds a real card for at most a stated time; what it yields travels back. Threads do not
survive a fork, so the worker thread is made anew over there.
Source: `spaces` 0.51.3, and huggingface.co/docs/hub/spaces-zerogpu, both read 2026-11.
"""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

from errors import FaceValueError, NoGpu, OutOfMemory, QuotaSpent
from pipelines.draw.drawer import DrawRequest
from pipelines.draw.generate import DrawEvent, Generator

# What is stated to ZeroGPU, in seconds of the H200 that it once lent. For the RTX PRO 6000 it takes them
# times 1.5 (`duration_factor` in configs.json of spaces 0.51.3): a visitor's quota must still hold 30 s, and
# a drawing may take as long. Four portraits of eight steps and their decoding are 0.4 PFLOP, a few seconds
# on that card; the rest is for a new process, which first moves the networks there.
STATED_S = 20
FACTOR = 1.5
LONGEST_S = round(STATED_S * FACTOR)

Lend = Callable[[Callable[..., Any]], Callable[..., Any]]


def is_lent() -> bool:
    """Whether this machine's GPU is lent for each call."""
    return os.environ.get("SPACES_ZERO_GPU", "").lower() in ("1", "t", "true")


def zero_gpu() -> Lend | None:
    """The decorator of the `spaces` package, which such a Space has installed; None elsewhere.

    Call this before anything asks torch about a GPU: the package changes what torch answers, and refuses to
    be imported later.
    """
    if not is_lent():
        return None
    import spaces

    lend: Lend = spaces.GPU(duration=STATED_S)
    return lend


class ZeroGpuGenerator(Generator):
    """Draws like any `Generator`, each time on a card that is lent for it."""

    may_compile = False  # ZeroGPU knows no torch.compile; and nothing is drawn there but for a visitor

    def __init__(self, *given: Any, lend: Lend, **named: Any) -> None:
        super().__init__(*given, **named)
        self._lent_draw = lend(self._draw_there)
        self._revisions: dict[str, str] = {}

    def load(self) -> None:
        """In the calling thread, which must be the main one: only there a card may be noted."""
        self._ready()
        self._revisions = self.revisions()  # the package deletes weights from the disk that it has packed

    def revisions(self) -> dict[str, str]:
        """As they were when the networks were loaded."""
        return self._revisions or super().revisions()

    def draw(self, request: DrawRequest) -> Iterator[DrawEvent]:
        """As `Generator.draw`; raises `NoGpu` when none is lent now, `QuotaSpent` when the share is spent."""
        self._course_of(request)  # what cannot be drawn asks for no card
        return self._borrow(request)

    def _borrow(self, request: DrawRequest) -> Iterator[DrawEvent]:
        with closing(self._lent_draw(request)) as events:
            try:
                for event in events:
                    if isinstance(event, FaceValueError):
                        raise event
                    yield event
            except FaceValueError:
                raise
            except Exception as error:
                if (ours := _as_ours(error)) is None:
                    raise
                raise ours from error

    def _draw_there(self, request: DrawRequest) -> Iterator[DrawEvent | FaceValueError]:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="draw")
        try:
            yield from super().draw(request)
        except FaceValueError as error:  # handed over: of one that is raised only its class's name arrives
            yield error


def _as_ours(error: Exception) -> FaceValueError | None:
    """What the package says by a Gradio error, by its title and text; None for another failure.

    It refuses a card in words of its own. Of whatever else failed over there it tells the class's name.
    """
    title, text = getattr(error, "title", ""), getattr(error, "message", "")
    if title == "ZeroGPU worker error":
        return OutOfMemory() if text == "OutOfMemoryError" else None
    if title in ("ZeroGPU quota exceeded", "ZeroGPU pending credits exceeded"):
        waited = str(text).startswith("No GPU was available")  # under that title where nobody is signed in
        return NoGpu() if waited else QuotaSpent()
    refusals = ("ZeroGPU illegal duration", "ZeroGPU queue timeout", "ZeroGPU client error")
    return NoGpu() if title in refusals else None
