"""What was read last of something that changes: one thread reads for all, what is known stays meanwhile."""

import logging
import math
import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from sqlalchemy.exc import SQLAlchemyError

LOG = logging.getLogger("face_value")
FRESH_S = 0.25  # how old it may be; a thousand phones that ask do not reach the database
# A read that takes longer than a twentieth of that is done more seldom, once a second at last: 100 booths
# that each count 100,000 answers four times a second (23 ms of PostgreSQL's processor) would keep nine cores
# busy.
EASY_S, MOST_SELDOM = FRESH_S / 20, 1 / FRESH_S
LATE_S = 1.0  # a read takes some ms; whoever waited for this long gets what was known before
REST_S = 0.5  # from a read that failed to the next one
Read = TypeVar("Read")


class Latest(Generic[Read]):
    """Keeps what `read` gave last. Safe to share between threads. Raises what the first `read` does."""

    def __init__(self, read: Callable[[], Read]) -> None:
        self._read = read
        self._lock = threading.Lock()
        self._unanswered_since: float | None = None  # monotonic s, of the first read that has no answer yet
        self._rests_until = 0.0  # monotonic s
        self._expired = -math.inf  # monotonic s, what was read before that is known to have changed since
        self._seldom = 1.0  # how many times as old it may be
        began = time.monotonic()
        self._know(read(), began)

    @property
    def value(self) -> Read:
        """However old."""
        return self._known[0]

    @property
    def age(self) -> float:
        """How many seconds ago it was read."""
        return time.monotonic() - self._known[1]

    @property
    def is_fresh(self) -> bool:
        """Whether nobody need read it anew now."""
        return self.age < FRESH_S * self._seldom and self._known[1] > self._expired

    @property
    def is_stale(self) -> bool:
        """Whether the database has not answered for a while, so that it may be of the past."""
        since = self._unanswered_since
        return since is not None and time.monotonic() - since > LATE_S

    def get(self) -> Read:
        """At most a quarter of a second old, a second where reads are slow.

        Where the database does not answer, as it was known last.
        """
        if self._is_good_enough or not self._lock.acquire(timeout=0 if self.is_stale else LATE_S):
            return self.value
        try:
            return self.value if self._is_good_enough else self._renew()
        finally:
            self._lock.release()

    def renew(self) -> Read:
        """Read now, whatever is known; where the database does not answer, as it was known last."""
        with self._lock:
            return self._renew()

    def expire(self) -> None:
        """It has changed: whoever asks next has it read anew, also where it is being read just now."""
        self._expired = time.monotonic()

    @property
    def _is_good_enough(self) -> bool:
        return self.is_fresh or time.monotonic() < self._rests_until

    def _renew(self) -> Read:
        began = time.monotonic()
        self._unanswered_since = self._unanswered_since or began
        try:
            self._know(self._read(), began)
        except SQLAlchemyError as error:
            LOG.error("the room cannot be read now: %s", type(error).__name__)
            self._rests_until = time.monotonic() + REST_S
        else:
            self._unanswered_since, self._rests_until = None, 0.0
        return self.value

    def _know(self, read: Read, began: float) -> None:
        self._known = read, began
        self._seldom = min(max((time.monotonic() - began) / EASY_S, 1.0), MOST_SELDOM)
