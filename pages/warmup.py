"""Models load behind the page, in a thread; `GET /healthz` says how far they are."""

import threading
from collections.abc import Callable, Sequence
from typing import Literal

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from pages.guards.error_boundary import ErrorBoundary
from votes.store import Store


class Warmup:
    """Runs the loading steps in order, in a thread of its own; what is only nice to have comes after."""

    def __init__(
        self,
        steps: Sequence[Callable[[], object]],
        error_boundary: ErrorBoundary,
        afterwards: Sequence[Callable[[], object]] = (),
    ) -> None:
        self.state: Literal["loading", "ready", "missing"] = "loading"
        self.reason = ""
        self._steps = steps
        self._afterwards = afterwards
        self._error_boundary = error_boundary
        self._thread = threading.Thread(target=self._run, name="warm-up", daemon=True)

    def start(self) -> None:
        """Begin; returns at once."""
        self._thread.start()

    def join(self) -> None:
        """Wait until it has ended, well or not."""
        self._thread.join()

    def _run(self) -> None:
        with self._error_boundary.catch() as failure:
            for step in self._steps:
                step()
        self.reason = failure.sentence
        self.state = "missing" if failure.sentence else "ready"
        with self._error_boundary.catch():
            for step in self._afterwards:
                step()


def health_route(warmup: Warmup, store: Store, model_set: str, version: str) -> Route:
    """`GET /healthz` of the contracts: 200, or 503 with a reason."""

    def health(_: Request) -> Response:
        database = store.is_healthy()
        good = database and warmup.state != "missing"
        body = {
            "status": "ok" if good else "failing",
            "model_set": model_set,
            "models": warmup.state,
            "database": "ok" if database else "failing",
            "version": version,
        }
        if not good:
            body["reason"] = warmup.reason or "The database does not answer."
        return JSONResponse(body, 200 if good else 503)

    return Route("/healthz", health)
