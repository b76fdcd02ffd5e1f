"""A replica of a fleet: a `Generator` on some machine of a cluster, as Ray Serve runs it.

Ray is not imported here, and neither is anything of a page.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

from errors import FaceValueError
from pipelines.draw.drawer import DrawRequest
from pipelines.draw.generate import DrawEvent, Generator


class Replica:
    """Draws one request after the other. What a person can mend travels as a value: Ray would wrap it."""

    def __init__(self, build: Callable[[], Generator]) -> None:
        """The networks are read before anything is asked of it; where they cannot be, who asks hears why."""
        self._generator = build()
        with suppress(FaceValueError):
            self._generator.load()
            self._generator.warm()

    def revisions(self) -> dict[str, str] | FaceValueError:
        """As `Generator.revisions`, of the weights on that machine; or why nothing can be drawn there."""
        try:
            self._generator.load()
            return self._generator.revisions()
        except FaceValueError as error:
            return error

    async def draw(self, request: DrawRequest) -> AsyncIterator[DrawEvent | FaceValueError]:
        """As `Generator.draw`. Whoever cancels ends it within one step, and before it counts as over.

        Ray cancels at the next `await`. A plain generator has none: it would draw to its end, and the next
        request would be let in beside it.
        """
        loop = asyncio.get_running_loop()
        events: asyncio.Queue[DrawEvent | None] = asyncio.Queue()
        stop = threading.Event()

        def put(event: DrawEvent | None) -> None:
            loop.call_soon_threadsafe(events.put_nowait, event)

        work = self._generator.begin(request, put, stop)
        work.add_done_callback(lambda _: put(None))
        try:
            while (event := await events.get()) is not None:
                yield event
            if isinstance(error := work.exception(), FaceValueError):
                yield error
            elif error:
                raise error
        finally:
            stop.set()
            work.cancel()  # where it has not begun
            while not work.done():  # however often this is cancelled
                with suppress(asyncio.CancelledError):
                    await events.get()
