"""The line before what draws, first come first served: who is ahead of whom, and for about how long."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

POLL_S = 0.5  # how often somebody who waits looks up


@dataclass(eq=False)
class Place:
    """Somebody's place in the line."""

    is_measured: bool = True  # whether its turn says how long the next one takes
    started_at: float | None = None  # monotonic s; None: it waits


class Line:
    """The line before one machine, or several alike. Safe to share between threads."""

    def __init__(self, turn_s: float = 10.0, machines: Callable[[], int] = lambda: 1) -> None:
        """`turn_s` is what a turn is guessed to take until one was measured.

        `machines` says how many serve the line now, at least 1: as many have their turn at once.
        """
        self._turn_s = turn_s
        self._machines = machines
        self._places: list[Place] = []
        self._moved = threading.Condition()

    @property
    def turn_s(self) -> int:
        """About how many seconds a turn takes: as long as the last one that was measured."""
        return max(1, round(self._turn_s))

    @property
    def is_busy(self) -> bool:
        """Whether somebody has a place."""
        with self._moved:
            return bool(self._places)

    def wait_until_free(self) -> None:
        """Return when nobody has a place."""
        with self._moved:
            self._moved.wait_for(lambda: not self._places)

    @contextmanager
    def place(self, is_measured: bool = True) -> Iterator[Place]:
        """Stand in line for the block; the last to come is the last to be served.

        `is_measured` is False for a turn that says nothing of how long the next one takes.
        """
        place = Place(is_measured)
        with self._moved:
            self._places.append(place)
        try:
            yield place
        finally:
            self._remove(place)

    def count_ahead(self, place: Place) -> int:
        """How many turns end before that place's begins, those at work among them; 0 starts it."""
        with self._moved:
            ahead = self._turns_before(place)
            if not ahead and place.started_at is None:
                place.started_at = time.monotonic()
            return ahead

    def estimated_wait_s(self, place: Place) -> int:
        """About how many seconds until its turn."""
        return max(1, round(self.count_ahead(place) * self._turn_s / self._machines()))

    def wait(self, place: Place) -> None:
        """Return when the line moves, or after a moment."""
        with self._moved:
            if self._turns_before(place):
                self._moved.wait(POLL_S)

    def _turns_before(self, place: Place) -> int:
        """A turn that has begun stays one, also where a machine was lost since."""
        if place.started_at is not None:
            return 0
        return max(0, self._places.index(place) + 1 - self._machines())

    def _remove(self, place: Place) -> None:
        with self._moved:
            self._places.remove(place)
            if place.started_at is not None and place.is_measured:
                self._turn_s = time.monotonic() - place.started_at
            self._moved.notify_all()
