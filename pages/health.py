"""`GET /healthz`: how far the models are, and whether an answer could be kept now."""

import asyncio
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from pages.warmup import Warmup
from pipelines.draw.fleet import Fleet
from votes.store import Store

PATIENCE_S = 1.5  # a monitor asks for two seconds; a database that takes this long keeps no votes of a room
FRESH_S = 1.0  # anybody may ask, and each question is a write


def health_route(
    warmup: Warmup, store: Store, model_set: str, version: str, fleet: Fleet | None = None
) -> Route:
    """The route of the contracts: 200, or 503 with a reason, in two seconds whatever has fallen silent.

    A fleet that is away is no failure: this machine draws then.
    """
    database = WriteTest(store)

    async def health(_: Request) -> Response:
        is_written = await database.passes()
        good = is_written and warmup.state != "missing"
        body: dict[str, object] = {
            "status": "ok" if good else "failing",
            "model_set": model_set,
            "models": warmup.state,
            "database": "ok" if is_written else "failing",
            "version": version,
        }
        if fleet:
            body["fleet"] = asdict(fleet.state)
        if not good:
            body["reason"] = (
                warmup.reason or "The database does not answer, or does not keep what is written."
            )
        return JSONResponse(body, 200 if good else 503)

    return Route("/healthz", health)


class WriteTest:
    """Writes to the store for all who ask, one write at a time; nobody waits longer than for a while."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._writer = ThreadPoolExecutor(1, "health")
        self._written: Future[bool] | None = None
        self._asked_at = 0.0  # monotonic s

    async def passes(self) -> bool:
        """Whether the store keeps what is written, a moment ago at most."""
        is_over = self._written is None or self._written.done()
        if is_over and time.monotonic() - self._asked_at >= FRESH_S:
            self._asked_at = time.monotonic()
            self._written = self._writer.submit(self._store.is_healthy)
        if self._written is None:
            return False
        done, _ = await asyncio.wait({asyncio.wrap_future(self._written)}, timeout=PATIENCE_S)
        return bool(done) and self._written.result()
