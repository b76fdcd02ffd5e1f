"""One visitor from welcome to goodbye: where they are, what they agreed to, their selfies.

A visit belongs to a browser by its cookie, so that a reload comes back to it; where cookies are blocked,
to the page's session. It ends when the visitor says so, when the tab is closed, or with the retention.
What was drawn is its `Making`, what may be shown its `Sharing`.
"""

import secrets
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from booth.album import Album
from booth.making import Making
from booth.quiz import Quiz
from booth.records import PictureId, SittingId
from booth.sharing import Sharing
from errors import PhotoError, VisitorError
from pipelines.draw.model_set import Start
from pipelines.selfie.face import Face
from pipelines.sitting import MOST_SELFIES
from votes.schema import VoterId

GRACE_S = 20.0  # a reload closes the page too, and comes back within it


class ScreenName(StrEnum):
    """The screen that a visitor is at."""

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


NEED_NO_CONSENT = (
    *(ScreenName.WELCOME, ScreenName.CONSENT, ScreenName.GOODBYE),
    *(ScreenName.DELETE, ScreenName.WITHDRAW),
)
OF_PORTRAITS = (ScreenName.RESULT, ScreenName.LADDER, ScreenName.VOTE)


@dataclass(frozen=True, eq=False)
class Selfie:
    """A photo in memory with the face in it, found once; its thumbnail in the album."""

    face: Face
    picture: PictureId
    is_sample: bool = False

    @property
    def nbytes(self) -> int:
        """What it takes of memory."""
        face = self.face
        return sum(array.nbytes for array in (face.photo.pixels, face.landmarks, face.body, face.mask))


@dataclass(eq=False)
class DialChoice:
    """How close the visitor wants to stay: a place of the dial, and what that was said to mean."""

    turns: int = 0  # from the middle
    starts: Mapping[str, Start] = field(default_factory=dict)  # by model set, as the look screen told it

    def turn(self, turns: int) -> None:
        """To another place."""
        self.turns = turns

    def promise(self, starts: Mapping[str, Start]) -> None:
        """What portraits start from is what this visitor was told, until told anew."""
        self.starts = dict(starts)


@dataclass(eq=False)
class Presence:
    """Whether somebody is there: the open pages of a visit, and when it was heard of."""

    sessions: set[str] = field(default_factory=set)
    touched: float = field(default_factory=time.monotonic)
    closed: float | None = None  # monotonic s when the last page was closed

    def touch(self, session: str | None) -> None:
        """A page asked."""
        self.touched, self.closed = time.monotonic(), None
        if session:
            self.sessions.add(session)

    def close(self, session: str) -> bool:
        """A page was closed; whether it was the last one."""
        self.sessions.discard(session)
        if not self.sessions:
            self.closed = time.monotonic()
        return not self.sessions

    def is_over(self, now: float, idle_s: float) -> bool:
        """Whether the last page was closed too long ago, or nobody touched it for `idle_s`."""
        closed = self.closed is not None and now - self.closed > GRACE_S
        return closed or now - self.touched > idle_s


class Visit:
    """One visitor, as far as the booth knows them. Pages call its methods and set nothing."""

    def __init__(self, album: Album, cookie: str = "", language: str = "") -> None:
        """`cookie`: the browser's, empty where cookies are blocked; `language`: empty for the booth's own."""
        self.album = album
        self.cookie = cookie
        self.language = language
        self.ticket = secrets.token_urlsafe(24)  # lets this page send photos
        self.voter = VoterId(secrets.token_urlsafe(16))
        self.sitter = secrets.token_urlsafe(16)  # where a skin tone is told
        self.screen = ScreenName.WELCOME
        self.sitting: SittingId | None = None
        self.selfies: tuple[Selfie, ...] = ()
        self.frames: dict[str, PictureId] = {}  # the looks' names, each with this visitor's plate in it
        self.dial = DialChoice()
        self.count = 0  # of portraits that the visitor chose; 0: none chosen yet
        self.making: Making | None = None
        self.sharing = Sharing(album)
        self.presence = Presence()
        self.has_taken_home = False
        self.copies = 0  # sheets of paper that were printed
        self.link = ""  # the secret of the take-home link; empty until the visitor asks for one
        self.is_over = False  # forgotten, though a making may still hold it
        self._came_from = ScreenName.WELCOME
        self._lock = threading.Lock()

    @property
    def has_consented(self) -> bool:
        """Whether portraits of this visitor may be made."""
        return self.sitting is not None

    @property
    def faces(self) -> list[Face]:
        """Of the selfies, in the order in which they were taken."""
        return [selfie.face for selfie in self.selfies]

    @property
    def quiz(self) -> Quiz | None:
        """The guessing about what was drawn; None before anything is."""
        return self.making.quiz if self.making else None

    def speak(self, language: str) -> None:
        """In which language this visitor is spoken to."""
        self.language = language

    def choose_count(self, count: int) -> None:
        """How many portraits."""
        self.count = count

    def go(self, screen: ScreenName) -> None:
        """To another screen. Raises `VisitorError` where that needs a consent or portraits not there."""
        if screen not in NEED_NO_CONSENT:
            self._require_consent()
        if screen in OF_PORTRAITS and not (self.making and self.making.portraits):
            raise VisitorError("visit.over")
        # asked twice, "Keep" still leads out of the question
        if self.screen not in (screen, ScreenName.DELETE):
            self._came_from = self.screen
        self.screen = screen

    def stay(self) -> None:
        """Nothing is deleted: back to where the question came from, or to where a stopped work was begun."""
        if self.screen != ScreenName.DELETE:  # a page left open may ask still, with the visit elsewhere
            return
        before = {ScreenName.MAKING: ScreenName.LOOK}.get(self._came_from, self._came_from)
        is_half = before == ScreenName.LADDER and not (self.making and self.making.has_whole_ladder)
        self.go(ScreenName.RESULT if is_half else before)

    def consent(self, agreed: bool, is_minor: bool = False) -> None:
        """The visitor's own tick: from now on the retention counts. Raises `VisitorError` without it.

        The latest consent counts. Of a minor nothing is shown to the room, nor is a skin tone kept.
        """
        if not agreed:
            raise VisitorError("consent.missing")
        if self.sitting is None:
            self.sitting = self.album.begin()
        self.sharing.limit_to(is_minor, self.sitting)

    def add(self, face: Face, picture: PictureId, is_sample: bool = False) -> None:
        """One more selfie. Raises `VisitorError` without consent, `PhotoError` when there are enough."""
        self._require_consent()
        with self._lock:
            if len(self.selfies) >= MOST_SELFIES:
                raise PhotoError("file.many", n=len(self.selfies) + 1)
            self.selfies = (*self.selfies, Selfie(face, picture, is_sample))
        self._drop_frames()

    def remove(self, picture: str) -> bool:
        """Take a selfie back; False when it is not this visitor's."""
        with self._lock:
            kept = tuple(selfie for selfie in self.selfies if selfie.picture != picture)
            found = len(kept) < len(self.selfies)
            self.selfies = kept
        if found:
            self.album.drop(picture)
            self._drop_frames()
        return found

    def keep_frames(self, jpegs: Mapping[str, bytes]) -> None:
        """The visitor's plate in each look. Raises `VisitorError` when the visit is over."""
        self._drop_frames()
        self.frames = {look: self.keep(jpeg) for look, jpeg in jpegs.items()}

    def keep(self, jpeg: bytes, name: str = "") -> PictureId:
        """A picture for this visitor's eyes. Raises `VisitorError` when the visit is over."""
        if self.sitting is None or self.is_over:
            raise VisitorError("visit.over")
        try:
            return self.album.put(self.sitting, jpeg, name)
        except KeyError as error:
            raise VisitorError("visit.over") from error

    def take_home(self) -> None:
        """Something was downloaded, which nobody but the visitor can delete."""
        self.has_taken_home = True

    def start_making(self) -> Making:
        """A new making; one that still runs is stopped, and what was made before goes.

        Raises `VisitorError` without consent or selfie.
        """
        self._require_consent()
        if not self.selfies:
            raise VisitorError("camera.missing")
        self.drop_making()
        self.making = Making(self.album)
        return self.making

    def finished_making(self) -> Making:
        """The making whose portraits are there. Raises `VisitorError` without one."""
        if self.making is None or self.making.portraits is None or self.sitting is None:
            raise VisitorError("visit.over")
        return self.making

    def start_ladder(self) -> None:
        """To the large portrait's ladder, which is drawn if it is another. Raises as `finished_making`."""
        if self.finished_making().start_ladder() and self.sharing.with_ladder:
            self.sharing.forbid_stage(self.sitting)  # leave for one ladder is none for the next
        self.go(ScreenName.LADDER)

    def allow_stage(self, with_ladder: bool = False) -> None:
        """The sitter's leave to show the room the large portrait, its photograph, how it was made.

        `with_ladder`: and the ladder, of the portrait that it is of. Raises `VisitorError` for a minor, and
        where there is nothing to show.
        """
        making = self.finished_making()
        if with_ladder and making.ladder:
            making.choose(making.ladder.portrait)
        pair = making.pair_to_show(with_ladder)
        own = making.result().pair(making.chosen)
        if self.sitting:
            self.sharing.allow_stage(self.sitting, pair, own, with_ladder)

    def forbid_stage(self) -> None:
        """That leave is taken back."""
        self.sharing.forbid_stage(self.sitting)

    def choose(self, index: object) -> bool:
        """Another portrait is large; whether a leave for the one before was taken back with that.

        Raises `ChoiceError` for one that is not there.
        """
        self.finished_making().choose(index)
        had = bool(self.sharing.code)
        self.sharing.forbid_all(self.sitting)  # leave to show one is no leave to show the next
        return had

    def stop(self) -> None:
        """Nobody waits for what is being drawn."""
        if self.making:
            self.making.run.stop()

    def drop_making(self) -> None:
        """Portraits, and the permission to show them, go."""
        if self.making:
            self.making.drop()
            if self.making.portraits:
                self.sharing.forbid_all(self.sitting)
        self.making = None

    def wipe(self) -> None:
        """Everything of this visitor goes at once: "Delete mine"."""
        self.stop()
        sitting, self.sitting = self.sitting, None  # first: a visit whose sitting is over is ended
        if sitting:
            self.album.delete(sitting)
        self.sharing.wipe()
        self.selfies, self.frames, self.making, self.link = (), {}, None, ""

    def leave(self) -> None:
        """The visit is over: only what may be shown stays, or waits for a phone, as long as was told."""
        self.is_over = True
        self.sharing.release_misfire()
        if self.sitting and (self.sharing.stage_code or self.link):
            self.stop()
            self.album.release(self.sitting, keeps_named=bool(self.link))
            self.selfies, self.frames, self.making = (), {}, None
        else:
            self.wipe()

    def _drop_frames(self) -> None:
        frames, self.frames = self.frames, {}
        for picture in frames.values():
            self.album.drop(picture)

    def _require_consent(self) -> None:
        if not self.has_consented:
            has_ended = self.screen == ScreenName.GOODBYE  # deleted, from a phone perhaps
            raise VisitorError("visit.over" if has_ended else "consent.missing")
