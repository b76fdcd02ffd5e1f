"""One thread writes guesses, one transaction for all that wait.

A commit must reach the disk, which takes as long for one guess as for a hundred. So what comes while the
writer commits gathers, and the next commit is for all of it. Whoever hands a guess in gets a future and is
answered after the commit: a thread waits for it, an event loop awaits it, and a thousand phones need no
thousand threads. While the database is away one guess at a time finds out whether it is back, and all others
are refused at once: a refused one was not written, and may be handed in again.
"""

import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sql
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from votes.database import DatabaseAway
from votes.schema import GUESSES, ROUNDS, Guess, State

INSERTS: dict[str, Callable[[sql.Table], Any]] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}
# While votes pour in, a commit waits for more of them: PostgreSQL's commit_siblings and commit_delay.
MANY, GATHER_S = 5, 0.008
FOR_EVER = datetime.max.replace(tzinfo=UTC)


@dataclass(eq=False)
class _PendingGuess:
    """One guess on its way, and whether it was written."""

    guess: Guess
    is_written: Future[bool] = field(default_factory=Future)


class GroupCommit:
    """Writes guesses to the database behind `engine`. Safe to share between threads."""

    def __init__(self, engine: sql.Engine) -> None:
        self._engine = engine
        self._final, self._changing = _statements(INSERTS[engine.dialect.name])
        self._pending: list[_PendingGuess] = []
        self._pending_lock = threading.Lock()
        self._is_busy = False
        self._is_away = False  # the last commit failed, and no guess was to blame
        self._is_writing = False
        self._writer = ThreadPoolExecutor(1, "votes")

    def insert(self, guess: Guess) -> Future[bool]:
        """Done after the commit: True when it is written.

        False where the round is not open, or where its voter had answered before and may not change that.
        Raises what the database says; then, and when the future is given up, it may be handed in again.
        """
        pending = _PendingGuess(guess)
        with self._pending_lock:
            if self._is_away and (self._pending or self._is_writing):
                raise DatabaseAway
            self._pending.append(pending)
            is_first = len(self._pending) == 1
        if is_first:  # else the writer is on its way, and takes this one along
            self._writer.submit(self._write_all)
        return pending.is_written

    def close(self) -> None:
        """Returns when everything handed in is written."""
        self._writer.shutdown()

    def _write_all(self) -> None:
        if self._is_busy:
            time.sleep(GATHER_S)
        batch = self._take_pending()
        self._is_busy = len(batch) >= MANY
        if batch:
            self._commit(batch)
        self._is_writing = False

    def _take_pending(self) -> list[_PendingGuess]:
        """All that wait, without those that were given up."""
        with self._pending_lock:
            taken, self._pending = self._pending, []
            self._is_writing = True
        return [pending for pending in taken if pending.is_written.set_running_or_notify_cancel()]

    def _commit(self, batch: Sequence[_PendingGuess]) -> None:
        """All in one transaction; where that fails because of one of them, each in its own."""
        try:
            with self._engine.begin() as connection:
                results = self._write(connection, [pending.guess for pending in batch])
        except Exception as failure:  # noqa: BLE001 - raised where somebody waits for it
            self._is_away = _blames_the_database(failure)
            if self._is_away:
                batch = [*batch, *self._take_pending()]  # nobody waits for the same a second time
            elif len(batch) > 1:
                for pending in batch:
                    if self._is_away:  # it has left in between
                        pending.is_written.set_exception(DatabaseAway())
                    else:
                        self._commit([pending])
                return
            for pending in batch:
                pending.is_written.set_exception(failure)
            return
        self._is_away = False
        for pending, result in zip(batch, results, strict=True):
            pending.is_written.set_result(result)

    def _write(self, connection: sql.Connection, guesses: Sequence[Guess]) -> list[bool]:
        """Whether each is written. Three statements, however many there are.

        With one each, this thread would have to win Python's lock back from a busy server for every guess.
        """
        until = self._lock_open(connection, {guess.round for guess in guesses})
        in_time = [guess.round in until and guess.at < (until[guess.round] or FOR_EVER) for guess in guesses]
        accepted = [guess for guess, is_in_time in zip(guesses, in_time, strict=True) if is_in_time]
        first = {_key(guess): guess for guess in reversed(accepted) if guess.source.is_final}
        last = {_key(guess): guess for guess in accepted if not guess.source.is_final}
        written = _insert(connection, self._final, first) | _insert(connection, self._changing, last)
        return [
            is_in_time and _key(guess) in written and first.get(_key(guess), guess) is guess
            for guess, is_in_time in zip(guesses, in_time, strict=True)
        ]

    def _lock_open(self, connection: sql.Connection, rounds: Collection[str]) -> dict[str, datetime | None]:
        """Those of the rounds that are open, until when: nobody closes them before this is committed.

        A change that changes nothing is what locks a row in both databases.
        """
        is_open = sql.and_(ROUNDS.c.id.in_(rounds), ROUNDS.c.state == State.OPEN)
        lock = ROUNDS.update().where(is_open).values(state=State.OPEN)
        rows = connection.execute(lock.returning(ROUNDS.c.id, ROUNDS.c.closes_at))
        return {round_id: until for round_id, until in rows}


def _blames_the_database(failure: Exception) -> bool:
    """Whether the next guess would fail in the same way: no connection, a full disk, a lock."""
    unreached = isinstance(failure, DBAPIError | DatabaseAway | PoolTimeoutError)
    return unreached and not isinstance(failure, IntegrityError | DataError)


def _key(guess: Guess) -> tuple[str, str]:
    return guess.round, guess.voter


def _insert(connection: sql.Connection, statement: Any, guesses: Mapping[Any, Guess]) -> set[tuple[str, str]]:
    """Write them; the keys of those that the statement put there."""
    if not guesses:
        return set()
    rows = connection.execute(statement, [vars(guess) for guess in guesses.values()])
    return {(round_id, voter) for round_id, voter in rows}


def _statements(insert: Callable[[sql.Table], Any]) -> tuple[Any, Any]:
    """Two inserts, which return their keys: one leaves an earlier answer as it is, one replaces it."""
    both = insert(GUESSES)
    key = list(GUESSES.primary_key)
    replaced = {column.name: both.excluded[column.name] for column in GUESSES.columns if column not in key}
    final = both.on_conflict_do_nothing()
    changing = both.on_conflict_do_update(index_elements=key, set_=replaced)
    return final.returning(*key), changing.returning(*key)
