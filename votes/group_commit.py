"""One thread writes guesses, one transaction for all that wait.

A commit must reach the disk, which takes as long for one guess as for a hundred. So what comes while the
writer commits gathers, and the next commit is for all of it. Whoever hands a guess in gets a future and is
answered after the commit: a thread waits for it, an event loop awaits it, and a thousand phones need no
thousand threads.
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

from votes.schema import GUESSES, ROUNDS, Guess, Source, State

INSERTS: dict[str, Callable[[sql.Table], Any]] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}
# While votes pour in, a commit waits for more of them: PostgreSQL's commit_siblings and commit_delay.
MANY, GATHER_S = 5, 0.008
FOR_EVER = datetime.max.replace(tzinfo=UTC)


@dataclass(eq=False)
class _Waiting:
    """One guess on its way, and whether it was kept."""

    guess: Guess
    kept: Future[bool] = field(default_factory=Future)


class GroupCommit:
    """Writes guesses to the database behind `engine`. Safe to share between threads."""

    def __init__(self, engine: sql.Engine) -> None:
        self._engine = engine
        self._final, self._changing = _statements(INSERTS[engine.dialect.name])
        self._gathered: list[_Waiting] = []
        self._gathering = threading.Lock()
        self._is_busy = False
        self._writer = ThreadPoolExecutor(1, "votes")

    def insert(self, guess: Guess) -> Future[bool]:
        """Done after the commit: True when it is kept.

        False where the round is not open, or where its voter had answered before and may not change that.
        """
        mine = _Waiting(guess)
        with self._gathering:
            self._gathered.append(mine)
            is_first = len(self._gathered) == 1
        if is_first:  # else the writer has been told, and takes this one along
            self._writer.submit(self._write_all)
        return mine.kept

    def close(self) -> None:
        """Returns when everything handed in is written."""
        self._writer.shutdown()

    def _write_all(self) -> None:
        if self._is_busy:
            time.sleep(GATHER_S)
        with self._gathering:
            gathered, self._gathered = self._gathered, []
        self._is_busy = len(gathered) >= MANY
        self._commit([one for one in gathered if one.kept.set_running_or_notify_cancel()])

    def _commit(self, taken: Sequence[_Waiting]) -> None:
        """All in one transaction; where one of them fails, each in its own."""
        try:
            with self._engine.begin() as connection:
                kept = self._write(connection, [one.guess for one in taken])
        except Exception as failure:  # noqa: BLE001 - told to whoever waits for it
            if len(taken) == 1:
                taken[0].kept.set_exception(failure)
                return
            for one in taken:
                self._commit([one])
            return
        for one, is_kept in zip(taken, kept, strict=True):
            one.kept.set_result(is_kept)

    def _write(self, connection: sql.Connection, guesses: Sequence[Guess]) -> list[bool]:
        """Whether each is kept. Three statements, however many there are.

        With one each, this thread would have to win Python's lock back from a busy server for every guess.
        """
        if not guesses:
            return []
        until = self._hold(connection, {one.round for one in guesses})
        in_time = [one.round in until and one.at < (until[one.round] or FOR_EVER) for one in guesses]
        taken = [one for one, is_in_time in zip(guesses, in_time, strict=True) if is_in_time]
        first = {_key(one): one for one in reversed(taken) if one.source == Source.BOOTH}
        last = {_key(one): one for one in taken if one.source != Source.BOOTH}
        there = _inserted(connection, self._final, first) | _inserted(connection, self._changing, last)
        return [
            is_in_time and _key(one) in there and first.get(_key(one), one) is one
            for one, is_in_time in zip(guesses, in_time, strict=True)
        ]

    def _hold(self, connection: sql.Connection, rounds: Collection[str]) -> dict[str, datetime | None]:
        """Those of the rounds that are open, until when: nobody closes them before this is committed.

        A change that changes nothing is what locks a row in both databases.
        """
        is_open = sql.and_(ROUNDS.c.id.in_(rounds), ROUNDS.c.state == State.OPEN)
        held = ROUNDS.update().where(is_open).values(state=State.OPEN)
        rows = connection.execute(held.returning(ROUNDS.c.id, ROUNDS.c.closes_at))
        return {round_id: until for round_id, until in rows}


def _key(guess: Guess) -> tuple[str, str]:
    return guess.round, guess.voter


def _inserted(connection: sql.Connection, insert: Any, guesses: Mapping[Any, Guess]) -> set[tuple[str, str]]:
    """The keys of those that are there now by this statement."""
    if not guesses:
        return set()
    rows = connection.execute(insert, [vars(one) for one in guesses.values()])
    return {(round_id, voter) for round_id, voter in rows}


def _statements(insert: Callable[[sql.Table], Any]) -> tuple[Any, Any]:
    """The first leaves an earlier answer as it is, the second replaces it. Both tell whose they put there."""
    both = insert(GUESSES)
    key = list(GUESSES.primary_key)
    replaced = {column.name: both.excluded[column.name] for column in GUESSES.columns if column not in key}
    final = both.on_conflict_do_nothing()
    changing = both.on_conflict_do_update(index_elements=key, set_=replaced)
    return final.returning(*key), changing.returning(*key)
