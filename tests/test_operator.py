"""The operator's page of a kiosk: who gets in, what it tells, what it does."""

import io
import re
import stat
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image
from starlette.applications import Starlette
from starlette.testclient import TestClient

import app
import services as building
from booth.end_of_day import count_remains, end_day
from booth.visit import ScreenName
from errors import OperatorError, VisitorError
from pages.guards import operator_auth, rate_limit
from pages.guards.host_auth import Access
from pages.guards.operator_auth import COOKIE, SESSION_S, OperatorAuth, ensure_pin
from pages.operator.routes import operator_routes
from pages.warmup import Warmup
from services import Services
from settings import Settings, read_settings
from tests.test_booth import TICKED, page_of, visitor
from tests.test_booth import services as services  # the fixture
from votes.schema import Guess, Kind, VoterId
from words import read_words

PIN = "01234567"
WORDS = read_words()


@pytest.fixture
def kiosk(services: Services, tmp_path: Path) -> Services:
    settings = Settings(mode="kiosk", data=tmp_path, models="mini")
    return replace(services, settings=settings, operator_auth=OperatorAuth(PIN))


def browser(kiosk: Services, address: str = "127.0.0.1", pin: str = "") -> TestClient:
    served = Starlette(routes=operator_routes(kiosk))
    client = TestClient(served, client=(address, 1), follow_redirects=False)
    if pin:
        assert client.post("/operator/pin", data={"pin": pin}).status_code == 303
    return client


DOES = ("frame", "models", "wipe", "leave")


# ---- who gets in


def test_there_is_none_but_on_a_kiosk(services: Services) -> None:
    assert operator_routes(services) == []
    assert not any("operator" in getattr(route, "path", "") for route in app.plain_routes(services))


def test_from_another_machine_nothing_opens_not_even_with_the_pin(kiosk: Services) -> None:
    phone = browser(kiosk, "192.0.2.9")
    assert phone.get("/operator").status_code == 403
    assert phone.post("/operator/pin", data={"pin": PIN}).status_code == 403
    phone.cookies.set(COOKIE, str(browser(kiosk, pin=PIN).cookies[COOKIE]))
    assert phone.get("/operator").status_code == 403
    assert [phone.post(f"/operator/{name}").status_code for name in DOES] == [401] * len(DOES)


def test_the_pin_opens_the_menu_and_going_back_closes_it(kiosk: Services) -> None:
    operator = browser(kiosk)
    pad = operator.get("/operator")
    assert (pad.status_code, pad.headers["cache-control"]) == (401, "no-store")
    assert pad.text.count("data-digit") == 11
    assert WORDS.say("operator.end") not in pad.text
    assert [operator.post(f"/operator/{name}").status_code for name in DOES] == [401] * len(DOES)
    assert operator.post("/operator/pin", data={"pin": "76543210"}).status_code == 403
    opened = operator.post("/operator/pin", data={"pin": PIN})
    assert (opened.status_code, opened.headers["location"]) == (303, "../operator")
    assert re.search(r"HttpOnly; SameSite=Strict$", opened.headers["set-cookie"])
    cookie = operator.cookies[COOKIE]
    assert WORDS.say("operator.end") in operator.get("/operator").text
    left = operator.post("/operator/leave")
    assert (left.status_code, left.headers["location"]) == (303, "../")
    operator.cookies.set(COOKIE, cookie)  # a browser that kept it
    assert operator.get("/operator").status_code == 401


def test_a_session_ends_by_itself_and_with_the_next_one(
    kiosk: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = browser(kiosk, pin=PIN), browser(kiosk, pin=PIN)
    assert (first.get("/operator").status_code, second.get("/operator").status_code) == (401, 200)
    now = operator_auth.time.monotonic()
    monkeypatch.setattr(operator_auth.time, "monotonic", lambda: now + SESSION_S + 1)
    assert second.get("/operator").status_code == 401


def test_five_tries_a_minute_then_the_right_one_waits_too(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(rate_limit.time, "monotonic", lambda: now)
    auth = OperatorAuth(PIN)
    assert {auth.check_pin(f"{n:08}") for n in range(5)} == {Access.WRONG}
    assert [auth.check_pin(PIN) for _ in range(100)] == [Access.THROTTLED] * 100
    now += 12.5
    assert auth.check_pin("é" * 8) == Access.WRONG
    assert auth.check_pin(PIN) == Access.THROTTLED
    now += 12.5
    assert auth.check_pin(PIN) == Access.GRANTED


def test_too_many_tries_are_told_on_the_pad(kiosk: Services) -> None:
    operator = browser(kiosk)
    codes = [operator.post("/operator/pin", data={"pin": "1"}).status_code for _ in range(7)]
    assert codes == [403] * 5 + [429] * 2
    assert WORDS.say("operator.wait") in operator.post("/operator/pin", data={"pin": PIN}).text


def test_a_pin_is_made_once_for_its_owner_alone_or_is_the_operators(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = Settings(data=tmp_path / "data")
    pin, is_new = ensure_pin(settings)
    assert (re.fullmatch(r"\d{8}", pin), is_new) != (None, False)
    assert stat.S_IMODE((tmp_path / "data" / "operator.pin").stat().st_mode) == 0o600
    assert ensure_pin(settings) == (pin, False)
    assert ensure_pin(Settings(data=tmp_path, operator_pin=PIN)) == (PIN, False)
    building.build_operator_auth(Settings(data=tmp_path / "other"))
    building.build_operator_auth(Settings(data=tmp_path / "other"))
    assert capsys.readouterr().err.count("operator.pin") == 1
    (tmp_path / "operator.pin").mkdir()
    with pytest.raises(OperatorError, match="FACE_VALUE_OPERATOR_PIN"):
        ensure_pin(Settings(data=tmp_path))


@pytest.mark.parametrize("wrong", ["1234567", "123456789", "1234567a", "１２３４５６７８"])
def test_a_wrong_pin_of_the_environment_is_named_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, wrong: str
) -> None:
    monkeypatch.setenv("FACE_VALUE_OPERATOR_PIN", wrong)
    with pytest.raises(OperatorError, match=r"^FACE_VALUE_OPERATOR_PIN = \(hidden\)\. 8 digits\.$"):
        read_settings()


# ---- what it tells


def test_it_tells_numbers_and_no_picture(kiosk: Services) -> None:
    visit, screen = kiosk.visits.of("one", "page of one"), page_of(kiosk)[0].consent
    visit.go(ScreenName.CONSENT)
    for _ in range(2):  # gone back, and again: still one visitor
        screen.agree(TICKED, visitor("one"))
    kiosk.visits.of("two", None)  # who only looks
    picture = visit.keep(b"\xff\xd8\xff")
    menu = browser(kiosk, pin=PIN).get("/operator").text
    facts = dict(re.findall(r"<dt>([^<]+)</dt><dd>([^<]+)</dd>", menu))
    assert (facts[WORDS.say("operator.today")], facts[WORDS.say("operator.visits")]) == ("1", "1")
    assert (facts[WORDS.say("operator.pictures")], facts[WORDS.say("operator.approved")]) == ("1", "0")
    assert "<img" not in menu
    assert picture not in menu
    assert menu.count("<li class=") == 9
    kiosk.visits.end(visit)
    facts = dict(
        re.findall(r"<dt>([^<]+)</dt><dd>([^<]+)</dd>", browser(kiosk, pin=PIN).get("/operator").text)
    )
    assert (facts[WORDS.say("operator.today")], facts[WORDS.say("operator.visits")]) == ("1", "0")


@pytest.mark.draws
def test_the_camera_test_says_what_a_visitor_would_be_told_and_keeps_nothing(
    kiosk: Services, tmp_path: Path
) -> None:
    operator = browser(kiosk, pin=PIN)
    file = io.BytesIO()
    Image.fromarray(np.zeros((256, 205, 3), np.uint8)).save(file, "JPEG")
    answer = operator.post("/operator/frame", content=file.getvalue())
    assert answer.json() == {"hint": "dark", "words": WORDS.say("camera.hint_dark")}
    assert operator.post("/operator/frame", content=b"no picture").status_code == 422
    assert list(tmp_path.rglob("*.jpg")) == []
    assert kiosk.frame_judge
    kiosk.frame_judge.close()


# ---- what it does


def test_models_go_out_of_memory_and_come_in_again(kiosk: Services) -> None:
    done: list[str] = []
    kiosk = replace(
        kiosk, warmup=Warmup([lambda: done.append("load")], kiosk.error_boundary), generator=kiosk.generator
    )
    kiosk.generator.unload = lambda: done.append("unload")  # type: ignore[method-assign]
    kiosk.warmup.start()
    kiosk.warmup.join()
    answer = browser(kiosk, pin=PIN).post("/operator/models")
    kiosk.warmup.join()
    assert answer.headers["location"] == "../operator?done=models"
    assert (done, kiosk.warmup.state) == (["load", "unload", "load"], "ready")


def remains(kiosk: Services, tmp_path: Path) -> tuple[int, int, int, int]:
    found = count_remains(kiosk.visits, kiosk.album, kiosk.store)
    return found.visits, found.pictures, found.approved, found.votes


def evening(kiosk: Services) -> Any:
    """A visit with two pictures, one that somebody left for the room, an answer, and a told skin tone."""
    visit = kiosk.visits.of("one", "page of one")
    visit.consent(True)
    for _ in range(2):
        visit.keep(b"\xff\xd8\xff")
    shown = kiosk.album.begin()
    kiosk.album.allow_show(shown, [kiosk.album.put(shown, b"\xff\xd8\xff")])
    kiosk.album.approve(shown)
    item = next(card.item for group in kiosk.deck.groups for card in group)
    round_ = kiosk.store.round_of(item)
    kiosk.store.record(Guess(round_.id, VoterId("v"), Kind.GENERATED, False, 1.0, datetime.now(UTC)))
    return visit


@pytest.mark.parametrize("ticked", [False, True])
def test_the_end_of_the_day_shows_what_goes_then_deletes_it_and_votes_only_if_ticked(
    kiosk: Services, tmp_path: Path, ticked: bool
) -> None:
    visit = evening(kiosk)
    assert remains(kiosk, tmp_path) == (1, 3, 1, 1)
    operator = browser(kiosk, pin=PIN)
    answer = operator.post("/operator/wipe", data={"votes": "on"} if ticked else {})
    assert answer.headers["location"] == "../operator?done=wiped"
    assert remains(kiosk, tmp_path) == (0, 0, 0, 0 if ticked else 1)
    assert list((tmp_path / "sittings").iterdir()) == []
    assert visit.is_over
    assert WORDS.say("operator.done_wiped") in operator.get("/operator?done=wiped").text


def test_a_room_that_shows_what_is_wiped_goes_on_with_the_deck(kiosk: Services, tmp_path: Path) -> None:
    evening(kiosk)
    end_day(kiosk.visits, kiosk.album, kiosk.store, with_votes=True)
    assert kiosk.board.room.next().room.item


# ---- paper


@pytest.mark.parametrize("trouble", ["", "ink", "busy"])
def test_a_test_sheet_is_printed_or_the_page_says_why_not(kiosk: Services, trouble: str) -> None:
    sheets = list[bytes]()

    def print_sheet(pdf: bytes) -> None:
        sheets.append(pdf)

        if trouble:
            raise VisitorError(f"paper.{trouble}")

    paper: Any = SimpleNamespace(print_sheet=print_sheet)
    assert "operator/paper" not in browser(kiosk, pin=PIN).get("/operator").text  # no printer, no button
    operator = browser(replace(kiosk, paper=paper), pin=PIN)
    assert 'action="operator/paper"' in operator.get("/operator").text
    told = operator.get("/operator/" + operator.post("/operator/paper").headers["location"]).text
    assert WORDS.say(f"paper.{trouble}" if trouble else "operator.done_printed") in told
    assert len(sheets) == 1
    assert browser(replace(kiosk, paper=paper)).post("/operator/paper").status_code == 401
