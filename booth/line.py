"""One machine, first come first served: who is before whom, and about how long that takes."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

LOOK_UP_S = 0.5  # how often somebody who waits is told


@dataclass(eq=False)
class Place:
    """Somebody's place; it is at work from `began` on (monotonic seconds)."""

    is_usual: bool = True
    began: float | None = None


class Line:
    """The line before one machine. Safe to share between threads."""

    def __init__(self, usual_s: float = 10.0) -> None:
        """`usual_s` is what a turn is guessed to take until one was taken."""
        self._usual_s = usual_s
        self._places: list[Place] = []
        self._moved = threading.Condition()

    @property
    def usual_s(self) -> int:
        """About how many seconds a turn takes: as long as the last one."""
        return max(1, round(self._usual_s))

    @contextmanager
    def place(self, is_usual: bool = True) -> Iterator[Place]:
        """Stand in line for the block; the last to come is the last to be served.

        `is_usual` is False for a turn that says nothing of how long the next one takes.
        """
        place = Place(is_usual)
        with self._moved:
            self._places.append(place)
        try:
            yield place
        finally:
            self._leave(place)

    def before(self, place: Place) -> int:
        """How many are before that place, the one at work among them; 0 starts its turn."""
        with self._moved:
            before = self._places.index(place)
            if not before and place.began is None:
                place.began = time.monotonic()
            return before

    def seconds(self, place: Place) -> int:
        """About how long until its turn."""
        return max(1, round(self.before(place) * self._usual_s))

    def wait(self, place: Place) -> None:
        """Return when the line moves, or after a moment."""
        with self._moved:
            if self._places[0] is not place:
                self._moved.wait(LOOK_UP_S)

    def _leave(self, place: Place) -> None:
        with self._moved:
            self._places.remove(place)
            if place.began is not None and place.is_usual:
                self._usual_s = time.monotonic() - place.began
            self._moved.notify_all()
