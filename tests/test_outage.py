"""The database falls silent, hands over, is full: nobody waits for ever, and no answer is lost or doubled.

The seconds stand in what `pytest -rP` tells; what is asserted leaves room for a busy machine.
"""

import asyncio
import json
import logging
import secrets
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import httpx
import psycopg
import pytest
import sqlalchemy as sql
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from pages.health import WriteTest
from pages.phone.routes import BURST, WITHIN_S
from tests.forwarder import Forwarder, forwarding
from tests.postgres import Server, cut_off, make_read_only, promote, running_pair, running_server
from tests.served_room import HOST, ServedRoom, served_room
from votes.database import ANSWER_S, CONNECT_S, PING_S, DatabaseAway, open_engine
from votes.group_commit import GroupCommit
from votes.schema import Guess, Item, Kind, RoundId, VoterId
from votes.store import Store
from words import read_words

pytestmark = pytest.mark.app

LOG = logging.getLogger(__name__)
WORDS = read_words()
BUSY_S = 3.0  # what a machine with other work adds to any time of ours
RECOVERED_S = 15.0
SILENT_S = 2.5  # for which requests are timed
HEALTH_S = 2.0
FOR_EVER_S = 25.0
BEAT_S = 1.0
VOTERS = 4
CUT_S = 0.4  # in which every voter at both apps waits for a commit
AGAIN_S = WITHIN_S / BURST  # as often as one phone may
ITEM = Item("picture", Kind.GENERATED, "grey", "mini", "plate")


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running_server() as server:
        yield server


@pytest.fixture
def way(server: Server) -> Iterator[Forwarder]:
    """What stands between us and the server; it ends at last, so that a wait for ever is a failure."""
    with forwarding(server.socket) as way:
        ending = threading.Timer(FOR_EVER_S, way.close)
        ending.start()
        yield way
        ending.cancel()


def through(way: Forwarder) -> str:
    return f"postgresql://postgres@127.0.0.1:{way.port}/postgres"


@contextmanager
def stopwatch(what: str) -> Iterator[list[float]]:
    """Tells how long the block took; the list holds the seconds afterwards."""
    took, began = list[float](), time.monotonic()
    yield took
    took.append(time.monotonic() - began)
    LOG.warning("%s: %.2f s", what, took[0])


def guess(round_: RoundId, voter: str) -> Guess:
    return Guess(round_, VoterId(voter), Kind.GENERATED, False, 1.0, datetime.now(UTC))


# ---- connections


@pytest.fixture
def call_s(monkeypatch: pytest.MonkeyPatch) -> float:
    """A shorter limit than the product's."""
    monkeypatch.setattr("votes.database.CALL_S", 1.0)
    return 1.0


def test_a_connection_that_falls_silent_in_the_middle_is_given_up(way: Forwarder, call_s: float) -> None:
    engine = open_engine(through(way))
    with stopwatch("silent in a call") as took, pytest.raises(SQLAlchemyError), engine.begin() as connection:
        connection.execute(sql.text("SELECT 1"))
        way.silence()
        connection.execute(sql.text("SELECT 1"))
    assert call_s <= took[0] < call_s + BUSY_S
    engine.dispose()


def test_neither_an_old_connection_nor_a_new_one_waits_for_a_silent_server(way: Forwarder) -> None:
    engine = open_engine(through(way))
    engine.connect().close()
    way.silence()
    with stopwatch("silent before a call") as took, pytest.raises(SQLAlchemyError):
        engine.connect()
    assert took[0] < PING_S + CONNECT_S + BUSY_S
    engine.dispose()


def test_a_proxy_that_keeps_dead_connections_costs_one_ping(way: Forwarder, server: Server) -> None:
    engine = open_engine(through(way))
    with engine.connect(), engine.connect():
        pass
    way.silence(new_ones_too=False)
    with stopwatch("dead connections in the pool") as took, engine.connect() as connection:
        assert connection.scalar(sql.text("SELECT 1")) == 1
    assert took[0] < PING_S + BUSY_S
    engine.dispose()


def test_the_server_ends_what_takes_too_long_or_waits_for_a_lock(server: Server) -> None:
    engine = open_engine(f"postgresql://postgres@/postgres?host={server.folder}")
    with engine.connect() as connection:
        said = [connection.scalar(sql.text(f"SHOW {name}_timeout")) for name in ("statement", "lock")]
        held = connection.scalar(sql.text("SHOW idle_in_transaction_session_timeout"))
    assert (*said, held) == ("2500ms", "2s", "4s")
    engine.dispose()


def test_what_the_url_says_of_limits_goes_first(server: Server) -> None:
    engine = open_engine(f"postgresql://postgres@/postgres?host={server.folder}&connect_timeout=7")
    with engine.connect() as connection:
        given = connection.connection.driver_connection
        assert isinstance(given, psycopg.Connection)
        assert given.info.get_parameters()["connect_timeout"] == "7"
        assert given.info.get_parameters()["tcp_user_timeout"] == "3000"
    engine.dispose()


def test_an_answer_whose_commit_was_not_confirmed_is_not_acknowledged_and_counts_once_when_sent_again(
    way: Forwarder, call_s: float
) -> None:
    with Store(through(way)) as store:
        round_ = store.round_of(ITEM)
    engine = open_engine(through(way))
    commit, sent = GroupCommit(engine), guess(round_.id, secrets.token_hex(8))
    sql.event.listen(engine, "commit", lambda _: way.mute(), once=True)  # it will arrive, its answer will not
    with pytest.raises(SQLAlchemyError):
        commit.insert(sent).result(30)
    sent_again = replace(sent, answer=Kind.PHOTOGRAPH)
    assert commit.insert(sent_again).result(30) is False  # in the booth the first answer stands
    with Store(through(way)) as store:
        assert [kept for kept in store.guesses() if kept.voter == sent.voter] == [sent]
    engine.dispose()


def test_a_room_that_waits_for_a_locked_file_is_refused_together_and_late_comers_at_once(
    tmp_path: Path,
) -> None:
    file = tmp_path / "votes.sqlite3"
    with Store(f"sqlite:///{file}") as store:
        round_id = store.round_of(ITEM).id
    commit = GroupCommit(open_engine(f"sqlite:///{file}?timeout=1"))
    with closing(sqlite3.connect(file)) as other, stopwatch("a locked file, 50 guesses") as took:
        other.execute("BEGIN IMMEDIATE")
        waiting = [commit.insert(guess(round_id, f"voter {i}")) for i in range(50)]
        assert {type(one.exception(60)) for one in waiting} == {OperationalError}
        probe = commit.insert(guess(round_id, "one that finds out whether it is back"))
        with pytest.raises(DatabaseAway):
            commit.insert(guess(round_id, "one more"))
        other.rollback()
        assert probe.result(60)
    assert took[0] < 2 + BUSY_S
    assert commit.insert(guess(round_id, "one more")).result(60)


# ---- the room


@dataclass
class Electorate:
    """Voters that come one after the other, and what each was answered."""

    served: ServedRoom
    round_id: str
    acknowledged: list[str] = field(default_factory=list)
    refused: list[httpx.Response] = field(default_factory=list)
    is_over: threading.Event = field(default_factory=threading.Event)

    def vote(self, name: str) -> None:
        """Each voter tries again until the answer is kept, as the page does."""
        with httpx.Client(base_url=self.served.url, timeout=30) as client:
            for i in range(1_000_000):
                cookie = self.served.cookie(f"{name}-{i}")
                while not (said := send(client, self.round_id, cookie)).is_success:
                    self.refused.append(said)
                    if self.is_over.wait(AGAIN_S):
                        return
                self.acknowledged.append(f"{name}-{i}")
                if self.is_over.wait(0.02):
                    return


def send(client: httpx.Client, round_id: str, cookie: str) -> httpx.Response:
    body = {"round": round_id, "answer": "generated"}
    return client.post("api/guess", json=body, headers={"Cookie": cookie})


@contextmanager
def electorate(served: ServedRoom, round_id: str = "", name: str = "voter") -> Iterator[Electorate]:
    """They vote until the block ends, in a round of their own if it is not named."""
    people = Electorate(served, round_id or served.open())
    with ThreadPoolExecutor(VOTERS) as threads:
        voting = [threads.submit(people.vote, f"{name}-{i}") for i in range(VOTERS)]
        try:
            yield people
        finally:
            people.is_over.set()
    for each in voting:
        each.result()


def until(is_so: Callable[[], bool], what: str) -> None:
    """Wait for it, and tell how long that took."""
    with stopwatch(what):
        late = time.monotonic() + RECOVERED_S
        while not is_so():
            assert time.monotonic() < late, what
            time.sleep(0.02)


def health(served: ServedRoom) -> int:
    """Its status, which comes within two seconds."""
    with stopwatch("  /healthz") as took:
        said = httpx.get(f"{served.url}healthz", timeout=30)
    assert took[0] < HEALTH_S + BUSY_S
    assert said.json()["database"] == ("ok" if said.is_success else "failing")
    return said.status_code


def test_after_a_fail_over_the_room_votes_on_and_no_acknowledged_answer_is_lost(tmp_path: Path) -> None:
    with running_pair() as (old, new), forwarding(old.socket) as way:
        with served_room(through(way), tmp_path) as served:
            assert health(served) == 200
            with electorate(served) as people:
                until(lambda: len(people.acknowledged) > 8, "the first answers")
                make_read_only(old)
                until(lambda: health(served) == 503, "health says that the old node keeps nothing")
                until(lambda: len(people.refused) > 4, "refused")
                promote(new)
                way.backend = new.socket  # of new connections; the open ones stay with the old node
                before = len(people.acknowledged)
                until(lambda: len(people.acknowledged) > before, "FAIL-OVER: the first answer after it")
                until(lambda: health(served) == 200, "health after it")
        for said in people.refused:
            assert (said.status_code, said.headers.get("Retry-After")) == (503, "2")
            assert said.json()["error"] == WORDS.say("phone.unsaved")
        both = f"postgresql://postgres@/postgres?host={old.folder}&host={new.folder}"
        with Store(f"{both}&target_session_attrs=read-write") as store:
            kept = [served.name_of(one.voter) for one in store.guesses()]
        assert set(people.acknowledged) <= set(kept) and len(kept) == len(set(kept))


@contextmanager
def open_stage(served: ServedRoom) -> Iterator[Callable[[], dict[str, object]]]:
    """A stage in a page that nobody reloads: what it shows last."""
    shown = [dict[str, object]()]
    with httpx.stream("GET", f"{served.url}api/stage", timeout=30) as stream:

        def watch() -> None:
            with suppress(httpx.TransportError):
                for line in stream.iter_lines():
                    if line.startswith("data: {"):
                        shown[0] = json.loads(line.removeprefix("data: "))

        watching = threading.Thread(target=watch)
        watching.start()
        try:
            yield lambda: shown[0]
        finally:
            stream.close()
            watching.join()


def ask_again(served: ServedRoom) -> str:
    """The same picture in a new round."""
    said = httpx.post(f"{served.url}api/host/replay", headers=HOST, timeout=30)
    return str(said.json()["round"])


def test_two_apps_come_through_a_fail_over_as_one_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running_pair() as (old, new), ExitStack() as stack:
        ways = [stack.enter_context(forwarding(old.socket)) for _ in range(2)]
        apps = [
            stack.enter_context(served_room(through(way), tmp_path / str(i))) for i, way in enumerate(ways)
        ]
        stages = [stack.enter_context(open_stage(app)) for app in apps]
        asked = apps[0].open()
        until(lambda: asked in str(stages[1]()), "the other app's stage shows the round")
        with electorate(apps[0], asked, "one") as one, electorate(apps[1], asked, "other") as other:
            both = one, other
            until(lambda: all(len(people.acknowledged) > 8 for people in both), "the first answers")
            cut_off(new)
            time.sleep(CUT_S)
            with stopwatch("FAIL-OVER, from the end of the old node until both apps are themselves again"):
                old.break_down()
                for way in ways:
                    way.backend = new.socket
                promote(new)
                before = [len(people.acknowledged) for people in both]
                for people, at_least in zip(both, before, strict=True):
                    until(lambda: len(people.acknowledged) > at_least, "  an app takes answers")  # noqa: B023
                until(lambda: not any(stage()["note"] for stage in stages), "  both stages are current")
        monkeypatch.setattr("votes.latest.FRESH_S", 3600.0)  # so that only a notification explains it
        for teller, hearer in ((0, 1), (1, 0)):
            asked = ask_again(apps[teller])
            until(lambda: asked in str(stages[hearer]()), "  heard of a step elsewhere")  # noqa: B023
        with Store(new.url) as store:
            kept = [apps[0].name_of(guess.voter) for guess in store.guesses()]
        acknowledged = {*one.acknowledged, *other.acknowledged}
        assert acknowledged <= set(kept) and len(kept) == len(set(kept))


def test_while_the_database_is_silent_pages_show_what_was_known_and_votes_are_refused_at_once(
    way: Forwarder, server: Server, tmp_path: Path
) -> None:
    with served_room(through(way), tmp_path) as served, ThreadPoolExecutor(8) as threads:
        round_id = served.open()
        way.silence()
        paths = ("healthz", "api/round", served.code, "stage", f"stage/{round_id}.jpg")
        asking = [threads.submit(asked, served, path, round_id) for path in (*paths, "", "")]
        times = {path: each.result() for path, each in zip((*paths, "guess", "guess 2"), asking, strict=True)}
        for path, took in times.items():
            LOG.warning("%s: longest %.2f s, median %.3f s of %d", path, max(took), median(took), len(took))
        assert max(max(took) for took in times.values()) < ANSWER_S + BUSY_S
        assert httpx.get(f"{served.url}api/round").json()["stale"] is True
        assert told_on_stage(served) == WORDS.say("stage.stale")
        with stopwatch("host's command"):
            said = httpx.post(f"{served.url}api/host/next", headers=HOST, timeout=30)
        assert (said.status_code, said.json()["error"]) == (503, WORDS.say("host.away"))
        way.backend = server.socket
        with httpx.Client(base_url=served.url, timeout=30) as client:
            until(lambda: send(client, round_id, served.cookie("ada")).is_success, "SILENT: back for votes")
            until(lambda: not client.get("api/round").json()["stale"], "back for pages")
            until(lambda: health(served) == 200, "back for health")
            until(lambda: client.get("api/round").json()["answers"] == 1, "counted")
        assert told_on_stage(served) == ""


def asked(served: ServedRoom, path: str, round_id: str) -> list[float]:
    """Seconds of each answer, while the database is silent: an answer to the round without a path."""
    times, until_ = list[float](), time.monotonic() + SILENT_S
    with httpx.Client(base_url=served.url, timeout=30) as client:
        while time.monotonic() < until_:
            began = time.monotonic()
            said = client.get(path) if path else send(client, round_id, served.cookie(secrets.token_hex(4)))
            times.append(time.monotonic() - began)
            assert said.status_code == (503 if path in ("", "healthz") else 200)
            time.sleep(0.05)
    return times


def told_on_stage(served: ServedRoom) -> str:
    """The note of what the stage shows now; then a beat comes, whatever the database does."""
    with httpx.stream("GET", f"{served.url}api/stage", timeout=30) as stream:
        lines = stream.iter_lines()
        shown = next(line for line in lines if line.startswith("data: {"))
        with stopwatch("the stage's beat") as took:
            next(line for line in lines if line == "event: beat")
        assert took[0] < BEAT_S + BUSY_S
        return str(json.loads(shown.removeprefix("data: "))["note"])


def test_who_waits_is_answered_though_a_call_never_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("votes.store.ANSWER_S", 0.5)
    file = tmp_path / "votes.sqlite3"
    with Store(f"sqlite:///{file}?timeout=25") as store:
        round_id = store.round_of(ITEM).id
        with closing(sqlite3.connect(file)) as other, stopwatch("a call that does not end") as took:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(DatabaseAway):
                store.record(guess(round_id, "ada"))
            with pytest.raises(DatabaseAway):
                asyncio.run(store.record_async(guess(round_id, "eve")))
            assert not asyncio.run(WriteTest(store).passes())
            other.rollback()
        assert took[0] < HEALTH_S + 2 * BUSY_S


def test_health_is_about_writing(tmp_path: Path) -> None:
    file = tmp_path / "votes.sqlite3"
    with served_room(f"sqlite:///{file}?timeout=1", tmp_path) as served:
        assert health(served) == 200
        with closing(sqlite3.connect(file)) as other:
            other.execute("BEGIN IMMEDIATE")
            until(lambda: health(served) == 503, "health says that a locked file keeps nothing")
            assert httpx.get(f"{served.url}api/round").json()["stale"] is False  # it can be read
            other.rollback()
        until(lambda: health(served) == 200, "health after the lock")
