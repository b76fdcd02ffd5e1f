"""The album that the settings name: of this booth alone, or of all booths that share their pictures."""

import secrets
from pathlib import Path

from booth.album import RESISTING, Album
from booth.records import SharedRecords
from booth.storage import ID_BYTES, open_storage
from errors import OperatorError
from settings import Settings
from votes.store import Store

BOOTH_FILE = "booth.id"


def open_album(settings: Settings, store: Store | None) -> Album:
    """Of this booth alone, which needs no store, or with those that share their pictures.

    Raises `OperatorError`.
    """
    times = settings.retention_minutes, settings.show_hours
    if settings.pictures is None:
        return Album(settings.data / "sittings", *times)
    if store is None:
        raise OperatorError("FACE_VALUE_PICTURES is for booths that share a database.")
    storage = open_storage(settings.pictures)
    try:
        return Album(SharedRecords(storage, store, _booth_name(settings.data / BOOTH_FILE)), *times)
    except RESISTING as error:
        raise OperatorError("FACE_VALUE_PICTURES: what lies there cannot be read now.") from error


def _booth_name(file: Path) -> str:
    """Kept in the data folder, so that a booth that starts again knows which visits were its own."""
    if not file.is_file():
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        file.touch(0o600)
        file.write_text(secrets.token_urlsafe(ID_BYTES), encoding="ascii")
    return file.read_text(encoding="ascii")
