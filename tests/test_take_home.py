"""Take home: the link to a visitor's own phone, what it shows, how long, and who can end it."""

import html
import io
import re
import zipfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.testclient import TestClient

from booth.album import Album
from booth.catalogue import Catalogue, Pair
from booth.take_home import Keepsake, TakeHome, pictures_to_take
from booth.visit import ScreenName, Visit
from booth.visits import Visits
from errors import VisitorError
from pages.board import Board
from pages.take.routes import MISSES, REQUESTS, TakeHomePages
from settings import Settings
from tests.clocks import Clock
from tests.clocks import clock as clock  # the fixture
from tests.decks import STARTER, read_once
from tests.test_visit import FACE, JPEG, with_portraits
from tests.test_visit import album as album  # the fixtures
from tests.test_visit import visits as visits
from votes.room import Room
from votes.schema import Drift
from votes.store import Store
from words import read_words

WORDS = read_words()
PHONE = "192.0.2.44"
PAGE_BYTES = 10_000  # without its pictures: it is fetched over a venue's network


@pytest.fixture
def store() -> Iterator[Store]:
    with Store("sqlite://") as store:
        yield store


@pytest.fixture
def services(album: Album, visits: Visits, store: Store) -> Any:
    from types import SimpleNamespace

    catalogue = Catalogue(read_once(STARTER), album)
    board = Board(Room(store, catalogue), catalogue, Settings())
    return SimpleNamespace(words=WORDS, visits=visits, album=album, store=store, board=board)


@pytest.fixture
def phone(services: Any) -> TestClient:
    return TestClient(Starlette(routes=TakeHomePages(services).routes()), client=(PHONE, 1))


def linked(visits: Visits, name: str = "one") -> tuple[Visit, str]:
    """A visitor with portraits who asked for the link."""
    visit = with_portraits(visits, name)
    return visit, visits.links.open(visit)


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


# ---- how long pictures stay


def test_without_the_tap_everything_goes_with_the_visit(visits: Visits, tmp_path: Path) -> None:
    visits.end(with_portraits(visits))
    assert files(tmp_path) == []


def test_the_tap_keeps_plate_and_portraits_but_no_selfie_until_the_retention_is_over(
    visits: Visits, album: Album, clock: Clock, tmp_path: Path
) -> None:
    visit, link = linked(visits)
    sitting, selfie = visit.sitting, visit.selfies[0].picture
    until = visits.links.until(link)
    assert until == clock.now + timedelta(minutes=30)
    visits.end(visit)
    assert album.get(selfie) is None and visit.selfies == ()
    assert [taken.kind for taken in pictures_to_take(album, sitting)] == [
        "photograph-{}.jpg",
        "ai-portrait-{}.jpg",
    ]
    assert len(files(tmp_path)) == 2
    clock.now = until
    assert visits.links.sitting(link) is None
    album.sweep()
    assert files(tmp_path) == []


def test_a_link_is_of_one_visit_and_of_nothing_that_its_visitor_is_known_by(visits: Visits) -> None:
    (one, first), (two, second) = linked(visits, "one"), linked(visits, "two")
    assert first != second
    assert visits.links.open(one) == first
    known = {one.sitting, one.ticket, one.voter, one.sitter, one.cookie, two.sitting}
    assert not known & {first, second}
    assert all(visits.links.sitting(str(guess)) is None for guess in known)
    assert len(first) == 22  # 128 bits


def test_taken_back_it_ends_and_nothing_outlives_the_visit(visits: Visits, tmp_path: Path) -> None:
    visit, link = linked(visits)
    visits.links.close(visit)
    assert visits.links.sitting(link) is None
    visits.end(visit)
    assert files(tmp_path) == []


def test_without_portraits_there_is_no_link(visits: Visits) -> None:
    visit = visits.of("one", "page")
    visit.consent(True)
    with pytest.raises(VisitorError):
        visits.links.open(visit)


def test_delete_at_the_booth_ends_it_and_the_next_consent_has_none(visits: Visits, tmp_path: Path) -> None:
    visit, link = linked(visits)
    visit.wipe()
    assert (visits.links.sitting(link), visit.link) == (None, "")
    visit.consent(True)
    visit.add(FACE, visit.keep(JPEG))
    visits.end(visit)
    assert files(tmp_path) == []


def test_what_may_be_shown_stays_longer_and_the_link_does_not(
    visits: Visits, album: Album, clock: Clock
) -> None:
    visit, link = linked(visits)
    visit.allow_stage()
    assert visit.sitting
    album.approve(visit.sitting)
    visits.end(visit)
    clock.now += timedelta(minutes=31)
    album.sweep()
    assert visits.links.sitting(link) is None
    assert album.offers()


def test_leave_for_the_stage_keeps_nothing_else_without_the_tap(visits: Visits, album: Album) -> None:
    visit = with_portraits(visits)
    extra = visit.keep(JPEG, Keepsake.PORTRAIT.file_name(2))
    visit.allow_stage()
    visits.end(visit)
    assert album.get(extra) is None


def test_a_stop_of_the_program_ends_all_and_says_so_before(
    visits: Visits, album: Album, tmp_path: Path
) -> None:
    visit, link = linked(visits)
    assert visits.links.open_until() == (visits.links.until(link),)
    visits.end(visit)
    assert len(visits.links.open_until()) == 1
    visits.close()
    album.close()
    assert files(tmp_path) == []


def test_a_stop_leaves_of_an_approved_sitting_what_may_be_shown_only(
    visits: Visits, album: Album, tmp_path: Path
) -> None:
    visit, _ = linked(visits)
    extra = visit.keep(JPEG, Keepsake.PORTRAIT.file_name(2))
    visit.allow_stage()
    assert visit.sitting
    album.approve(visit.sitting)
    visits.end(visit)
    assert album.get(extra)
    album.close()
    assert extra not in {path.stem for path in files(tmp_path)}


# ---- the phone's page


@pytest.mark.parametrize(("language", "title"), [("de-CH,fr;q=.5", "Ihre Bilder"), ("fr", "Vos images")])
def test_the_page_is_light_and_speaks_the_phones_language(
    visits: Visits, phone: TestClient, language: str, title: str
) -> None:
    _, link = linked(visits)
    page = phone.get(f"/take/{link}", headers={"Accept-Language": language})
    assert page.status_code == 200
    assert title in page.text
    assert len(page.content) <= PAGE_BYTES
    assert "no-store" in page.headers["cache-control"]
    assert "http" not in re.sub(r"http-equiv", "", page.text)  # nothing from anywhere else
    assert "<script" not in page.text


def test_each_picture_is_shown_named_and_saved(visits: Visits, phone: TestClient) -> None:
    visit, link = linked(visits)
    visits.end(visit)
    page = phone.get(f"/take/{link}").text
    shown = re.findall(r'<img src="([^"]+)" alt="([^"]+)"', page)
    assert [name for _, name in shown] == ["Photograph 1, new backdrop", "AI portrait 1"]
    for address, _ in shown:
        assert phone.get(f"/take/{address}").content == JPEG
        assert "content-disposition" not in phone.get(f"/take/{address}").headers
    saved = phone.get(f"/take/{shown[1][0]}?save")
    assert 'filename="ai-portrait-1.jpg"' in saved.headers["content-disposition"]
    assert visit.has_taken_home
    packed = zipfile.ZipFile(io.BytesIO(phone.get(f"/take/{link}/all.zip").content))
    assert packed.namelist() == ["photograph-1.jpg", "ai-portrait-1.jpg"]


def test_no_picture_of_anybody_else_comes_with_it(visits: Visits, phone: TestClient, album: Album) -> None:
    visit, link = linked(visits)
    other = with_portraits(visits, "two")
    theirs = other.finished_making().result().portraits[0]
    assert phone.get(f"/take/{link}/{theirs}.jpg").status_code == 404
    selfie = visit.selfies[0].picture
    assert album.get(selfie) and phone.get(f"/take/{link}/{selfie}.jpg").status_code == 404
    for guess in (str(visit.sitting), visit.ticket, "x" * 22):
        assert phone.get(f"/take/{guess}").status_code == 404


def test_over_unknown_and_deleted_are_one_answer(visits: Visits, phone: TestClient, clock: Clock) -> None:
    _, link = linked(visits)
    _, deleted = linked(visits, "two")
    phone.post(f"/take/{deleted}/delete")
    clock.now += timedelta(minutes=30)
    answers = {phone.get(f"/take/{secret}").text for secret in (link, deleted, "x" * 22)}
    assert len(answers) == 1
    assert html.escape(WORDS.say("home.gone")) in answers.pop()
    for rest in ("/all.zip", "/x.jpg"):
        assert phone.get(f"/take/{link}{rest}").status_code == 404


def test_the_phones_delete_takes_everything_of_the_visitor(
    visits: Visits, phone: TestClient, album: Album, store: Store, tmp_path: Path
) -> None:
    visit, link = linked(visits)
    visit.sharing.allow_misfire({}, Pair({}, {}, {}, {}), {})
    store.keep_drift(Drift(visit.sitter, 5, "grey", "mini", False, {"skin": 1.0}, ""))
    visits.end(visit)
    assert len(files(tmp_path)) > 2
    gone = phone.post(f"/take/{link}/delete")
    assert WORDS.say("home.deleted") in gone.text
    assert files(tmp_path) == []
    assert store.drifts() == []
    assert album.offers() == ()
    assert phone.get(f"/take/{link}").status_code == 404


def test_deleted_by_phone_the_booths_screen_says_so(visits: Visits, phone: TestClient) -> None:
    visit, link = linked(visits)
    visit.go(ScreenName.RESULT)
    phone.post(f"/take/{link}/delete")
    assert (visit.screen, visit.has_consented, visit.is_over) == (ScreenName.GOODBYE, False, False)
    with pytest.raises(VisitorError, match=r"visit\.over"):  # not: "tick the sentence first"
        visit.go(ScreenName.VOTE)


def test_while_another_set_is_drawn_the_page_says_that_there_is_nothing_yet(
    visits: Visits, phone: TestClient
) -> None:
    visit, link = linked(visits)
    visit.start_making()
    page = phone.get(f"/take/{link}")
    assert page.status_code == 200 and WORDS.say("home.none") in page.text


def test_who_guesses_links_is_asked_to_wait_and_the_visitor_is_not(visits: Visits, phone: TestClient) -> None:
    _, link = linked(visits)
    answers = [phone.get(f"/take/{i:0>22}").status_code for i in range(MISSES + 5)]
    assert answers == [404] * MISSES + [429] * 5
    assert phone.get(f"/take/{link}").status_code == 200


def test_one_link_cannot_keep_the_machine_busy(visits: Visits, phone: TestClient) -> None:
    _, link = linked(visits)
    answers = {phone.get(f"/take/{link}/all.zip").status_code for _ in range(REQUESTS + 20)}
    assert answers == {200, 429}


def test_a_phone_in_the_booths_own_network_is_told_what_to_do(phone: TestClient) -> None:
    page = phone.get("/joined", headers={"Accept-Language": "es"})
    assert page.status_code == 200
    assert WORDS.say("home.wifi_lead", "es") in html.unescape(page.text)


# ---- names and codes


@given(st.integers(1, 99), st.sampled_from(Keepsake))
def test_a_files_name_says_what_it_is(number: int, kind: Keepsake) -> None:
    name = kind.file_name(number)
    read = {each: each.read_number(name) for each in Keepsake}
    assert read.pop(kind) == (1 if kind == Keepsake.LADDER else number)
    assert set(read.values()) == {None}


SPECIAL = st.sampled_from('\\;,:"') | st.characters(exclude_categories=("C",))


@given(st.text(SPECIAL, min_size=1, max_size=32), st.text(SPECIAL, max_size=20))
def test_a_wifi_code_says_name_and_password_whatever_is_in_them(name: str, password: str) -> None:
    code = TakeHome(wifi_name=name, wifi_password=password).wifi_code
    fields = re.findall(r"(?:^WIFI:|;)([TSP]):((?:\\.|[^\\;])*)", code, re.DOTALL)
    read = {field: re.sub(r"\\(.)", r"\1", value, flags=re.DOTALL) for field, value in fields}
    assert read == {"T": "WPA", "S": name, "P": password} if password else {"T": "nopass", "S": name}
    assert code.endswith(";;")


def test_pictures_stand_in_pairs_then_what_was_made_of_them(album: Album) -> None:
    sitting = album.begin()
    for name in ("ai-ladder.jpg", "ai-portrait-2-skin-tone.jpg", "ai-portrait-2.jpg", "photograph-2.jpg"):
        album.put(sitting, JPEG, name)
    for name in ("photograph-1.jpg", "ai-portrait-1.jpg", "notes.jpg", ""):
        album.put(sitting, JPEG, name)
    taken = [(picture.kind.name, picture.number) for picture in pictures_to_take(album, sitting)]
    assert taken == [
        *(("PHOTOGRAPH", 1), ("PORTRAIT", 1), ("PHOTOGRAPH", 2), ("PORTRAIT", 2)),
        *(("SKIN_TONE", 2), ("LADDER", 1)),
    ]
