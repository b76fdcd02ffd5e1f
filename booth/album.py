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
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, NewType

from pydantic import AwareDatetime, BaseModel, ConfigDict, StringConstraints, ValidationError

SittingId = NewType("SittingId", str)
PictureId = NewType("PictureId", str)

# Read aloud and typed without doubt: no 0 and O, no 1, I and L.
CODE_LETTERS, CODE_LENGTH = "ABCDEFGHJKMNPQRSTUVWXYZ23456789", 8
ID_BYTES = 16
OUR_ID = "[A-Za-z0-9_-]{22}"  # 16 bytes as base64 without padding
NOTE = "sitting.json"
LOG = logging.getLogger("face_value")


@dataclass(frozen=True, eq=False)
class Kept:
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


class _Note(BaseModel):
    """What of a sitting survives a restart, once it is approved."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    deadline: AwareDatetime
    until: AwareDatetime
    code: Annotated[str, StringConstraints(pattern=f"^[{CODE_LETTERS}]{{{CODE_LENGTH}}}$")]
    approved: bool
    shown: dict[Annotated[str, StringConstraints(pattern=f"^{OUR_ID}$")], str]  # picture: file name
    facts: str = ""


@dataclass(frozen=True)
class _Sitting:
    """What is known of a sitting."""

    folder: Path
    deadline: datetime
    names: dict[PictureId, str] = field(default_factory=dict)  # in the order they were put
    shown: tuple[PictureId, ...] = ()
    permission: Permission | None = None
    approved: bool = False
    facts: str = ""

    def over(self, now: datetime) -> bool:
        """Whether all of it goes."""
        if now < self.deadline:
            return False
        return not (self.approved and self.permission and now < self.permission.until)

    def visible(self, picture: PictureId, now: datetime) -> bool:
        """Whether that picture is still there to be seen."""
        return now < self.deadline or (picture in self.shown and not self.over(now))

    def without(self, picture: PictureId) -> "_Sitting":
        """The same sitting after one picture went."""
        names = {one: name for one, name in self.names.items() if one != picture}
        return replace(self, names=names, shown=tuple(one for one in self.shown if one != picture))


class Album:
    """All sittings below `folder`. Start-up deletes those that are not approved and in time.

    Safe to share between threads.
    """

    def __init__(
        self,
        folder: Path,
        keep_minutes: float,
        show_hours: float,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._folder = folder
        self._keep = timedelta(minutes=keep_minutes)
        self._show = timedelta(hours=show_hours)
        self._clock = clock
        self._sittings: dict[SittingId, _Sitting] = {}
        self._pictures: dict[PictureId, SittingId] = {}
        self._doomed: set[Path] = set()  # could not be deleted; tried again at each sweep
        self._lock = threading.RLock()
        self._start()

    def begin(self) -> SittingId:
        """A new sitting, whose retention counts from now."""
        sitting = SittingId(secrets.token_urlsafe(ID_BYTES))
        with self._lock:
            folder = self._folder / sitting
            folder.mkdir(parents=True, mode=0o700)
            self._sittings[sitting] = _Sitting(folder, self._clock() + self._keep)
        return sitting

    def put(self, sitting: SittingId, jpeg: bytes, name: str = "") -> PictureId:
        """One more picture. Raises `KeyError` for a sitting that is over."""
        picture = PictureId(secrets.token_urlsafe(ID_BYTES))
        with self._lock:
            known = self._sittings[sitting]
            file = _file(known, picture)
            try:
                file.touch(0o600)
                file.write_bytes(jpeg)
            except OSError:  # a full disk: no half picture stays
                self._remove(file)
                raise
            self._sittings[sitting] = replace(known, names={**known.names, picture: name})
            self._pictures[picture] = sitting
        return picture

    def get(self, picture: str) -> Kept | None:
        """The picture of that id; None when it is unknown or gone."""
        wanted = PictureId(picture)
        with self._lock:
            sitting = self._pictures.get(wanted)
            if sitting is None or not (known := self._sittings[sitting]).visible(wanted, self._clock()):
                return None
            try:
                return Kept(sitting, _file(known, wanted).read_bytes(), known.names[wanted])
            except FileNotFoundError:  # somebody cleaned up by hand
                return None

    def has(self, picture: str) -> bool:
        """Whether `get` would find it, without reading it."""
        wanted = PictureId(picture)
        with self._lock:
            sitting = self._pictures.get(wanted)
            return sitting is not None and self._sittings[sitting].visible(wanted, self._clock())

    def kept(self, sitting: SittingId) -> tuple[Kept, ...]:
        """The pictures that may be taken home, in the order they were put."""
        with self._lock:
            known = self._sittings.get(sitting)
            named = [picture for picture, name in known.names.items() if name] if known else []
            return tuple(one for picture in named if (one := self.get(picture)))

    def drop(self, picture: str) -> None:
        """One picture goes."""
        with self._lock:
            sitting = self._pictures.pop(PictureId(picture), None)
            if sitting is None:
                return
            known = self._sittings[sitting]
            self._sittings[sitting] = left = known.without(PictureId(picture))
            self._remove(_file(known, PictureId(picture)))
            if left.shown != known.shown:
                self._write(sitting, left)

    def delete(self, sitting: SittingId) -> None:
        """Everything of a sitting goes at once."""
        with self._lock:
            known = self._sittings.pop(sitting, None)
            if known is None:
                return
            for picture in known.names:
                self._pictures.pop(picture, None)
            if known.permission:
                self._remove(known.folder / NOTE)  # first: without it no restart brings back what resists
            self._remove(known.folder)

    def release(self, sitting: SittingId) -> None:
        """The sitter has left: what they did not allow to be shown goes at once."""
        with self._lock:
            known = self._sittings.get(sitting)
            if known is None or not known.permission:
                self.delete(sitting)
                return
            for picture in set(known.names) - set(known.shown):
                self.drop(picture)

    def is_over(self, sitting: SittingId) -> bool:
        """Whether its retention has ended: for its sitter all is over then, whatever may still be shown."""
        with self._lock:
            known = self._sittings.get(sitting)
            return known is None or self._clock() >= known.deadline

    def allow_show(
        self, sitting: SittingId, pictures: Iterable[PictureId], facts: str = "", code: str = ""
    ) -> Permission:
        """The sitter's leave to show these, with `facts`. Raises `KeyError` for a sitting that is over.

        Another choice keeps the code, which may be noted down already, and needs a new approval. `code` is
        one that the same sitter has from another sitting: it takes back both.
        """
        with self._lock:
            known = self._sittings[sitting]
            code = known.permission.code if known.permission else code or _new_code()
            permission = Permission(code, self._clock() + self._show)
            shown = tuple(picture for picture in pictures if picture in known.names)
            allowed = replace(known, shown=shown, permission=permission, approved=False, facts=facts)
            self._write(sitting, allowed)
        return permission

    def forbid_show(self, sitting: SittingId) -> None:
        """The leave is taken back; the pictures stay with the visit."""
        with self._lock:
            if (known := self._sittings.get(sitting)) and known.permission:
                self._write(sitting, replace(known, shown=(), permission=None, approved=False, facts=""))

    def approve(self, sitting: SittingId, approved: bool = True) -> None:
        """The host's word, or its withdrawal; without the sitter's leave it does nothing."""
        with self._lock:
            if (known := self._sittings.get(sitting)) and known.permission:
                self._write(sitting, replace(known, approved=approved))

    def offers(self) -> tuple[Offer, ...]:
        """The sittings whose sitters allow them to be shown now, in the order in which they came."""
        now = self._clock()
        with self._lock:
            return tuple(
                Offer(sitting, known.facts, known.approved)
                for sitting, known in self._sittings.items()
                if known.permission and now < known.permission.until
            )

    def withdraw(self, code: str) -> bool:
        """Delete the sittings whose code that is; whether there was one."""
        typed = "".join(letter for letter in code.upper() if letter in CODE_LETTERS)
        with self._lock:
            its = [
                sitting
                for sitting, known in self._sittings.items()
                if known.permission and hmac.compare_digest(known.permission.code, typed)
            ]
            for sitting in its:
                self.delete(sitting)
        return bool(its)

    def sweep(self) -> tuple[SittingId, ...]:
        """Delete what is over, and name it; of what may be shown for longer only that stays."""
        now = self._clock()
        with self._lock:
            for path in tuple(self._doomed):
                self._remove(path)
            over = tuple(sitting for sitting, known in self._sittings.items() if known.over(now))
            for sitting in over:
                self.delete(sitting)
            for known in tuple(self._sittings.values()):
                for picture in known.names:
                    if not known.visible(picture, now):
                        self.drop(picture)
        return over

    def _start(self) -> None:
        """Read what may still be shown, delete the rest of what is ours."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for folder in sorted(self._folder.iterdir()):
            if not re.fullmatch(OUR_ID, folder.name) or folder.is_symlink() or not folder.is_dir():
                continue
            sitting, known = SittingId(folder.name), _read(folder)
            if known is None or not known.approved or known.over(self._clock()):
                self._remove(folder)
                continue
            wanted = {folder / NOTE, *(_file(known, picture) for picture in known.names)}
            for path in set(folder.iterdir()) - wanted:
                self._remove(path)
            self._sittings[sitting] = known
            self._pictures |= dict.fromkeys(known.names, sitting)

    def _write(self, sitting: SittingId, known: _Sitting) -> None:
        """Keep the sitting, and its note on the disk: whole or not at all."""
        note = known.folder / NOTE
        if not known.permission:
            self._sittings[sitting] = known
            note.unlink(missing_ok=True)  # works on a full disk too, and nothing survives without it
            return
        content = _Note(
            deadline=known.deadline,
            until=known.permission.until,
            code=known.permission.code,
            approved=known.approved,
            facts=known.facts,
            shown={picture: known.names[picture] for picture in known.shown},
        )
        draft = known.folder / f"{NOTE}.new"
        draft.touch(0o600)
        draft.write_text(content.model_dump_json(), encoding="utf-8")
        draft.replace(note)
        self._sittings[sitting] = known

    def _remove(self, path: Path) -> None:
        """Delete a folder or a file; what resists is logged once, and tried again at each sweep."""
        try:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
            self._doomed.discard(path)
        except OSError as error:
            if path not in self._doomed:
                sitting = path.relative_to(self._folder).parts[0]
                LOG.error("sitting %s: not deleted, tried again at each sweep: %s", sitting, error.strerror)
            self._doomed.add(path)


def _file(known: _Sitting, picture: PictureId) -> Path:
    return known.folder / f"{picture}.jpg"


def _new_code() -> str:
    return "".join(secrets.choice(CODE_LETTERS) for _ in range(CODE_LENGTH))


def _read(folder: Path) -> _Sitting | None:
    """A sitting from its note; None when it has none that we wrote."""
    try:
        note = _Note.model_validate_json((folder / NOTE).read_bytes())
    except (OSError, ValidationError):
        return None
    permission = Permission(note.code, note.until)
    known = _Sitting(folder, note.deadline, {}, (), permission, note.approved, note.facts)
    files = {picture: _file(known, picture) for picture in map(PictureId, note.shown)}
    there = tuple(picture for picture, file in files.items() if file.is_file() and not file.is_symlink())
    return replace(known, names={picture: note.shown[picture] for picture in there}, shown=there)
