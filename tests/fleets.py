"""A sleeper whose card is full for one seed. In a module of its own: replicas import it."""

import threading
from collections.abc import Callable
from concurrent.futures import Future

from bench.sleeper import Sleeper
from errors import OutOfMemory
from pipelines.draw.drawer import DrawRequest
from pipelines.draw.generate import DrawEvent

FULL = 13


class FullSleeper(Sleeper):
    def begin(
        self, request: DrawRequest, put: Callable[[DrawEvent], None], stop: threading.Event
    ) -> "Future[None]":
        if FULL not in request.seeds:
            return super().begin(request, put, stop)
        full: Future[None] = Future()
        full.set_exception(OutOfMemory())
        return full
