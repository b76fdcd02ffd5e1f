"""Where the answers are kept: SQLite in WAL mode by default.

A call that writes returns after the commit has reached the disk, so what was acknowledged survives
a crash of this program and of the machine. Safe to share between threads.
"""

import secrets
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from sqlite3 import Connection as SqliteConnection
from types import TracebackType
from typing import Any

import sqlalchemy as sql
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, NoSuchModuleError
from sqlalchemy.pool import ConnectionPoolEntry, StaticPool

from errors import OperatorError, VisitorError
from votes.group_commit import INSERTS, GroupCommit
from votes.schema import (
    GUESSES,
    ITEMS,
    ROUNDS,
    SCHEMA,
    TABLES,
    VERSION,
    Count,
    Guess,
    Item,
    Kind,
    Round,
    RoundId,
    VoterId,
)

# What lets one program at a time look whether the tables are there; the number is any of our own.
ALONE = {"sqlite": "BEGIN IMMEDIATE", "postgresql": "SELECT pg_advisory_xact_lock(18006)"}


class Store:
    """Rounds and guesses in the database that `url` names (SQLAlchemy's form; `sqlite://` is memory).

    Raises `OperatorError` when it cannot be opened or was made by another version of this program.
    """

    def __init__(self, url: str) -> None:
        try:
            self._engine = _engine(url)
        except (ArgumentError, NoSuchModuleError, ImportError) as error:
            raise OperatorError(
                "FACE_VALUE_DATABASE is no SQLAlchemy URL of SQLite or PostgreSQL that works here, "
                "like sqlite:///votes.sqlite3."
            ) from error
        self._guesses = GroupCommit(self._engine)
        self._name = Path(self._engine.url.database or "memory").name
        try:
            self._prepare()
        except DBAPIError as error:
            raise OperatorError(
                f"{self._name}: this database cannot be opened or is not one of ours."
            ) from error

    def round_of(self, item: Item) -> Round:
        """The round that asks about `item`: opened by whoever asks first, then the same for everyone.

        Raises `ValueError` when another item has that id.
        """
        asked = Round(RoundId(secrets.token_urlsafe(16)), item, datetime.now(UTC))
        try:
            with self._engine.begin() as connection:
                if found := self._round_about(connection, item):
                    return found
                connection.execute(ITEMS.insert().values(**asdict(item)))
                connection.execute(ROUNDS.insert().values(id=asked.id, item=item.id, at=asked.at))
        except IntegrityError:  # somebody else was first, just now
            with self._engine.connect() as connection:
                if found := self._round_about(connection, item):
                    return found
            raise
        return asked

    def _round_about(self, connection: sql.Connection, item: Item) -> Round | None:
        known = connection.execute(ITEMS.select().where(ITEMS.c.id == item.id)).mappings().one_or_none()
        if known is None:
            return None
        if Item(**known) != item:
            raise ValueError("One id, two items.")
        row = connection.execute(ROUNDS.select().where(ROUNDS.c.item == item.id)).mappings().one()
        return Round(RoundId(row["id"]), item, row["at"])

    def find(self, round_id: RoundId) -> Round:
        """The round of that id. Raises `VisitorError` when there is none."""
        query = sql.select(ROUNDS.c.at, ITEMS).join_from(ROUNDS, ITEMS).where(ROUNDS.c.id == round_id)
        with self._engine.connect() as connection:
            row = connection.execute(query).mappings().one_or_none()
        if row is None:
            raise VisitorError("vote.gone")
        fields = dict(row)
        return Round(round_id, at=fields.pop("at"), item=Item(**fields))

    def record(self, guess: Guess) -> Guess:
        """Keep `guess`, and answer with the one that stands: the voter's first.

        Returns after the commit. Raises `VisitorError` when there is no such round.
        """
        try:
            kept = self._guesses.insert(guess)
        except IntegrityError:
            self.find(guess.round)
            raise
        return guess if kept else self._standing(guess.round, guess.voter)

    def count(self, round_id: RoundId, exposed: bool | None = None) -> Count:
        """The answers to a round; `exposed` keeps only those who did (or did not) see the making."""
        query = sql.select(GUESSES.c.answer, sql.func.count()).where(GUESSES.c.round == round_id)
        if exposed is not None:
            query = query.where(GUESSES.c.exposed == exposed)
        with self._engine.connect() as connection:
            found = {answer: n for answer, n in connection.execute(query.group_by(GUESSES.c.answer))}
        return Count(found.get(Kind.PHOTOGRAPH, 0), found.get(Kind.GENERATED, 0))

    def guesses(self) -> tuple[Guess, ...]:
        """Every guess, oldest first."""
        with self._engine.connect() as connection:
            rows = connection.execute(GUESSES.select().order_by(GUESSES.c.at)).mappings().all()
        return tuple(_guess(row) for row in rows)

    def answered(self) -> tuple[tuple[Round, Guess], ...]:
        """Every guess with the round that it answers, oldest first."""
        guesses = self.guesses()  # first: rounds that are opened meanwhile are none of theirs
        query = sql.select(ROUNDS.c.id.label("round"), ROUNDS.c.at.label("asked"), ITEMS)
        with self._engine.connect() as connection:
            found = [dict(row) for row in connection.execute(query.join_from(ROUNDS, ITEMS)).mappings()]
        rounds = [Round(RoundId(one.pop("round")), at=one.pop("asked"), item=Item(**one)) for one in found]
        asked = {one.id: one for one in rounds}
        return tuple((asked[guess.round], guess) for guess in guesses)

    def ok(self) -> bool:
        """Whether the database answers now."""
        try:
            with self._engine.connect() as connection:
                return connection.scalar(sql.select(SCHEMA.c.version)) == VERSION
        except DBAPIError:
            return False

    def close(self) -> None:
        """Close every connection; the store is not used afterwards."""
        self._engine.dispose()

    def __enter__(self) -> "Store":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _standing(self, round_id: RoundId, voter: VoterId) -> Guess:
        query = GUESSES.select().where(GUESSES.c.round == round_id, GUESSES.c.voter == voter)
        with self._engine.connect() as connection:
            return _guess(connection.execute(query).mappings().one())

    def _prepare(self) -> None:
        """Make the tables in an empty database; refuse one of another version or of another program."""
        with self._engine.begin() as connection:
            connection.exec_driver_sql(ALONE[connection.dialect.name])  # another may be starting too
            there = sql.inspect(connection).get_table_names()
            if not there:
                TABLES.create_all(connection)
                connection.execute(SCHEMA.insert().values(version=VERSION))
            found = connection.scalar(sql.select(SCHEMA.c.version))
        if found != VERSION:
            raise OperatorError(
                f"{self._name}: schema version = {found}. This program reads version {VERSION}; "
                "move the file away to start a new one."
            )


def _guess(row: Any) -> Guess:
    return Guess(**{**row, "round": RoundId(row["round"]), "voter": VoterId(row["voter"])})


def _engine(url: str) -> sql.Engine:
    parsed = sql.make_url(url)
    # hide_parameters: an error that reaches the log must not carry a voter's id.
    if parsed.get_backend_name() not in INSERTS:
        raise ArgumentError("another kind of database")
    if parsed.get_backend_name() == "postgresql":
        driver = parsed.set(drivername="postgresql+psycopg") if parsed.drivername == "postgresql" else parsed
        return sql.create_engine(driver, hide_parameters=True, pool_pre_ping=True)  # it may restart
    if parsed.database in (None, "", ":memory:"):
        engine = sql.create_engine(
            parsed, hide_parameters=True, poolclass=StaticPool, connect_args={"check_same_thread": False}
        )
    else:
        _make_folder(Path(parsed.database))
        engine = sql.create_engine(parsed, hide_parameters=True)
    sql.event.listen(engine, "connect", _make_durable)
    return engine


def _make_folder(file: Path) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OperatorError(f"{file.name}: its folder cannot be made. {error.strerror}.") from error


def _make_durable(connection: SqliteConnection, _: ConnectionPoolEntry) -> None:
    # FULL: a commit in WAL mode reaches the disk, not only the operating system.
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}")
