"""A database of an earlier version becomes one of this version, with a copy of the file beside it.

One step a version, each in `votes/migrations/`, all of them in the transaction that began with looking at
the version: of several programs that start at once one does it, and a step that fails leaves everything as it
was. For PostgreSQL its own `pg_dump` makes the copy, before the new program starts.
"""

import logging
import sqlite3
from contextlib import closing
from importlib import import_module
from pathlib import Path

import sqlalchemy as sql

from errors import OperatorError
from votes.schema import SCHEMA, VERSION

LOG = logging.getLogger("face_value")
OLDEST = 5  # of the versions that can be moved to this one


def migrate(connection: sql.Connection, name: str) -> None:
    """Bring our tables to this version, within the connection's transaction, which nobody else may write in.

    Raises `OperatorError`, which names the database `name`, for a version that is later than this program, or
    too early for it; and where the copy cannot be written: then nothing is changed.
    """
    found = read_version(connection, name)
    if found == VERSION:
        return
    copy = _copy_beside(connection, found)
    # Only here: it takes as long to import as the rest of the votes.
    from alembic.operations import Operations
    from alembic.runtime.migration import MigrationContext

    operations = Operations(MigrationContext.configure(connection))
    for version in range(found + 1, VERSION + 1):
        import_module(f"votes.migrations.v{version}").upgrade(operations)
    connection.execute(SCHEMA.update().values(version=VERSION))
    kept = f"; as it was, it is in {copy}" if copy else ""
    LOG.info("%s: moved from version %d to %d%s.", name, found, VERSION, kept)


def read_version(connection: sql.Connection, name: str) -> int:
    """The version of our tables. Raises `OperatorError` for one that cannot be moved to this one."""
    found = connection.scalar(sql.select(SCHEMA.c.version))
    if found is None or not OLDEST <= found <= VERSION:
        what = "Update this program" if found and found > VERSION else "Move the file away to start a new one"
        raise OperatorError(
            f"{name}: schema version = {found}. This program reads version {OLDEST} to {VERSION}. {what}."
        )
    return int(found)


def copy_file(source: Path, target: Path) -> None:
    """SQLite's own online copy: whole and of one moment, whoever writes meanwhile. For its owner alone.

    Raises `OperatorError`, also where `target` exists.
    """
    if target.exists():
        raise OperatorError(f"{target.name}: this file exists. Name another one, or move it away.")
    try:
        target.touch(0o600)
        with closing(sqlite3.connect(source)) as votes, closing(sqlite3.connect(target)) as copy:
            votes.backup(copy)
    except (sqlite3.Error, OSError) as error:
        target.unlink(missing_ok=True)
        raise OperatorError(f"{target.name}: cannot be written. {error}.") from error


def _copy_beside(connection: sql.Connection, version: int) -> str:
    """The file's copy and its name; empty where no file is the database."""
    url = connection.engine.url
    if url.get_backend_name() != "sqlite" or not url.database:
        return ""
    file = Path(url.database)
    names = (f"{file.stem}.version-{version}{f'.{n}' if n else ''}{file.suffix}" for n in range(100))
    copy = next(copy for name in names if not (copy := file.with_name(name)).exists())
    copy_file(file, copy)
    return copy.name
