"""The room goes through its programme step by step; nobody learns anything before its time."""

import json
import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from errors import VisitorError
from tests.postgres import cluster
from votes.room import Room, Snapshot
from votes.rounds import SCENES, Scene, Setting, backward, forward, told
from votes.schema import Count, Guess, Item, Kind, Round, RoundId, Source, State, VoterId
from votes.store import Store

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
ITEMS = [
    Item("a", Kind.GENERATED, "grey", "mini", "plate", rehearsal=True),
    Item("b", Kind.PHOTOGRAPH, "grey", "mini", "plate", rehearsal=True),
    Item("c", Kind.GENERATED, "grey", "sdxl-quality", "noise"),
]


class Pictures:
    """A programme of three; one may be taken back."""

    def __init__(self) -> None:
        self.gone: set[str] = set()
        self.ladders = {item.id for item in ITEMS}

    def draw(self) -> tuple[str, ...]:
        return tuple(item.id for item in ITEMS)

    def item(self, item_id: str) -> Item | None:
        return next((item for item in ITEMS if item.id == item_id and item_id not in self.gone), None)

    def is_withdrawn(self, item_id: str) -> bool:
        return item_id in self.gone

    def has_ladder(self, item_id: str) -> bool:
        return item_id in self.ladders


class Clock:
    """A time that a test sets."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture(scope="module")
def socket() -> Iterator[str]:
    with cluster() as folder:
        yield folder


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    url = f"sqlite:///{tmp_path}/votes.sqlite3"
    if request.param == "postgresql":
        folder, name = request.getfixturevalue("socket"), f"room_{secrets.token_hex(4)}"
        with psycopg.connect(host=folder, user="postgres", autocommit=True) as server:
            server.execute(f"CREATE DATABASE {name}")
        url = f"postgresql://postgres@/{name}?host={folder}"
    with Store(url) as store:
        yield store


@pytest.fixture
def pictures() -> Pictures:
    return Pictures()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def room(store: Store, pictures: Pictures, clock: Clock) -> Room:
    return Room(store, pictures, clock, spawn=lambda _: None)


def said(
    snapshot: Snapshot,
    answer: Kind,
    voter: str = "ada",
    source: Source = Source.PHONE,
    exposed: bool = False,
    at: datetime = NOON,
) -> Guess:
    assert snapshot.asked
    return Guess(snapshot.asked.id, VoterId(voter), answer, exposed, 1.0, at, source=source)


def body(snapshot: Snapshot) -> dict[str, object]:
    return told(snapshot.setting, snapshot.asked, snapshot.count, snapshot.answers)


def test_a_clicker_with_one_key_shows_the_whole_programme(room: Room) -> None:
    seen = [(room.now().setting.place, room.now().setting.scene)]
    for _ in range(30):
        now = room.next().setting
        if (now.place, now.scene) != seen[-1]:
            seen.append((now.place, now.scene))
    assert seen == [(place, scene) for place in range(3) for scene in SCENES]


def test_back_undoes_each_step(room: Room) -> None:
    for _ in range(9):  # to the open question about the second picture
        room.next()
    assert room.now().setting.scene == Scene.OPEN
    steps = [room.back().setting for _ in range(7)]
    assert [one.scene for one in steps] == [
        *(Scene.READY, Scene.ROOM, Scene.LADDER, Scene.MADE, Scene.TRUTH, Scene.SPLIT, Scene.CLOSED)
    ]
    assert [one.place for one in steps] == [1, 0, 0, 0, 0, 0, 0]


def test_where_there_is_no_ladder_the_stage_steps_over_it_both_ways(room: Room, pictures: Pictures) -> None:
    pictures.ladders.clear()
    room.open()
    seen = [room.reveal().setting.scene for _ in range(4)]
    assert seen == [Scene.SPLIT, Scene.TRUTH, Scene.MADE, Scene.ROOM]
    assert room.back().setting.scene == Scene.MADE
    assert room.next().setting.scene == Scene.ROOM


def test_an_open_round_can_be_closed_and_opened_again_with_its_answers(room: Room, store: Store) -> None:
    opened = room.open()
    store.record(said(opened, Kind.GENERATED))
    room.close()
    again = room.back()
    assert again.asked == opened.asked
    store.record(said(again, Kind.PHOTOGRAPH, "bob"))
    assert room.close().count == Count(1, 1)


def test_who_has_seen_the_split_is_not_asked_again_in_that_round(room: Room, store: Store) -> None:
    opened = room.open()
    room.reveal()
    room.back()
    for command in (room.back, room.open):
        with pytest.raises(VisitorError, match=r"host\.seen"):
            command()
    with pytest.raises(VisitorError, match=r"phone\.late"):
        store.record(said(opened, Kind.GENERATED))


def test_a_replay_asks_anew_and_its_answers_stand_apart(room: Room, store: Store) -> None:
    first = room.open()
    store.record(said(first, Kind.GENERATED))
    room.reveal(), room.reveal()
    again = room.replay()
    assert again.asked and first.asked
    assert again.asked.id != first.asked.id and again.asked.item == first.asked.item
    assert again.asked.again and not first.asked.again
    assert again.answers == 0
    store.record(said(again, Kind.PHOTOGRAPH, exposed=True))
    room.reveal()
    assert room.now().count == Count(photograph=1)
    assert store.count(first.asked.id) == Count(generated=1)


def test_truth_and_split_have_no_key_before_the_truth_is_shown(room: Room, store: Store) -> None:
    opened = room.open()
    for i in range(12):
        store.record(said(opened, Kind.GENERATED, f"voter {i}"))
    for scene in SCENES[1:]:
        shown = room.now()
        while shown.setting.scene != scene:
            shown = room.next()
        words = set(body(shown)) & {"truth", "photograph", "generated", "share", "low", "high"}
        assert bool(words) == (scene in (Scene.TRUTH, Scene.MADE, Scene.LADDER, Scene.ROOM)), scene
        assert ("generated" in json.dumps(body(shown))) == bool(words)
    assert body(room.now())["truth"] == "generated"
    assert body(room.now())["share"] == 1.0


def test_a_phone_may_change_its_answer_until_the_round_closes(room: Room, store: Store) -> None:
    opened = room.open()
    store.record(said(opened, Kind.PHOTOGRAPH))
    store.record(said(opened, Kind.GENERATED))
    assert room.close().count == Count(generated=1)
    with pytest.raises(VisitorError, match=r"phone\.late"):
        store.record(said(opened, Kind.PHOTOGRAPH))
    assert room.now().count == Count(generated=1)


def test_a_timer_closes_the_round(room: Room, store: Store, clock: Clock) -> None:
    room.change(seconds=20)
    opened = room.open()
    assert opened.asked and opened.asked.closes_at == NOON + timedelta(seconds=20)
    store.record(said(opened, Kind.GENERATED, at=NOON + timedelta(seconds=19)))
    with pytest.raises(VisitorError, match=r"phone\.late"):
        store.record(said(opened, Kind.GENERATED, "late", at=NOON + timedelta(seconds=20)))
    clock.now += timedelta(seconds=21)
    assert room.close().setting.state == State.CLOSED
    assert room.now().answers == 1


def test_open_goes_on_to_the_next_picture_after_a_reveal(room: Room) -> None:
    room.open()
    for _ in range(3):
        room.reveal()
    opened = room.open().setting
    assert (opened.place, opened.scene) == (1, Scene.OPEN)


def test_what_was_not_asked_cannot_be_revealed(room: Room) -> None:
    for command in (room.reveal, room.replay, lambda: room.hands(Count(1, 1))):
        with pytest.raises(VisitorError, match=r"host\.unasked"):
            command()


def test_what_hangs_over_a_round_is_never_mixed(room: Room, store: Store) -> None:
    opened = room.open()
    room.hands(Count(7, 5))
    assert (room.now().count, room.now().source) == (Count(7, 5), Source.HANDS)
    room.hands(Count(6, 6))
    store.record(said(opened, Kind.GENERATED))
    store.record(said(opened, Kind.GENERATED, "made up", Source.SYNTHETIC))
    assert (room.close().count, room.now().source) == (Count(0, 1), Source.PHONE)
    shown = room.change(rehearsing=True)
    assert (shown.count, shown.source) == (Count(0, 1), Source.SYNTHETIC)
    shown = room.forget_rehearsal()
    assert (shown.count, shown.source) == (Count(0, 1), Source.PHONE)
    assert [one.source for one in store.guesses()].count(Source.SYNTHETIC) == 0
    assert [one.source for one in store.guesses()].count(Source.HANDS) == 12


def test_a_rehearsal_fills_the_round_with_tagged_answers(room: Room, store: Store) -> None:
    room.change(rehearsing=True)
    room.open()
    room.rehearse(wait=lambda _: None)
    assert room.close().answers == 60
    assert {one.source for one in store.guesses()} == {Source.SYNTHETIC}


def test_who_saw_the_making_is_in_no_split(room: Room, store: Store) -> None:
    opened = room.open()
    store.record(said(opened, Kind.GENERATED, "sitter", exposed=True))
    store.record(said(opened, Kind.PHOTOGRAPH, "stranger"))
    assert room.close().count == Count(photograph=1)


def test_the_room_so_far_holds_only_rounds_that_may_be_pooled(room: Room, store: Store) -> None:
    for place in range(3):  # two of the rehearsal set, one of another
        opened = room.open()
        assert opened.asked and opened.setting.place == place
        for i in range(12):
            store.record(said(opened, Kind.GENERATED, f"voter {i}"))
        store.record(said(opened, Kind.GENERATED, "sitter", exposed=True))
        for _ in range(4):
            shown = room.reveal()
        found = room.so_far(shown)
        assert (found.answers, found.voters) == ((12, 12), (24, 12), (12, 12))[place]
        assert found.right and found.right.value == (1.0, 0.5, 1.0)[place]


def test_a_picture_that_is_taken_back_leaves_the_stage_at_once(
    room: Room, store: Store, pictures: Pictures
) -> None:
    opened = room.open()
    store.record(said(opened, Kind.GENERATED))
    pictures.gone.add("a")
    shown = room.blank()
    assert (shown.setting.item, shown.setting.scene, shown.asked) == ("b", Scene.READY, None)
    assert len(store.guesses()) == 1
    with pytest.raises(VisitorError, match=r"phone\.late"):
        store.record(said(opened, Kind.PHOTOGRAPH))
    with pytest.raises(VisitorError, match=r"host\.gone"):
        room.go_to("a")


def test_a_restart_and_a_second_process_find_the_room_where_it_was(
    room: Room, store: Store, pictures: Pictures
) -> None:
    room.change(event="Design week", seconds=30, start="noise")
    opened = room.open()
    other = Room(store, pictures, lambda: NOON)
    assert other.now().setting == room.now().setting
    assert other.now().setting.start == "noise"
    assert other.now().asked == opened.asked


def test_many_commands_at_once_are_one_step_each(room: Room) -> None:
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda _: room.next(), range(6)))
    assert (room.now().setting.place, room.now().setting.scene) == (0, Scene.LADDER)


def test_a_code_is_short_and_changes(room: Room) -> None:
    code = room.now().setting.code
    assert len(code) == 3 and not set(code) & set("01ilo")
    assert len({room.new_code().setting.code for _ in range(5)} | {code}) > 3


settings = st.builds(
    Setting,
    programme=st.lists(st.text("abc", min_size=1, max_size=3), min_size=1, max_size=5, unique=True).map(
        tuple
    ),
    place=st.just(0),
    scene=st.sampled_from(SCENES),
    round=st.just(RoundId("r")),
)


@given(settings, st.sampled_from([frozenset(), frozenset({Scene.LADDER})]))
def test_a_step_back_undoes_a_step_on(now: Setting, skipped: frozenset[Scene]) -> None:
    asked = Round(RoundId("r"), ITEMS[0], NOON, room=True)
    after = forward(now, skipped)
    if after != now and now.scene not in skipped:
        back = backward(after, asked, skipped)
        assert (back.place, back.scene, back.round) == (now.place, now.scene, now.round)


@given(settings, st.integers(0, 6))
def test_without_an_item_the_room_is_somewhere_in_what_is_left(now: Setting, which: int) -> None:
    item = now.programme[which % len(now.programme)]
    left = now.without(item)
    assert item not in left.programme
    assert left.item in left.programme or not left.programme
