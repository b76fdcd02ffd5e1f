"""Several processes on one PostgreSQL are one room: what one does the others see at once, and remember.

A snapshot is good for an hour here, so that nothing but a notification explains what is seen sooner.
"""

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pages.guards.host_auth import FILE, ensure_host_key
from settings import Settings
from tests.forwarder import forwarding
from tests.postgres import Server, ask, running_server
from tests.test_room import Pictures
from votes.room import Room, Snapshot
from votes.rounds import Scene
from votes.schema import Count, Guess, Kind, Source, VoterId
from votes.store import Store

SOON_S = 1.0
BUSY_S = 3.0  # what a machine with other work adds to any time of ours
HOUR_S = 3600.0


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running_server() as server:
        yield server


@pytest.fixture
def url(server: Server) -> str:
    """Of an empty database."""
    name = f"room_{secrets.token_hex(4)}"
    ask(server, f"CREATE DATABASE {name}")
    return f"postgresql://postgres@/{name}?host={server.folder}"


@pytest.fixture
def rooms(url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Room, Room]]:
    """Two processes' rooms; each has read the room already."""
    monkeypatch.setattr("votes.latest.FRESH_S", HOUR_S)
    with ExitStack() as stack:
        pictures = Pictures()
        one, other = (
            Room(stack.enter_context(Store(url)), pictures, lambda: datetime.now(UTC)) for _ in "ab"
        )
        one.draw_programme()
        heard(other, lambda shown: len(shown.room.programme) == 3)
        yield one, other


def waited_for(happened: Callable[[], bool], within_s: float = SOON_S + BUSY_S) -> float:
    """After how many seconds it did."""
    began = time.monotonic()
    while not happened():
        if time.monotonic() - began > within_s:
            pytest.fail("it never happened")
        time.sleep(0.01)
    return time.monotonic() - began


def heard(room: Room, is_it: Callable[[Snapshot], bool]) -> None:
    waited_for(lambda: is_it(room.snapshot()))


def test_a_step_is_seen_at_once(rooms: tuple[Room, Room]) -> None:
    one, other = rooms
    for _ in range(3):
        opened = one.open().round
        heard(other, lambda shown, opened=opened: shown.round == opened)  # type: ignore[misc]
        other.reveal()
        heard(one, lambda shown: shown.room.scene == Scene.SPLIT)
        one.draw_programme()


def test_what_a_host_sets_is_seen_at_once(rooms: tuple[Room, Room]) -> None:
    one, other = rooms
    code = one.renew_code().room.code
    heard(other, lambda shown: shown.room.code == code)
    other.change(event="An evening", seconds=20)
    heard(one, lambda shown: (shown.room.event, shown.room.seconds) == ("An evening", 20))
    opened = one.open().round
    assert opened
    one.record_hands(Count(3, 4))
    heard(other, lambda shown: shown.count == Count(3, 4))


def test_whoever_counts_suspects_counts_them_everywhere(rooms: tuple[Room, Room], url: str) -> None:
    one, other = rooms
    opened = one.open().round
    assert opened
    suspect = Guess(
        opened.id, VoterId("s"), Kind.GENERATED, False, 1.0, datetime.now(UTC), source=Source.SUSPECT
    )
    with Store(url) as third:
        third.record(suspect)
    one.accept_suspects()
    heard(other, lambda shown: shown.answers == 1 and shown.pardoned_until is not None)
    with Store(url) as third:
        third.forget(Source.PHONE)
    heard(other, lambda shown: shown.answers == 0)


def test_a_lost_connection_is_replaced_and_what_it_missed_is_read(
    rooms: tuple[Room, Room], server: Server, url: str
) -> None:
    one, other = rooms
    ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'"
    ask(server, ended)
    opened = one.open().round
    heard(other, lambda shown: shown.round == opened)


def test_a_connection_that_fell_silent_is_replaced_and_ends_in_time(
    server: Server, url: str, rooms: tuple[Room, Room], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("votes.changes.LISTEN_S", 0.5)
    one, _ = rooms
    with forwarding(server.socket) as way:
        far = f"postgresql://postgres@127.0.0.1:{way.port}/{url.split('/')[3].split('?')[0]}"
        with Store(far) as store:
            room = Room(store, Pictures())
            way.silence(new_ones_too=False)
            opened = one.open().round
            heard(room, lambda shown: shown.round == opened)
            way.silence()
            began = time.monotonic()
        assert time.monotonic() - began < SOON_S + BUSY_S


def test_where_no_notification_comes_through_a_step_is_seen_a_moment_later(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("votes.store.announce", lambda connection: None)
    with Store(url) as one, Store(url) as other:
        rooms = [Room(store, Pictures()) for store in (one, other)]
        rooms[0].draw_programme()
        opened = rooms[0].open().round
        heard(rooms[1], lambda shown: shown.round == opened)


def test_of_two_hosts_at_two_processes_the_slower_one_moves_nothing(rooms: tuple[Room, Room]) -> None:
    one, other = rooms
    seen = one.snapshot().room.position
    moved = one.next(seen, by="ada").room
    heard(other, lambda shown: shown.room == moved)
    assert one.next(seen, by="ada").room.scene == Scene.CLOSED  # twice, faster than the page comes along
    heard(other, lambda shown: shown.room.scene == Scene.CLOSED)
    closed = other.snapshot().room.position
    shown = other.next(closed, by="bob").room
    assert one.next(seen, by="ada").room == shown


def test_booths_of_one_room_open_for_one_key(url: str, tmp_path: Path) -> None:
    with Store(url) as one, Store(url) as other:
        first, is_new = ensure_host_key(Settings(data=tmp_path / "one"), one.share_host_key)
        assert is_new
        assert ensure_host_key(Settings(data=tmp_path / "other"), other.share_host_key) == (first, True)
        assert ensure_host_key(Settings(data=tmp_path / "other"), other.share_host_key) == (first, False)
    assert (tmp_path / "other" / FILE).read_text() == first


def test_a_booth_alone_keeps_its_key_in_its_file(tmp_path: Path) -> None:
    with Store(f"sqlite:///{tmp_path}/votes.sqlite3") as store:
        first, _ = ensure_host_key(Settings(data=tmp_path), store.share_host_key)
        (tmp_path / FILE).unlink()
        assert ensure_host_key(Settings(data=tmp_path), store.share_host_key)[0] != first
