"""A change of the room reaches every process that shares its PostgreSQL at once, by LISTEN and NOTIFY.

Whoever reads the room reads it anew from time to time anyway, so nothing is lost where a pooler or a proxy
lets no notification through: then a change is seen a quarter of a second later. SQLite knows no such thing.
"""

import threading
from collections.abc import Callable
from contextlib import closing

import sqlalchemy as sql
from sqlalchemy.exc import SQLAlchemyError

from votes.database import DriverConnection, ask, shut

CHANNEL = "face_value"
# Seconds. A connection that fell silent looks like one without news, so another is taken after a while.
LISTEN_S = 30.0
REST_S = 1.0  # from one that failed to the next
END_S = 5.0


def announce(connection: sql.Connection) -> None:
    """Tell all that listen, with the commit of the connection's transaction."""
    if connection.dialect.name == "postgresql":
        connection.execute(sql.select(sql.func.pg_notify(CHANNEL, "")))


class Listener:
    """One connection, in a thread of its own, that calls whoever wants to hear of changes."""

    def __init__(self, engine: sql.Engine) -> None:
        self._engine = engine
        self._failures = (SQLAlchemyError, engine.dialect.loaded_dbapi.Error)
        self._wakes: list[Callable[[], object]] = []
        self._line: DriverConnection | None = None
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def call(self, wake: Callable[[], object]) -> None:
        """At every change from now on, in the listening thread. Nothing happens on SQLite."""
        if self._engine.name != "postgresql":
            return
        self._wakes.append(wake)
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="listener", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Nobody is called afterwards."""
        self._ended.set()
        if self._line is not None:
            shut(self._line, self._engine.dialect.loaded_dbapi.Error)
        if self._thread is not None:
            self._thread.join(END_S)

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                self._listen()
            except self._failures:  # told where the room is read
                self._ended.wait(REST_S)

    def _listen(self) -> None:
        """Over one connection, which is no longer the pool's."""
        pooled = self._engine.raw_connection()
        try:
            line: DriverConnection = pooled.driver_connection  # type: ignore[assignment]
            ask(line, f"LISTEN {CHANNEL}")
            pooled.detach()
        except BaseException:
            pooled.close()
            raise
        with closing(line):
            self._line = line
            self._wake()  # what changed while nobody listened
            if not self._ended.is_set():
                for _ in line.notifies(timeout=LISTEN_S):
                    self._wake()
        self._line = None

    def _wake(self) -> None:
        for wake in self._wakes:
            wake()
