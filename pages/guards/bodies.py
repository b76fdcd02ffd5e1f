"""Pictures on their way in: how much of them lies in memory, all together, until they are answered."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.requests import ClientDisconnect, Request

from pipelines.selfie.photo import MAX_BYTES

PATIENCE_S = 60.0  # for a whole body
MOST_TOGETHER = 8 * MAX_BYTES
MOST_WAITING = 8  # whole ones; a picture takes a second at most, so that nobody waits longer than that many


class Bodies:
    """Reads bodies while there is memory for them. Whoever sends slowly holds what has arrived, no more."""

    def __init__(self, most_together: int = MOST_TOGETHER, most_waiting: int = MOST_WAITING) -> None:
        """`most_together`: bytes of all of them."""
        self._most_together = most_together
        self._most_waiting = most_waiting
        self._held = 0  # bytes
        self._waiting = 0  # bodies that are whole

    @asynccontextmanager
    async def read(self, request: Request, most: int = MAX_BYTES) -> AsyncIterator[bytes | None]:
        """For the block, the body, as far as one byte more than is allowed: enough to refuse it.

        Empty where its sender is gone; None where too many are here now.
        """
        data = bytearray()
        try:
            await self._receive(request, data, most)
            self._waiting += 1
            is_full = self._held > self._most_together or self._waiting > self._most_waiting
            try:
                yield None if is_full else bytes(data)
            finally:
                self._waiting -= 1
        finally:
            self._held -= len(data)

    async def _receive(self, request: Request, data: bytearray, most: int) -> None:
        try:
            async with asyncio.timeout(PATIENCE_S):
                async for chunk in request.stream():
                    data += chunk
                    self._held += len(chunk)
                    if len(data) > most or self._held > self._most_together:
                        break
        except (ClientDisconnect, TimeoutError):
            self._held -= len(data)
            data.clear()
