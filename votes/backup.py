"""A copy of the votes in one file, taken while the room goes on, and put back where there are none.

SQLite only: PostgreSQL brings `pg_dump` and `pg_restore`, which do it better.
"""

import sqlite3
from contextlib import closing
from pathlib import Path

import sqlalchemy as sql

from errors import OperatorError
from votes.store import Store

POSTGRESQL = "These votes are in PostgreSQL. Use its own pg_dump and pg_restore."


def backup(url: str, file: Path) -> None:
    """Copy the database of `url` to a new file. Raises `OperatorError`."""
    source = _file_of(url)
    if not source.is_file():
        raise OperatorError(
            f"{source.name}: there is no such database. Does FACE_VALUE_DATA name its folder?"
        )
    _copy(source, file)


def restore(url: str, file: Path) -> None:
    """Put a copy where `url` says. Raises `OperatorError`, also where votes lie there already."""
    if not file.is_file():
        raise OperatorError(f"{file.name}: there is no such file.")
    with Store(f"sqlite:///{file}"):
        pass  # it is one of ours, and of this version
    target = _file_of(url)
    target.parent.mkdir(parents=True, exist_ok=True)
    _copy(file, target)


def _copy(source: Path, target: Path) -> None:
    """SQLite's own online copy: whole and of one moment, whoever writes meanwhile."""
    if target.exists():
        raise OperatorError(f"{target.name}: this file exists. Name another one, or move it away.")
    try:
        with closing(sqlite3.connect(source)) as votes, closing(sqlite3.connect(target)) as copy:
            votes.backup(copy)
    except sqlite3.Error as error:
        raise OperatorError(f"{target.name}: cannot be written. {error}.") from error


def _file_of(url: str) -> Path:
    parsed = sql.make_url(url)
    if parsed.get_backend_name() != "sqlite" or not parsed.database:
        raise OperatorError(POSTGRESQL)
    return Path(parsed.database)
