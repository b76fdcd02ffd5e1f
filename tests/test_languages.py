"""Who is spoken to in which language: a visitor chooses, the next one starts anew, the rest is a setting."""

import asyncio
import html
import json
import re
from collections.abc import Iterable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest
from sqlalchemy.exc import SQLAlchemyError

from booth.visit import ScreenName
from errors import NotDownloaded, VisitorError
from pages.booth.page import BoothPage
from pages.guards.error_boundary import ErrorBoundary
from pages.host.layout import Host, lay_out
from pages.stage.scenes import Scenes
from pipelines.selfie.photo import Photo
from services import Services
from tests.test_booth import TICKED, page_of, sat_down, services, visit_of, visitor
from votes.schema import Kind
from votes.studies import read_studies
from words import Words, read_words

__all__ = ["services"]  # the fixture
WORDS = read_words().speaking("en")
GERMAN = WORDS.tables["de"]
LONG = 9  # characters of a text that can only be English
MARK = re.compile(r"\{\w+\}")


def pieces(sentences: Iterable[str]) -> set[str]:
    """What stands between the marks."""
    return {piece.strip() for sentence in sentences for piece in MARK.split(sentence)}


ENGLISH = {
    piece
    for piece in pieces(WORDS.tables["en"].values()) - pieces(GERMAN.values())
    if len(piece) >= LONG
    and (" " in piece or piece[0].isupper())
    and not any(piece in sentence for sentence in GERMAN.values())
}


@pytest.fixture
def offering(services: Services) -> Services:
    """Services whose visitors may choose."""
    return replace(services, words=WORDS)


def said(update: dict[Any, Any]) -> str:
    """Every text that an update shows."""
    texts = [one.constructor_args if isinstance(one, gr.blocks.Block) else one for one in update.values()]
    return html.unescape(json.dumps(texts, ensure_ascii=False, default=str)).replace("\\n", "\n")


def english(update: dict[Any, Any], credits: str = "") -> list[str]:
    """What of it is English, and is not from the deck."""
    shown = said(update)
    return sorted(piece for piece in ENGLISH if piece in shown and piece not in credits)


def test_a_visitor_is_spoken_to_in_their_language_on_every_screen(
    offering: Services, astronaut: Photo
) -> None:
    does, on = page_of(offering)
    told = does.welcome.choose_language("de", visitor())
    assert told[on.welcome.start].value == GERMAN["welcome.start"] and english(told) == []
    seen = [told, does.welcome.go(ScreenName.WITHDRAW)(visitor()), does.withdraw.withdraw("x", visitor())]
    seen += [does.welcome.go(ScreenName.CONSENT)(visitor()), does.consent.agree("{}", visitor())]
    seen += [does.consent.agree(TICKED, visitor()), does.camera.take_photos(visitor())]
    visit = visit_of(offering)
    visit.add(offering.finder.find(astronaut), visit.keep(b"thumbnail"))
    seen += [does.camera.take_photos(visitor()), does.look.choose_count("2", visitor())]
    seen += [does.look.choose_count("3", visitor()), does.look.turn_dial("1", visitor())]
    seen += [does.making.begin(visitor()), *does.look.draw("grey", "warm_smile", "2", "1", visitor())]
    large = json.dumps({"chosen": 1})
    seen += [does.result.choose(large, visitor()), does.result.allow_stage(TICKED, large, visitor())]
    seen += [does.result.choose(large, visitor()), does.result.allow_misfire(TICKED, large, visitor())]
    seen += [does.welcome.go(ScreenName.VOTE)(visitor()), does.vote.answer(Kind.GENERATED)(visitor())]
    seen += [does.welcome.go(ScreenName.GOODBYE)(visitor()), does.goodbye.tell_skin_tone("3", visitor())]
    seen += [does.welcome.go(ScreenName.DELETE)(visitor()), does.delete.delete(visitor())]
    credits = " ".join(card.credit for group in offering.deck.groups for card in group)
    assert [english(update, credits) for update in seen] == [[]] * len(seen)
    screens = {name for name in ScreenName for update in seen if is_shown(on, name, update)}
    assert screens == set(ScreenName) - {ScreenName.WELCOME, ScreenName.LADDER}


@pytest.mark.parametrize(
    ("failure", "key"),
    [
        (VisitorError("camera.missing"), "camera.missing"),
        (NotDownloaded("a/b", "mini"), "making.missing"),
        (SQLAlchemyError(), "error.database"),
        (RuntimeError(), "error.any"),
    ],
)
def test_whatever_fails_is_told_in_the_language_that_was_asked_for(failure: Exception, key: str) -> None:
    with ErrorBoundary(WORDS).catch("de") as told:
        raise failure
    assert told.sentence.startswith(GERMAN[key].split("{")[0])


def test_what_fails_while_it_is_made_is_told_in_the_visitors_language(
    offering: Services, astronaut: Photo
) -> None:
    def print_sheet(_: bytes) -> None:
        raise VisitorError("paper.jam")

    paper: Any = SimpleNamespace(print_sheet=print_sheet)
    services = replace(offering, paper=paper)
    does, on, updates = sat_down(services, astronaut)
    visit_of(services).speak("de")
    large = updates[-1][on.result.portraits].value
    assert GERMAN["paper.jam"] in last(does.result.print_sheet(large, visitor()))
    painter: Any = services.generator
    painter.failure = NotDownloaded("a/b", "mini")
    does.ladder.begin(large, visitor())
    assert GERMAN["making.missing"] in last(does.ladder.draw(visitor()))
    does.making.begin(visitor())
    assert GERMAN["making.missing"] in last(does.look.draw("grey", "", "1", "0", visitor()))


def last(updates: Iterable[dict[Any, Any]]) -> str:
    """Every text of the last one."""
    return said(list(updates)[-1])


def is_shown(on: BoothPage, name: ScreenName, update: dict[Any, Any]) -> bool:
    return bool(getattr(update.get(on.screens[name].column), "visible", False))


def test_the_next_visitor_hears_the_language_of_the_setting(offering: Services) -> None:
    does, on = page_of(offering)
    does.welcome.choose_language("de", visitor())
    german = does.welcome.go(ScreenName.CONSENT)(visitor())
    assert german[on.consent.continue_button].value == GERMAN["consent.go"]
    assert 'lang="de"' in german[on.frame]
    left = does.welcome.leave(visitor())
    assert left[on.welcome.start].value == WORDS.say("welcome.start")
    assert 'lang="en"' in left[on.frame] and left[on.welcome.language].value == "en"
    following = does.welcome.go(ScreenName.CONSENT)(visitor())
    assert following[on.consent.continue_button].value == WORDS.say("consent.go")
    assert following[on.consent.ticks].props["words"]["minor"] == WORDS.say("consent.minor")


def test_a_reload_keeps_the_language_wherever_the_visitor_is(offering: Services) -> None:
    does, on = page_of(offering)
    does.welcome.choose_language("de", visitor())
    again = does.open(visitor())
    assert again[on.welcome.start].value == GERMAN["welcome.start"]
    assert again[on.welcome.language].value == "de" and on.welcome.column not in again
    does.welcome.go(ScreenName.CONSENT)(visitor())
    assert does.open(visitor())[on.consent.continue_button].value == GERMAN["consent.go"]


@pytest.mark.parametrize("forged", ["xx", "", None, ["de"], {}, 7])
def test_a_language_that_is_not_offered_is_one_sentence(offering: Services, forged: Any) -> None:
    does, on = page_of(offering)
    assert "alert" in does.welcome.choose_language(forged, visitor())[on.welcome.notice]
    assert visit_of(offering).language == ""


def test_on_a_space_the_browser_says_which_language_comes_first(
    offering: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    def guest(name: str, accepted: str) -> Any:
        return SimpleNamespace(**vars(visitor(name)), headers={"accept-language": accepted})

    monkeypatch.setenv("SPACE_ID", "somebody/face-value")
    does, on = page_of(offering)
    assert does.open(guest("one", "fr-CA,de"))[on.welcome.language].value == "fr"
    assert on.welcome.language not in does.open(guest("two", "nl"))
    monkeypatch.delenv("SPACE_ID")
    there, here = page_of(offering)
    assert here.welcome.language not in there.open(guest("three", "fr"))  # a kiosk's browser is nobody's


def test_new_words_leave_a_running_camera_alone(offering: Services) -> None:
    does, on = page_of(offering)
    does.welcome.choose_language("de", visitor())
    told = does.consent.agree(TICKED, visitor())[on.camera.camera]
    assert set(told.constructor_args) == {"value", "words"}  # neither template nor script


def test_stage_host_and_an_untouched_booth_speak_the_setting(services: Services) -> None:
    german: Words = WORDS.speaking("de")
    services = replace(services, words=german)
    on, _ = page_of(services)
    assert on.welcome.start.value == GERMAN["welcome.start"]
    assert on.look.look.props["words"]["is grey"] == "Studio grau"

    async def host_page() -> Host:
        with gr.Blocks(analytics_enabled=False):
            return lay_out(german, ("plate", "noise"))

    host = asyncio.run(host_page())  # as in `page_of`
    assert host.order.value == GERMAN["host.order"]
    shown = html.unescape(Scenes(services, read_studies(), {}).html(services.board.room.snapshot()))
    assert english({"": shown}) == [] and any(piece in shown for piece in GERMAN.values())
