"""The files of sittings: every picture that a browser is shown, under an id that names nothing else.

A sitting is a folder, `<sitting>/<picture>.jpg`. What a browser asks for is looked up in memory and never
joined to a path. A sitting is deleted when it is over: at once when its sitter says so, or when its time has
passed. Only what a sitter allowed to be shown, and a host approved, outlives that and a restart.
"""

import hmac
import logging
import re
import secrets
import shutil
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, NewType

from pydantic import AwareDatetime, BaseModel, ConfigDict, StringConstraints, ValidationError

from booth.clock import LatestClock

SittingId = NewType("SittingId", str)
PictureId = NewType("PictureId", str)

# Read aloud and typed without doubt: no 0 and O, no 1, I and L.
WITHDRAWAL_LETTERS, WITHDRAWAL_LENGTH = "ABCDEFGHJKMNPQRSTUVWXYZ23456789", 8
ID_BYTES = 16
ID_PATTERN = "[A-Za-z0-9_-]{22}"  # 16 bytes as base64 without padding
SITTING_FILE = "sitting.json"
LOG = logging.getLogger("face_value")


@dataclass(frozen=True, eq=False)
class StoredPicture:
    """One picture. `name` is its file name when it is taken home; empty: it may not be."""

    sitting: SittingId
    jpeg: bytes
    name: str


@dataclass(frozen=True)
class Permission:
    """The sitter's leave to show pictures until then; the code takes it back."""

    code: str
    until: datetime


@dataclass(frozen=True)
class Offer:
    """A sitting that may be shown, as far as its sitter is concerned; the host has approved it, or not yet.

    `facts` is what came with the permission, as text that only its writer reads.
    """

    sitting: SittingId
    facts: str
    approved: bool
    until: datetime


class _SittingFile(BaseModel):
    """`sitting.json`: what of a sitting survives a restart, once it is approved."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    deadline: AwareDatetime
    until: AwareDatetime
    code: Annotated[str, StringConstraints(pattern=f"^[{WITHDRAWAL_LETTERS}]{{{WITHDRAWAL_LENGTH}}}$")]
    approved: bool
    shown: dict[Annotated[str, StringConstraints(pattern=f"^{ID_PATTERN}$")], str]  # picture: file name
    facts: str = ""


@dataclass(frozen=True)
class _Record:
    """What is known of a sitting."""

    folder: Path
    deadline: datetime
    names: dict[PictureId, str] = field(default_factory=dict)  # in the order they were put
    shown: tuple[PictureId, ...] = ()
    permission: Permission | None = None
    approved: bool = False
    facts: str = ""

    def is_expired(self, now: datetime) -> bool:
        """Whether retention and permission have ended, so that all of it goes."""
        if now < self.deadline:
            return False
        return not (self.approved and self.permission and now < self.permission.until)

    def is_visible(self, picture: PictureId, now: datetime) -> bool:
        """Whether that picture may still be seen."""
        return now < self.deadline or (picture in self.shown and not self.is_expired(now))

    def without_picture(self, picture: PictureId) -> "_Record":
        """The same sitting after one picture went."""
        names = {other: name for other, name in self.names.items() if other != picture}
        return replace(self, names=names, shown=tuple(other for other in self.shown if other != picture))


class Album:
    """All sittings below `folder`. Start-up deletes those that are not approved and in time.

    Safe to share between threads.
    """

    def __init__(
        self,
        folder: Path,
        retention_minutes: float,
        show_hours: float,
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        self._folder = folder
        self._retention = timedelta(minutes=retention_minutes)
        self._permission = timedelta(hours=show_hours)
        self._clock = clock or LatestClock()
        self._sittings: dict[SittingId, _Record] = {}
        self._pictures: dict[PictureId, SittingId] = {}
        self._undeleted: set[Path] = set()  # tried again at each sweep
        self._lock = threading.RLock()
        self._restore()

    def begin(self) -> SittingId:
        """A new sitting, whose retention counts from now."""
        sitting = SittingId(secrets.token_urlsafe(ID_BYTES))
        with self._lock:
            folder = self._folder / sitting
            folder.mkdir(parents=True, mode=0o700)
            self._sittings[sitting] = _Record(folder, self._clock() + self._retention)
        return sitting

    def put(self, sitting: SittingId, jpeg: bytes, name: str = "") -> PictureId:
        """One more picture. Raises `KeyError` for a sitting that is over."""
        picture = PictureId(secrets.token_urlsafe(ID_BYTES))
        with self._lock:
            record = self._sittings[sitting]
            file = _file(record, picture)
            try:
                file.touch(0o600)
                file.write_bytes(jpeg)
            except OSError:  # a full disk: no half picture stays
                self._remove(file)
                raise
            self._sittings[sitting] = replace(record, names={**record.names, picture: name})
            self._pictures[picture] = sitting
        return picture

    def get(self, picture: str) -> StoredPicture | None:
        """The picture of that id; None when it is unknown or gone."""
        picture_id = PictureId(picture)
        with self._lock:
            sitting = self._pictures.get(picture_id)
            if sitting is None or not (record := self._sittings[sitting]).is_visible(
                picture_id, self._clock()
            ):
                return None
            try:
                return StoredPicture(
                    sitting, _file(record, picture_id).read_bytes(), record.names[picture_id]
                )
            except FileNotFoundError:  # somebody cleaned up by hand
                return None

    def has(self, picture: str) -> bool:
        """Whether `get` would find it, without reading it."""
        picture_id = PictureId(picture)
        with self._lock:
            sitting = self._pictures.get(picture_id)
            return sitting is not None and self._sittings[sitting].is_visible(picture_id, self._clock())

    def named(self, sitting: SittingId) -> dict[PictureId, str]:
        """The pictures that may be taken home, in the order they were put, and their file names."""
        with self._lock:
            names = record.names if (record := self._sittings.get(sitting)) else {}
            return {picture: name for picture, name in names.items() if name and self.has(picture)}

    def downloads(self, sitting: SittingId) -> tuple[StoredPicture, ...]:
        """The same, read."""
        with self._lock:
            return tuple(stored for picture in self.named(sitting) if (stored := self.get(picture)))

    def drop(self, picture: str) -> None:
        """One picture goes."""
        with self._lock:
            sitting = self._pictures.pop(PictureId(picture), None)
            if sitting is None:
                return
            record = self._sittings[sitting]
            self._sittings[sitting] = remaining = record.without_picture(PictureId(picture))
            self._remove(_file(record, PictureId(picture)))
            if remaining.shown != record.shown:
                self._write(sitting, remaining)

    def delete(self, sitting: SittingId) -> None:
        """Everything of a sitting goes at once."""
        with self._lock:
            record = self._sittings.pop(sitting, None)
            if record is None:
                return
            for picture in record.names:
                self._pictures.pop(picture, None)
            if record.permission:
                # first: without it no restart brings back what resists
                self._remove(record.folder / SITTING_FILE)
            self._remove(record.folder)

    def release(self, sitting: SittingId, keeps_named: bool = False) -> None:
        """The sitter has left: what they did not allow to be shown goes at once.

        `keeps_named`: what may be taken home stays until the retention is over, for the sitter alone.
        """
        with self._lock:
            record = self._sittings.get(sitting)
            if record is None or not (record.permission or keeps_named):
                self.delete(sitting)
                return
            kept = set(self.named(sitting)) if keeps_named else set()
            for picture in set(record.names) - set(record.shown) - kept:
                self.drop(picture)

    def deadline(self, sitting: SittingId) -> datetime | None:
        """When its sitter's time ends, whatever may still be shown; None for one that is over."""
        with self._lock:
            record = self._sittings.get(sitting)
            return record.deadline if record and self._clock() < record.deadline else None

    def allow_show(
        self, sitting: SittingId, pictures: Iterable[PictureId], facts: str = "", code: str = ""
    ) -> Permission:
        """The sitter's leave to show these, with `facts`. Raises `KeyError` for a sitting that is over.

        Another choice keeps the code, which may be noted down already, and needs a new approval. `code` is
        one that the same sitter has from another sitting: it takes back both.
        """
        with self._lock:
            record = self._sittings[sitting]
            code = record.permission.code if record.permission else code or _new_code()
            permission = Permission(code, self._clock() + self._permission)
            shown = tuple(picture for picture in pictures if picture in record.names)
            allowed = replace(record, shown=shown, permission=permission, approved=False, facts=facts)
            self._write(sitting, allowed)
        return permission

    def forbid_show(self, sitting: SittingId) -> None:
        """The leave is taken back; the pictures stay with the visit."""
        with self._lock:
            if (record := self._sittings.get(sitting)) and record.permission:
                self._write(sitting, replace(record, shown=(), permission=None, approved=False, facts=""))

    def approve(self, sitting: SittingId, approved: bool = True) -> None:
        """The host's word, or its withdrawal; without the sitter's leave it does nothing."""
        with self._lock:
            if (record := self._sittings.get(sitting)) and record.permission:
                self._write(sitting, replace(record, approved=approved))

    def offers(self) -> tuple[Offer, ...]:
        """The sittings whose sitters allow them to be shown now, in the order in which they came."""
        now = self._clock()
        with self._lock:
            return tuple(
                Offer(sitting, record.facts, record.approved, record.permission.until)
                for sitting, record in self._sittings.items()
                if record.permission and now < record.permission.until
            )

    def is_past(self, until: datetime) -> bool:
        """Whether a permission until then has ended by itself."""
        return self._clock() >= until

    def withdraw(self, code: str) -> bool:
        """Delete the sittings whose code that is; whether there was one."""
        typed = "".join(letter for letter in code.upper() if letter in WITHDRAWAL_LETTERS)
        with self._lock:
            matching = [
                sitting
                for sitting, record in self._sittings.items()
                if record.permission and hmac.compare_digest(record.permission.code, typed)
            ]
            for sitting in matching:
                self.delete(sitting)
        return bool(matching)

    def sweep(self) -> tuple[SittingId, ...]:
        """Delete what is over, and name it; of what may be shown for longer only that stays."""
        now = self._clock()
        with self._lock:
            for path in tuple(self._undeleted):
                self._remove(path)
            expired = tuple(sitting for sitting, record in self._sittings.items() if record.is_expired(now))
            for sitting in expired:
                self.delete(sitting)
            for record in tuple(self._sittings.values()):
                for picture in record.names:
                    if not record.is_visible(picture, now):
                        self.drop(picture)
        return expired

    def close(self) -> None:
        """What a restart would delete goes now; the album is not used afterwards."""
        with self._lock:
            for sitting, record in tuple(self._sittings.items()):
                if record.approved:
                    self.release(sitting)
                else:
                    self.delete(sitting)

    def _restore(self) -> None:
        """Read what may still be shown, delete the rest of what is ours."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for folder in sorted(self._folder.iterdir()):
            if not re.fullmatch(ID_PATTERN, folder.name) or folder.is_symlink() or not folder.is_dir():
                continue
            sitting, record = SittingId(folder.name), _read_record(folder)
            if record is None or not record.approved or record.is_expired(self._clock()):
                self._remove(folder)
                continue
            ours = {folder / SITTING_FILE, *(_file(record, picture) for picture in record.names)}
            for path in set(folder.iterdir()) - ours:
                self._remove(path)
            self._sittings[sitting] = record
            self._pictures |= dict.fromkeys(record.names, sitting)

    def _write(self, sitting: SittingId, record: _Record) -> None:
        """Keep the sitting, and its file on the disk: whole or not at all."""
        file = record.folder / SITTING_FILE
        if not record.permission:
            self._sittings[sitting] = record
            file.unlink(missing_ok=True)  # works on a full disk too, and nothing survives without it
            return
        content = _SittingFile(
            deadline=record.deadline,
            until=record.permission.until,
            code=record.permission.code,
            approved=record.approved,
            facts=record.facts,
            shown={picture: record.names[picture] for picture in record.shown},
        )
        draft = record.folder / f"{SITTING_FILE}.new"
        draft.touch(0o600)
        draft.write_text(content.model_dump_json(), encoding="utf-8")
        draft.replace(file)
        self._sittings[sitting] = record

    def _remove(self, path: Path) -> None:
        """Delete a folder or a file; what resists is logged once, and tried again at each sweep."""
        try:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
            self._undeleted.discard(path)
        except OSError as error:
            if path not in self._undeleted:
                sitting = path.relative_to(self._folder).parts[0]
                LOG.error("sitting %s: not deleted, tried again at each sweep: %s", sitting, error.strerror)
            self._undeleted.add(path)


def _file(record: _Record, picture: PictureId) -> Path:
    return record.folder / f"{picture}.jpg"


def _new_code() -> str:
    return "".join(secrets.choice(WITHDRAWAL_LETTERS) for _ in range(WITHDRAWAL_LENGTH))


def _read_record(folder: Path) -> _Record | None:
    """A sitting from its file; None when it has none that we wrote."""
    try:
        content = _SittingFile.model_validate_json((folder / SITTING_FILE).read_bytes())
    except (OSError, ValidationError):
        return None
    permission = Permission(content.code, content.until)
    record = _Record(folder, content.deadline, {}, (), permission, content.approved, content.facts)
    files = {picture: _file(record, picture) for picture in map(PictureId, content.shown)}
    found = tuple(picture for picture, file in files.items() if file.is_file() and not file.is_symlink())
    return replace(record, names={picture: content.shown[picture] for picture in found}, shown=found)
