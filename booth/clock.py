"""The time, which never goes back."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta


class LatestClock:
    """UTC by the wall's clock, but never earlier than what has passed here since the start says.

    A clock that is put back must not keep pictures, and one that is put on may delete them early.
    """

    def __init__(
        self,
        wall: Callable[[], datetime] = lambda: datetime.now(UTC),
        elapsed: Callable[[], float] = time.monotonic,
    ) -> None:
        self._wall = wall
        self._elapsed = elapsed
        self._latest, self._at = wall(), elapsed()

    def __call__(self) -> datetime:
        """The time, which never goes back."""
        now = self._elapsed()
        self._latest = max(self._wall(), self._latest + timedelta(seconds=now - self._at))
        self._at = now
        return self._latest
