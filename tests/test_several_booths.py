"""Several booths, one room: what a sitter allowed, a host decided or a code took back holds at each."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from booth.__main__ import main
from booth.album import Album
from booth.open_album import open_album
from booth.records import SWEEP_EVERY, PictureId, SharedRecords, SittingId
from booth.storage import FolderStorage, Storage, open_storage
from errors import StorageAway
from settings import Settings
from tests.clocks import Clock
from tests.clocks import clock as clock  # the fixture
from tests.object_store import Bucket
from tests.object_store import bucket as bucket
from tests.object_store import port as port
from tests.test_one_room import server as server
from tests.test_one_room import url as postgresql  # noqa: F401
from tests.test_one_room import waited_for
from votes.store import Store

pytestmark = pytest.mark.app  # a store of pictures, and PostgreSQL

JPEG = b"\xff\xd8 one \xff\xd9"
RETENTION, SHOWN = timedelta(minutes=30), timedelta(hours=12)


class Counting(FolderStorage):
    """A mount that counts what is deleted there, by sitting."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.deleted: list[str] = []
        self.meanwhile = threading.Event()

    def delete(self, sitting: str, name: str = "") -> None:
        self.deleted.append(sitting)
        self.meanwhile.wait(0.2)  # long enough for another to begin
        super().delete(sitting, name)


class Booths:
    """Booths on one database, each with an album of the same pictures."""

    def __init__(self, url: str, storage: Storage, clock: Clock, stack: ExitStack) -> None:
        self.url, self.storage, self.clock, self.stack = url, storage, clock, stack

    def start(self, name: str) -> Album:
        """One of that name; again: after it was killed."""
        store = self.stack.enter_context(Store(self.url))
        return Album(SharedRecords(self.storage, store, name), 30, 12, self.clock)

    def rows(self) -> list[str]:
        with Store(self.url) as store:
            return [row.id for row in store.sittings.rows()]


@pytest.fixture
def booths(tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Booths]:
    """On a mount, and SQLite: what is there is read at every look."""
    monkeypatch.setattr("votes.latest.FRESH_S", 0.0)
    with ExitStack() as stack:
        url = f"sqlite:///{tmp_path}/votes.sqlite3"
        yield Booths(url, FolderStorage(tmp_path / "mount"), clock, stack)


@pytest.fixture
def far(bucket: Bucket, booths: Booths) -> Booths:
    """With their pictures in a store that keeps every version."""
    booths.storage = open_storage(bucket.url)
    return booths


def allowed(album: Album, *more: str) -> tuple[SittingId, PictureId, str]:
    """A sitting with one picture that may be shown, and the code; `more` are the visitor's own."""
    sitting = album.begin()
    for name in more:
        album.put(sitting, JPEG, name)
    shown = album.put(sitting, JPEG)
    return sitting, shown, album.allow_show(sitting, [shown], "facts").code


def test_what_a_sitter_allows_waits_at_every_host_and_is_shown_at_every_stage(booths: Booths) -> None:
    one, other = booths.start("one"), booths.start("other")
    sitting, shown, _ = allowed(one, "mine.jpg")
    (offer,) = other.offers()
    assert (offer.sitting, offer.facts, offer.approved) == (sitting, "facts", False)
    other.approve(sitting)
    assert [offer.approved for offer in one.offers()] == [True]
    stored = other.get(shown)
    assert stored and stored.jpeg == JPEG
    assert set(other.named(sitting)) == set()  # what a sitter takes home is their booth's business
    assert [kept.name for kept in one.downloads(sitting)] == ["mine.jpg"]


def test_a_hosts_no_is_every_hosts(booths: Booths) -> None:
    one, other = booths.start("one"), booths.start("other")
    sitting, _, _ = allowed(one)
    other.reject(sitting)
    assert [(offer.approved, offer.rejected) for offer in one.offers()] == [(False, True)]


def test_another_choice_needs_a_new_approval_though_a_host_elsewhere_was_asked_about_the_first(
    booths: Booths,
) -> None:
    one, other = booths.start("one"), booths.start("other")
    sitting, shown, code = allowed(one)
    other.approve(sitting)
    second = one.put(sitting, b"another")
    assert one.allow_show(sitting, [second], "new facts").code == code
    assert [(offer.facts, offer.approved) for offer in other.offers()] == [("new facts", False)]
    assert other.get(shown) is None
    one.forbid_show(sitting)
    other.approve(sitting)
    assert one.offers() == other.offers() == ()


def test_a_code_takes_back_at_every_booth_and_in_every_version(far: Booths, bucket: Bucket) -> None:
    one, other = far.start("one"), far.start("other")
    sitting, shown, code = allowed(one, "mine.jpg")
    other.approve(sitting)
    assert len(bucket.versions) == 2
    assert other.withdraw(code.lower())
    assert bucket.versions == [] and far.rows() == []
    assert one.deadline(sitting) is None and one.get(shown) is None
    with pytest.raises(KeyError):
        one.put(sitting, JPEG)
    assert bucket.versions == []
    assert not one.withdraw(code)


def test_one_visit_ends_with_its_pictures_and_no_other_booths(booths: Booths) -> None:
    one, other = booths.start("one"), booths.start("other")
    mine, theirs = one.begin(), other.begin()
    one.put(mine, JPEG)
    picture = other.put(theirs, JPEG)
    one.close()
    assert booths.storage.sittings() == (theirs,)
    assert other.get(picture) and other.deadline(theirs)


def test_whoever_is_alive_deletes_what_a_dead_booth_left(far: Booths, bucket: Bucket, clock: Clock) -> None:
    dead, alive = far.start("dead"), far.start("alive")
    dead.put(dead.begin(), JPEG)
    sitting, shown, _ = allowed(dead, "mine.jpg", "")
    alive.approve(sitting)
    clock.now += RETENTION
    alive.sweep()
    assert bucket.versions == [f"an/evening/{sitting}/{shown}.jpg"]  # only what may be shown
    assert alive.get(shown)
    clock.now += SHOWN
    alive.sweep()
    assert bucket.versions == [] and far.rows() == []


def test_a_booth_that_starts_again_deletes_its_own_visits_and_nobody_elses(booths: Booths) -> None:
    killed, other = booths.start("killed"), booths.start("other")
    killed.put(killed.begin(), JPEG)
    sitting, shown, _ = allowed(killed, "mine.jpg")
    theirs = other.put(other.begin(), JPEG)
    other.approve(sitting)
    again = booths.start("killed")
    assert len(booths.storage.sittings()) == len(booths.rows()) == 2
    assert set(booths.storage.sizes(sitting)) == {f"{shown}.jpg"}
    assert again.get(shown) and other.get(shown) and other.get(theirs)


def test_what_two_sweep_at_once_is_deleted_once(booths: Booths, tmp_path: Path, clock: Clock) -> None:
    booths.storage = counting = Counting(tmp_path / "counted")
    dead = booths.start("dead")
    for _ in range(3):
        dead.put(dead.begin(), JPEG)
    sweepers = [booths.start(name) for name in ("one", "other")]
    clock.now += RETENTION
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda album: album.sweep(), sweepers))
    assert len(counting.deleted) == 3
    assert counting.sittings() == ()


def test_a_sweeper_that_died_keeps_the_next_one_waiting_for_a_minute(booths: Booths, clock: Clock) -> None:
    alive = booths.start("alive")
    alive.put(alive.begin(), JPEG)
    clock.now += RETENTION
    with Store(booths.url) as store:
        assert store.sittings.take_lease("sweep", clock.now, clock.now + timedelta(minutes=1))
    alive.sweep()
    assert booths.storage.sittings()
    clock.now += timedelta(minutes=1) + SWEEP_EVERY
    alive.sweep()
    assert booths.storage.sittings() == ()


def test_a_store_that_falls_silent_loses_nothing_and_leaves_nothing(
    far: Booths, bucket: Bucket, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = far.start("one"), far.start("other")
    gone, shown, code = allowed(one)
    other.approve(gone)
    sitting = one.begin()
    kept = one.put(sitting, JPEG, "mine.jpg")
    write = far.storage.write

    def unanswered(*picture: Any) -> None:
        write(*picture)
        raise StorageAway

    with monkeypatch.context() as patch:
        patch.setattr(far.storage, "write", unanswered)  # it arrives, and nobody hears the answer
        with pytest.raises(StorageAway) as told:
            one.put(sitting, b"half")
    assert told.value.key == "visit.storage"
    bucket.way.silence()
    with pytest.raises(StorageAway):
        one.get(kept)
    assert other.withdraw(code)  # known at once, done when the store is back
    assert one.get(shown) is other.get(shown) is None
    assert one.offers() == other.offers() == ()
    bucket.way.backend = ("127.0.0.1", bucket.port)
    stored = one.get(kept)
    assert stored and stored.jpeg == JPEG
    clock.now += SWEEP_EVERY
    for album in (one, other):
        album.sweep()
    assert bucket.versions == [f"an/evening/{sitting}/{kept}.jpg"]
    assert far.rows() == [sitting]


def test_what_a_dead_booth_could_not_delete_another_deletes(
    far: Booths, bucket: Bucket, clock: Clock
) -> None:
    dead, alive = far.start("dead"), far.start("alive")
    sitting, _, _ = allowed(dead)
    alive.approve(sitting)
    bucket.way.silence()
    dead.delete(sitting)
    bucket.way.backend = ("127.0.0.1", bucket.port)
    assert bucket.versions and alive.offers() == ()
    clock.now += SWEEP_EVERY
    alive.sweep()
    assert bucket.versions == [] and far.rows() == []


def test_what_lies_there_without_a_row_goes_at_a_start(booths: Booths) -> None:
    booths.storage.write("x" * 22, "y.jpg", JPEG)
    booths.start("one")
    assert booths.storage.sittings() == ()


def test_on_postgresql_a_decision_is_seen_at_once(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = request.getfixturevalue("postgresql")
    monkeypatch.setattr("votes.latest.FRESH_S", 3600.0)  # so that only a notification explains it
    with Store(url) as store, Store(url) as second:
        one, other = (
            open_album(Settings(data=tmp_path / name, pictures=f"file://{tmp_path}/mount"), each)
            for name, each in (("one", store), ("other", second))
        )
        sitting, shown, code = allowed(one)
        seen: list[Callable[[], bool]] = [
            lambda: bool(other.offers()),
            lambda: other.get(shown) is not None,
        ]
        for it in seen:
            waited_for(it)
        other.approve(sitting)
        waited_for(lambda: [offer.approved for offer in one.offers()] == [True])
        one.delete(sitting)
        waited_for(lambda: other.get(shown) is None)
        assert not other.withdraw(code)


def test_a_sweep_from_outside_spares_other_booths(
    bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    database = f"sqlite:///{tmp_path}/votes.sqlite3"
    monkeypatch.setenv("FACE_VALUE_PICTURES", bucket.url)
    monkeypatch.setenv("FACE_VALUE_DATABASE", database)
    monkeypatch.setattr("votes.latest.FRESH_S", 0.0)
    with Store(database) as store:
        killed, other = (open_album(Settings(data=tmp_path / name), store) for name in ("killed", "other"))
        killed.put(killed.begin(), JPEG)
        theirs = other.put(other.begin(), JPEG)
        monkeypatch.setenv("FACE_VALUE_DATA", str(tmp_path / "killed"))
        monkeypatch.setenv("FACE_VALUE_PORT", "1")  # nobody answers there
        assert main(["sweep"]) == 0
        assert [name.rpartition("/")[2] for name in bucket.versions] == [f"{theirs}.jpg"]
        assert other.get(theirs)
    assert "0 sittings" in capsys.readouterr().out
