"""The dial between close to the sitter and free, and the start that a host chooses."""

import asyncio
import html
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import pytest

from booth.visit import ScreenName
from commission.grid import grid_of
from errors import OutOfMemory, QuotaSpent
from pages.board import Board
from pages.booth.dial import order_at
from pages.booth.page import BoothPage
from pages.host.layout import Host, lay_out
from pages.host.page import Handlers
from pipelines.draw.drawer import DrawRequest
from pipelines.draw.generate import Progress, Rendering
from pipelines.draw.model_set import Dial, DialEnd, ModelSet, Start, read_model_sets
from pipelines.look import read_looks
from pipelines.order import Order
from pipelines.selfie.photo import Photo
from services import Services
from settings import Settings
from tests.test_booth import Painter, shown, visit_of, visitor, with_photo
from tests.test_booth import services as services  # the fixture
from votes.room import Room
from votes.schema import Kind
from votes.store import Store
from words import read_words

WORDS = read_words()
SETS = read_model_sets()
DIALLED = [name for name, one in SETS.items() if one.dial]
PLACES = ("-2", "-1", "0", "1", "2")
LOOKS = read_looks()
LOOK = LOOKS["grey"].identity
# What a word says of a figure beside the usual's: -1 lower, 1 higher.
NOISE = {"the least": -1, "less": -1, "some": 0, "": 0, "more": 1, "the most": 1}
HOLD = {"the loosest": -1, "a looser": -1, "some": 0, "": 0, "a firmer": 1, "the firmest": 1}
HERE = DialEnd(strength=SETS["mini"].strength)
FACELESS = Photo(np.full((600, 480, 3), 128, np.uint8))


class Asked(Painter):
    """Keeps what it is asked, and draws nothing unless told so."""

    def __init__(self, model_set: ModelSet, failure: Exception | None = None) -> None:
        super().__init__(failure)
        self.model_set = model_set
        self.requests: list[DrawRequest] = []

    def draw(self, request: DrawRequest) -> Iterator[Progress | Rendering]:
        self.requests.append(request)
        for event in super().draw(request):
            drawn_from = request.start or self.model_set.start
            yield replace(event, start=drawn_from) if isinstance(event, Rendering) else event


def drawing(services: Services, painter: Painter, fallback: Painter | None = None) -> Services:
    """The same booth with that generator."""
    generators: Any = {"generator": painter, "fallback": fallback}
    return replace(services, **generators)


def asked_of(services: Services, does: BoothPage, place: str) -> list[dict[Any, Any]]:
    does.making.begin(visitor())
    return list(does.look.draw("grey", "", "1", place, visitor()))


def host_of(services: Services) -> tuple[Handlers, Host]:
    async def laid_out() -> Host:
        with gr.Blocks(analytics_enabled=False):
            return lay_out(services.words, services.generator.model_set.starts)

    on = asyncio.run(laid_out())
    return Handlers(services, on), on


def told(does: BoothPage, on: BoothPage, place: str) -> str:
    return html.unescape(does.look.turn_dial(place, visitor())[on.look.place])


def stops(on: BoothPage) -> list[str]:
    """The places that the page shows."""
    return re.findall(r'name="dial" value="(-?\d)"', on.look.dial.html_template)


def as_offered() -> list[ModelSet]:
    """Every set that has a dial, with each setting that its commissioning may find."""
    found = []
    for model_set in (SETS[name] for name in DIALLED):
        grid = grid_of(model_set, model_set.memory[0], LOOKS["grey"])
        middles = dict.fromkeys((cell.strength, cell.identity) for cell in grid.candidates)
        for strength, identity in middles:
            setting = {"strength": strength, "identity": identity}
            found.append(model_set.model_copy(update=setting))
    return found


def drawn_at(model_set: ModelSet, place: str, look: str, start: Start) -> tuple[int, float]:
    """Steps, and hold on the face, of what is drawn there in that look; no hold where the set has none."""
    order = order_at(Order(LOOKS[look], None, 1, 1), int(place), model_set, start)
    steps = model_set.course(order.start, order.strength).executed_steps
    usual = LOOKS[look].identity if model_set.identity is None else model_set.identity
    scale = usual if order.identity is None else order.identity
    return steps, scale if "identity" in model_set.capabilities else 0.0


def said_of(sentence: str) -> tuple[str, str]:
    """What a sentence says of its noise and of its hold; nothing of what it leaves out."""
    noise, hold = "|".join(filter(None, NOISE)), "|".join(filter(None, HOLD))
    found = re.search(
        rf"with (?:({noise}) noise\b[^.:]*?)?(?: and )?(?:({hold}) hold on your face)?[.:]", sentence
    )
    assert found, sentence
    return found[1] or "", found[2] or ""


def weighed(value: float, usual: float) -> int:
    return (value > usual) - (value < usual)


# ---- what is drawn


@pytest.mark.parametrize("name", DIALLED)
def test_each_place_asks_for_less_of_the_photograph_and_of_the_face(
    services: Services, astronaut: Photo, name: str
) -> None:
    model_set = SETS[name]
    assert model_set.dial and model_set.strength and model_set.dial.close.strength
    painter = Asked(model_set, OutOfMemory())
    services = drawing(services, painter)
    does, _ = with_photo(services, astronaut)
    for place in PLACES:
        asked_of(services, does, place)
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


def test_who_steps_in_draws_at_that_place_of_its_own_dial(services: Services, astronaut: Photo) -> None:
    """Strength and identity of one set mean nothing to another."""
    for mini, strength in ((SETS["mini"], 0.6), (SETS["mini"].model_copy(update={"dial": None}), None)):
        small = Asked(mini.model_copy(update={"finish": None}))
        lent = Asked(SETS["realvis-lightning"], QuotaSpent())
        booth = drawing(services, lent, small)
        booth.board.room.change(start="noise")
        does, on = with_photo(booth, astronaut)
        updates = asked_of(booth, does, "2")
        assert shown(on, updates[-1]) == ["result"]
        assert (lent.requests[0].start, lent.requests[0].strength) == ("noise", None)
        asked = small.requests[0]
        assert (asked.start or mini.start, asked.strength, asked.identity) == ("plate", strength, LOOK)
        titles = [str(update[on.making.words]) for update in updates if on.making.words in update]
        assert [WORDS.say("making.title") in one for one in titles] == [True, False]
        assert WORDS.say("making.title_plate") in titles[1]


@pytest.mark.draws
@pytest.mark.parametrize("place", ["3", "", "free", "0.5", "٢", None, 1, True, ["1"], {}])
def test_a_place_that_the_dial_does_not_have_is_one_sentence(
    services: Services, place: Any, caplog: pytest.LogCaptureFixture
) -> None:
    does, on = with_photo(services, FACELESS)
    update = does.look.turn_dial(place, visitor())
    assert WORDS.say("error.any", id="").partition("(")[0] in update[on.look.notice]
    assert visit_of(services).dial.turns == 0
    assert "ChoiceError at" not in caplog.text  # a refusal, no failure of ours


# ---- what is told


@pytest.mark.draws
@pytest.mark.parametrize("name", DIALLED)
def test_each_place_says_what_this_set_does_there(services: Services, name: str) -> None:
    model_set = SETS[name]
    does, on = with_photo(drawing(services, Asked(model_set)), FACELESS)
    assert model_set.dial
    sentences = {place: told(does, on, place) for place in PLACES}
    for place, sentence in sentences.items():
        asked = model_set.dial_at(int(place), LOOK)
        steps = model_set.course("plate", asked.strength).executed_steps
        assert f"in {steps} of {model_set.steps} steps" in sentence
        assert ("hold on your face" in sentence) == (model_set.dial.close.identity is not None)
    assert len(set(sentences.values())) == 5


@pytest.mark.draws
@pytest.mark.parametrize(
    ("model_set", "start"),
    [
        pytest.param(one, start, id=f"{one.name}-{one.strength}-{one.identity}-{start}")
        for one in as_offered()
        for start in one.starts
    ],
)
def test_as_commissioned_each_place_shown_draws_something_else_and_says_what(
    services: Services, model_set: ModelSet, start: Start
) -> None:
    services.board.room.change(start=start)
    does, on = with_photo(drawing(services, Asked(model_set)), FACELESS)
    places = stops(on)
    assert "0" in places and on.look.dial.visible
    sentences = {place: told(does, on, place) for place in PLACES}
    for look in LOOKS:  # what is told of the one chosen at first holds in all of them
        drawn = {place: drawn_at(model_set, place, look, start) for place in PLACES}
        own = {place: drawn_at(model_set, place, look, "plate") for place in places}
        every, holds = list(own.values()), [hold for _, hold in drawn.values()]
        assert every == sorted(set(every), key=lambda one: (one[0], -one[1]))  # pairwise others, in order
        assert holds == sorted(holds, reverse=True)
        for place, (steps, hold) in drawn.items():  # also of one that is not shown, and sent all the same
            noise, held = said_of(sentences[place])
            assert NOISE[noise] == weighed(steps, drawn["0"][0])
            assert HOLD[held] == weighed(hold, drawn["0"][1])
            assert bool(held) == ("identity" in model_set.capabilities)
            assert noise != "the least" or steps == min(drawn.values())[0]
            assert noise != "the most" or steps == max(drawn.values())[0]
            assert held != "the loosest" or hold == min(holds)
            assert held != "the firmest" or hold == max(holds)
            assert (f"in {steps} of {model_set.steps} steps" in sentences[place]) == bool(noise)
    moving = {drawn_at(model_set, place, "grey", start) for place in places}
    assert len({sentences[place] for place in places}) == len(moving)


def test_places_that_are_alike_are_shown_once_and_a_hidden_one_does_no_harm(
    services: Services, astronaut: Photo
) -> None:
    model_set = SETS["mini"].model_copy(update={"strength": 0.1, "finish": None})  # the close end itself
    painter = Asked(model_set)
    services = drawing(services, painter)
    does, on = with_photo(services, astronaut)
    assert stops(on) == ["0", "1", "2"]
    assert told(does, on, "-2") == told(does, on, "0")
    assert shown(on, asked_of(services, does, "-2")[-1]) == ["result"]
    asked = painter.requests[-1]
    assert model_set.course(asked.start, asked.strength) == model_set.course()


@pytest.mark.draws
def test_from_noise_only_the_hold_on_the_face_is_told(services: Services) -> None:
    services.board.room.change(start="noise")
    does, on = with_photo(drawing(services, Asked(SETS["realvis-lightning"])), FACELESS)
    sentences = [told(does, on, place) for place in PLACES]
    assert len(set(sentences)) == 5
    for sentence in sentences:
        assert "from noise instead of your photo" in sentence and "hold on your face" in sentence
        assert "steps" not in sentence  # all of them, wherever the dial stands


@pytest.mark.parametrize(
    ("dial", "start"), [(None, ""), (SETS["mini"].dial, "noise"), (Dial(close=HERE, free=HERE), "")]
)
def test_where_a_dial_would_move_nothing_there_is_none(
    services: Services, astronaut: Photo, dial: Dial | None, start: str
) -> None:
    update = {"starts": ("noise", "plate"), "finish": None, "dial": dial}
    painter = Asked(SETS["mini"].model_copy(update=update))
    services = drawing(services, painter)
    services.board.room.change(start=start)
    does, on = with_photo(services, astronaut)
    assert on.look.dial.visible == (len(stops(on)) > 1) == (start == "noise")  # the host may go back
    look = does.welcome.go(ScreenName.LOOK)(visitor())
    assert not look[on.look.dial].visible and look[on.look.place] == ""
    assert shown(on, asked_of(services, does, "0")[-1]) == ["result"]
    if not dial:
        refused = asked_of(services, does, "1")[-1]
        assert WORDS.say("error.any", id="").partition("(")[0] in refused[on.look.notice]


def test_the_place_stays_with_its_visitor_and_goes_with_them(services: Services, astronaut: Photo) -> None:
    does, on = with_photo(services, astronaut)
    assert does.welcome.go(ScreenName.LOOK)(visitor())[on.look.dial].value == "0"
    sentence = told(does, on, "2")
    asked_of(services, does, "2")
    again = does.welcome.go(ScreenName.LOOK)(visitor())
    assert again[on.look.dial].visible and again[on.look.dial].value == "2"
    assert sentence in html.unescape(again[on.look.place])
    does.welcome.leave(visitor())
    does, on = with_photo(services, astronaut)
    assert does.welcome.go(ScreenName.LOOK)(visitor())[on.look.dial].value == "0"


# ---- what portraits start from


def test_a_host_has_portraits_start_from_noise_and_every_page_says_so(
    services: Services, astronaut: Photo
) -> None:
    painter = Asked(SETS["realvis-lightning"])
    services = drawing(services, painter)
    host, host_on = host_of(services)
    assert host_on.start.visible and host.on_load()[host_on.start] == "plate"
    does, on = with_photo(services, astronaut)
    for start, way in (("noise", ""), ("plate", "_plate"), ("noise", "")):
        host.set_start(start)
        assert host.on_load()[host_on.start] == start
        does.welcome.go(ScreenName.LOOK)(visitor())
        making = does.making.begin(visitor())[on.making.words]
        updates = list(does.look.draw("grey", "", "1", "0", visitor()))
        assert WORDS.say(f"making.title{way}") in making and WORDS.say(f"making.lead{way}") in making
        assert updates[0][on.making.words] == making  # or its title would lose the focus
        asked = painter.requests[-1]
        assert (asked.start or "plate", asked.strength) == (start, None)
        made = visit_of(services).finished_making().result()
        assert made and made.pairs[0].items[Kind.GENERATED].start == start


@pytest.mark.parametrize(("before", "after"), [("plate", "noise"), ("noise", "plate")])
@pytest.mark.parametrize("steps_in", [False, True])
def test_who_reads_a_sentence_is_drawn_as_it_says_whatever_the_host_changes(
    services: Services, astronaut: Photo, before: Start, after: Start, steps_in: bool
) -> None:
    painter = Asked(SETS["realvis-lightning"], QuotaSpent() if steps_in else None)
    other = Asked(SETS["sdxl-lightning"])
    services = drawing(services, painter, other if steps_in else None)
    services.board.room.change(start=before)
    does, on = with_photo(services, astronaut)
    for told_of, changed in ((before, after), (after, before)):
        sentence = html.unescape(does.welcome.go(ScreenName.LOOK)(visitor())[on.look.place])
        assert ("from noise instead" in sentence) == (told_of == "noise")
        services.board.room.change(start=changed)
        assert told(does, on, str(visit_of(services).dial.turns)) == sentence
        assert ("from noise instead" in told(does, on, "2")) == (told_of == "noise")
        making = does.making.begin(visitor())[on.making.words]
        updates = list(does.look.draw("grey", "", "1", "2", visitor()))
        assert shown(on, updates[-1]) == ["result"]
        assert WORDS.say("making.title" if told_of == "noise" else "making.title_plate") in making
        for one in (painter, other) if steps_in else (painter,):
            asked = one.requests[-1]
            assert (asked.start or "plate", asked.strength) == (told_of, {"plate": 0.75}.get(told_of))


def test_who_steps_in_starts_as_it_would_itself_where_the_host_says_nothing(
    services: Services, astronaut: Photo
) -> None:
    other = Asked(SETS["realvis-lightning"])
    services = drawing(services, Asked(SETS["klein"], QuotaSpent()), other)
    does, on = with_photo(services, astronaut)
    services.board.room.change(start="noise")
    assert shown(on, asked_of(services, does, "0")[-1]) == ["result"]
    assert (other.requests[-1].start or "plate") == "plate"


def test_a_restart_keeps_what_portraits_start_from(services: Services, tmp_path: Path) -> None:
    services = drawing(services, Asked(SETS["realvis-lightning"]))
    catalogue, url = services.board.catalogue, f"sqlite:///{tmp_path}/votes.sqlite3"
    for start in ("plate", "noise"):  # as it is found, before it is changed
        with Store(url) as store:
            booth = replace(services, board=Board(Room(store, catalogue), catalogue, Settings()))
            host, on = host_of(booth)
            assert (host.on_load()[on.start], booth.start_of(booth.generator.model_set)) == (start, start)
            host.set_start("noise")
            assert booth.start_of(SETS["mini"]) == "plate"  # whatever the host says: it cannot do else


def test_where_a_set_can_start_from_one_thing_only_the_host_is_not_asked(services: Services) -> None:
    host, on = host_of(services)
    assert not on.start.visible and not on.start_note.visible
    for forged in ("noise", "", "x", None, ["noise"]):
        update = host.set_start(forged)  # type: ignore[arg-type]
        assert WORDS.say("error.any", id="").partition("(")[0] in update[on.notice]
    assert services.board.room.snapshot().room.start == ""
