"""The store of votes: what was acknowledged stays, once, and says what it was about."""

import os
import secrets
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from errors import OperatorError, VisitorError
from tests.postgres import cluster
from votes.schema import Count, Guess, Item, Kind, Round, RoundId, VoterId
from votes.store import Store

ROOT = Path(__file__).parent.parent
NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
PLATE = Item("picture-1", Kind.PHOTOGRAPH, "grey", "mini", "plate", "relaxed", rehearsal=True)
PORTRAIT = Item("picture-2", Kind.GENERATED, "grey", "mini", "plate", "relaxed", rehearsal=True)


@pytest.fixture(scope="module")
def socket() -> Iterator[str]:
    with cluster() as folder:
        yield folder


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of either kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/votes.sqlite3"
    folder, name = request.getfixturevalue("socket"), f"votes_{secrets.token_hex(4)}"
    with psycopg.connect(host=folder, user="postgres", autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name}")
    return f"postgresql://postgres@/{name}?host={folder}"


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    with Store(url) as store:
        yield store


def guess(round_: Round, voter: str = "ada", answer: Kind = Kind.GENERATED, exposed: bool = True) -> Guess:
    return Guess(round_.id, VoterId(voter), answer, exposed, seconds=2.5, at=NOON)


def test_a_guess_comes_back_as_it_was_given(store: Store) -> None:
    given_ = guess(store.round_of(PLATE))
    assert store.record(given_) == given_
    assert store.guesses() == (given_,)


def test_a_round_says_what_is_true_of_its_picture(store: Store) -> None:
    round_ = store.round_of(PORTRAIT)
    assert store.find(round_.id) == round_
    assert store.find(round_.id).item == PORTRAIT


def test_round_ids_do_not_tell_the_truth_nor_the_order(store: Store) -> None:
    ids = [store.round_of(replace(item, id=f"{i}")).id for i, item in enumerate((PLATE, PORTRAIT) * 8)]
    assert len(set(ids)) == 16
    assert {len(round_id) for round_id in ids} == {22}
    assert ids != sorted(ids)


def test_everyone_is_asked_about_a_picture_in_one_round_also_at_once_and_after_a_restart(
    url: str,
) -> None:
    with Store(url) as store, ThreadPoolExecutor(8) as pool:
        rounds = {round_.id for round_ in pool.map(lambda _: store.round_of(PLATE), range(40))}
    assert len(rounds) == 1
    with Store(url) as store:
        assert {store.round_of(PLATE).id} == rounds


def test_the_first_answer_of_a_voter_stands(store: Store) -> None:
    round_ = store.round_of(PLATE)
    first = store.record(guess(round_, answer=Kind.PHOTOGRAPH))
    assert store.record(guess(round_, answer=Kind.GENERATED)) == first
    assert store.guesses() == (first,)


def test_two_voters_and_two_rounds_are_counted_apart(store: Store) -> None:
    plate, portrait = store.round_of(PLATE), store.round_of(PORTRAIT)
    store.record(guess(plate, "ada", Kind.PHOTOGRAPH))
    store.record(guess(plate, "bob", Kind.GENERATED))
    store.record(guess(portrait, "ada", Kind.GENERATED))
    assert store.count(plate.id) == Count(photograph=1, generated=1)
    assert store.count(portrait.id) == Count(generated=1)
    assert store.count(portrait.id).answers == 1


def test_who_saw_the_making_is_counted_apart(store: Store) -> None:
    round_ = store.round_of(PLATE)
    store.record(guess(round_, "sitter", exposed=True))
    store.record(guess(round_, "stranger", Kind.PHOTOGRAPH, exposed=False))
    assert store.count(round_.id, exposed=True) == Count(generated=1)
    assert store.count(round_.id, exposed=False) == Count(photograph=1)


def test_an_answer_to_no_round_is_refused_by_a_sentence(store: Store) -> None:
    nowhere = Round(RoundId("nowhere"), PLATE, NOON)
    with pytest.raises(VisitorError) as refused:
        store.record(guess(nowhere))
    assert refused.value.key == "vote.gone"
    assert store.guesses() == ()


def test_one_id_cannot_mean_two_pictures(store: Store) -> None:
    store.round_of(PLATE)
    with pytest.raises(ValueError, match="One id, two items"):
        store.round_of(Item(PLATE.id, Kind.GENERATED, "grey", "mini", "plate"))


@pytest.mark.parametrize("seconds", [-1.0, float("nan"), float("inf")])
def test_impossible_seconds_are_refused(seconds: float) -> None:
    with pytest.raises(ValueError, match="seconds"):
        Guess(RoundId("r"), VoterId("v"), Kind.GENERATED, True, seconds, NOON)


def test_a_time_without_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="zone"):
        Guess(RoundId("r"), VoterId("v"), Kind.GENERATED, True, 1.0, NOON.replace(tzinfo=None))


ids = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=64)
times = st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=45))]))


@given(
    voter=ids,
    answer=st.sampled_from(Kind),
    exposed=st.booleans(),
    seconds=st.floats(0, 1e6),
    at=times.filter(lambda time: 1 < time.year < 9999),
)
def test_any_guess_survives_the_way_to_the_database_and_back(
    voter: str, answer: Kind, exposed: bool, seconds: float, at: datetime
) -> None:
    with Store("sqlite://") as store:
        given_ = Guess(store.round_of(PLATE).id, VoterId(voter), answer, exposed, seconds, at)
        store.record(given_)
        (stored,) = store.guesses()
        assert stored == given_
        assert stored.at.utcoffset() == timedelta(0)


def test_answers_outlive_the_program(url: str) -> None:
    with Store(url) as store:
        round_ = store.round_of(PLATE)
        store.record(guess(round_))
    with Store(url) as store:
        assert store.guesses() == (guess(round_),)
        assert store.is_healthy()


def test_forty_voters_at_once_leave_one_answer_each(url: str) -> None:
    with Store(url) as store, ThreadPoolExecutor(8) as pool:
        round_ = store.round_of(PLATE)
        taps = [guess(round_, f"voter-{n % 40}", list(Kind)[n % 3 % 2]) for n in range(120)]
        answers = list(pool.map(store.record, taps))
        stored = {guess.voter: guess for guess in store.guesses()}
        assert len(store.guesses()) == len(stored) == 40
        assert all(stored[guess.voter] == guess for guess in answers)


def test_the_folder_of_the_database_is_made(tmp_path: Path) -> None:
    with Store(f"sqlite:///{tmp_path}/deep/er/votes.sqlite3") as store:
        assert store.is_healthy()


def test_two_programs_that_start_at_once_share_one_database(url: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        stores = list(pool.map(Store, [url] * 4))
    round_ = stores[0].round_of(PLATE)
    for i, store in enumerate(stores):
        store.record(guess(round_, f"voter-{i}"))
    assert [store.count(round_.id).answers for store in stores] == [4] * 4
    for store in stores:
        store.close()


def test_a_new_file_that_another_program_holds_for_a_moment_is_waited_for(tmp_path: Path) -> None:
    file = tmp_path / "votes.sqlite3"
    other = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN EXCLUSIVE")
    ending = threading.Timer(0.2, other.close)
    ending.start()
    with Store(f"sqlite:///{file}?timeout=0") as store:  # SQLite itself waits for nobody
        assert store.is_healthy()
    ending.join()


VOTE_UNTIL_KILLED = """
import sys
import threading
from dataclasses import replace
from datetime import UTC, datetime
from votes.schema import Guess, Item, Kind, VoterId
from tests.postgres import cluster
from votes.store import Store

store = Store(sys.argv[1])
round_ = store.round_of(Item("picture", Kind.GENERATED, "grey", "mini", "plate"))
for n in range(1_000_000):
    store.record(Guess(round_.id, VoterId(f"voter-{n}"), Kind.GENERATED, True, 1.0, datetime.now(UTC)))
    print(f"voter-{n}", flush=True)
"""


@pytest.mark.app
def test_an_acknowledged_guess_survives_kill_9(url: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", VOTE_UNTIL_KILLED, url], stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as voting:
        assert voting.stdout is not None
        acknowledged = [voting.stdout.readline().strip() for _ in range(20)]
        os.kill(voting.pid, signal.SIGKILL)
        acknowledged += voting.stdout.read().split()
    with Store(url) as store:
        stored = [guess.voter for guess in store.guesses()]
    assert acknowledged[0] == "voter-0"
    assert set(acknowledged) <= set(stored)
    assert len(stored) == len(set(stored))
    assert len(stored) <= len(acknowledged) + 1  # the last one may have been stored and not acknowledged


def test_another_version_is_refused_and_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "votes.sqlite3"
    Store(f"sqlite:///{file}").close()
    with sqlite3.connect(file) as connection:
        connection.execute("UPDATE schema SET version = 0")
    connection.close()
    with pytest.raises(OperatorError, match=r"^votes\.sqlite3: schema version = 0\. .* reads version 5 to 6"):
        Store(f"sqlite:///{file}")


def test_a_database_of_another_program_is_refused_and_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "songs.sqlite3"
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE songs (title TEXT)")
    connection.close()
    with pytest.raises(OperatorError, match=r"^songs\.sqlite3: .* not one of ours"):
        Store(f"sqlite:///{file}")
    with sqlite3.connect(file) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("songs",)]
    connection.close()


def test_a_file_that_is_no_database_is_refused_without_its_path(tmp_path: Path) -> None:
    (tmp_path / "votes.sqlite3").write_bytes(b"not a database" * 100)
    with pytest.raises(OperatorError) as refused:
        Store(f"sqlite:///{tmp_path}/votes.sqlite3")
    assert str(tmp_path) not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    [
        "votes.sqlite3",
        "nosuch://here",
        "postgresql+psycopg2://here/votes",
        "sqlite:////proc/nowhere/votes.sqlite3",
    ],
)
def test_a_url_that_leads_nowhere_is_refused_by_a_sentence(url: str) -> None:
    with pytest.raises(OperatorError, match=r"\.$"):
        Store(url)


def test_the_file_is_written_ahead(tmp_path: Path) -> None:
    with Store(f"sqlite:///{tmp_path}/votes.sqlite3") as store:
        store.round_of(PLATE)
        assert (tmp_path / "votes.sqlite3-wal").exists()
