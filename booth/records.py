"""What is known of each sitting, and where that is kept: beside its pictures, or for all booths of a room.

A booth alone keeps a file with what may be shown after a restart, and everything else in memory. Booths that
share their pictures keep a row a sitting in the database of the room, so that each can show, take back and
delete what another's visitor allowed.
"""

import secrets
from collections.abc import Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Annotated, NewType, Protocol

from pydantic import AwareDatetime, BaseModel, ConfigDict, StringConstraints, ValidationError

from booth.storage import ID_BYTES, ID_PATTERN, FolderStorage, Storage
from votes.latest import Latest
from votes.sittings import SittingRow
from votes.store import Store

SittingId = NewType("SittingId", str)
PictureId = NewType("PictureId", str)
Records = Mapping[SittingId, "Record"]

# Read aloud and typed without doubt: no 0 and O, no 1, I and L.
WITHDRAWAL_LETTERS, WITHDRAWAL_LENGTH = "ABCDEFGHJKMNPQRSTUVWXYZ23456789", 8
SITTING_FILE = "sitting.json"
OVER = datetime(1970, 1, 1, tzinfo=UTC)  # the deadline of a sitting that goes as soon as its pictures do
SWEEP = "sweep"  # the lease of whoever deletes
SWEEP_EVERY, SWEEP_PATIENCE = timedelta(seconds=5), timedelta(seconds=60)  # the next one; after a crash


@dataclass(frozen=True)
class Permission:
    """The sitter's leave to show pictures until then; the code takes it back."""

    code: str
    until: datetime


@dataclass(frozen=True)
class Record:
    """What is known of a sitting."""

    deadline: datetime
    names: Mapping[PictureId, str] = field(default_factory=dict)  # in the order they were put
    shown: tuple[PictureId, ...] = ()
    permission: Permission | None = None
    approved: bool = False
    rejected: bool = False  # by the host
    facts: str = ""
    booth: str = ""  # whose visitor it is; empty after the visit, and where there is one booth only
    version: int = 0

    def is_expired(self, now: datetime) -> bool:
        """Whether retention and permission have ended, so that all of it goes."""
        if now < self.deadline:
            return False
        return not (self.approved and self.permission and now < self.permission.until)

    def is_visible(self, picture: PictureId, now: datetime) -> bool:
        """Whether that picture may still be seen."""
        return now < self.deadline or (picture in self.shown and not self.is_expired(now))

    def without_picture(self, picture: PictureId) -> "Record":
        """The same sitting after one picture went."""
        names = {other: name for other, name in self.names.items() if other != picture}
        return replace(self, names=names, shown=tuple(other for other in self.shown if other != picture))


class RecordKeeping(Protocol):
    """Where records are kept. Whatever reaches a disk or a database raises `OSError` or `SQLAlchemyError`."""

    storage: Storage

    def restore(self, now: datetime) -> tuple[dict[SittingId, Record], dict[SittingId, set[str]]]:
        """At the start: what may still be shown; and what else is here of ours, by name, which goes."""

    def latest(self) -> tuple[object, Records] | None:
        """All records as they were a moment ago, and a mark for `is_current`; None: there is one booth."""

    def is_current(self, mark: object) -> bool:
        """Whether nothing was changed here since `latest` gave that."""

    def expire(self) -> None:
        """`latest` is read anew."""

    def begin(self, deadline: datetime) -> tuple[SittingId, Record]:
        """A new sitting."""

    def save(self, sitting: SittingId, before: Record, after: Record) -> Record | None:
        """`after` for `before`, whole or not at all, as it is kept; None where somebody else was faster."""

    def end(self, sitting: SittingId) -> None:
        """From now on nobody finds it, though its pictures may still be there."""

    def remove(self, sitting: SittingId) -> None:
        """Its pictures are gone."""

    def owns(self, record: Record) -> bool:
        """Whether its sitter is a visitor of this booth."""

    def due(
        self, now: datetime, expired: Collection[SittingId]
    ) -> AbstractContextManager[dict[SittingId, set[str]]]:
        """What goes now, and is tried within the block: names of files, none for all of a sitting.

        `expired` are over as far as this booth knows.
        """


class _SittingFile(BaseModel):
    """`sitting.json`: what of a sitting survives a restart, once it is approved."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    deadline: AwareDatetime
    until: AwareDatetime
    code: Annotated[str, StringConstraints(pattern=f"^[{WITHDRAWAL_LETTERS}]{{{WITHDRAWAL_LENGTH}}}$")]
    approved: bool
    shown: dict[Annotated[str, StringConstraints(pattern=f"^{ID_PATTERN}$")], str]  # picture: file name
    facts: str = ""


class FileRecords:
    """Of a booth alone: `sitting.json` beside the pictures of a sitting that may be shown."""

    def __init__(self, storage: FolderStorage) -> None:
        self.storage = storage
        self._folder = storage.folder

    def restore(self, now: datetime) -> tuple[dict[SittingId, Record], dict[SittingId, set[str]]]:
        """As in `RecordKeeping`."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        kept: dict[SittingId, Record] = {}
        left: dict[SittingId, set[str]] = {}
        for sitting in map(SittingId, self.storage.sittings()):
            record = self._read(sitting)
            if record is None or not record.approved or record.is_expired(now):
                left[sitting] = set()
                continue
            kept[sitting] = record
            ours = {SITTING_FILE, *map(file_name, record.names)}
            if others := set(self.storage.sizes(sitting)) - ours:
                left[sitting] = others
        return kept, left

    def latest(self) -> None:
        """As in `RecordKeeping`."""

    def is_current(self, mark: object) -> bool:
        """As in `RecordKeeping`."""
        return True

    def expire(self) -> None:
        """As in `RecordKeeping`."""

    def begin(self, deadline: datetime) -> tuple[SittingId, Record]:
        """As in `RecordKeeping`."""
        sitting = new_sitting()
        (self._folder / sitting).mkdir(parents=True, mode=0o700)
        return sitting, Record(deadline)

    def save(self, sitting: SittingId, before: Record, after: Record) -> Record:
        """As in `RecordKeeping`."""
        file = self._folder / sitting / SITTING_FILE
        if not after.permission:
            file.unlink(missing_ok=True)  # works on a full disk too, and nothing survives without it
            return after
        content = _SittingFile(
            deadline=after.deadline,
            until=after.permission.until,
            code=after.permission.code,
            approved=after.approved,
            facts=after.facts,
            shown={picture: after.names[picture] for picture in after.shown},
        )
        draft = file.with_name(f"{SITTING_FILE}.new")
        draft.touch(0o600)
        draft.write_text(content.model_dump_json(), encoding="utf-8")
        draft.replace(file)
        return after

    def end(self, sitting: SittingId) -> None:
        """As in `RecordKeeping`."""
        (self._folder / sitting / SITTING_FILE).unlink(missing_ok=True)

    def remove(self, sitting: SittingId) -> None:
        """As in `RecordKeeping`."""

    def owns(self, record: Record) -> bool:
        """As in `RecordKeeping`."""
        return True

    @contextmanager
    def due(self, now: datetime, expired: Collection[SittingId]) -> Iterator[dict[SittingId, set[str]]]:
        """As in `RecordKeeping`."""
        yield {sitting: set() for sitting in expired}

    def _read(self, sitting: SittingId) -> Record | None:
        """A sitting from its file; None when it has none that we wrote."""
        folder = self._folder / sitting
        try:
            content = _SittingFile.model_validate_json((folder / SITTING_FILE).read_bytes())
        except (OSError, ValidationError):
            return None
        files = {picture: folder / file_name(picture) for picture in map(PictureId, content.shown)}
        found = tuple(picture for picture, file in files.items() if file.is_file() and not file.is_symlink())
        names = {picture: content.shown[picture] for picture in found}
        permission = Permission(content.code, content.until)
        return Record(content.deadline, names, found, permission, content.approved, facts=content.facts)


class SharedRecords:
    """Of booths that share their pictures: rows in the room's database. `booth` is this one's name."""

    def __init__(self, storage: Storage, store: Store, booth: str) -> None:
        self.storage = storage
        self._table = store.sittings
        self._booth = booth
        self._changes = 0  # made here
        self._next_sweep = OVER
        self._latest = Latest(self._read)
        store.listen(self._latest.expire)

    def restore(self, now: datetime) -> tuple[dict[SittingId, Record], dict[SittingId, set[str]]]:
        """As in `RecordKeeping`: of what a crash left of this booth's visits only what may be shown stays."""
        stored, (_, records) = self.storage.sittings(), self._read()  # in this order: rows come first
        kept = {
            sitting: record
            for sitting, record in records.items()
            if not record.is_expired(now) and (record.approved or not self.owns(record))
        }
        left: dict[SittingId, set[str]] = {sitting: set() for sitting in records if sitting not in kept}
        left |= {SittingId(name): set() for name in stored if name not in records}
        for sitting, record in kept.items():
            if self.owns(record):
                left |= self._beside(sitting, record)
                kept[sitting] = self.save(sitting, record, replace(record, booth="")) or record
        return kept, left

    def latest(self) -> tuple[object, Records]:
        """As in `RecordKeeping`."""
        return self._latest.get()

    def is_current(self, mark: object) -> bool:
        """As in `RecordKeeping`."""
        return mark == self._changes

    def expire(self) -> None:
        """As in `RecordKeeping`."""
        self._latest.expire()

    def begin(self, deadline: datetime) -> tuple[SittingId, Record]:
        """As in `RecordKeeping`."""
        sitting, record = new_sitting(), Record(deadline, booth=self._booth)
        with self._changing():
            self._table.add(_row(sitting, record))
        return sitting, record

    def save(self, sitting: SittingId, before: Record, after: Record) -> Record | None:
        """As in `RecordKeeping`."""
        with self._changing():
            kept = self._table.save(_row(sitting, before), _row(sitting, after))
        return replace(after, version=kept.version) if kept else None

    def end(self, sitting: SittingId) -> None:
        """As in `RecordKeeping`."""
        with self._changing():
            self._table.end(sitting, OVER)

    def remove(self, sitting: SittingId) -> None:
        """As in `RecordKeeping`."""
        with self._changing():
            self._table.remove(sitting)

    def owns(self, record: Record) -> bool:
        """As in `RecordKeeping`."""
        return record.booth == self._booth

    @contextmanager
    def due(self, now: datetime, expired: Collection[SittingId]) -> Iterator[dict[SittingId, set[str]]]:
        """As in `RecordKeeping`: of all booths, also of those that are gone; by one booth at a time."""
        if now < self._next_sweep:
            yield {}
            return
        self._next_sweep = now + SWEEP_EVERY
        if not self._table.take_lease(SWEEP, now, now + SWEEP_PATIENCE):
            yield {}
            return
        try:
            yield self._due(now)
        finally:
            self._table.end_lease(SWEEP, now + SWEEP_EVERY)

    def _due(self, now: datetime) -> dict[SittingId, set[str]]:
        _, records = self._read()
        due = {sitting: set[str]() for sitting, record in records.items() if record.is_expired(now)}
        for sitting, record in records.items():
            if sitting not in due and record.booth and now >= record.deadline:
                due |= self._beside(sitting, record)  # the visit is over: only what is shown stays
                self.save(sitting, record, replace(record, booth=""))
        return due

    def _beside(self, sitting: SittingId, record: Record) -> dict[SittingId, set[str]]:
        """What lies in its folder and may not be shown."""
        others = set(self.storage.sizes(sitting)) - set(map(file_name, record.shown))
        return {sitting: others} if others else {}

    def _read(self) -> tuple[int, dict[SittingId, Record]]:
        changes = self._changes  # first
        return changes, {SittingId(row.id): _record(row) for row in self._table.rows()}

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """What was read before or meanwhile is not taken for what is there now."""
        self._changes += 1
        try:
            yield
        finally:
            self._changes += 1
            self._latest.expire()


def file_name(picture: PictureId) -> str:
    """Of a picture, in its sitting's folder."""
    return f"{picture}.jpg"


def new_code() -> str:
    """What takes a permission back."""
    return "".join(secrets.choice(WITHDRAWAL_LETTERS) for _ in range(WITHDRAWAL_LENGTH))


def new_sitting() -> SittingId:
    """A name that tells nothing."""
    return SittingId(secrets.token_urlsafe(ID_BYTES))


def _row(sitting: SittingId, record: Record) -> SittingRow:
    """Only pictures that may be shown are another booth's business."""
    permission = record.permission
    return SittingRow(
        sitting,
        record.booth,
        record.deadline,
        permission.until if permission else None,
        permission.code if permission else "",
        record.approved,
        record.rejected,
        record.facts,
        {picture: record.names[picture] for picture in record.shown},
        record.shown,
        record.version,
    )


def _record(row: SittingRow) -> Record:
    return Record(
        row.deadline,
        {PictureId(picture): name for picture, name in row.names.items()},
        tuple(map(PictureId, row.shown)),
        Permission(row.code, row.until) if row.until else None,
        row.approved,
        row.rejected,
        row.facts,
        row.booth,
        row.version,
    )
