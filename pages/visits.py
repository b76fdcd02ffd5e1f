"""What the pages remember of their visitors, in memory only: gone with the tab, or after the retention."""

import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from errors import PhotoError
from pipelines.photo import Photo
from pipelines.sitting import MOST_SELFIES
from votes.schema import Item, Kind, Round, VoterId

MOST_VISITS = 200  # a visit holds up to 60 MB; whoever comes then takes the place of the stalest
WATCH_EVERY_S = 30.0


@dataclass(eq=False)
class Run:
    """One making; setting `stop` ends it within one step."""

    stop: threading.Event = field(default_factory=threading.Event)
    begun: bool = False
    ended: bool = False

    @property
    def active(self) -> bool:
        """Whether the machine works on it now."""
        return self.begun and not self.ended


@dataclass(frozen=True, eq=False)
class Made:
    """What a visitor may be asked about: pictures of one crop, one size, uint8 (H, W, 3) sRGB."""

    photograph: NDArray[np.uint8]
    generated: tuple[NDArray[np.uint8], ...]
    item: Callable[[Kind], Item]  # the facts of a picture of that truth, under a new id


@dataclass(frozen=True)
class Asked:
    """A question on the screen since `since` (monotonic seconds)."""

    round: Round
    since: float


@dataclass(eq=False)
class Visit:
    """One visitor, as far as the page knows them."""

    ticket: str = field(default_factory=lambda: secrets.token_urlsafe(24))  # lets this page send photos
    voter: VoterId = field(default_factory=lambda: VoterId(secrets.token_urlsafe(16)))
    photos: list[Photo] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)  # a sentence for each file that we could not take
    run: Run | None = None
    made: Made | None = None
    asked: Asked | None = None
    touched: float = field(default_factory=time.monotonic)
    gone: bool = False  # forgotten, though a making may still hold it
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def touch(self) -> None:
        """Somebody is here: the retention begins anew."""
        self.touched = time.monotonic()

    def add(self, photo: Photo) -> None:
        """One more selfie. Raises `PhotoError` when there are enough."""
        with self._lock:
            if len(self.photos) >= MOST_SELFIES:
                raise PhotoError("file.many", n=len(self.photos) + 1)
            self.photos.append(photo)

    def refuse(self, sentence: str) -> None:
        """Remember why a file was not taken; the page shows the latest few."""
        self.refused = [*self.refused, sentence][-MOST_SELFIES:]

    def clear(self) -> None:
        """Back to no selfies; a making ends."""
        self.stop_run()
        self.photos, self.refused, self.made, self.asked = [], [], None, None

    def start_run(self) -> Run:
        """A new making; one that still runs is stopped."""
        self.stop_run()
        self.run, self.made, self.asked = Run(), None, None
        return self.run

    def stop_run(self) -> None:
        """Ask a making to end; one that was refused counts as ended too."""
        self.run = self.run or Run()
        self.run.stop.set()


class Visits:
    """All open visits by the session of their page.

    `on_forget` is called with the session whenever one is forgotten, for what others keep of it.
    """

    on_forget: Callable[[str], object] | None = None

    def __init__(self, retention_minutes: float) -> None:
        self._keep_s = retention_minutes * 60
        self._visits: dict[str, Visit] = {}
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._watcher: threading.Thread | None = None

    def watch(self, every_s: float = WATCH_EVERY_S) -> None:
        """Forget what has expired, in a thread of its own, also while nobody asks."""

        def patrol() -> None:
            while not self._closing.wait(every_s):
                self.forget_expired()

        self._watcher = threading.Thread(target=patrol, name="retention", daemon=True)
        self._watcher.start()

    def close(self) -> None:
        """End the watch; waits for its thread."""
        self._closing.set()
        if self._watcher:
            self._watcher.join()

    def busy(self, visit: Visit) -> bool:
        """Whether the machine works for somebody else than this visit."""
        with self._lock:
            others = [one for one in self._visits.values() if one is not visit]
        return any(one.run and one.run.active for one in others)

    def of(self, session: str | None) -> Visit:
        """The visit of a session; a new one when it has none (any more)."""
        self.forget_expired()
        with self._lock:
            visit = self._visits.setdefault(session or secrets.token_hex(8), Visit())
            visit.touch()
        return visit

    def with_ticket(self, ticket: str) -> Visit | None:
        """The visit that may send photos with that ticket."""
        self.forget_expired()
        with self._lock:
            for visit in self._visits.values():
                if secrets.compare_digest(visit.ticket.encode(), ticket.encode()):
                    return visit
        return None

    def forget(self, session: str | None) -> None:
        """Drop a visit and everything in it; its making ends."""
        if not session:
            return
        with self._lock:
            visit = self._visits.pop(session, None)
        if visit:
            visit.gone = True
            visit.clear()
        if self.on_forget:
            self.on_forget(session)

    def forget_expired(self) -> None:
        """Drop the visits that nobody has touched for the retention, and the stalest above the limit.

        The one that the machine works on stays: its making touches it.
        """
        now = time.monotonic()
        with self._lock:
            idle = [one for one, visit in self._visits.items() if not (visit.run and visit.run.active)]
            stale = sorted(idle, key=lambda session: self._visits[session].touched)
            surplus = stale[: max(0, len(self._visits) - MOST_VISITS)]
            expired = [s for s in stale if now - self._visits[s].touched > self._keep_s]
        for session in {*surplus, *expired}:
            self.forget(session)
