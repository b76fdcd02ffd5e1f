"""All open visits: whose browser has which, how many there may be, and when one is forgotten.

Cookies can be invented by the thousand. A visit that agreed to nothing holds next to nothing and makes way
for the next one; a visit with consent never ends because others come.
"""

import math
import secrets
import threading
import time
from collections.abc import Callable
from datetime import date

from booth.album import Album
from booth.records import SittingId
from booth.take_home import Links
from booth.visit import Visit
from errors import VisitorError

MOST_VISITS = 200  # with consent
MOST_STRANGERS = 2000  # without one: a few kB each
MOST_BYTES = 2 * 2**30  # of all selfies; four large ones of a visit take up to 90 MB
UNUSED_S = 120.0  # a consent without a selfie for so long may make room
WATCH_EVERY_S = 5.0


class Visits:
    """All open visits.

    `on_forget` is called with each session of one that is forgotten, for what others keep of it.
    """

    on_forget: Callable[[str], object] | None = None

    def __init__(self, album: Album, idle_minutes: float) -> None:
        self.links = Links(album)  # to what visitors take home, also after their visits
        self._album = album
        self._idle_s = idle_minutes * 60  # of visits that agreed to nothing yet: they have no files
        self._visits: dict[str, Visit] = {}
        self._today = (date.min, 0)
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._watcher: threading.Thread | None = None

    def of(self, cookie: str, session: str | None, language: str = "") -> Visit:
        """The visit of a browser, or of a page whose browser has no cookie; a new one if it has none.

        A new one begins in that language; empty is the booth's own.
        """
        self.forget_expired()
        key = cookie or session or secrets.token_hex(8)
        with self._lock:
            visit = self._visits.setdefault(key, Visit(self._album, cookie, language))
            visit.presence.touch(session)
        return visit

    def find(self, cookie: str, session: str | None) -> Visit | None:
        """The same for what a page asks by itself: no sign of life, and nothing begins with it."""
        with self._lock:
            return self._visits.get(cookie or session or "")

    def with_ticket(self, ticket: str) -> Visit | None:
        """The visit that may send photos with that ticket."""
        self.forget_expired()
        with self._lock:
            for visit in self._visits.values():
                if secrets.compare_digest(visit.ticket.encode(), ticket.encode()):
                    return visit
        return None

    def with_sitting(self, sitting: SittingId) -> Visit | None:
        """The open visit whose pictures these are."""
        self.forget_expired()
        with self._lock:
            return next((visit for visit in self._visits.values() if visit.sitting == sitting), None)

    def make_room_for(self, visit: Visit) -> None:
        """Before a consent. Nobody's pictures go for it; who has agreed long ago and taken none makes room.

        Raises `VisitorError` where there is no room.
        """
        others = [other for other in self._all() if other.has_consented and other is not visit]
        if len(others) < MOST_VISITS:
            return
        since = time.monotonic() - UNUSED_S
        unused = [other for other in others if not other.selfies and other.presence.touched < since]
        if not unused:
            raise VisitorError("visit.busy")
        self.end(min(unused, key=lambda other: other.presence.touched))

    def require_memory(self) -> None:
        """Before a selfie is read. Raises `VisitorError` where those of all visits leave no memory for it."""
        if sum(selfie.nbytes for visit in self._all() for selfie in visit.selfies) > MOST_BYTES:
            raise VisitorError("visit.busy")

    def close_page(self, session: str | None) -> None:
        """A page was closed or reloaded; without another one the visit ends after a short grace."""
        with self._lock:
            for visit in self._visits.values():
                if session in visit.presence.sessions and visit.presence.close(session):
                    visit.stop()
        if session and self.on_forget:
            self.on_forget(session)

    def end(self, visit: Visit) -> None:
        """The visitor leaves: the next person at the same screen is a new visit and a new voter."""
        with self._lock:
            for key in [key for key, known in self._visits.items() if known is visit]:
                del self._visits[key]
        visit.leave()
        for session in visit.presence.sessions if self.on_forget else ():
            self.on_forget(session)  # type: ignore[misc]

    def forget_expired(self) -> None:
        """End the visits whose time is over; above the limit, the stalest of those that agreed to nothing."""
        self._album.sweep()
        now = time.monotonic()
        visits = self._all()
        strangers = [visit for visit in visits if not visit.has_consented]
        strangers.sort(key=lambda visit: visit.presence.touched)
        surplus = strangers[: max(0, len(strangers) - MOST_STRANGERS)]
        for visit in visits:
            patience = math.inf if visit.has_consented else self._idle_s
            expired = visit.sitting is not None and self._album.deadline(visit.sitting) is None
            if visit.presence.is_over(now, patience) or expired or visit in surplus:
                self.end(visit)

    def watch(self, every_s: float = WATCH_EVERY_S) -> None:
        """Forget what has expired, in a thread of its own, also while nobody asks."""

        def patrol() -> None:
            while not self._closing.wait(every_s):
                self.forget_expired()

        self._watcher = threading.Thread(target=patrol, name="retention", daemon=True)
        self._watcher.start()

    def _all(self) -> list[Visit]:
        with self._lock:
            return list(self._visits.values())

    def count_consent(self) -> None:
        """One more visitor of today agreed; nothing else of them is counted."""
        today = date.today()
        with self._lock:
            self._today = (today, self._today[1] + 1 if self._today[0] == today else 1)

    @property
    def today(self) -> int:
        """How many visitors agreed today, by this machine's calendar, since the program started."""
        return self._today[1] if self._today[0] == date.today() else 0

    def count_open(self) -> int:
        """How many visits with a consent are open."""
        return sum(visit.has_consented for visit in self._all())

    def end_all(self) -> None:
        """Everybody's visit ends now."""
        for visit in self._all():
            self.end(visit)

    def close(self) -> None:
        """End all visits, and the watch; waits for its thread."""
        self.end_all()
        self._closing.set()
        if self._watcher:
            self._watcher.join()
