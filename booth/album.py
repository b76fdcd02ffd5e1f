"""The files of sittings: every picture that a browser is shown, under an id that names nothing else.

A sitting is a folder, `<sitting>/<picture>.jpg`. What a browser asks for is looked up in memory and never
joined to a path. A sitting is deleted when it is over: at once when its sitter says so, or when its time has
passed. Only what a sitter allowed to be shown, and a host approved, outlives that and a restart.

Booths of one room may share their pictures (`booth/records.py`): then each takes over what the others did.
"""

import hmac
import logging
import secrets
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from booth.clock import LatestClock
from booth.records import (
    WITHDRAWAL_LETTERS,
    FileRecords,
    Permission,
    PictureId,
    Record,
    RecordKeeping,
    Records,
    SittingId,
    file_name,
    new_code,
)
from booth.storage import ID_BYTES, FolderStorage
from errors import StorageAway

LOG = logging.getLogger("face_value")
TRIES = 20  # whoever changes the same sitting at the same time changes it once each
RESISTING = (OSError, StorageAway, SQLAlchemyError)


@dataclass(frozen=True, eq=False)
class StoredPicture:
    """One picture. `name` is its file name when it is taken home; empty: it may not be."""

    sitting: SittingId
    jpeg: bytes
    name: str


@dataclass(frozen=True)
class Offer:
    """A sitting that may be shown, as far as its sitter is concerned; the host has approved it, or not yet.

    `facts` is what came with the permission, as text that only its writer reads. `rejected`: the host's no.
    """

    sitting: SittingId
    facts: str
    approved: bool
    until: datetime
    rejected: bool = False


class Album:
    """All sittings, of a folder or as `records` keep them. Start-up deletes those not approved and in time.

    Safe to share between threads.
    """

    def __init__(
        self,
        records: RecordKeeping | Path,
        retention_minutes: float,
        show_hours: float,
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        self._records = FileRecords(FolderStorage(records)) if isinstance(records, Path) else records
        self._files = self._records.storage
        self._retention = timedelta(minutes=retention_minutes)
        self._permission = timedelta(hours=show_hours)
        self._clock = clock or LatestClock()
        self._pictures: dict[PictureId, SittingId] = {}
        self._undeleted: set[tuple[SittingId, str]] = set()  # tried again at each sweep; no name: all of it
        self._lock = threading.RLock()
        self._taken_over: Records | None = None
        self._sittings, left = self._records.restore(self._clock())
        for sitting, record in self._sittings.items():
            self._pictures |= dict.fromkeys(record.names, sitting)
        self._delete(left)

    def begin(self) -> SittingId:
        """A new sitting, whose retention counts from now."""
        with self._lock:
            sitting, record = self._records.begin(self._clock() + self._retention)
            self._sittings[sitting] = record
        return sitting

    def put(self, sitting: SittingId, jpeg: bytes, name: str = "") -> PictureId:
        """One more picture. Raises `KeyError` for a sitting that is over, and as `Storage.write`."""
        picture = PictureId(secrets.token_urlsafe(ID_BYTES))
        with self._lock:
            self._sittings[sitting]  # or `KeyError`, before anything is written
        try:
            self._files.write(sitting, file_name(picture), jpeg)
        except StorageAway:
            self._undeleted.add((sitting, file_name(picture)))  # it may have arrived all the same
            raise
        with self._lock:
            if record := self._sittings.get(sitting):
                self._sittings[sitting] = replace(record, names={**record.names, picture: name})
                self._pictures[picture] = sitting
                return picture
        self._remove(sitting)
        raise KeyError(sitting)

    def get(self, picture: str) -> StoredPicture | None:
        """The picture of that id; None when it is unknown or gone. Raises `StorageAway`."""
        picture_id = PictureId(picture)
        self._look()
        with self._lock:
            sitting = self._pictures.get(picture_id)
            if sitting is None or not self.has(picture):
                return None
            name = self._sittings[sitting].names[picture_id]
        try:
            return StoredPicture(sitting, self._files.read(sitting, file_name(picture_id)), name)
        except FileNotFoundError:  # somebody cleaned up by hand, or it goes this moment
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
        return tuple(stored for picture in self.named(sitting) if (stored := self.get(picture)))

    def drop(self, picture: str) -> None:
        """One picture goes."""
        picture_id = PictureId(picture)
        with self._lock:
            sitting = self._pictures.pop(picture_id, None)
            if sitting is None:
                return
            is_shown = picture_id in self._sittings[sitting].shown
        self._remove(sitting, file_name(picture_id))
        self._change(sitting, lambda record: record.without_picture(picture_id), is_kept=is_shown)

    def delete(self, sitting: SittingId) -> None:
        """Everything of a sitting goes at once."""
        if self._forget(sitting):
            self._remove(sitting)

    def release(self, sitting: SittingId, keeps_named: bool = False) -> None:
        """The sitter has left: what they did not allow to be shown goes at once.

        `keeps_named`: what may be taken home stays until the retention is over, for the sitter alone.
        """
        with self._lock:
            record = self._sittings.get(sitting)
            kept = set(self.named(sitting)) if keeps_named else set()
        if record is None or not (record.permission or keeps_named):
            self.delete(sitting)
            return
        for picture in set(record.names) - set(record.shown) - kept:
            self.drop(picture)
        if not keeps_named:
            with suppress(SQLAlchemyError):  # else it is nobody's when its time is over
                self._change(sitting, lambda record: replace(record, booth=""))

    def deadline(self, sitting: SittingId) -> datetime | None:
        """When its sitter's time ends, whatever may still be shown; None for one that is over."""
        self._look()
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
        chosen, until, code = tuple(pictures), self._clock() + self._permission, code or new_code()

        def allow(record: Record) -> Record:
            permission = Permission(record.permission.code if record.permission else code, until)
            shown = tuple(picture for picture in chosen if picture in record.names)
            return replace(record, shown=shown, permission=permission, approved=False, facts=facts)

        changed = self._change(sitting, allow)
        if changed is None or changed.permission is None:
            raise KeyError(sitting)
        return changed.permission

    def forbid_show(self, sitting: SittingId) -> None:
        """The leave is taken back; the pictures stay with the visit."""
        self._change_permitted(sitting, shown=(), permission=None, approved=False, facts="")

    def approve(self, sitting: SittingId, approved: bool = True) -> None:
        """The host's word, or its withdrawal; without the sitter's leave it does nothing."""
        self._change_permitted(sitting, approved=approved)

    def reject(self, sitting: SittingId) -> None:
        """The host's no: it is not shown, nor asked about again."""
        self._change_permitted(sitting, approved=False, rejected=True)

    def offers(self) -> tuple[Offer, ...]:
        """The sittings whose sitters allow them to be shown now, in the order in which they came."""
        self._look()
        now = self._clock()
        with self._lock:
            return tuple(
                Offer(sitting, record.facts, record.approved, record.permission.until, record.rejected)
                for sitting, record in self._sittings.items()
                if record.permission and now < record.permission.until
            )

    def is_past(self, until: datetime) -> bool:
        """Whether a permission until then has ended by itself."""
        return self._clock() >= until

    def withdraw(self, code: str) -> bool:
        """Delete the sittings whose code that is, whichever booth's; whether there was one."""
        typed = "".join(letter for letter in code.upper() if letter in WITHDRAWAL_LETTERS)
        self._records.expire()
        self._look()
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
        """Delete what is over, and name it; of what may be shown for longer only that stays.

        What other booths left is deleted by one booth at a time.
        """
        self._look()
        now = self._clock()
        for sitting, name in tuple(self._undeleted):
            self._remove(sitting, name)
        with self._lock:
            expired = tuple(sitting for sitting, record in self._sittings.items() if record.is_expired(now))
            for sitting in expired:
                self._forget(sitting)
            hidden = [
                picture
                for record in self._sittings.values()
                for picture in record.names
                if not record.is_visible(picture, now)
            ]
        for picture in hidden:
            self.drop(picture)
        try:
            with self._records.due(now, expired) as left:
                self._delete(left)
        except RESISTING as error:
            LOG.error("sittings cannot be swept now: %s", type(error).__name__)
        return expired

    def sizes(self) -> tuple[int, int]:
        """How many pictures are here of this booth's visitors and of what is shown, and their bytes."""
        files = [each for sitting in self._of_this_booth() for each in self._files.sizes(sitting).items()]
        return sum(name.endswith(".jpg") for name, _ in files), sum(size for _, size in files)

    def delete_all(self) -> None:
        """Every picture of this booth's visitors goes, and whatever may be shown."""
        for sitting in self._of_this_booth():
            self._forget(sitting)
            self._remove(sitting)
        self.sweep()  # once more what resisted

    def close(self) -> None:
        """What a restart would delete goes now; the album is not used afterwards."""
        with self._lock:
            records = self._sittings.items()
            own = {sitting: record for sitting, record in records if self._records.owns(record)}
        for sitting, record in own.items():
            if record.approved:
                self.release(sitting)
            else:
                self.delete(sitting)

    # ---- inside

    def _of_this_booth(self) -> list[SittingId]:
        """Its own sittings, and those that are nobody's visit any more."""
        self._look()
        with self._lock:
            others = {
                sitting
                for sitting, record in self._sittings.items()
                if record.booth and not self._records.owns(record)
            }
            known = set(self._sittings) - others
        return sorted(known | ({SittingId(name) for name in self._files.sittings()} - others))

    def _look(self) -> None:
        """Take over what other booths did since."""
        found = self._records.latest()
        if found is None:
            return
        mark, records = found
        with self._lock:
            if records is self._taken_over or not self._records.is_current(mark):
                return
            now, known, self._taken_over = self._clock(), self._sittings, records
            self._sittings = {
                sitting: self._merge(known.get(sitting), record)
                for sitting, record in records.items()
                if not record.is_expired(now)
            }
            self._pictures = {name: s for s, record in self._sittings.items() for name in record.names}

    def _merge(self, known: Record | None, record: Record) -> Record:
        """Of its own visitors a booth knows more pictures than those that may be shown."""
        is_own = known is not None and self._records.owns(known)
        return replace(record, names={**known.names, **record.names}) if known and is_own else record

    def _change(
        self, sitting: SittingId, change: Callable[[Record], Record], is_kept: bool = True
    ) -> Record | None:
        """From how it is; where another booth was faster, from how it is then. None: it is over."""
        for _ in range(TRIES):
            self._look()
            with self._lock:
                record = self._sittings.get(sitting)
                if record is None:
                    return None
                after = change(record)
                is_kept = is_kept and after != record
                kept = self._records.save(sitting, record, after) if is_kept else after
                if kept:
                    self._sittings[sitting] = kept
                    return kept
            self._records.expire()
        raise StorageAway

    def _change_permitted(self, sitting: SittingId, **fields: object) -> None:
        """The same where its sitter allows it to be shown."""
        self._change(
            sitting,
            lambda record: replace(record, **fields) if record.permission else record,  # type: ignore[arg-type]
        )

    def _forget(self, sitting: SittingId) -> bool:
        """Nobody finds it in memory any more; whether it was there."""
        with self._lock:
            record = self._sittings.pop(sitting, None)
            for picture in record.names if record else ():
                self._pictures.pop(picture, None)
        return record is not None

    def _delete(self, left: Mapping[SittingId, Iterable[str]]) -> None:
        """The named files of each sitting; of one without a name all of it."""
        for sitting, names in left.items():
            for name in names or ("",):
                self._remove(sitting, name)

    def _remove(self, sitting: SittingId, name: str = "") -> None:
        """Delete a sitting or one file; what resists is logged once, and tried again at each sweep."""
        # First: without its record no restart brings back what resists.
        failure = None if name else _failure_of(self._records.end, sitting)
        failure = _failure_of(self._files.delete, sitting, name) or failure
        if not name:
            failure = failure or _failure_of(self._records.remove, sitting)
        if failure is None:
            self._undeleted.discard((sitting, name))
            return
        if (sitting, name) not in self._undeleted:
            why = failure.strerror if isinstance(failure, OSError) else type(failure).__name__
            LOG.error("sitting %s: not deleted, tried again at each sweep: %s", sitting, why)
        self._undeleted.add((sitting, name))


def _failure_of(step: Callable[..., object], *arguments: str) -> Exception | None:
    """What kept it from being done."""
    try:
        step(*arguments)
    except RESISTING as error:
        return error
    return None
