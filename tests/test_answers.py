"""What a room said of a sitter's two pictures is told once the room has seen what is true of them."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from booth.album import Album
from booth.catalogue import Catalogue, Pair, offer
from booth.deck import Deck
from booth.records import SittingId
from pipelines.exhibit import PHONE, exhibits
from tests.hostile import card
from votes.answers import RoomAnswers, room_answers
from votes.room import Room
from votes.rounds import Scene
from votes.schema import Count, Guess, Item, Kind, Source, VoterId
from votes.store import Store

ITEMS = {kind: Item(f"the {kind}", kind, "grey", "mini", "plate") for kind in Kind}


class Evening:
    """A room whose programme is one sitter's pictures, and its phones."""

    def __init__(self, store: Store, folder: Path) -> None:
        self.now = datetime.now(UTC)
        self.store, self.album = store, Album(folder, 30, 12, lambda: self.now)
        self.catalogue = Catalogue(Deck((), (864, 1080)), self.album)
        self.room = Room(store, self.catalogue, spawn=lambda _: None)
        self.sitting = self.album.begin()

    def offer(self) -> None:
        """The sitter's leave, and the host's."""
        jpegs = dict(zip(Kind, exhibits([card(480, 600), card(480, 600)[::-1]], PHONE), strict=True))
        own = {kind: self.album.put(self.sitting, jpeg) for kind, jpeg in jpegs.items()}
        offer(self.album, self.sitting, Pair(ITEMS, jpegs, {}, {}), own)
        self.catalogue.approve(self.sitting)
        self.room.add([item.id for item in ITEMS.values()])

    def ask(self, kind: Kind, photograph: int = 0, generated: int = 0, **more: object) -> None:
        """A round about that picture, with so many answers."""
        self.room.go_to(ITEMS[kind].id)
        self.room.open()
        self.answer(Kind.PHOTOGRAPH, photograph, **more)
        self.answer(Kind.GENERATED, generated, **more)

    def answer(self, said: Kind, n: int, **more: object) -> None:
        round_ = self.room.snapshot().round
        assert round_
        guess = Guess(round_.id, VoterId(""), said, False, 1.0, datetime.now(UTC), source=Source.PHONE)
        for i in range(n):
            self.store.record(replace(guess, voter=VoterId(f"{said} {i} {more}"), **more))  # type: ignore[arg-type]

    def show(self, scene: Scene) -> None:
        while self.room.snapshot().room.scene != scene:
            self.room.next()

    def told(self) -> RoomAnswers:
        return room_answers(self.store, self.catalogue.items_of(self.sitting))


@pytest.fixture
def evening(tmp_path: Path) -> Iterator[Evening]:
    with Store("sqlite://") as store:
        yield Evening(store, tmp_path)


def test_nothing_is_told_before_the_truth_and_all_of_it_after(evening: Evening) -> None:
    assert evening.told() == RoomAnswers()
    evening.offer()
    evening.ask(Kind.GENERATED, photograph=3, generated=2)
    for scene in (Scene.OPEN, Scene.CLOSED, Scene.SPLIT):
        evening.show(scene)
        assert evening.told() == RoomAnswers(), scene
    for scene in (Scene.TRUTH, Scene.MADE, Scene.ROOM):
        evening.show(scene)
        assert evening.told() == RoomAnswers(generated=Count(3, 2)), scene
    evening.ask(Kind.PHOTOGRAPH, photograph=1)
    assert evening.told() == RoomAnswers(generated=Count(3, 2))  # the room has gone on, to a question
    evening.show(Scene.TRUTH)
    assert evening.told() == RoomAnswers(photograph=Count(1, 0), generated=Count(3, 2))


def test_a_round_that_was_left_before_its_truth_stays_secret(evening: Evening) -> None:
    evening.offer()
    for left_at in (Scene.OPEN, Scene.SPLIT):
        evening.ask(Kind.GENERATED, generated=4)
        evening.show(left_at)
        evening.room.go_to(ITEMS[Kind.PHOTOGRAPH].id)
        assert evening.told() == RoomAnswers(), left_at


def test_only_people_who_could_not_know_are_told_of(evening: Evening) -> None:
    evening.offer()
    evening.ask(Kind.GENERATED, photograph=2)
    for more in ({"source": Source.SYNTHETIC}, {"source": Source.SUSPECT}, {"exposed": True}):
        evening.answer(Kind.GENERATED, 1, **more)
    evening.show(Scene.TRUTH)
    assert evening.told() == RoomAnswers(generated=Count(2, 0))
    evening.room.replay()  # everybody knows now
    evening.answer(Kind.GENERATED, 5, exposed=True)
    evening.show(Scene.TRUTH)
    assert evening.told() == RoomAnswers(generated=Count(2, 0))


def test_who_was_asked_twice_before_the_split_is_told_of_once(evening: Evening) -> None:
    evening.offer()
    evening.ask(Kind.GENERATED, photograph=2)
    evening.ask(Kind.GENERATED, photograph=3)  # the first round was left while it was open
    evening.show(Scene.TRUTH)
    assert evening.told() == RoomAnswers(generated=Count(3, 0))


def test_hands_are_told_of_where_no_phone_answered(evening: Evening) -> None:
    evening.offer()
    evening.ask(Kind.GENERATED)
    evening.room.record_hands(Count(7, 5))
    evening.show(Scene.TRUTH)
    assert evening.told() == RoomAnswers(generated=Count(7, 5))
    evening.room.record_hands(Count())
    assert evening.told() == RoomAnswers()  # asked, and nobody answered


def test_what_is_taken_back_or_of_no_sitting_is_told_nothing_of(evening: Evening) -> None:
    evening.offer()
    evening.ask(Kind.GENERATED, generated=4)
    evening.show(Scene.TRUTH)
    assert evening.catalogue.items_of(SittingId("another")) == {}
    evening.album.forbid_show(evening.sitting)
    assert evening.told() == RoomAnswers()


@pytest.mark.parametrize(("hours", "scene"), [(1, Scene.WITHDRAWN), (13, Scene.READY)])
def test_only_what_a_sitter_took_back_is_told_so_and_not_what_ran_out(
    evening: Evening, hours: int, scene: Scene
) -> None:
    evening.offer()
    evening.ask(Kind.GENERATED)
    evening.now += timedelta(hours=hours)  # of twelve for which it may be shown
    evening.album.delete(evening.sitting)
    assert evening.room.change().room.scene == scene
