"""Many threads write guesses, one transaction for all who wait.

A commit must reach the disk, which takes as long for one guess as for a hundred. So whoever comes while
another thread commits waits at the lock; the next one in takes everything that has gathered meanwhile, and
commits it for all. There is no thread to start or to stop, and nobody is answered before the commit.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sql
from sqlalchemy.dialects import postgresql, sqlite

from votes.schema import GUESSES, ROUNDS, Guess, Source, State

INSERTS: dict[str, Callable[[sql.Table], Any]] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


@dataclass(eq=False)
class _Waiting:
    """One guess on its way, and what became of it."""

    guess: Guess
    is_first: bool | None = None
    failure: Exception | None = None

    @property
    def done(self) -> bool:
        return self.is_first is not None or self.failure is not None


class GroupCommit:
    """Writes guesses to the database behind `engine`. Safe to share between threads."""

    def __init__(self, engine: sql.Engine) -> None:
        self._engine = engine
        self._final, self._changing = _statements(INSERTS[engine.dialect.name])
        self._gathered: list[_Waiting] = []
        self._gathering = threading.Lock()
        self._writing = threading.Lock()

    def insert(self, guess: Guess) -> bool:
        """Return after the commit: True when it is kept.

        False where the round is not open, or where its voter had answered before and may not change that.
        """
        mine = _Waiting(guess)
        with self._gathering:
            self._gathered.append(mine)
        with self._writing:
            if not mine.done:  # nobody took it along
                self._commit(self._take())
        if mine.failure:
            raise mine.failure
        if mine.is_first is None:
            raise RuntimeError("Whoever wrote for all was interrupted.")
        return mine.is_first

    def _take(self) -> list[_Waiting]:
        with self._gathering:
            taken, self._gathered = self._gathered, []
        return taken

    def _commit(self, taken: Sequence[_Waiting]) -> None:
        """All in one transaction; where one of them fails, each in its own."""
        try:
            with self._engine.begin() as connection:
                kept = [self._write(connection, one.guess) for one in taken]
        except Exception as failure:  # noqa: BLE001 - told to whoever waits for it
            if len(taken) == 1:
                taken[0].failure = failure
                return
            for one in taken:
                self._commit([one])
            return
        for one, is_first in zip(taken, kept, strict=True):
            one.is_first = is_first

    def _write(self, connection: sql.Connection, guess: Guess) -> bool:
        statement = self._final if guess.source == Source.BOOTH else self._changing
        counted = {"preserve_rowcount": True}  # psycopg knows it, SQLAlchemy drops it after an insert
        return connection.execute(statement, asdict(guess), execution_options=counted).rowcount > 0


def _statements(insert: Callable[[sql.Table], Any]) -> tuple[Any, Any]:
    """Insert where the round is open, in one statement: no closing can come between the look and the deed.

    The first leaves an earlier answer as it is, the second replaces it.
    """
    columns = list(GUESSES.columns)
    values = {column.name: sql.bindparam(column.name, type_=column.type) for column in columns}
    in_time = sql.or_(ROUNDS.c.closes_at.is_(None), ROUNDS.c.closes_at > values["at"])
    is_open = sql.exists().where(ROUNDS.c.id == values["round"], ROUNDS.c.state == State.OPEN, in_time)
    row = sql.select(*values.values()).where(is_open)
    both = insert(GUESSES).from_select([column.name for column in columns], row)
    key = list(GUESSES.primary_key)
    replaced = {column.name: both.excluded[column.name] for column in columns if column not in key}
    return both.on_conflict_do_nothing(), both.on_conflict_do_update(index_elements=key, set_=replaced)
