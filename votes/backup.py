"""A copy of the votes in one file, taken while the room goes on, and put back where there are none.

SQLite only: PostgreSQL brings `pg_dump` and `pg_restore`, which do it better.
"""

from pathlib import Path
from urllib.parse import quote

import sqlalchemy as sql

from errors import OperatorError
from votes.migrate import copy_file, read_version

POSTGRESQL = "These votes are in PostgreSQL. Use its own pg_dump and pg_restore."


def backup(url: str, file: Path) -> None:
    """Copy the database of `url` to a new file. Raises `OperatorError`."""
    source = _file_of(url)
    if not source.is_file():
        raise OperatorError(
            f"{source.name}: there is no such database. Does FACE_VALUE_DATA name its folder?"
        )
    copy_file(source, file)


def restore(url: str, file: Path) -> None:
    """Put a copy where `url` says. Raises `OperatorError`, also where votes lie there already."""
    if not file.is_file():
        raise OperatorError(f"{file.name}: there is no such file.")
    _require_ours(file)
    target = _file_of(url)
    target.parent.mkdir(parents=True, exist_ok=True)
    copy_file(file, target)  # one of an earlier version is moved to this one when it is opened


def _require_ours(file: Path) -> None:
    """Raises `OperatorError` for a file that this program cannot read; the file stays as it is."""
    engine = sql.create_engine(f"sqlite:///file:{quote(str(file.absolute()))}?mode=ro&uri=true")
    try:
        with engine.connect() as connection:
            read_version(connection, file.name)
    except sql.exc.SQLAlchemyError as error:
        raise OperatorError(f"{file.name}: this is no copy of votes.") from error
    finally:
        engine.dispose()


def _file_of(url: str) -> Path:
    parsed = sql.make_url(url)
    if parsed.get_backend_name() != "sqlite" or not parsed.database:
        raise OperatorError(POSTGRESQL)
    return Path(parsed.database)
