"""What a kiosk shows while nobody stands there: only what everybody may know, and only there."""

import io
import re
import tomllib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sqlalchemy.exc import SQLAlchemyError
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.testclient import TestClient

from booth.catalogue import Pair, offer
from booth.deck import DECK_FILE
from pages import attract
from pages.attract import DECK, attract_routes
from pages.board import Board
from pages.guards.addresses import BoothHere
from pages.guards.gate import Gate
from pages.guards.host_auth import HostAuth
from pages.theme import booth_head, host_head
from pipelines.exhibit import EXHIBIT, exhibit
from services import DECK as STARTER
from services import Services
from settings import Settings
from tests.decks import read_once
from tests.test_answers import ITEMS, Evening
from votes.rounds import SCENES, Scene
from votes.schema import Kind
from votes.store import Store
from words import read_words

WORDS = read_words()
KIOSK = Settings(mode="kiosk")
COLOURS = {Kind.PHOTOGRAPH: (200, 40, 40), Kind.GENERATED: (40, 40, 200)}  # of one sitter's two pictures
OTHERS = ("others 1", "others 2")  # pictures of the programme that are not here


class Kiosk(Evening):
    """An evening with a sitter, and the kiosk's loop."""

    code = ""

    @property
    def services(self) -> Any:
        given = SimpleNamespace(words=WORDS.speaking("en"), settings=KIOSK, is_hosted=False, album=self.album)
        given.store, given.board = self.store, Board(self.room, self.catalogue, KIOSK)
        given.speaker = partial(Services.speaker, given)
        return given

    def offer(self) -> None:
        """The sitter's leave; the host has said nothing yet."""
        plain = {kind: Image.new("RGB", EXHIBIT, colour) for kind, colour in COLOURS.items()}
        jpegs = {kind: exhibit(np.asarray(image), EXHIBIT) for kind, image in plain.items()}
        own = {kind: self.album.put(self.sitting, jpeg) for kind, jpeg in jpegs.items()}
        self.code, _ = offer(self.album, self.sitting, Pair(ITEMS, jpegs, {}, {}), own)

    def stand_at(self, scene: Scene) -> None:
        """The room goes through the question about the sitter's portrait, up to that scene."""
        self.room.change(programme=(OTHERS[0], ITEMS[Kind.GENERATED].id, OTHERS[1]))
        self.room.go_to(ITEMS[Kind.GENERATED].id)
        self.show(scene)


@pytest.fixture
def kiosk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kiosk]:
    monkeypatch.setattr(attract, "read_deck", read_once)
    with Store("sqlite://") as store:
        yield Kiosk(store, tmp_path)


@pytest.fixture
def screen(kiosk: Kiosk) -> TestClient:
    """The kiosk's own."""
    return TestClient(Starlette(routes=attract_routes(kiosk.services)))


def loop(screen: TestClient, language: str = "en") -> dict[str, str]:
    """The HTML of each scene, by its name."""
    answer = screen.get(f"/attract?lang={language}")
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    return {scene["name"]: scene["html"] for scene in answer.json()}


def addresses(html: str) -> list[str]:
    return re.findall(r'data-src="([^"]+)"', html)


def picture(screen: TestClient, address: str) -> Image.Image:
    answer = screen.get(f"/{address}")
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    return Image.open(io.BytesIO(answer.content))


def shows_the_sitter(screen: TestClient) -> bool:
    """A sitter of the evening comes before those who came with the booth: first of all in the wipe."""
    pictures = [picture(screen, address) for address in addresses(loop(screen)["wipe"])]
    middles = [shown.getpixel((EXHIBIT[0] // 2, EXHIBIT[1] // 2)) for shown in pictures]
    is_sitter = np.allclose(middles, list(COLOURS.values()), atol=8)
    assert is_sitter or "a visitor" not in loop(screen)["wipe"]
    return is_sitter


# ---- what is shown


def test_a_loop_is_a_wipe_a_ladder_and_a_question_about_somebody_else(screen: TestClient) -> None:
    scenes = loop(screen)
    assert list(scenes) == ["wipe", "ladder", "question"]
    assert [len(addresses(html)) for html in scenes.values()] == [2, 7, 1]
    before, asked = {*addresses(scenes["wipe"] + scenes["ladder"])}, addresses(scenes["question"])
    assert not before & {*asked}
    assert {picture(screen, address).size for address in (*before, *asked)} == {EXHIBIT}
    who = re.compile(r"In the picture: (\w+)")
    assert len({who.findall(scenes[name])[0] for name in ("wipe", "question")}) == 2


def test_the_question_is_told_its_truth_and_its_address_tells_nothing(screen: TestClient) -> None:
    files = {
        exhibit(np.asarray(Image.open(card.path)), EXHIBIT): card.item.truth.value
        for group in read_once(DECK).groups
        for card in group
    }
    told = set()
    for _ in range(12):
        html = loop(screen)["question"]
        (address,) = addresses(html)
        truth = files[screen.get(f"/{address}").content]
        assert f'class="truth {truth}"' in html
        assert not re.search("|".join([*Kind, "portrait", "step"]), address)
        told.add(truth)
    assert told == {*Kind}  # of twelve by chance: one in two thousand is of one kind


def test_the_loop_speaks_the_language_of_the_welcome(screen: TestClient) -> None:
    for asked, spoken in (("de", "de"), ("fr", "fr"), ("", "en"), ("xx", "en")):
        scenes = loop(screen, asked)
        assert WORDS.say("vote.question", spoken) in scenes["question"]
        assert WORDS.say("attract.ladder", spoken) in scenes["ladder"]


def test_nobody_is_asked_about_the_sitters_that_come_with_the_booth() -> None:
    shown, asked = (
        {item["pair"] for item in tomllib.loads((folder / DECK_FILE).read_text("utf-8"))["item"]}
        for folder in (DECK, STARTER)
    )
    assert {pair.split()[0] for pair in shown} == {pair.split()[0] for pair in asked}  # who they are
    assert not shown & asked  # in other looks


# ---- of whom


def test_a_sitter_is_shown_once_both_allowed_it_and_the_room_knows(kiosk: Kiosk, screen: TestClient) -> None:
    kiosk.offer()
    assert not shows_the_sitter(screen)  # the host has not said a word
    kiosk.catalogue.approve(kiosk.sitting)
    assert not shows_the_sitter(screen)  # nobody has been asked
    for scene in SCENES:
        if scene != Scene.LADDER:  # it has none
            kiosk.stand_at(scene)
            assert shows_the_sitter(screen) == scene.is_truth_known, scene
    kiosk.room.next()
    assert shows_the_sitter(screen)


def test_a_sitter_of_whom_the_room_is_asked_again_is_not_shown_meanwhile(
    kiosk: Kiosk, screen: TestClient
) -> None:
    kiosk.offer()
    kiosk.catalogue.approve(kiosk.sitting)
    kiosk.stand_at(Scene.TRUTH)
    assert shows_the_sitter(screen)
    shown = addresses(loop(screen)["wipe"])
    kiosk.room.replay()
    assert not shows_the_sitter(screen)
    assert [screen.get(f"/{address}").status_code for address in shown] == [404, 404]
    kiosk.stand_at(Scene.TRUTH)
    kiosk.room.change(programme=(*OTHERS, *(item.id for item in ITEMS.values())), place=0)  # drawn anew
    assert not shows_the_sitter(screen)


def test_a_sitter_whom_the_room_passed_before_the_truth_is_not_shown(
    kiosk: Kiosk, screen: TestClient
) -> None:
    kiosk.offer()
    kiosk.catalogue.approve(kiosk.sitting)
    for scene in (Scene.READY, Scene.SPLIT):
        kiosk.stand_at(scene)
        kiosk.room.change(place=2, scene=Scene.READY, round_id=None)
        assert not shows_the_sitter(screen), scene


@pytest.mark.parametrize("who", ["sitter", "host", "clock"])
def test_what_is_taken_back_is_gone_also_by_its_address(kiosk: Kiosk, screen: TestClient, who: str) -> None:
    kiosk.offer()
    kiosk.catalogue.approve(kiosk.sitting)
    kiosk.stand_at(Scene.TRUTH)
    shown = addresses(loop(screen)["wipe"])
    assert shows_the_sitter(screen)
    if who == "sitter":
        assert kiosk.album.withdraw(kiosk.code)
    elif who == "host":
        kiosk.catalogue.reject(kiosk.sitting)
    else:
        kiosk.now = kiosk.now.replace(year=kiosk.now.year + 1)
    assert [screen.get(f"/{address}").status_code for address in shown] == [404, 404]
    assert not shows_the_sitter(screen)


def test_where_nobody_knows_what_the_room_was_told_no_sitter_is_shown(
    kiosk: Kiosk, screen: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    kiosk.offer()
    kiosk.catalogue.approve(kiosk.sitting)
    kiosk.stand_at(Scene.TRUTH)

    def fail(_: str) -> bool:
        raise SQLAlchemyError

    monkeypatch.setattr(kiosk.store, "was_revealed", fail)
    assert not shows_the_sitter(screen)


# ---- where


def test_there_is_none_but_on_a_kiosk_that_wants_it(kiosk: Kiosk) -> None:
    for settings in (Settings(), Settings(mode="kiosk", attract_seconds=0)):
        services = kiosk.services
        services.settings = settings
        assert attract_routes(services) == []
        assert "attract" not in booth_head(WORDS, settings)
    assert 'style/attract.js" data-after="20"' in booth_head(WORDS, KIOSK)
    assert "attract" not in host_head(WORDS)


def test_it_answers_at_the_kiosks_own_screen_only(kiosk: Kiosk) -> None:
    guards = [Middleware(Gate, False, None, "No."), Middleware(BoothHere, HostAuth("key"), "No.")]
    served = Starlette(routes=attract_routes(kiosk.services), middleware=guards)
    here, away = (TestClient(served, client=(host, 50_000)) for host in ("127.0.0.1", "192.0.2.9"))
    (address, _) = addresses(loop(here)["wipe"])
    assert here.get(f"/{address}").status_code == 200
    assert [away.get(asked).status_code for asked in ("/attract", f"/{address}")] == [403, 403]
    assert here.get("/attract/none.jpg").status_code == 404
