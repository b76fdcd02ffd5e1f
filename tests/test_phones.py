"""Phones, stage and host over HTTP: what each may learn and do, and when."""

import io
import itertools
import re
import time
from collections.abc import Iterator
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import gradio as gr
import pytest
from markupsafe import escape
from PIL import Image
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.testclient import TestClient

from errors import OperatorError
from pages.guards.host_auth import COOKIE, MAX_WRONG_KEYS, HostAuth, ensure_host_key
from pages.guards.voters import COOKIE as VOTER
from pages.host.login import RequireHost
from pages.host.routes import Commands
from pages.phone.routes import BURST, Phones
from pages.stage.routes import Stage
from pipelines.exhibit import PHONE
from services import Services
from settings import Settings
from tests.test_booth import services as services  # the fixture
from tests.test_dial import host_of
from votes.latest import FRESH_S
from votes.rounds import Scene
from votes.schema import Kind, Source
from words import read_words

WORDS = read_words()
KEY = {"Authorization": "Bearer the host's key"}
MOST_PAGE = 10 * 1024
PORTS = itertools.count(1)
SEALED = ("truth", "split", "share", "low", "high", '"photograph"', '"generated"')


@pytest.fixture
def room(services: Services) -> Iterator[TestClient]:
    routes = [*Phones(services).routes(), *Stage(services).routes(), *Commands(services).routes()]
    hosts_only = Middleware(RequireHost, services.host_auth, services.words)
    with TestClient(Starlette(routes=routes, middleware=[hosts_only])) as client:
        yield client


def phone(room: TestClient, services: Services, **headers: str) -> TestClient:
    """Another browser that has opened the page, with a connection of its own."""
    one = TestClient(room.app, headers=headers, client=("192.0.2.1", next(PORTS)))
    assert one.get(f"/{services.board.room.snapshot().room.code}").status_code == 200
    assert one.cookies[VOTER]
    return one


def asked(room: TestClient) -> Any:
    return room.get("/api/round").json()


def say(one: TestClient, round_id: str, answer: str = "generated", **more: object) -> Any:
    return one.post("/api/guess", json={"round": round_id, "answer": answer, **more})


def opened(room: TestClient) -> str:
    return str(room.post("/api/host/open", headers=KEY).json()["round"])


# ---- phones


@pytest.mark.parametrize("language", sorted(WORDS.tables))
def test_the_page_is_light_and_speaks_the_browsers_language(
    room: TestClient, services: Services, language: str
) -> None:
    code = services.board.room.snapshot().room.code
    page = room.get(f"/{code}", headers={"Accept-Language": f"{language}-XX,en;q=0.5"})
    assert int(page.headers["content-length"]) <= MOST_PAGE < len(page.content)  # it comes compressed
    assert room.get(f"/{code}", headers={"Accept-Encoding": "identity"}).text.startswith("<!doctype html>")
    assert f'lang="{language}"' in page.text
    assert WORDS.say("phone.tap", language) in page.text
    assert not re.search(r"""(?:src|href)=["'](?!data:)""", page.text)  # nothing else to load


def test_whoever_lacks_the_rooms_code_is_asked_for_it(room: TestClient, services: Services) -> None:
    assert WORDS.say("phone.code_title") in room.get("/vote").text
    assert escape(WORDS.say("phone.code_wrong")) in room.get("/vote?code=zz99").text
    assert VOTER not in room.cookies
    typed = services.board.room.snapshot().room.code.upper()
    assert WORDS.say("phone.tap") in room.get(f"/vote?code={typed}").text
    assert WORDS.say("phone.tap") in room.get("/vote").text  # it is known now


def test_the_cookie_is_the_servers_alone(room: TestClient, services: Services) -> None:
    given = room.get(f"/{services.board.room.snapshot().room.code}").headers["set-cookie"]
    value = re.match(rf"{VOTER}=([\w-]{{22}})[.]", given)
    assert value and "HttpOnly" in given and "SameSite=Strict" in given


def test_an_answer_is_kept_once_and_may_be_changed_until_the_round_closes(
    room: TestClient, services: Services
) -> None:
    one, round_id = phone(room, services), opened(room)
    assert say(one, round_id).json() == {"round": round_id, "answer": "generated"}
    assert say(one, round_id, "photograph").status_code == 200
    assert [(kept.answer, kept.source) for kept in services.store.guesses()] == [
        (Kind.PHOTOGRAPH, Source.PHONE)
    ]
    room.post("/api/host/close", headers=KEY)
    late = say(one, round_id)
    assert (late.status_code, late.json()["error"]) == (409, WORDS.say("phone.late"))
    assert [kept.answer for kept in services.store.guesses()] == [Kind.PHOTOGRAPH]


def test_without_cookie_round_sense_or_patience_nothing_is_kept(room: TestClient, services: Services) -> None:
    one, round_id = phone(room, services), opened(room)
    assert say(TestClient(room.app), round_id).status_code == 403
    assert say(one, "x" * 22).status_code == 409
    for body in (b"", b"[]", b"{" * 2000, b'{"round": 1}', b"\xff"):
        assert one.post("/api/guess", content=body).status_code in (422, 429)
    other = phone(room, services)
    answers = [say(other, round_id, knows="nobody") for _ in range(BURST + 1)]
    assert [one.status_code for one in answers] == [422] * BURST + [429]
    assert answers[-1].json()["error"] == WORDS.say("phone.slow")
    assert services.store.guesses() == ()


def test_a_new_code_lets_only_those_in_who_read_it(room: TestClient, services: Services) -> None:
    one, round_id = phone(room, services), opened(room)
    services.board.room.renew_code()
    refused = say(one, round_id)
    assert (refused.status_code, refused.json()["error"]) == (403, WORDS.say("phone.code_wrong"))
    before = one.cookies[VOTER].split(".")[0]
    one.get(f"/{services.board.room.snapshot().room.code}")
    assert say(one, round_id).status_code == 200
    assert services.store.guesses()[0].voter == before  # still the same voter


def test_the_second_questions_are_kept_only_where_they_are_asked(
    room: TestClient, services: Services
) -> None:
    one, round_id = phone(room, services), opened(room)
    say(one, round_id, them=True, knows="stranger")
    assert [(kept.them, kept.knows) for kept in services.store.guesses()] == [(None, None)]
    room.post("/api/host/close", headers=KEY)
    services.board.room.change(informed=True, asks_familiarity=True)
    round_id = str(room.post("/api/host/replay", headers=KEY).json()["round"])
    assert (asked(room)["them"], asked(room)["knows"]) == (True, True)
    say(one, round_id, them=False, knows="me")
    kept = services.store.guesses()[-1]
    assert (kept.them, kept.knows, kept.exposed) == (False, "me", True)  # who is in it saw it being made


def test_unchanged_news_are_not_sent_again(room: TestClient) -> None:
    first = room.get("/api/round")
    assert room.get("/api/round", headers={"If-None-Match": first.headers["etag"]}).status_code == 304
    opened(room)
    assert room.get("/api/round", headers={"If-None-Match": first.headers["etag"]}).status_code == 200


def test_a_round_that_closes_by_itself_is_told_by_the_servers_clock_in_the_same_bytes_all_the_while(
    room: TestClient, services: Services
) -> None:
    services.board.room.change(seconds=20)
    opened(room)
    first = room.get("/api/round")
    for _ in range(3):  # the room is read anew behind an answer
        time.sleep(FRESH_S)
        again = room.get("/api/round", headers={"If-None-Match": first.headers["etag"]})
        assert again.status_code == 304
    earlier, later = (int(one.headers["server-now"]) / 1000 for one in (first, again))
    assert later > earlier
    assert 18 < datetime.fromisoformat(first.json()["closes_at"]).timestamp() - later < 20
    assert first.json()["timer"] == 20
    room.post("/api/host/close", headers=KEY)
    assert (asked(room)["closes_at"], asked(room)["timer"]) == (None, 0)
    room.post("/api/host/back", headers=KEY)
    assert asked(room)["closes_at"] > first.json()["closes_at"]  # opened again, for as long as before


# ---- nobody learns anything before its time


def test_no_answer_of_any_route_tells_truth_or_split_before_the_truth_is_shown(
    room: TestClient, services: Services
) -> None:
    one, round_id = phone(room, services), opened(room)
    for _ in range(3):
        say(phone(room, services), round_id)
    for scene in (Scene.OPEN, Scene.CLOSED, Scene.SPLIT):
        assert services.board.room.snapshot().room.scene == scene
        body = one.get("/api/round").text
        assert not [word for word in SEALED if word in body]
        for name in ("photograph", "portrait", "seen", "pose", "preview"):
            assert one.get(f"/stage/{round_id}/{name}.jpg").status_code == 404
        if scene != Scene.SPLIT:
            services.board.room.next()
    services.board.room.next()
    assert asked(room)["truth"] in set(Kind)
    assert asked(room)["photograph"] + asked(room)["generated"] == 3
    assert one.get(f"/stage/{round_id}/portrait.jpg").status_code == 200


def test_the_picture_is_there_only_while_it_is_asked_about_and_tells_nothing_by_its_making(
    room: TestClient, services: Services
) -> None:
    sizes, lengths = set(), set()
    assert asked(room)["picture"] is None
    for _ in range(4):
        round_id = opened(room)
        picture = room.get(f"/{asked(room)['picture']}")
        assert picture.headers["cache-control"] == "no-store"
        image = Image.open(io.BytesIO(picture.content))
        assert not image.getexif() and "xmp" not in image.info
        sizes.add(image.size), lengths.add(len(picture.content))
        room.post("/api/host/close", headers=KEY)
        assert room.get(f"/round/{round_id}.jpg").status_code == 404
        for _ in range(4):
            room.post("/api/host/reveal", headers=KEY)
        assert room.get(f"/round/{round_id}.jpg").status_code == 200
    assert (sizes, lengths) == ({PHONE}, {90_000})  # a thousand fetch it in the same second


# ---- the stage


def test_the_stage_shows_each_scene_and_no_split_while_the_room_answers(
    room: TestClient, services: Services
) -> None:
    stage = Stage(services)
    round_id = opened(room)
    for _ in range(12):
        say(phone(room, services), round_id)
    seen = {}
    while (now := services.board.room.snapshot()).room.scene != Scene.READY:
        seen[now.room.scene] = stage._scenes.html(now)
        services.board.room.next()
    for scene in (Scene.OPEN, Scene.CLOSED):
        assert "%" not in seen[scene] and 'class="bars"' not in seen[scene]
    assert "of 12" in seen[Scene.SPLIT] and "95 % interval" in seen[Scene.SPLIT]
    assert re.search(r"(100|0) %.*of 12 answers were right", seen[Scene.TRUTH], re.S)
    assert "Nightingale" in seen[Scene.ROOM] and "of 40,320" in seen[Scene.ROOM]
    assert "answers were right" not in seen[Scene.SPLIT]  # that would be the truth


def test_a_stage_page_loads_nothing_from_elsewhere(room: TestClient) -> None:
    page = room.get("/stage").text
    assert WORDS.say("stage.keys", link="/host") in page
    assert not re.search(r'(?:src|href)="(?:https?:)?//', page)


# ---- the host


@pytest.mark.parametrize("command", ["open", "close", "reveal", "next", "back", "blank", "replay"])
def test_nobody_moves_the_stage_without_the_key(room: TestClient, services: Services, command: str) -> None:
    before = services.store.room_state()
    assert room.post(f"/api/host/{command}").status_code == 401
    wrong = room.post(f"/api/host/{command}", headers={"Authorization": "Bearer x"})
    assert wrong.status_code == 403
    assert set(wrong.json()) == {"error", "id"}
    assert services.store.room_state() == before


def test_two_who_press_for_the_same_scene_move_the_room_once(room: TestClient) -> None:
    seen = room.post("/api/host/open", headers=KEY).json()["position"]
    pressed = [room.post(f"/api/host/next?seen={seen}", headers=KEY).json() for _ in range(2)]
    assert pressed[0] == pressed[1] and pressed[0]["state"] == "closed"
    assert room.post("/api/host/next", headers=KEY).json()["position"] != pressed[1]["position"]


def test_so_do_two_host_pages_but_two_taps_on_one_are_two_steps(services: Services) -> None:
    host, _ = host_of(services)
    room = services.board.room

    def tap(page: str) -> Scene:
        host.move(room.next)(seen, cast(gr.Request, SimpleNamespace(session_hash=page)))
        return room.snapshot().room.scene

    seen = room.open().room.position
    assert [tap(page) for page in ("one", "other", "one")] == [Scene.CLOSED, Scene.CLOSED, Scene.SPLIT]


@pytest.mark.parametrize("path", ["export.csv", "export.json", "method.md", "split"])
def test_nobody_reads_what_was_answered_without_the_key(room: TestClient, path: str) -> None:
    assert room.get(f"/api/host/{path}").status_code == 401
    assert room.get(f"/api/host/{path}", headers=KEY).status_code == 200


def test_what_cannot_be_done_is_one_sentence(room: TestClient) -> None:
    refused = room.post("/api/host/reveal", headers=KEY)
    assert (refused.status_code, refused.json()["error"]) == (409, WORDS.say("host.unasked"))


def test_the_host_page_opens_by_the_key_and_by_nothing_else(room: TestClient, services: Services) -> None:
    assert room.get("/host").status_code == 401
    assert room.get("/host/config").status_code == 401
    assert room.post("/host/key", data={"key": "x"}).status_code == 403
    let_in = room.post("/host/key", data={"key": "the host's key"}, follow_redirects=False)
    assert let_in.status_code == 303 and "HttpOnly" in let_in.headers["set-cookie"]
    assert room.post("/api/host/blank").status_code == 200  # by the cookie
    forged = TestClient(room.app, cookies={COOKIE: room.cookies[COOKIE] + "x"})
    assert forged.post("/api/host/blank").status_code == 401


def test_wrong_keys_lock_nobody_out_and_guessing_the_right_one_ends(room: TestClient) -> None:
    def tried(key: str, address: str = "192.0.2.1") -> int:
        one = TestClient(room.app, client=(address, 1))
        return one.post("/host/key", data={"key": key}, follow_redirects=False).status_code

    assert [tried(f"x{i}") for i in range(40)].count(429) == 0  # each begins in a way of its own
    assert [tried("xxxx") for _ in range(40)] == [403] * MAX_WRONG_KEYS + [429] * (40 - MAX_WRONG_KEYS)
    assert tried("the host's key") == 303
    guesses = [tried(f"the {i}") for i in range(40)]
    assert guesses == [403] * MAX_WRONG_KEYS + [429] * (40 - MAX_WRONG_KEYS)
    assert tried("the host's key", "192.0.2.2") == 303  # from elsewhere it opens


def test_a_key_is_made_once_and_kept_for_its_owner_alone(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path / "data")
    key, is_new = ensure_host_key(settings)
    assert is_new and len(key) == 16
    assert ensure_host_key(settings) == (key, False)
    assert (tmp_path / "data" / "host.key").stat().st_mode & 0o777 == 0o600
    assert ensure_host_key(Settings(data=tmp_path, host_key="mine")) == ("mine", False)


def test_a_key_that_cannot_be_kept_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    with pytest.raises(OperatorError, match=r"FACE_VALUE_HOST_KEY\.$"):
        ensure_host_key(Settings(data=tmp_path / "data"))


@pytest.mark.parametrize(("hours", "status"), [(-3, 200), (23, 200), (25, 401)])
def test_a_clock_that_was_set_back_puts_neither_host_nor_phones_out(
    room: TestClient, services: Services, monkeypatch: pytest.MonkeyPatch, hours: int, status: int
) -> None:
    room.post("/host/key", data={"key": "the host's key"})
    one, round_id = phone(room, services), opened(room)

    class Moved(datetime):
        @classmethod
        def now(cls, zone: tzinfo | None = None) -> Any:
            return datetime.now(zone) + timedelta(hours=hours)

    monkeypatch.setattr("pages.guards.host_auth.datetime", Moved)
    monkeypatch.setattr("pages.phone.routes.datetime", Moved)
    assert say(one, round_id).status_code == 200
    assert [kept.seconds >= 0 for kept in services.store.guesses()] == [True]
    assert room.post("/api/host/blank").status_code == status


def test_the_export_names_the_phones_answers(room: TestClient, services: Services) -> None:
    services.board.room.change(event="=Design week")
    round_id = opened(room)
    say(phone(room, services), round_id)
    lines = room.get("/api/host/export.csv", headers=KEY).text.removeprefix("\ufeff").splitlines()
    assert len(lines) == 2 and lines[1].startswith("'=Design week,") and ",phone,1," in lines[1]
    assert "Raised hands among them: 0." in room.get("/api/host/method.md", headers=KEY).text


def test_the_link_is_short_where_an_address_is_set(services: Services) -> None:
    board = type(services.board)(
        services.board.room, services.board.catalogue, Settings(public_url="https://example.org/")
    )
    assert re.fullmatch(r"example\.org/\w{4}", board.link) and len(board.link) <= 16
    assert not board.is_only_here
    assert services.board.is_only_here


def test_a_door_of_another_key_knows_no_cookie_of_this_one(room: TestClient) -> None:
    cookie = HostAuth("one").session_cookie().split(";")[0].split("=", 1)[1]
    room.cookies.set(COOKIE, cookie)
    assert room.post("/api/host/blank").status_code == 401
