"""What a sitter takes home: which pictures, under which names, and the link that brings them to a phone.

Only the visitor's own tap makes a link. From then on what may be taken home stays until the retention ends,
though the visit ends; selfies never do. Links live in memory: none outlives the program.
"""

import re
import secrets
import threading
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from booth.album import Album, StoredPicture
from booth.records import PictureId, SittingId
from booth.storage import ID_BYTES
from booth.visit import Visit
from errors import VisitorError

ESCAPED = re.compile(r'[\\;,:"]')  # in the fields of a Wi-Fi code


@dataclass(frozen=True)
class TakeHome:
    """How pictures leave the booth: by a link to the visitor's phone, as files of this browser."""

    has_links: bool = False
    has_files: bool = True  # not on a kiosk, whose disk is nobody's
    wifi_name: str = ""  # network that phones must be in; empty where nobody need be told
    wifi_password: str = ""

    @property
    def wifi_code(self) -> str:
        """What a QR code must say for a phone to join (ZXing's format, which Android and iOS read)."""
        name, password = (ESCAPED.sub(r"\\\g<0>", text) for text in (self.wifi_name, self.wifi_password))
        return f"WIFI:T:WPA;S:{name};P:{password};;" if password else f"WIFI:T:nopass;S:{name};;"


class Keepsake(StrEnum):
    """What a picture to take home is; the value is the name of its file."""

    PHOTOGRAPH = "photograph-{}.jpg"
    PORTRAIT = "ai-portrait-{}.jpg"
    SKIN_TONE = "ai-portrait-{}-skin-tone.jpg"
    LADDER = "ai-ladder.jpg"

    @property
    def caption(self) -> str:
        """The key of the words that name it; `i` is of which portrait it is."""
        return f"home.{self.name.lower()}"

    def file_name(self, number: int = 1) -> str:
        """The name for one portrait, counted from 1."""
        return self.value.format(number)

    def read_number(self, name: str) -> int | None:
        """Of which portrait a file of that name is; None where it is of another kind."""
        found = re.fullmatch(re.escape(self.value).replace(r"\{\}", r"(\d+)"), name)
        return int(found[1] if found.groups() else 1) if found else None


@dataclass(frozen=True)
class TakenPicture:
    """One picture that may be taken home: its id in the album, what it is, and of which portrait."""

    id: PictureId
    kind: Keepsake
    number: int


def pictures_to_take(album: Album, sitting: SittingId | None) -> tuple[TakenPicture, ...]:
    """Each photograph with its portrait beside it, then those with the photograph's skin tone, the ladder."""
    taken = [
        TakenPicture(picture, kind, number)
        for picture, name in (album.named(sitting) if sitting else {}).items()
        for kind in Keepsake
        if (number := kind.read_number(name))
    ]
    order = {kind: place for place, kind in enumerate(Keepsake)}  # the first two stand side by side
    return tuple(sorted(taken, key=lambda one: (max(1, order[one.kind]), one.number, order[one.kind])))


class Links:
    """Take-home links by their secret part, which nobody guesses. Safe to share between threads."""

    def __init__(self, album: Album) -> None:
        self._album = album
        self._visits: dict[str, Visit] = {}
        self._lock = threading.Lock()

    def open(self, visit: Visit) -> str:
        """The visitor's tap: the secret of their link, always the same.

        Raises `VisitorError` where there is nothing to take home.
        """
        visit.finished_making()
        with self._lock:
            self._forget_expired()
            visit.link = visit.link or secrets.token_urlsafe(ID_BYTES)
            self._visits[visit.link] = visit
        return visit.link

    def close(self, visit: Visit) -> None:
        """The visitor takes it back; what is on the screen stays as long as the visit."""
        with self._lock:
            self._visits.pop(visit.link, None)
            visit.link = ""

    def sitting(self, link: str) -> SittingId | None:
        """Whose pictures those are; None for an unknown link, and for one whose time is over."""
        with self._lock:
            self._forget_expired()
            return visit.sitting if (visit := self._visits.get(link)) else None

    def until(self, link: str) -> datetime | None:
        """When that link ends."""
        sitting = self.sitting(link)
        return self._album.deadline(sitting) if sitting else None

    def open_until(self) -> tuple[datetime, ...]:
        """When each of the open links ends: stopping the program ends them all."""
        with self._lock:
            self._forget_expired()
            sittings = [visit.sitting for visit in self._visits.values() if visit.sitting]
        return tuple(end for sitting in sittings if (end := self._album.deadline(sitting)))

    def picture(self, link: str, picture: str) -> StoredPicture | None:
        """One of the link's pictures; None for any other."""
        kept, sitting = self._album.get(picture), self.sitting(link)
        return kept if kept and kept.name and sitting and kept.sitting == sitting else None

    def mark_taken(self, link: str) -> None:
        """Something was saved, which nobody but the visitor can delete."""
        with self._lock:
            if visit := self._visits.get(link):
                visit.take_home()

    def delete(self, link: str) -> Visit:
        """The phone's "Delete mine": everything of that visitor, also what the room may see.

        Raises `VisitorError` for an unknown link.
        """
        with self._lock:
            visit = self._visits.pop(link, None)
        if visit is None:
            raise VisitorError("home.gone")
        code = visit.sharing.code
        visit.wipe()
        if code:  # a misfire that its visitor has left behind is known by that alone
            self._album.withdraw(code)
        return visit

    def _forget_expired(self) -> None:
        over = [
            link
            for link, visit in self._visits.items()
            if visit.sitting is None or self._album.deadline(visit.sitting) is None
        ]
        for link in over:
            del self._visits[link]
