"""The files of sittings: every picture that a browser is shown, under an id that names nothing else.

A sitting is a folder, `<sitting>/<picture>.jpg`. What a browser asks for is looked up in memory and never
joined to a path. A sitting is deleted when it is over: at once when its sitter says so, or when its time has
passed. Only what a sitter allowed to be shown, and a host approved, outlives that and a restart.
"""

import hmac
import json
import logging
import re
import secrets
import shutil
import threading
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NewType

SittingId = NewType("SittingId", str)
PictureId = NewType("PictureId", str)

# Read aloud and typed without doubt: no 0 and O, no 1, I and L.
CODE_LETTERS, CODE_LENGTH = "ABCDEFGHJKMNPQRSTUVWXYZ23456789", 8
ID_BYTES = 16
OUR_FOLDER = re.compile(r"[\w-]{22}")  # 16 bytes as base64 without padding
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
class _Sitting:
    """What is known of a sitting; what stands in its note survives a restart."""

    folder: Path
    deadline: datetime
    names: dict[PictureId, str] = field(default_factory=dict)  # in the order they were put
    shown: tuple[PictureId, ...] = ()
    permission: Permission | None = None
    approved: bool = False

    def over(self, now: datetime) -> bool:
        """Whether all of it goes."""
        if now < self.deadline:
            return False
        return not (self.approved and self.permission and now < self.permission.until)

    def visible(self, picture: PictureId, now: datetime) -> bool:
        """Whether that picture is still there to be seen."""
        return now < self.deadline or (picture in self.shown and not self.over(now))


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
            file.touch(0o600)
            file.write_bytes(jpeg)
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
            return Kept(sitting, _file(known, wanted).read_bytes(), known.names[wanted])

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
            _file(known, PictureId(picture)).unlink(missing_ok=True)
            names = {one: name for one, name in known.names.items() if one != picture}
            self._sittings[sitting] = replace(known, names=names)

    def delete(self, sitting: SittingId) -> None:
        """Everything of a sitting goes at once."""
        with self._lock:
            known = self._sittings.pop(sitting, None)
            if known is None:
                return
            for picture in known.names:
                self._pictures.pop(picture, None)
            self._remove(known.folder)

    def deadline(self, sitting: SittingId) -> datetime | None:
        """When the retention of a sitting ends; None when it is over."""
        known = self._sittings.get(sitting)
        return known.deadline if known else None

    def allow_show(self, sitting: SittingId, pictures: Iterable[PictureId]) -> Permission:
        """The sitter's leave to show these. Raises `KeyError` for a sitting that is over."""
        code = "".join(secrets.choice(CODE_LETTERS) for _ in range(CODE_LENGTH))
        permission = Permission(code, self._clock() + self._show)
        with self._lock:
            known = self._sittings[sitting]
            shown = tuple(picture for picture in pictures if picture in known.names)
            self._write(sitting, replace(known, shown=shown, permission=permission, approved=False))
        return permission

    def forbid_show(self, sitting: SittingId) -> None:
        """The leave is taken back; the pictures stay with the visit."""
        with self._lock:
            if (known := self._sittings.get(sitting)) and known.permission:
                self._write(sitting, replace(known, shown=(), permission=None, approved=False))

    def approve(self, sitting: SittingId) -> None:
        """The host's word; without the sitter's leave it does nothing."""
        with self._lock:
            if (known := self._sittings.get(sitting)) and known.permission:
                self._write(sitting, replace(known, approved=True))

    def withdraw(self, code: str) -> bool:
        """Delete the sitting whose code that is; whether there was one."""
        typed = "".join(letter for letter in code.upper() if letter in CODE_LETTERS)
        with self._lock:
            for sitting, known in list(self._sittings.items()):
                if known.permission and hmac.compare_digest(known.permission.code, typed):
                    self.delete(sitting)
                    return True
        return False

    def sweep(self) -> tuple[SittingId, ...]:
        """Delete what is over, and name it; of what may be shown for longer only that stays."""
        now = self._clock()
        with self._lock:
            for folder in tuple(self._doomed):
                self._remove(folder)
            over = tuple(sitting for sitting, known in self._sittings.items() if known.over(now))
            for sitting in over:
                self.delete(sitting)
            for known in [one for one in self._sittings.values() if now >= one.deadline]:
                for picture in [one for one in known.names if not known.visible(one, now)]:
                    self.drop(picture)
        return over

    def _start(self) -> None:
        """Read what may still be shown, delete the rest of what is ours."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for folder in sorted(self._folder.iterdir()):
            if not OUR_FOLDER.fullmatch(folder.name) or folder.is_symlink() or not folder.is_dir():
                continue
            sitting, known = SittingId(folder.name), _read(folder)
            if known is None or not known.approved or known.over(self._clock()):
                self._remove(folder)
                continue
            for file in folder.glob("*.jpg"):
                if file.stem not in known.names:
                    file.unlink()
            self._sittings[sitting] = known
            self._pictures |= dict.fromkeys(known.names, sitting)

    def _write(self, sitting: SittingId, known: _Sitting) -> None:
        """Keep the sitting, and its note on the disk: whole or not at all."""
        self._sittings[sitting] = known
        note = {
            "deadline": known.deadline.isoformat(),
            "shown": {picture: known.names[picture] for picture in known.shown},
            "approved": known.approved,
            "permission": known.permission
            and asdict(known.permission) | {"until": known.permission.until.isoformat()},
        }
        draft = known.folder / f"{NOTE}.new"
        draft.touch(0o600)
        draft.write_text(json.dumps(note), encoding="utf-8")
        draft.replace(known.folder / NOTE)

    def _remove(self, folder: Path) -> None:
        try:
            if folder.exists():
                shutil.rmtree(folder)
            self._doomed.discard(folder)
        except OSError as error:
            if folder not in self._doomed:
                LOG.error("A sitting could not be deleted and will be tried again: %s", error.strerror)
            self._doomed.add(folder)


def _file(known: _Sitting, picture: PictureId) -> Path:
    return known.folder / f"{picture}.jpg"


def _read(folder: Path) -> _Sitting | None:
    """A sitting from its note; None when it has none that we wrote."""
    try:
        note = json.loads((folder / NOTE).read_text(encoding="utf-8"))
        until = datetime.fromisoformat(note["permission"]["until"])
        names = {PictureId(one): str(name) for one, name in note["shown"].items()}
        names = {one: name for one, name in names.items() if OUR_FOLDER.fullmatch(one)}
        return _Sitting(
            folder,
            datetime.fromisoformat(note["deadline"]),
            {one: name for one, name in names.items() if (folder / f"{one}.jpg").is_file()},
            tuple(names),
            Permission(note["permission"]["code"], until),
            note["approved"] is True,
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
