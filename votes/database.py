"""The database behind a URL, with a limit on every wait.

A database restarts, hands over to another node, or falls silent behind a proxy that keeps the connection.
A connection is asked before each use whether its node is there and takes writes; where not, it is dropped
with all others of the pool, and the next one goes to whoever answers at the same address now. While it is
used a watchdog stands beside it, because the limits that the server knows hold only where its word arrives.
"""

import os
import re
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from sqlite3 import SQLITE_BUSY, OperationalError
from sqlite3 import Connection as SqliteConnection
from typing import Any, Protocol, cast

import sqlalchemy as sql
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.exc import ArgumentError, InvalidatePoolError, SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry, QueuePool

from errors import OperatorError

KINDS = ("sqlite", "postgresql")
SEVERAL_HOSTS = re.compile(r"(postgres[^/]*://(?:[^@/]*@)?)([\w.:-]+(?:,[\w.:-]+)+)(/.*)")
# Seconds. A person before a stage takes two for a pause and five for a failure; a call of ours takes some ms.
CONNECT_S = 2  # for each host of the URL; libpq knows no shorter one
PING_S = 1.0  # for "are you there, and do you take writes?"
CALL_S = 3.0  # from a connection's way out of the pool to its way back
BUSY_S = 3.0  # for SQLite's one writer, and for a connection of the pool
ANSWER_S = 4.0  # for whoever waits: ping, new connection, and a second to write
# A host that is gone without a word, as the kernel notices it; what the URL says goes first.
LIBPQ = {
    "connect_timeout": CONNECT_S,
    "keepalives_idle": 2,
    "keepalives_interval": 1,
    "keepalives_count": 3,
    "tcp_user_timeout": 3000,  # ms
}
# ms. The server ends what we gave up: an open transaction of a lost connection holds the round's row.
# Set by a statement, because poolers refuse what comes as an option of the connection.
SESSION = (
    "SET statement_timeout = 2500; SET lock_timeout = 2000; SET idle_in_transaction_session_timeout = 4000"
)


class DatabaseAway(SQLAlchemyError):
    """The database does not answer in time, or only lets itself be read."""


class DriverConnection(Protocol):
    """What a driver of PostgreSQL's gives us, as far as it is used here."""

    autocommit: bool

    def cursor(self) -> Any:
        """A cursor of the DBAPI."""

    def fileno(self) -> int:
        """Of its socket. Raises where it is closed."""

    def notifies(self, *, timeout: float) -> Iterator[Any]:
        """What others announce, as it comes, for that many seconds."""

    def close(self) -> None:
        """For good."""


class Watchdog:
    """Breaks a connection that is used for too long: whoever waits for its answer gets the driver's error.

    A thread cannot be given up, but a socket can be shut from another one.
    """

    TICK_S = 0.1

    def __init__(self, closed: type[Exception]) -> None:
        """`closed` is what the driver raises for a connection that is closed already."""
        self._closed = closed
        self._deadlines: dict[DriverConnection, float] = {}  # monotonic s
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def watch(self, connection: DriverConnection, seconds: float) -> None:
        """From now on; a second call moves the deadline."""
        with self._lock:
            self._deadlines[connection] = time.monotonic() + seconds
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)
                self._thread.start()

    def release(self, connection: DriverConnection) -> None:
        """It is not used any more."""
        with self._lock:
            self._deadlines.pop(connection, None)

    def end(self) -> None:
        """Nothing is watched afterwards."""
        self._ended.set()

    def _run(self) -> None:
        while not self._ended.wait(self.TICK_S):
            now = time.monotonic()
            with self._lock:
                for connection in [one for one, deadline in self._deadlines.items() if deadline < now]:
                    del self._deadlines[connection]
                    shut(connection, self._closed)


def shut(connection: DriverConnection, closed: type[Exception]) -> None:
    """Whoever waits for it gets the driver's error; `closed` is what that raises where it is closed."""
    with suppress(OSError, closed), socket.socket(fileno=os.dup(connection.fileno())) as line:
        line.shutdown(socket.SHUT_RDWR)


def open_engine(url: str) -> sql.Engine:
    """Connections to that database, none of which waits for ever.

    Raises `ArgumentError` for a URL of another kind, `OperatorError` where SQLite's folder cannot be made.
    """
    parsed = _parse(url)
    # hide_parameters: an error that reaches the log must not carry a voter's id.
    if parsed.get_backend_name() not in KINDS:
        raise ArgumentError("another kind of database")
    if parsed.get_backend_name() == "postgresql":
        return _open_postgresql(parsed)
    if parsed.database in (None, "", ":memory:"):
        # One connection, as that is the database, for one thread at a time: who gives it back rolls back.
        limits = {"pool_timeout": BUSY_S, "connect_args": {"check_same_thread": False}}
        engine = sql.create_engine(
            parsed, hide_parameters=True, poolclass=QueuePool, pool_size=1, max_overflow=0, **limits
        )
    else:
        _make_folder(Path(parsed.database))
        limits = {"pool_timeout": BUSY_S, "connect_args": _unsaid(parsed, {"timeout": BUSY_S})}
        engine = sql.create_engine(parsed, hide_parameters=True, **limits)
    sql.event.listen(engine, "connect", _make_durable)
    return engine


def _parse(url: str) -> sql.URL:
    """The URL; several hosts may stand in it as libpq writes them, `one:5432,two:5432`."""
    hosts = SEVERAL_HOSTS.fullmatch(url)
    try:
        if not hosts:
            return sql.make_url(url)
        return sql.make_url(hosts[1] + hosts[3]).update_query_dict({"host": hosts[2].split(",")})
    except ValueError as error:  # a port that is no number
        raise ArgumentError("no URL") from error


def _open_postgresql(url: sql.URL) -> sql.Engine:
    limits = {"pool_timeout": BUSY_S, "connect_args": _unsaid(url, LIBPQ)}
    engine = sql.create_engine(url.set(drivername="postgresql+psycopg"), hide_parameters=True, **limits)
    failure = engine.dialect.loaded_dbapi.Error
    watchdog = Watchdog(failure)

    def connect(dialect: Dialect, _: ConnectionPoolEntry, given: Any, named: Any) -> DriverConnection:
        connection = cast(DriverConnection, dialect.connect(*given, **named))
        watchdog.watch(connection, CALL_S)  # SQLAlchemy asks it some things before anybody uses it
        try:
            ask(connection, SESSION)
        except failure:
            connection.close()
            raise
        return connection

    def check_out(connection: DriverConnection, record: ConnectionPoolEntry, _: object) -> None:
        refusal = (
            InvalidatePoolError if record.info.get("was used") else DatabaseAway
        )  # a new one is tried once
        record.info["was used"] = True
        watchdog.watch(connection, PING_S)
        try:
            takes_writes = ask(connection, "SHOW transaction_read_only") == "off"
        except failure as error:
            raise refusal from error
        if not takes_writes:  # an old primary or a copy, which only let themselves be read
            raise refusal
        watchdog.watch(connection, CALL_S)

    def check_in(connection: DriverConnection | None, _: ConnectionPoolEntry | None) -> None:
        if connection is not None:
            watchdog.release(connection)

    sql.event.listen(engine, "do_connect", connect)
    sql.event.listen(engine, "checkout", check_out)
    sql.event.listen(engine, "checkin", check_in)
    sql.event.listen(engine, "detach", check_in)
    sql.event.listen(engine, "engine_disposed", lambda _: watchdog.end())
    return engine


def ask(connection: DriverConnection, statement: str) -> object:
    """Outside of any transaction: the first value of the answer, if it has one."""
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(statement)
        row = cursor.fetchone() if cursor.description else None
    connection.autocommit = False
    return row[0] if row else None


def _unsaid(url: sql.URL, limits: Mapping[str, object]) -> dict[str, object]:
    """Those that the URL leaves to us."""
    return {name: limit for name, limit in limits.items() if name not in url.query}


def _make_folder(file: Path) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OperatorError(f"{file.name}: its folder cannot be made. {error.strerror}.") from error


def _make_durable(connection: SqliteConnection, _: ConnectionPoolEntry) -> None:
    _use_wal(connection)
    # FULL: a commit in WAL mode reaches the disk, not only the operating system.
    for pragma in ("synchronous = FULL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}")


def _use_wal(connection: SqliteConnection) -> None:
    """Of several that open a new file at once SQLite refuses all but one here, without its usual patience."""
    late = time.monotonic() + BUSY_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except OperationalError as error:
            if error.sqlite_errorcode != SQLITE_BUSY or time.monotonic() > late:
                raise
            time.sleep(0.01)
        else:
            return
