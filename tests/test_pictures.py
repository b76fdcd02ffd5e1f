"""A visit's pictures are for its own browser, and for as long as the visit lasts."""

import io
import json
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from booth.album import Album
from booth.records import PictureId
from booth.storage import FolderStorage
from booth.visit import Visit
from booth.visits import Visits
from errors import StorageAway
from pages.booth.pictures import picture_routes
from pages.guards.gate import COOKIE
from words import read_words

JPEG = b"\xff\xd8 one \xff\xd9"


class World:
    """One booth with a clock that is moved by hand, and one visitor's portrait in it."""

    def __init__(self, folder: Path) -> None:
        self.now = datetime(2026, 5, 1, 12, tzinfo=UTC)
        self.album = Album(folder / "sittings", 30, 12, lambda: self.now)
        self.visits = Visits(self.album, 30)
        self.routes = Starlette(routes=picture_routes(self.album, self.visits, read_words()))
        self.visit = self.visitor("one")
        self.picture = self.visit.keep(JPEG, "ai-portrait-1.jpg")

    def visitor(self, cookie: str) -> Visit:
        visit = self.visits.of(cookie, f"page of {cookie}")
        visit.consent(True)
        return visit

    def get(self, path: str, cookie: str = "one") -> "tuple[int, bytes]":
        client = TestClient(self.routes, cookies={COOKIE: cookie} if cookie else None)
        answer = client.get(path)
        return answer.status_code, answer.content


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_the_browser_of_a_visit_gets_its_picture_and_keeps_no_copy(world: World) -> None:
    client = TestClient(world.routes, cookies={COOKIE: "one"})
    answer = client.get(f"/pictures/{world.picture}")
    assert (answer.status_code, answer.content) == (200, JPEG)
    assert answer.headers["cache-control"] == "no-store"
    assert "content-disposition" not in answer.headers


@pytest.mark.parametrize("cookie", ["", "two", "guessed"])
def test_nobody_else_gets_it_also_with_its_address(world: World, cookie: str) -> None:
    world.visitor("two")
    for path in (f"/pictures/{world.picture}", f"/take/{world.visit.ticket}.zip"):
        status, body = world.get(path, cookie)
        assert status == 404
        assert JPEG not in body


def test_somebody_elses_picture_and_none_at_all_are_one_answer(world: World) -> None:
    client = TestClient(world.routes, cookies={COOKIE: "two"})
    strange, none = (
        client.get(f"/pictures/{one}").json()["error"] for one in (world.picture, PictureId("none"))
    )
    assert strange == none


@pytest.mark.parametrize(
    "asked", ["..%2f..%2fvotes.sqlite3", "%2e%2e", "%00", "x" * 5000, "sitting.json", "%F0%9F%98%80"]
)
def test_no_address_is_a_path(world: World, asked: str) -> None:
    assert world.get(f"/pictures/{asked}")[0] == 404
    assert world.get(f"/take/{asked}.zip")[0] == 404


def test_taken_home_it_has_a_name_and_all_come_as_one_file(world: World) -> None:
    world.visit.keep(JPEG, "photograph.jpg")
    world.visit.keep(b"a picture asked about")
    client = TestClient(world.routes, cookies={COOKIE: "one"})
    one = client.get(f"/pictures/{world.picture}?take=1")
    assert 'filename="ai-portrait-1.jpg"' in one.headers["content-disposition"]
    every = client.get(f"/take/{world.visit.ticket}.zip")
    with zipfile.ZipFile(io.BytesIO(every.content)) as bundle:
        assert bundle.namelist() == ["ai-portrait-1.jpg", "photograph.jpg"]
        assert bundle.read("photograph.jpg") == JPEG
    assert {one.headers["cache-control"], every.headers["cache-control"]} == {"no-store"}


def test_whoever_took_something_home_is_told_that_it_is_theirs_to_delete(world: World) -> None:
    for path in (f"/pictures/{world.picture}?take=1", f"/take/{world.visit.ticket}.zip"):
        world.visit.has_taken_home = False  # as for the next visitor
        assert world.get(f"/pictures/{world.picture}")[0] == 200
        assert world.get(path, "two")[0] == 404
        assert not world.visit.has_taken_home  # seen is not taken, nor what a stranger was refused
        assert world.get(path)[0] == 200
        assert world.visit.has_taken_home


def test_what_is_asked_about_cannot_be_taken_home(world: World) -> None:
    asked = world.visit.keep(JPEG)
    assert world.get(f"/pictures/{asked}")[0] == 200
    assert world.get(f"/pictures/{asked}?take=1")[0] == 404


def test_every_address_is_dead_after_delete_mine(world: World) -> None:
    world.visit.wipe()
    assert world.get(f"/pictures/{world.picture}")[0] == 404
    assert world.get(f"/take/{world.visit.ticket}.zip")[0] == 404


def test_every_address_is_dead_after_the_retention(world: World) -> None:
    world.now += timedelta(minutes=29)
    assert world.get(f"/pictures/{world.picture}")[0] == 200
    world.now += timedelta(minutes=1)
    assert world.get(f"/pictures/{world.picture}")[0] == 404
    assert world.get(f"/take/{world.visit.ticket}.zip")[0] == 404


def test_the_next_person_at_the_same_browser_sees_nothing_of_the_last(world: World) -> None:
    assert world.visit.sitting
    world.visit.sharing.stage_code = world.album.allow_show(world.visit.sitting, [world.picture]).code
    world.visits.end(world.visit)
    world.visitor("one")
    assert world.album.get(world.picture) is not None  # it may be shown to the room
    assert world.get(f"/pictures/{world.picture}")[0] == 404


def test_where_cookies_are_blocked_the_address_alone_opens_it(world: World) -> None:
    visit = world.visits.of("", "page without cookies")
    visit.consent(True)
    assert world.get(f"/pictures/{visit.keep(JPEG)}", "") == (200, JPEG)


def test_a_store_that_does_not_answer_is_one_sentence(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object) -> bytes:
        raise StorageAway

    with monkeypatch.context() as patch:
        patch.setattr(FolderStorage, "read", away)
        for path in (f"/pictures/{world.picture}", f"/take/{world.visit.ticket}.zip"):
            status, body = world.get(path)
            assert (status, json.loads(body)["error"]) == (503, read_words().say("visit.storage"))
    assert world.get(f"/pictures/{world.picture}") == (200, JPEG)
