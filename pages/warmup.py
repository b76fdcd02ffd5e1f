"""Models load behind the page, in a thread."""

import threading
from collections.abc import Callable, Sequence
from typing import Literal

from pages.guards.error_boundary import ErrorBoundary

END_S = 10.0  # for a step that is begun; reading large networks from a slow disk takes longer


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
        self._before: tuple[Callable[[], object], ...] = ()
        self._error_boundary = error_boundary
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="warm-up", daemon=True)

    def start(self) -> None:
        """Begin; returns at once."""
        self._thread.start()

    def restart(self, first: Callable[[], object]) -> bool:
        """Once more, with that step first; False where it is running."""
        if self._thread.is_alive():
            return False
        self.state, self.reason, self._before = "loading", "", (first,)
        self._thread = threading.Thread(target=self._run, name="warm-up", daemon=True)
        self._thread.start()
        return True

    def join(self) -> None:
        """Wait until it has ended, well or not."""
        self._thread.join()

    def close(self) -> None:
        """Begin no further step and wait for the one that is begun.

        The program must not end before: Python ends a thread that is left over wherever it stands, and inside
        of the networks' C++ that aborts the whole process.
        """
        self._is_over.set()
        if self._thread.is_alive():
            self._thread.join(END_S)

    def _run(self) -> None:
        with self._error_boundary.catch() as failure:
            self._do((*self._before, *self._steps))
        self.reason = failure.sentence
        self.state = "missing" if failure.sentence else "ready"
        with self._error_boundary.catch():
            self._do(self._afterwards)

    def _do(self, steps: Sequence[Callable[[], object]]) -> None:
        for step in steps:
            if not self._is_over.is_set():
                step()
