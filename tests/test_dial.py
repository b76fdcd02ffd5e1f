"""The dial between close to the sitter and free, and the start that a host chooses."""

import asyncio
import html
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import pytest

from booth.visit import Stage
from errors import NoQuota, TooMuch
from pages.board import Board
from pages.booth.actions import Actions
from pages.booth.screens import Screens
from pages.desk import Desk
from pages.host import Handlers
from pages.host.layout import Host, lay_out
from pipelines.drawer import Request
from pipelines.generate import Progress, Rendering
from pipelines.look import read_looks
from pipelines.model_set import ModelSet, read_model_sets
from pipelines.photo import Photo
from settings import Settings
from tests.test_booth import Painter, shown, visit_of, visitor, with_photo
from tests.test_booth import desk as desk  # the fixture
from votes.room import Room
from votes.schema import Kind
from votes.store import Store
from words import read_words

WORDS = read_words()
SETS = read_model_sets()
DIALLED = [name for name, one in SETS.items() if one.dial]
PLACES = ("-2", "-1", "0", "1", "2")
LOOK = read_looks()["grey"].identity
FACELESS = Photo(np.full((600, 480, 3), 128, np.uint8))


class Asked(Painter):
    """Keeps what it is asked, and draws nothing unless told so."""

    def __init__(self, model_set: ModelSet, failure: Exception | None = None) -> None:
        super().__init__(failure)
        self.model_set = model_set
        self.requests: list[Request] = []

    def draw(self, request: Request) -> Iterator[Progress | Rendering]:
        self.requests.append(request)
        for event in super().draw(request):
            drawn_from = request.start or self.model_set.start
            yield replace(event, start=drawn_from) if isinstance(event, Rendering) else event


def drawing(desk: Desk, painter: Painter, fallback: Painter | None = None) -> Desk:
    """The same booth with that generator."""
    generators: Any = {"generator": painter, "fallback": fallback}
    return replace(desk, **generators)


def asked_of(desk: Desk, does: Actions, place: str) -> list[dict[Any, Any]]:
    does.begin(visitor())
    return list(does.make("grey", "", "1", place, visitor()))


def host_of(desk: Desk) -> tuple[Handlers, Host]:
    async def laid_out() -> Host:
        with gr.Blocks(analytics_enabled=False):
            return lay_out(desk.words, desk.generator.model_set.starts)

    on = asyncio.run(laid_out())
    return Handlers(desk, on), on


def told(does: Actions, on: Screens, place: str) -> str:
    return html.unescape(does.dial_turned(place, visitor())[on.look.told])


# ---- what is drawn


@pytest.mark.parametrize("name", DIALLED)
def test_each_place_asks_for_less_of_the_photograph_and_of_the_face(
    desk: Desk, astronaut: Photo, name: str
) -> None:
    model_set = SETS[name]
    assert model_set.dial and model_set.strength and model_set.dial.close.strength
    painter = Asked(model_set, TooMuch())
    desk = drawing(desk, painter)
    does, _ = with_photo(desk, astronaut)
    for place in PLACES:
        asked_of(desk, does, place)
    courses = [model_set.course(one.start, one.strength) for one in painter.requests]
    strengths = [course.strength or 0.0 for course in courses]
    assert strengths == sorted(set(strengths)) and {course.start for course in courses} == {"plate"}
    assert painter.requests[2].strength is None  # in the middle nothing is asked of the set but its own
    step = 1 / model_set.steps
    assert strengths[0] == pytest.approx(model_set.dial.close.strength, abs=step)
    assert strengths[4] == pytest.approx(model_set.dial.free.strength, abs=step)
    scales = [one.identity for one in painter.requests]
    if model_set.dial.close.identity is None:
        assert scales == [LOOK] * 5  # which the set does not read
    else:
        assert scales == sorted(set(scales), reverse=True)
        usual = LOOK if model_set.identity is None else model_set.identity
        assert scales[::2] == [model_set.dial.close.identity, usual, model_set.dial.free.identity]


def test_who_steps_in_draws_at_that_place_of_its_own_dial(desk: Desk, astronaut: Photo) -> None:
    """Strength and identity of one set mean nothing to another."""
    for mini, strength in ((SETS["mini"], 0.6), (SETS["mini"].model_copy(update={"dial": None}), None)):
        small = Asked(mini.model_copy(update={"finish": None}))
        lent = Asked(SETS["realvis-lightning"], NoQuota())
        booth = drawing(desk, lent, small)
        does, on = with_photo(booth, astronaut)
        booth.board.room.change(start="noise")
        updates = asked_of(booth, does, "2")
        assert shown(on, updates[-1]) == ["result"]
        assert (lent.requests[0].start, lent.requests[0].strength) == ("noise", None)
        asked = small.requests[0]
        assert (asked.start or mini.start, asked.strength, asked.identity) == ("plate", strength, LOOK)
        titles = [str(update[on.making.words]) for update in updates if on.making.words in update]
        assert [WORDS.say("making.title") in one for one in titles] == [True, False]
        assert WORDS.say("making.title_plate") in titles[1]


@pytest.mark.parametrize("place", ["3", "", "free", "0.5", "٢", None, 1, True, ["1"], {}])
def test_a_place_that_the_dial_does_not_have_is_one_sentence(
    desk: Desk, place: Any, caplog: pytest.LogCaptureFixture
) -> None:
    does, on = with_photo(desk, FACELESS)
    update = does.dial_turned(place, visitor())
    assert WORDS.say("error.any", id="").partition("(")[0] in update[on.look.notice]
    assert visit_of(desk).turns == 0
    assert "ChoiceError at" not in caplog.text  # a refusal, no failure of ours


# ---- what is told


@pytest.mark.parametrize("name", DIALLED)
def test_each_place_says_what_this_set_does_there(desk: Desk, name: str) -> None:
    model_set = SETS[name]
    does, on = with_photo(drawing(desk, Asked(model_set)), FACELESS)
    assert model_set.dial
    sentences = {place: told(does, on, place) for place in PLACES}
    for place, sentence in sentences.items():
        asked = model_set.dialled(int(place), LOOK)
        steps = model_set.course("plate", asked.strength).executed_steps
        assert f"in {steps} of {model_set.steps} steps" in sentence
        assert ("on to your face" in sentence) == (model_set.dial.close.identity is not None)
    assert len(set(sentences.values())) == 5


def test_from_noise_only_the_hold_on_the_face_is_told(desk: Desk) -> None:
    does, on = with_photo(drawing(desk, Asked(SETS["realvis-lightning"])), FACELESS)
    desk.board.room.change(start="noise")
    sentences = [told(does, on, place) for place in PLACES]
    assert len(set(sentences)) == 5
    for sentence in sentences:
        assert "from noise instead of your photo" in sentence and "on to your face" in sentence
        assert "steps" not in sentence  # all of them, wherever the dial stands


@pytest.mark.parametrize(("has_dial", "start"), [(False, ""), (True, "noise")])
def test_where_a_dial_would_move_nothing_there_is_none(
    desk: Desk, astronaut: Photo, has_dial: bool, start: str
) -> None:
    mini = SETS["mini"].model_copy(update={"starts": ("noise", "plate"), "finish": None})
    painter = Asked(mini if has_dial else mini.model_copy(update={"dial": None}))
    desk = drawing(desk, painter)
    desk.board.room.change(start=start)
    does, on = with_photo(desk, astronaut)
    look = does.go(Stage.LOOK)(visitor())
    assert not look[on.look.dial].visible and look[on.look.told] == ""
    assert shown(on, asked_of(desk, does, "0")[-1]) == ["result"]
    if not has_dial:
        refused = asked_of(desk, does, "1")[-1]
        assert WORDS.say("error.any", id="").partition("(")[0] in refused[on.look.notice]


def test_the_place_stays_with_its_visitor_and_goes_with_them(desk: Desk, astronaut: Photo) -> None:
    does, on = with_photo(desk, astronaut)
    assert does.go(Stage.LOOK)(visitor())[on.look.dial].value == "0"
    sentence = told(does, on, "2")
    asked_of(desk, does, "2")
    again = does.go(Stage.LOOK)(visitor())
    assert again[on.look.dial].visible and again[on.look.dial].value == "2"
    assert sentence in html.unescape(again[on.look.told])
    does.leave(visitor())
    does, on = with_photo(desk, astronaut)
    assert does.go(Stage.LOOK)(visitor())[on.look.dial].value == "0"


# ---- what portraits start from


def test_a_host_has_portraits_start_from_noise_and_every_page_says_so(desk: Desk, astronaut: Photo) -> None:
    painter = Asked(SETS["realvis-lightning"])
    desk = drawing(desk, painter)
    host, host_on = host_of(desk)
    assert host_on.start.visible and host.opened()[host_on.start] == "plate"
    does, on = with_photo(desk, astronaut)
    for start, way in (("noise", ""), ("plate", "_plate"), ("noise", "")):
        host.started(start)
        assert host.opened()[host_on.start] == start
        making = does.begin(visitor())[on.making.words]
        updates = list(does.make("grey", "", "1", "0", visitor()))
        assert WORDS.say(f"making.title{way}") in making and WORDS.say(f"making.lead{way}") in making
        assert updates[0][on.making.words] == making  # or its title would lose the focus
        asked = painter.requests[-1]
        assert (asked.start or "plate", asked.strength) == (start, None)
        made = visit_of(desk).made
        assert made and made.shows[0].items[Kind.GENERATED].start == start


def test_a_restart_keeps_what_portraits_start_from(desk: Desk, tmp_path: Path) -> None:
    desk = drawing(desk, Asked(SETS["realvis-lightning"]))
    programme, url = desk.board.programme, f"sqlite:///{tmp_path}/votes.sqlite3"
    for start in ("plate", "noise"):  # as it is found, before it is changed
        with Store(url) as store:
            booth = replace(desk, board=Board(Room(store, programme), programme, Settings()))
            host, on = host_of(booth)
            assert (host.opened()[on.start], booth.start_of(booth.generator.model_set)) == (start, start)
            host.started("noise")
            assert booth.start_of(SETS["mini"]) == "plate"  # whatever the host says: it cannot do else


def test_where_a_set_can_start_from_one_thing_only_the_host_is_not_asked(desk: Desk) -> None:
    host, on = host_of(desk)
    assert not on.start.visible and not on.start_note.visible
    for forged in ("noise", "", "x", None, ["noise"]):
        update = host.started(forged)  # type: ignore[arg-type]
        assert WORDS.say("error.any", id="").partition("(")[0] in update[on.notice]
    assert desk.board.room.now().setting.start == ""
