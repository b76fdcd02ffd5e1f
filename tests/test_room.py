"""The room goes through its programme step by step; nobody learns anything before its time."""

import asyncio
import json
import math
import secrets
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from booth.catalogue import Catalogue
from errors import VisitorError
from pages.board import Board
from settings import Settings
from tests.postgres import cluster
from votes.room import REHEARSAL_VOTERS, Room, Snapshot
from votes.rounds import SCENES, Bookmark, RoomState, Scene, public_round, step_back, step_forward
from votes.schema import Count, Guess, Item, Kind, Round, RoundId, Source, State, VoterId
from votes.store import Store
from words import read_words

TEMPLATES = Path(__file__).parent.parent / "pages" / "templates" / "stage"
NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
ITEMS = [
    Item("a", Kind.GENERATED, "grey", "mini", "plate", rehearsal=True),
    Item("b", Kind.PHOTOGRAPH, "grey", "mini", "plate", rehearsal=True),
    Item("c", Kind.GENERATED, "grey", "sdxl-quality", "noise"),
]


class Pictures:
    """A programme of three; each may be taken back."""

    def __init__(self) -> None:
        self.withdrawn: set[str] = set()
        self.broken: set[str] = set()
        self.ladders = {item.id for item in ITEMS}

    def draw_programme(self) -> tuple[str, ...]:
        return tuple(item.id for item in ITEMS)

    def item(self, item_id: str) -> Item | None:
        return next((item for item in ITEMS if item.id == item_id and item_id not in self.withdrawn), None)

    def is_withdrawn(self, item_id: str) -> bool:
        return item_id in self.withdrawn

    def was_taken_back(self, item_id: str) -> bool:
        return item_id not in self.broken

    def renew_programme(self, programme: Sequence[str]) -> tuple[str, ...]:
        return tuple(programme) or self.draw_programme()

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


def answer(
    snapshot: Snapshot,
    kind: Kind,
    voter: str = "ada",
    source: Source = Source.PHONE,
    exposed: bool = False,
    at: datetime = NOON,
) -> Guess:
    assert snapshot.round
    return Guess(snapshot.round.id, VoterId(voter), kind, exposed, 1.0, at, source=source)


def body(snapshot: Snapshot) -> dict[str, object]:
    return public_round(snapshot.room, snapshot.round, snapshot.count, snapshot.answers)


def test_a_clicker_with_one_key_shows_the_whole_programme(room: Room) -> None:
    seen = [(room.snapshot().room.place, room.snapshot().room.scene)]
    for _ in range(30):
        now = room.next().room
        if (now.place, now.scene) != seen[-1]:
            seen.append((now.place, now.scene))
    assert seen == [(place, scene) for place in range(3) for scene in SCENES]


def test_back_undoes_each_step(room: Room) -> None:
    for _ in range(9):  # to the open question about the second picture
        room.next()
    assert room.snapshot().room.scene == Scene.OPEN
    steps = [room.back().room for _ in range(7)]
    assert [one.scene for one in steps] == [
        *(Scene.READY, Scene.ROOM, Scene.LADDER, Scene.MADE, Scene.TRUTH, Scene.SPLIT, Scene.CLOSED)
    ]
    assert [one.place for one in steps] == [1, 0, 0, 0, 0, 0, 0]


def test_where_there_is_no_ladder_the_stage_steps_over_it_both_ways(room: Room, pictures: Pictures) -> None:
    pictures.ladders.clear()
    room.open()
    seen = [room.reveal().room.scene for _ in range(4)]
    assert seen == [Scene.SPLIT, Scene.TRUTH, Scene.MADE, Scene.ROOM]
    assert room.back().room.scene == Scene.MADE
    assert room.next().room.scene == Scene.ROOM


def test_an_open_round_can_be_closed_and_opened_again_with_its_answers(room: Room, store: Store) -> None:
    opened = room.open()
    store.record(answer(opened, Kind.GENERATED))
    room.close()
    again = room.back()
    assert again.round == opened.round
    store.record(answer(again, Kind.PHOTOGRAPH, "bob"))
    assert room.close().count == Count(1, 1)


def test_who_has_seen_the_split_is_not_asked_again_in_that_round(room: Room, store: Store) -> None:
    opened = room.open()
    room.reveal()
    room.back()
    for command in (room.back, room.open):
        with pytest.raises(VisitorError, match=r"host\.seen"):
            command()
    with pytest.raises(VisitorError, match=r"phone\.late"):
        store.record(answer(opened, Kind.GENERATED))


def test_a_replay_asks_anew_and_its_answers_stand_apart(room: Room, store: Store) -> None:
    first = room.open()
    store.record(answer(first, Kind.GENERATED))
    room.reveal(), room.reveal()
    again = room.replay()
    assert again.round and first.round
    assert again.round.id != first.round.id and again.round.item == first.round.item
    assert again.round.again and not first.round.again
    assert again.answers == 0
    store.record(answer(again, Kind.PHOTOGRAPH, exposed=True))
    room.reveal()
    assert room.snapshot().count == Count(photograph=1)
    assert store.count(first.round.id) == Count(generated=1)


def test_truth_and_split_have_no_key_before_the_truth_is_shown(room: Room, store: Store) -> None:
    opened = room.open()
    for i in range(12):
        store.record(answer(opened, Kind.GENERATED, f"voter {i}"))
    for scene in SCENES[1:]:
        shown = room.snapshot()
        while shown.room.scene != scene:
            shown = room.next()
        words = set(body(shown)) & {"truth", "photograph", "generated", "share", "low", "high"}
        assert bool(words) == (scene in (Scene.TRUTH, Scene.MADE, Scene.LADDER, Scene.ROOM)), scene
        assert ("generated" in json.dumps(body(shown))) == bool(words)
    assert body(room.snapshot())["truth"] == "generated"
    assert body(room.snapshot())["share"] == 1.0


def test_a_phone_may_change_its_answer_until_the_round_closes(room: Room, store: Store) -> None:
    opened = room.open()
    store.record(answer(opened, Kind.PHOTOGRAPH))
    store.record(answer(opened, Kind.GENERATED))
    assert room.close().count == Count(generated=1)
    with pytest.raises(VisitorError, match=r"phone\.late"):
        store.record(answer(opened, Kind.PHOTOGRAPH))
    assert room.snapshot().count == Count(generated=1)


def test_a_timer_closes_the_round(room: Room, store: Store, clock: Clock) -> None:
    room.change(seconds=20)
    opened = room.open()
    assert opened.round and opened.round.closes_at == NOON + timedelta(seconds=20)
    store.record(answer(opened, Kind.GENERATED, at=NOON + timedelta(seconds=19)))
    with pytest.raises(VisitorError, match=r"phone\.late"):
        store.record(answer(opened, Kind.GENERATED, "late", at=NOON + timedelta(seconds=20)))
    clock.now += timedelta(seconds=21)
    assert room.close().room.round_state == State.CLOSED
    assert room.snapshot().answers == 1


def test_open_goes_on_to_the_next_picture_after_a_reveal(room: Room) -> None:
    room.open()
    for _ in range(3):
        room.reveal()
    opened = room.open().room
    assert (opened.place, opened.scene) == (1, Scene.OPEN)


def test_what_was_not_asked_cannot_be_revealed(room: Room) -> None:
    for command in (room.reveal, room.replay, lambda: room.record_hands(Count(1, 1))):
        with pytest.raises(VisitorError, match=r"host\.unasked"):
            command()


def test_what_hangs_over_a_round_is_never_mixed(room: Room, store: Store) -> None:
    opened = room.open()
    room.record_hands(Count(7, 5))
    assert (room.snapshot().count, room.snapshot().source) == (Count(7, 5), Source.HANDS)
    room.record_hands(Count(6, 6))
    store.record(answer(opened, Kind.GENERATED))
    store.record(answer(opened, Kind.GENERATED, "made up", Source.SYNTHETIC))
    assert (room.close().count, room.snapshot().source) == (Count(0, 1), Source.PHONE)
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


def test_a_rehearsal_answers_the_round_that_was_opened_however_late_the_stage_looked(
    store: Store, pictures: Pictures, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("votes.room.REHEARSAL_S", 0.0)
    room = Room(store, pictures, lambda: NOON, spawn=lambda work: work())
    room.change(rehearsing=True)
    for command in (room.open, room.replay, room.replay):  # the last one while the round before is open
        assert room.snapshot()  # a stage has just looked, and what it saw is kept
        opened = command().round
        assert opened and store.count(opened.id, source=Source.SYNTHETIC).answers == REHEARSAL_VOTERS


def test_with_a_stage_open_each_of_twenty_rounds_gets_its_voters_and_no_others(
    store: Store, pictures: Pictures, monkeypatch: pytest.MonkeyPatch
) -> None:
    voters, threads, over = 3, list[threading.Thread](), threading.Event()
    monkeypatch.setattr("votes.room.REHEARSAL_VOTERS", voters)
    monkeypatch.setattr("votes.room.REHEARSAL_S", 0.01)

    def spawn(work: Callable[[], object]) -> None:
        threads.append(threading.Thread(target=work))
        threads[-1].start()

    room, seen = Room(store, pictures, lambda: NOON, spawn=spawn), list[int]()
    board = Board(room, cast("Catalogue", pictures), Settings())

    async def stream() -> None:
        while not over.is_set():
            seen.append((await board.now()).room.version)
            await asyncio.sleep(0.001)

    stage = threading.Thread(target=lambda: asyncio.run(stream()))
    stage.start()
    try:
        room.change(rehearsing=True)
        rounds = []
        for _ in range(20):
            shown = room.replay() if rounds else room.open()
            assert shown.round and room.snapshot().room.version >= shown.room.version
            rounds.append(shown.round.id)
            threads[-1].join()
    finally:
        over.set()
        stage.join()
    assert [store.count(one, source=Source.SYNTHETIC).answers for one in rounds] == [voters] * 20
    assert len(threads) == 20
    assert seen == sorted(seen)  # what a command has answered is never taken back


def test_who_waits_for_a_slow_reading_gets_what_a_command_answered_meanwhile(
    room: Room, pictures: Pictures, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = room.snapshot()

    def slow() -> Snapshot:
        room.open()
        return before

    monkeypatch.setattr(room, "snapshot", slow)
    monkeypatch.setattr(room.latest, "_known", (before, -math.inf))
    shown = asyncio.run(Board(room, cast("Catalogue", pictures), Settings()).now())
    assert shown.room.scene == Scene.OPEN


def test_a_rehearsal_keeps_to_its_round(room: Room, store: Store) -> None:
    room.change(rehearsing=True)
    first = room.open().round
    room.rehearse(wait=lambda _: room.replay())
    assert first and [one.round for one in store.guesses()] == [first.id]


def test_a_rehearsal_that_is_forgotten_in_mid_vote_leaves_nothing(
    room: Room, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("votes.room.REHEARSAL_VOTERS", 10_000)
    room.change(rehearsing=True)
    room.open()
    voting = threading.Thread(target=room.rehearse, kwargs={"wait": lambda _: None})
    voting.start()
    while not store.guesses():
        time.sleep(0.001)
    room.forget_rehearsal()
    voting.join()
    assert store.guesses() == ()


def test_who_saw_the_making_is_in_no_split(room: Room, store: Store) -> None:
    opened = room.open()
    store.record(answer(opened, Kind.GENERATED, "sitter", exposed=True))
    store.record(answer(opened, Kind.PHOTOGRAPH, "stranger"))
    assert room.close().count == Count(photograph=1)


def test_the_room_so_far_holds_only_rounds_that_may_be_pooled(room: Room, store: Store) -> None:
    for place in range(3):  # two of the rehearsal set, one of another
        opened = room.open()
        assert opened.round and opened.room.place == place
        for i in range(12):
            store.record(answer(opened, Kind.GENERATED, f"voter {i}"))
        store.record(answer(opened, Kind.GENERATED, "sitter", exposed=True))
        for _ in range(4):
            shown = room.reveal()
        found = room.pooled_finding(shown)
        assert (found.answers, found.voters) == ((12, 12), (24, 12), (12, 12))[place]
        assert found.right and found.right.value == (1.0, 0.5, 1.0)[place]


def test_pictures_that_are_taken_back_one_after_the_other_leave_it_in_one_look(
    room: Room, pictures: Pictures
) -> None:
    pictures.withdrawn |= {"a", "b"}
    assert room.blank().room.item == "c"


def test_a_picture_that_is_taken_back_leaves_the_stage_at_once(
    room: Room, store: Store, pictures: Pictures
) -> None:
    opened = room.open()
    store.record(answer(opened, Kind.GENERATED))
    pictures.withdrawn.add("a")
    shown = room.change()
    assert (shown.room.item, shown.room.scene, shown.round) == ("b", Scene.WITHDRAWN, None)
    assert body(shown)["withdrawn"] and len(store.guesses()) == 1
    with pytest.raises(VisitorError, match=r"phone\.late"):
        store.record(answer(opened, Kind.PHOTOGRAPH))
    with pytest.raises(VisitorError, match=r"host\.gone"):
        room.go_to("a")


def test_a_restart_and_a_second_process_find_the_room_where_it_was(
    room: Room, store: Store, pictures: Pictures
) -> None:
    room.change(event="Design week", seconds=30, start="noise")
    opened = room.open()
    other = Room(store, pictures, lambda: NOON)
    assert other.snapshot().room == room.snapshot().room
    assert other.snapshot().room.start == "noise"
    assert other.snapshot().round == opened.round


def test_a_bookmark_is_a_list_in_the_database_as_it_always_was(tmp_path: Path, pictures: Pictures) -> None:
    with Store(f"sqlite:///{tmp_path}/votes.sqlite3") as store:
        room = Room(store, pictures)
        opened = room.open()
        room.go_to("b")
        assert store.room_state().bookmark == Bookmark(0, Scene.OPEN, opened.round.id)
    with closing(sqlite3.connect(tmp_path / "votes.sqlite3")) as connection:
        ((text,),) = connection.execute('SELECT "left" FROM room')
    assert json.loads(text) == [0, "open", opened.round.id]


def test_many_commands_at_once_are_one_step_each(room: Room) -> None:
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda _: room.next(), range(6)))
    assert (room.snapshot().room.place, room.snapshot().room.scene) == (0, Scene.LADDER)


def test_a_code_is_short_and_changes(room: Room) -> None:
    code = room.snapshot().room.code
    assert len(code) == 4 and not set(code) & set("01ilo")
    assert len({room.renew_code().room.code for _ in range(5)} | {code}) > 3


states = st.builds(
    RoomState,
    programme=st.lists(st.text("abc", min_size=1, max_size=3), min_size=1, max_size=5, unique=True).map(
        tuple
    ),
    place=st.just(0),
    scene=st.sampled_from(SCENES),
    round_id=st.just(RoundId("r")),
)


@given(states, st.sampled_from([frozenset(), frozenset({Scene.LADDER})]))
def test_a_step_back_undoes_a_step_on(room: RoomState, skipped: frozenset[Scene]) -> None:
    round_ = Round(RoundId("r"), ITEMS[0], NOON, room=True)
    after = step_forward(room, skipped)
    if after != room and room.scene not in skipped:
        back = step_back(after, round_, skipped)
        assert (back.place, back.scene, back.round_id) == (room.place, room.scene, room.round_id)


@given(states, st.integers(0, 6), st.booleans())
def test_without_an_item_the_room_is_somewhere_in_what_remains(
    room: RoomState, which: int, tells: bool
) -> None:
    item = room.programme[which % len(room.programme)]
    after = room.without_item(item, tells)
    assert item not in after.programme
    following = step_forward(after) if after.scene == Scene.WITHDRAWN else after
    assert following.item in after.programme or not after.programme or following.is_over


@pytest.mark.parametrize("scene", SCENES[1:])
def test_the_room_hears_that_a_picture_was_taken_back_and_goes_on_with_the_next(
    room: Room, pictures: Pictures, scene: Scene
) -> None:
    for following in ("b", "c"):
        while room.snapshot().room.scene != scene:
            room.next()
        pictures.withdrawn.add(room.snapshot().room.item or "")
        shown = room.next("the scene that was pressed for is over")
        assert (shown.room.scene, shown.room.item) == (Scene.WITHDRAWN, following)
        with pytest.raises(VisitorError, match=r"host\.unasked"):
            room.reveal()
        shown = room.next()
        assert (shown.room.scene, shown.room.item) == (Scene.READY, following)
    assert room.open().room.item == "c"
    pictures.withdrawn.add("c")
    shown = room.change()
    assert (shown.room.scene, shown.room.item, shown.room.is_over) == (Scene.WITHDRAWN, None, True)
    assert room.next().room == room.open().room == shown.room  # nothing follows
    pictures.withdrawn.clear()
    room.add(["a"])  # approved meanwhile
    assert (room.next().room.scene, room.snapshot().room.item) == (Scene.READY, "a")


def test_what_nobody_saw_or_what_only_broke_is_passed_over_in_silence(room: Room, pictures: Pictures) -> None:
    pictures.withdrawn.add("a")  # before its question
    assert (room.change().room.item, room.snapshot().room.scene) == ("b", Scene.READY)
    room.open()
    pictures.withdrawn.add("b")
    pictures.broken.add("b")
    assert (room.change().room.item, room.snapshot().room.scene) == ("c", Scene.READY)


def test_a_round_never_goes_back_from_scene_to_scene() -> None:
    order = [list(State).index(scene.round_state) for scene in SCENES]
    assert order == sorted(order)
    assert [scene for scene in SCENES if scene.is_split_known] == list(SCENES[SCENES.index(Scene.SPLIT) :])
    assert [scene for scene in SCENES if scene.is_truth_known] == list(SCENES[SCENES.index(Scene.TRUTH) :])


@pytest.mark.parametrize("scene", SCENES)
def test_each_scene_has_its_words_on_the_host_page(scene: Scene) -> None:
    wanted = {f"host.scene_{scene}", f"host.do_{scene}"}
    missing = wanted - read_words().tables["en"].keys()
    assert not missing, f"{scene}: presets/words/en.toml lacks {sorted(missing)}"


@pytest.mark.parametrize("scene", SCENES)
def test_each_scene_has_its_template(scene: Scene) -> None:
    assert (TEMPLATES / f"{scene}.html").is_file(), f"{scene}: pages/templates/stage lacks {scene}.html"


class AnyCommands(RuleBasedStateMachine):
    """Whatever a host does in whatever order, and whoever takes a picture back meanwhile."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()
        url = f"sqlite:///{self.folder.name}/votes.sqlite3"
        self.store, self.other = Store(url), Store(url)
        self.pictures, self.clock = Pictures(), Clock()
        self.pictures.ladders = {"a"}
        self.room = Room(self.store, self.pictures, self.clock, spawn=lambda _: None)
        self.seen: set[RoundId] = set()

    def teardown(self) -> None:
        self.store.close(), self.other.close()
        self.folder.cleanup()

    @rule(name=st.sampled_from(["next", "next", "back", "open", "close", "reveal", "replay", "blank"]))
    def clicks(self, name: str) -> None:
        before = self.store.room_state()
        try:
            getattr(self.room, name)()
        except VisitorError as refused:
            assert refused.key in {"host.seen", "host.unasked", "host.gone"}
            after = self.store.room_state()
            assert after.without_item(before.item or "") in (before, before.without_item(before.item or ""))

    @rule()
    def there_and_back(self) -> None:
        """From a question that was not asked yet the room comes back to where it was."""
        before = self.store.room_state()
        if before.round_id is None or before.item in self.pictures.withdrawn:
            return
        self.room.go_to(before.item)
        back = self.room.back().room
        if before.scene == Scene.OPEN:  # who left an open question asks it anew
            assert back.round_id != before.round_id
            back = replace(back, round_id=before.round_id)
        assert replace(back, version=0) == replace(before, version=0, blank=False, bookmark=None)

    @rule(item=st.sampled_from(ITEMS))
    def goes_to(self, item: Item) -> None:
        before = self.store.room_state()
        is_there = item.id in before.programme and item.id not in self.pictures.withdrawn
        try:
            after = self.room.go_to(item.id).room
        except VisitorError as refused:
            assert refused.key == "host.gone" and not is_there
        else:
            assert is_there and (after.item, after.scene) == (item.id, Scene.READY)

    @rule(item=st.sampled_from(ITEMS))
    def approves(self, item: Item) -> None:
        if item.id not in self.pictures.withdrawn and item.id not in self.store.room_state().programme:
            self.room.add([item.id])

    @rule(item=st.sampled_from(ITEMS))
    def is_taken_back(self, item: Item) -> None:
        self.pictures.withdrawn.add(item.id)
        shown = self.room.change().room
        assert shown.item != item.id

    @rule()
    def is_shown_again(self) -> None:
        self.pictures.withdrawn.clear()
        self.room.draw_programme()

    @rule(seconds=st.sampled_from([0, 20]), passed=st.integers(0, 30))
    def time_passes(self, seconds: int, passed: int) -> None:
        self.room.change(seconds=seconds)
        self.clock.now += timedelta(seconds=passed)
        self.room.change()

    @invariant()
    def the_room_is_in_a_legal_state(self) -> None:
        room = self.room.snapshot().room
        assert room == self.store.room_state() == self.other.room_state()
        is_between = room.scene == Scene.WITHDRAWN and room.place == len(room.programme)
        assert room.place < len(room.programme) or (room.place, room.item) == (0, None) or is_between
        assert room.round_id or room.scene in (Scene.READY, Scene.WITHDRAWN)
        assert room.bookmark is None or room.bookmark.place < len(room.programme)
        assert room.scene not in self.room.skipped_scenes(room)
        if room.round_id:
            round_ = self.other.find(room.round_id)
            assert (round_.state, round_.item.id) == (room.round_state, room.item)
            assert round_.state != State.OPEN or round_.id not in self.seen
            assert round_.seen or not room.scene.is_split_known
            self.seen |= {round_.id} if round_.seen else set()
        trials = {trial.round.id for trial in self.other.trials() if trial.round.state == State.OPEN}
        assert trials <= {room.round_id}


AnyCommands.TestCase.settings = settings(max_examples=20, stateful_step_count=25, deadline=None)
test_any_commands_keep_the_room_legal = AnyCommands.TestCase


def test_of_two_hosts_who_press_at_once_one_moves_the_room(room: Room) -> None:
    room.open()
    seen = room.snapshot().room.position
    assert room.next(seen, "stage").room.scene == Scene.CLOSED
    assert room.next(seen, "host page").room.scene == Scene.CLOSED  # the split is not stepped over
    assert room.next(seen, "stage").room.scene == Scene.SPLIT  # two taps of one hand are two steps
    assert room.next().room.scene == Scene.TRUTH  # a clicker knows no scene
    now = room.snapshot().room.position
    assert room.back(now, "host page").room.scene == Scene.SPLIT
