"""One visitor from welcome to goodbye: consent, selfies, portraits, and where they are now.

A visit belongs to a browser by its cookie, so that a reload comes back to it; where cookies are blocked,
to the page's session. It ends when the visitor says so, when the tab is closed, or with the retention.
"""

import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from booth.album import Album, PictureId, SittingId
from booth.catalogue import Showing
from booth.quiz import Quiz
from errors import PhotoError, VisitorError
from pipelines.draw.model_set import Start
from pipelines.measure.likeness import LikenessReport
from pipelines.plate.shot import Shot
from pipelines.selfie.photo import Photo
from pipelines.sitting import MOST_SELFIES, Order
from votes.schema import VoterId

MOST_VISITS = 200  # a visit holds up to 60 MB of selfies; whoever comes then takes the stalest's place
WATCH_EVERY_S = 5.0
GRACE_S = 20.0  # a reload closes the page too, and comes back within it


class Stage(StrEnum):
    """The screen that a visitor is at; its value is the screen's name."""

    WELCOME = "welcome"
    CONSENT = "consent"
    CAMERA = "camera"
    LOOK = "look"
    MAKING = "making"
    RESULT = "result"
    LADDER = "ladder"
    VOTE = "vote"
    GOODBYE = "goodbye"
    DELETE = "delete"
    WITHDRAW = "withdraw"


OF_PORTRAITS = (Stage.RESULT, Stage.LADDER, Stage.VOTE)


@dataclass(frozen=True, eq=False)
class Selfie:
    """A photo in memory, and its thumbnail in the album."""

    photo: Photo
    picture: PictureId
    sample: bool = False  # a sample face


@dataclass(eq=False)
class Run:
    """One making; setting `stop` ends it within one step."""

    stop: threading.Event = field(default_factory=threading.Event)
    begun: bool = False


@dataclass(frozen=True, eq=False)
class Made:
    """What came out: pictures in the album."""

    look: str
    photographs: tuple[PictureId, ...]  # the plate of each portrait, in its light and crop
    portraits: tuple[PictureId, ...]
    on_fallback: bool = False  # no GPU was lent, the small model drew
    lacked: str = ""  # why: a key of the words
    shows: tuple[Showing, ...] = ()  # what a room could be asked about, portrait by portrait
    likeness: tuple[LikenessReport | None, ...] = ()  # what each portrait changed, least first
    guarded: tuple[PictureId | None, ...] = ()  # portrait by portrait, with the photograph's skin tone
    order: Order | None = None  # as the page asked for it
    shots: tuple[Shot, ...] = ()  # light and crop of each portrait
    mouth_moved: bool = False  # before the drawing, to the expression that was asked for


@dataclass(eq=False)
class Climb:
    """One portrait's ladder, as far as it is drawn: pictures in the album, and what each step changed."""

    portrait: int
    pictures: list[PictureId] = field(default_factory=list)
    likeness: list[LikenessReport | None] = field(default_factory=list)
    left: list[int] = field(default_factory=list)  # per cent of the photograph that each step was given
    recognised: list[str] = field(default_factory=list)  # what a program said of each step, if it was asked
    strip: PictureId | None = None  # all of it as one picture, once it is whole


@dataclass(eq=False)
class Visit:
    """One visitor, as far as the booth knows them."""

    album: Album
    cookie: str = ""  # of the browser; empty where cookies are blocked
    ticket: str = field(default_factory=lambda: secrets.token_urlsafe(24))  # lets this page send photos
    voter: VoterId = field(default_factory=lambda: VoterId(secrets.token_urlsafe(16)))
    sitter: str = field(default_factory=lambda: secrets.token_urlsafe(16))  # where a skin tone is told
    stage: Stage = Stage.WELCOME
    before: Stage = Stage.WELCOME  # where "Keep" goes back to
    sitting: SittingId | None = None
    selfies: list[Selfie] = field(default_factory=list)
    turns: int = 0  # of the look screen's dial; 0: its middle
    starts: dict[str, Start] = field(default_factory=dict)  # by model set, as the look screen told it
    run: Run | None = None
    made: Made | None = None
    chosen: int = 0  # which portrait is large
    climb: Climb | None = None
    quiz: Quiz | None = None
    code: str = ""  # takes back the permission to show
    shows_climb: bool = False  # whether that is for the ladder too
    copies: tuple[PictureId, ...] = ()  # what was put into the album for the room
    recognised: dict[int, str] = field(default_factory=dict)  # what a program answered, by portrait
    misfire: SittingId | None = None  # a portrait allowed for the wall of misfires
    misfire_code: str = ""
    band: int = 0  # Monk skin tone that the visitor told; 0: none
    downloaded: bool = False
    gone: bool = False  # forgotten, though a making may still hold it
    sessions: set[str] = field(default_factory=set)  # the open pages
    touched: float = field(default_factory=time.monotonic)
    left: float | None = None  # monotonic s when the last page was closed
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def consented(self) -> bool:
        """Whether portraits of this visitor may be made."""
        return self.sitting is not None

    def go(self, stage: Stage) -> None:
        """To another screen. Raises `VisitorError` where that needs a consent or portraits not there."""
        if stage in (Stage.CAMERA, Stage.LOOK, Stage.MAKING, *OF_PORTRAITS):
            self._require_consent()
        if stage in OF_PORTRAITS and self.made is None:
            raise VisitorError("visit.over")
        self.before, self.stage = self.stage, stage

    def consent(self, agreed: bool) -> None:
        """The visitor's own tick: from now on the retention counts. Raises `VisitorError` without it."""
        if not agreed:
            raise VisitorError("consent.missing")
        if self.sitting is None:
            self.sitting = self.album.begin()

    def add(self, photo: Photo, picture: PictureId, sample: bool = False) -> None:
        """One more selfie. Raises `VisitorError` without consent, `PhotoError` when there are enough."""
        self._require_consent()
        with self._lock:
            if len(self.selfies) >= MOST_SELFIES:
                raise PhotoError("file.many", n=len(self.selfies) + 1)
            self.selfies.append(Selfie(photo, picture, sample))

    def remove(self, picture: str) -> bool:
        """Take a selfie back; False when it is not this visitor's."""
        with self._lock:
            kept = [one for one in self.selfies if one.picture != picture]
            found = len(kept) < len(self.selfies)
            self.selfies = kept
        if found:
            self.album.drop(picture)
        return found

    def keep(self, jpeg: bytes, name: str = "") -> PictureId:
        """A picture for this visitor's eyes. Raises `VisitorError` when the visit is over."""
        if self.sitting is None or self.gone:
            raise VisitorError("visit.over")
        try:
            return self.album.put(self.sitting, jpeg, name)
        except KeyError as error:
            raise VisitorError("visit.over") from error

    def start_run(self) -> Run:
        """A new making; one that still runs is stopped, and what was made before goes."""
        self._require_consent()
        if not self.selfies:
            raise VisitorError("camera.missing")
        self.stop_run()
        self.drop_made()
        self.run = Run()
        return self.run

    def start_climb(self, portrait: int) -> None:
        """Begin the ladder of that portrait; one that is whole already stays."""
        self.stop_run()
        if self.climb and self.climb.portrait == portrait and self.climb.strip:
            return
        if self.shows_climb:
            self.forbid_show()  # leave for one ladder is none for the next
        self.drop_climb()
        self.climb, self.run = Climb(portrait), Run()

    def stop_run(self) -> None:
        """Ask a making to end."""
        if self.run:
            self.run.stop.set()

    def drop_climb(self) -> None:
        """The steps of a ladder go."""
        for picture in (*self.climb.pictures, self.climb.strip) if self.climb else ():
            self.album.drop(picture or "")
        self.climb = None

    def drop_made(self) -> None:
        """Portraits, and the permission to show them, go."""
        self.drop_climb()
        if self.made and self.sitting:
            for picture in (*self.made.photographs, *self.made.portraits, *self.made.guarded):
                self.album.drop(picture or "")
            self.forbid_show()
            self.forbid_misfire()
        self.recognised.clear()
        self.made, self.quiz, self.chosen = None, None, 0

    def wipe(self) -> None:
        """Everything of this visitor goes at once: "Delete mine"."""
        self.stop_run()
        sitting, self.sitting = self.sitting, None  # first: a visit whose sitting is over is ended
        if sitting:
            self.album.delete(sitting)
        self.forbid_misfire()
        self.recognised.clear()
        self.selfies, self.made, self.climb, self.quiz = [], None, None, None
        self.code, self.shows_climb, self.copies, self.band, self.chosen = "", False, (), 0, 0

    def forbid_show(self) -> None:
        """The leave to show is taken back, that for a ladder too."""
        if self.sitting:
            self.album.forbid_show(self.sitting)
        self.drop_copies()
        self.code, self.shows_climb = "", False

    def drop_copies(self) -> None:
        """What was put into the album for the room goes."""
        for picture in self.copies:
            self.album.drop(picture)
        self.copies = ()

    def forbid_misfire(self) -> None:
        """The leave for the wall is taken back."""
        if self.misfire:
            self.album.delete(self.misfire)
        self.misfire, self.misfire_code = None, ""

    def leave(self) -> None:
        """The visit is over: only what may be shown stays, until the time that was told."""
        self.gone = True
        self.misfire = None  # it hangs on the wall, or waits to, until its own time is up
        if self.code and self.sitting:
            self.stop_run()
            self.album.release(self.sitting)
            self.selfies = []
        else:
            self.wipe()

    def _require_consent(self) -> None:
        if not self.consented:
            raise VisitorError("consent.missing")


class Visits:
    """All open visits.

    `on_forget` is called with each session of one that is forgotten, for what others keep of it.
    """

    on_forget: Callable[[str], object] | None = None

    def __init__(self, album: Album, idle_minutes: float) -> None:
        self._album = album
        self._idle_s = idle_minutes * 60  # of visits that agreed to nothing yet: they have no files
        self._visits: dict[str, Visit] = {}
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._watcher: threading.Thread | None = None

    def of(self, cookie: str, session: str | None) -> Visit:
        """The visit of a browser, or of a page whose browser has no cookie; a new one if it has none."""
        self.forget_expired()
        key = cookie or session or secrets.token_hex(8)
        with self._lock:
            visit = self._visits.setdefault(key, Visit(self._album, cookie))
            visit.touched, visit.left = time.monotonic(), None
            if session:
                visit.sessions.add(session)
        return visit

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

    def close_page(self, session: str | None) -> None:
        """A page was closed or reloaded; without another one the visit ends after a short grace."""
        with self._lock:
            for visit in self._visits.values():
                if session in visit.sessions:
                    visit.sessions.discard(session)
                    if not visit.sessions:
                        visit.left = time.monotonic()
                        visit.stop_run()
        if session and self.on_forget:
            self.on_forget(session)

    def end(self, visit: Visit) -> None:
        """The visitor leaves: the next person at the same screen is a new visit and a new voter."""
        with self._lock:
            for key in [key for key, one in self._visits.items() if one is visit]:
                del self._visits[key]
        visit.leave()
        for session in visit.sessions if self.on_forget else ():
            self.on_forget(session)  # type: ignore[misc]

    def forget_expired(self) -> None:
        """End the visits whose time is over, and the stalest above the limit."""
        self._album.sweep()
        now = time.monotonic()
        with self._lock:
            visits = list(self._visits.values())
        stale = sorted(visits, key=lambda visit: visit.touched)
        surplus = stale[: max(0, len(visits) - MOST_VISITS)]
        for visit in visits:
            closed = visit.left is not None and now - visit.left > GRACE_S
            idle = not visit.consented and now - visit.touched > self._idle_s
            over = visit.sitting is not None and self._album.is_over(visit.sitting)
            if closed or idle or over or visit in surplus:
                self.end(visit)

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
