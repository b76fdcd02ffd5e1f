"""An older votes file is moved to this version: answers stay, a copy lies beside it, it happens once."""

import shutil
import sqlite3
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sql

from errors import OperatorError
from tests.postgres import cluster
from votes import migrate
from votes.__main__ import main
from votes.database import open_engine
from votes.schema import LEASES, TABLES, VERSION, Kind
from votes.store import Store

FORMER = Path(__file__).parent / "votes_version_5.sql"  # a file of that version, as SQLite writes it out
VOTERS = ["ada", "bob", "cy"]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Votes that a program of version 5 left."""
    file = tmp_path / "votes.sqlite3"
    with closing(sqlite3.connect(file)) as database:
        database.executescript(FORMER.read_text(encoding="utf-8"))
    return file


def url(file: Path) -> str:
    return f"sqlite:///{file}"


def version(file: Path) -> int:
    with closing(sqlite3.connect(file)) as database:
        (found,) = database.execute("SELECT version FROM schema").fetchone()
        return int(found)


def columns(engine: sql.Engine) -> dict[str, set[tuple[str, bool]]]:
    """Of each table: names, and whether they may be empty."""
    looked = sql.inspect(engine)
    return {
        table: {(column["name"], bool(column["nullable"])) for column in looked.get_columns(table)}
        for table in looked.get_table_names()
    }


def test_an_older_file_keeps_its_answers_and_a_copy_lies_beside_it(file: Path) -> None:
    before = file.read_bytes()
    with Store(url(file)) as store:
        assert [guess.voter for guess in store.guesses()] == VOTERS
        assert next(guess.answer for guess in store.guesses()) == Kind.PHOTOGRAPH
        room = store.room_state()
        assert (room.code, room.event, room.moved_by) == ("abcd", "An evening", "")
        assert store.voters_secret() == b"a secret of the last version"  # phones are known again
    assert version(file) == VERSION
    copy = file.with_name("votes.version-5.sqlite3")
    assert version(copy) == 5
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    with closing(sqlite3.connect(copy)) as database:
        assert database.execute("SELECT count(*) FROM guesses").fetchone() == (3,)
    Store(url(file)).close()  # a second start copies nothing
    assert len(list(file.parent.glob("*.sqlite3"))) == 2
    assert file.read_bytes() != before


@pytest.mark.parametrize("missing", [(), ("secrets", "pardons")])
def test_a_moved_file_has_the_tables_of_a_new_one(
    file: Path, tmp_path: Path, missing: tuple[str, ...]
) -> None:
    with closing(sqlite3.connect(file)) as database:
        for table in missing:
            database.execute(f"DROP TABLE {table}")
    Store(url(file)).close()
    Store(url(tmp_path / "new.sqlite3")).close()
    moved, new = (sql.create_engine(url(tmp_path / name)) for name in ("votes.sqlite3", "new.sqlite3"))
    assert columns(moved) == columns(new)
    with moved.connect() as connection:
        assert connection.scalar(sql.select(LEASES.c.name)) == "sweep"
    for engine in (moved, new):
        engine.dispose()


def test_programs_that_start_at_once_move_it_once(file: Path) -> None:
    def start(_: int) -> int:
        with Store(url(file)) as store:
            return len(store.guesses())

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(start, range(4))) == [3] * 4
    assert len(list(file.parent.glob("*.version-5*"))) == 1


def test_a_later_file_is_refused_in_a_sentence_and_left_alone(file: Path) -> None:
    with closing(sqlite3.connect(file)) as database:
        database.execute("UPDATE schema SET version = 7")
        database.commit()
    with pytest.raises(
        OperatorError, match=r"^votes\.sqlite3: schema version = 7\. .*Update this program\.$"
    ):
        Store(url(file))
    assert version(file) == 7
    assert not list(file.parent.glob("*version-*"))


def test_without_its_copy_nothing_is_moved(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(source: Path, target: Path) -> None:
        raise OperatorError(f"{target.name}: cannot be written. The disk is full.")

    monkeypatch.setattr(migrate, "copy_file", full)
    with pytest.raises(OperatorError, match=r"^votes\.version-5\.sqlite3: cannot be written"):
        Store(url(file))
    assert version(file) == 5


def test_a_step_that_fails_leaves_everything_as_it_was(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from votes.migrations import v6

    done = v6.upgrade

    def half(operations: object) -> None:
        done(operations)  # type: ignore[arg-type]
        raise OperatorError("The power went.")

    monkeypatch.setattr(v6, "upgrade", half)
    with pytest.raises(OperatorError, match="power"):
        Store(url(file))
    with closing(sqlite3.connect(file)) as database:
        tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert version(file) == 5
    assert "sittings" not in tables


def test_an_older_copy_is_restored_and_stays_as_it_is(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = shutil.copy(file, tmp_path / "copy")
    monkeypatch.setenv("FACE_VALUE_DATA", str(tmp_path / "data"))
    assert main(["restore", str(copy)]) == 0
    assert version(copy) == 5
    with Store(url(tmp_path / "data" / "votes.sqlite3")) as store:
        assert len(store.guesses()) == 3


@pytest.fixture
def postgresql() -> Iterator[str]:
    """The URL of a database of version 5 on PostgreSQL."""
    with cluster() as folder:
        with psycopg.connect(host=folder, user="postgres", autocommit=True) as owner:
            for statement in FORMER.read_text(encoding="utf-8").split(";\n"):
                if not statement.startswith(("BEGIN", "COMMIT")):
                    owner.execute(as_postgresql(statement).encode())
        yield f"postgresql://postgres@/postgres?host={folder}"


def as_postgresql(statement: str) -> str:
    """SQLite has numbers for yes and no."""
    columns = {
        "drifts": (),
        "items": (6,),
        "room": (7, 8, 9, 10),
        "rounds": (4, 7, 8, 9, 10),
        "guesses": (3,),
    }
    head, found, values = statement.partition("VALUES(")
    if not found:
        return statement.replace("FLOAT", "DOUBLE PRECISION")
    cells = values.rstrip(")").split(",")
    for place in columns.get(head.split('"')[1], ()):
        cells[place] = {"0": "false", "1": "true"}[cells[place]]
    return f"{head}VALUES({','.join(cells)})"


def test_on_postgresql_programs_that_start_at_once_move_it_once(postgresql: str) -> None:
    def start(_: int) -> int:
        with Store(postgresql) as store:
            return len(store.guesses())

    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(start, range(3))) == [3] * 3
    engine = open_engine(postgresql)
    moved = columns(engine)
    assert {name: {column.name for column in table.columns} for name, table in TABLES.tables.items()} == {
        name: {column for column, _ in found} for name, found in moved.items()
    }
    engine.dispose()
