"""Guesses that wait together are committed together, and none is answered before."""

import contextlib
import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sql
from sqlalchemy.exc import IntegrityError

from errors import OperatorError
from votes.group_commit import GroupCommit
from votes.schema import GUESSES, ROUNDS, Guess, Item, Kind, Round, RoundId, Source, VoterId
from votes.store import Store

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
MANY = 24


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "votes.sqlite3"


@pytest.fixture
def round_(file: Path) -> Round:
    with Store(f"sqlite:///{file}") as store:
        return store.round_of(Item("picture", Kind.GENERATED, "grey", "mini", "plate"))


@pytest.fixture
def engine(file: Path, round_: Round) -> Iterator[sql.Engine]:
    engine = sql.create_engine(f"sqlite:///{file}", connect_args={"timeout": 60})
    sql.event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA foreign_keys = ON"))
    yield engine
    engine.dispose()


def guess(round_: RoundId, voter: str, answer: Kind = Kind.GENERATED) -> Guess:
    return Guess(round_, VoterId(voter), answer, False, 1.0, NOON)


@contextlib.contextmanager
def write_lock(file: Path) -> Iterator[None]:
    """Nobody else writes meanwhile."""
    with contextlib.closing(sqlite3.connect(file)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.rollback()


def written_voters(engine: sql.Engine) -> set[str]:
    with engine.connect() as connection:
        return set(connection.scalars(sql.text("SELECT voter FROM guesses")))


def insert_together(file: Path, engine: sql.Engine, guesses: list[Guess]) -> list[Any]:
    """Hand all in while nothing can be written, then let it be written: what became of each."""
    commit, gathered = GroupCommit(engine), threading.Barrier(len(guesses) + 1)

    def hand_in(guess: Guess) -> Any:
        gathered.wait(60)
        try:
            return commit.insert(guess).result(60)
        except IntegrityError as failure:
            return failure

    with ThreadPoolExecutor(len(guesses)) as threads:
        with write_lock(file):
            waiting = [threads.submit(hand_in, guess) for guess in guesses]
            gathered.wait(60)
            threading.Event().wait(0.3)  # the first is at the database, the others wait for it
            assert not any(future.done() for future in waiting)
        return [future.result(60) for future in waiting]


def test_who_waits_together_is_committed_together(file: Path, engine: sql.Engine, round_: Round) -> None:
    commits: list[object] = []
    sql.event.listen(engine, "commit", commits.append)
    results = insert_together(file, engine, [guess(round_.id, f"voter {i}") for i in range(MANY)])
    assert results == [True] * MANY
    assert written_voters(engine) == {f"voter {i}" for i in range(MANY)}
    assert len(commits) < MANY / 2


def test_of_one_voter_the_first_stands_among_all_who_wait(
    file: Path, engine: sql.Engine, round_: Round
) -> None:
    results = insert_together(file, engine, [guess(round_.id, "ada") for _ in range(MANY)])
    assert sorted(results) == [False] * (MANY - 1) + [True]


def test_of_one_phone_the_last_in_time_stands_among_all_that_wait(
    file: Path, engine: sql.Engine, round_: Round
) -> None:
    with engine.begin() as connection:
        connection.execute(ROUNDS.update().values(closes_at=NOON + timedelta(seconds=2)))
    commit, answers = GroupCommit(engine), [Kind.GENERATED, Kind.PHOTOGRAPH, Kind.GENERATED]
    with write_lock(file):
        commit.insert(guess(round_.id, "eve"))  # the writer is at the database with this one
        threading.Event().wait(0.3)
        waiting = [
            commit.insert(
                replace(guess(round_.id, "ada", answer), at=NOON + timedelta(seconds=i), source=Source.PHONE)
            )
            for i, answer in enumerate(answers)
        ]
    assert [future.result(60) for future in waiting] == [True, True, False]
    with engine.connect() as connection:
        query = sql.select(GUESSES.c.answer).where(GUESSES.c.voter == "ada")
        assert connection.scalars(query).all() == [Kind.PHOTOGRAPH]


def test_one_that_cannot_be_kept_takes_no_other_with_it(
    file: Path, engine: sql.Engine, round_: Round
) -> None:
    wrong = guess(round_.id, "eve", None)  # type: ignore[arg-type]
    results = insert_together(file, engine, [wrong, *(guess(round_.id, f"voter {i}") for i in range(MANY))])
    assert isinstance(results[0], IntegrityError)
    assert results[1:] == [True] * MANY
    assert "eve" not in written_voters(engine)


def test_an_answer_to_no_round_is_not_kept(engine: sql.Engine, round_: Round) -> None:
    assert not GroupCommit(engine).insert(guess(RoundId("no such round"), "eve")).result(60)
    assert written_voters(engine) == set()


def test_nobody_is_answered_where_the_commit_fails(engine: sql.Engine, round_: Round) -> None:
    def fail(connection: object) -> None:
        raise OSError

    sql.event.listen(engine, "commit", fail)
    with pytest.raises(OSError):
        GroupCommit(engine).insert(guess(round_.id, "ada")).result(60)
    assert written_voters(engine) == set()


def test_what_was_answered_is_there_for_everyone(engine: sql.Engine, file: Path, round_: Round) -> None:
    assert GroupCommit(engine).insert(guess(round_.id, "ada")).result(60)
    with contextlib.closing(sqlite3.connect(file)) as other:
        assert other.execute("SELECT count(*) FROM guesses").fetchone() == (1,)


def test_another_kind_of_database_is_refused_in_one_sentence() -> None:
    with pytest.raises(OperatorError, match="SQLite or PostgreSQL"):
        Store("mssql+pyodbc://x")
