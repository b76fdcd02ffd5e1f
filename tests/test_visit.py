"""A visit: consent first, one's own pictures only, and an end that leaves nothing."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from booth.album import Album
from booth.catalogue import Pair
from booth.making import Portraits
from booth.quiz import Quiz
from booth.records import PictureId
from booth.visit import GRACE_S, NEED_NO_CONSENT, ScreenName, Visit
from booth.visits import MOST_STRANGERS, UNUSED_S, Visits
from errors import PhotoError, VisitorError
from pipelines.look import read_looks
from pipelines.order import Order
from pipelines.selfie.check import SelfieVerdict
from pipelines.selfie.face import Face
from pipelines.selfie.photo import Photo
from tests.clocks import Clock
from tests.clocks import clock as clock  # the fixture
from votes.store import Store

PHOTO = Photo(np.full((8, 8, 3), 128, np.uint8))
EMPTY = np.zeros((1, 4), np.float32)
FACE = Face(PHOTO, EMPTY, EMPTY.copy(), EMPTY.copy(), 0.0, 0.0, 0.0, SelfieVerdict("camera.good"))
JPEG = b"\xff\xd8 a picture \xff\xd9"


@pytest.fixture
def album(tmp_path: Path, clock: Clock) -> Album:
    return Album(tmp_path / "sittings", 30, 12, clock)


@pytest.fixture
def visits(album: Album) -> Iterator[Visits]:
    visits = Visits(album, idle_minutes=30)
    yield visits
    visits.close()


def agreed(visits: Visits, name: str = "one") -> Visit:
    visit = visits.of(name, f"page of {name}")
    visit.consent(True)
    return visit


def with_portraits(visits: Visits, name: str = "one") -> Visit:
    visit = agreed(visits, name)
    visit.add(FACE, visit.keep(JPEG))
    making = visit.start_making()
    making.finish(portraits_of(visit), Quiz((), Store("sqlite://"), visit.voter, visit.keep))
    return visit


def portraits_of(visit: Visit) -> Portraits:
    return Portraits(
        order=Order(read_looks()["grey"]),
        photographs=(visit.keep(JPEG, "photograph-1.jpg"),),
        portraits=(visit.keep(JPEG, "ai-portrait-1.jpg"),),
        tone_matched=(None,),
        pairs=(Pair({}, {}, {}, {}),),
        likeness=(None,),
        shots=(),
    )


def allow(visit: Visit) -> str:
    visit.allow_stage()
    return visit.sharing.stage_code


def made(visit: Visit) -> Portraits:
    return visit.finished_making().result()


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


# ---- consent


@pytest.mark.parametrize(
    "stage", [ScreenName.CAMERA, ScreenName.LOOK, ScreenName.MAKING, ScreenName.RESULT, ScreenName.VOTE]
)
def test_nothing_behind_the_consent_opens_without_it(visits: Visits, stage: ScreenName) -> None:
    visit = visits.of("one", "page")
    with pytest.raises(VisitorError) as told:
        visit.go(stage)
    assert told.value.key == "consent.missing"
    assert visit.screen == ScreenName.WELCOME


def test_a_screen_that_nobody_thought_of_needs_a_consent_too(visits: Visits) -> None:
    visit = visits.of("one", "page")
    for stage in {*ScreenName, cast("ScreenName", "a new one")} - set(NEED_NO_CONSENT):
        with pytest.raises(VisitorError):
            visit.go(stage)
    for stage in NEED_NO_CONSENT:
        visit.go(stage)


def test_without_the_tick_no_photo_is_taken_and_nothing_is_written(visits: Visits, tmp_path: Path) -> None:
    visit = visits.of("one", "page")
    for attempt in (
        lambda: visit.consent(False),
        lambda: visit.add(FACE, PictureId("x")),
        visit.start_making,
    ):
        with pytest.raises(VisitorError) as told:
            attempt()
        assert told.value.key == "consent.missing"
    assert files(tmp_path) == []


def test_agreeing_twice_is_agreeing_once(visits: Visits) -> None:
    visit = agreed(visits)
    sitting = visit.sitting
    visit.consent(True)
    assert visit.sitting == sitting


# ---- photos


def test_four_photos_are_enough_and_one_can_be_taken_back(visits: Visits, album: Album) -> None:
    visit = agreed(visits)
    pictures = [visit.keep(JPEG) for _ in range(5)]
    for picture in pictures[:4]:
        visit.add(FACE, picture)
    with pytest.raises(PhotoError):
        visit.add(FACE, pictures[4])
    assert visit.remove(pictures[1])
    assert album.get(pictures[1]) is None
    assert not visit.remove(pictures[1])
    assert [one.picture for one in visit.selfies] == [pictures[0], *pictures[2:4]]


def test_a_making_needs_a_photo_and_stops_the_one_before(visits: Visits, album: Album) -> None:
    visit = agreed(visits)
    with pytest.raises(VisitorError) as told:
        visit.start_making()
    assert told.value.key == "camera.missing"
    visit = with_portraits(visits)
    before, first = made(visit), visit.start_making().run
    assert [album.get(one) for one in (*before.photographs, *before.portraits)] == [None, None]
    second = visit.start_making().run
    assert first.is_stopped
    assert not second.is_stopped


def test_portraits_that_are_not_there_are_not_shown(visits: Visits) -> None:
    visit = agreed(visits)
    for stage in (ScreenName.RESULT, ScreenName.VOTE):
        with pytest.raises(VisitorError):
            visit.go(stage)


@pytest.mark.parametrize(
    "way",
    [
        [ScreenName.DELETE],
        [ScreenName.DELETE, ScreenName.DELETE],
        [ScreenName.DELETE, ScreenName.DELETE, ScreenName.DELETE],
        [ScreenName.RESULT, ScreenName.DELETE],  # the same screen again, from another page of the visit
        [ScreenName.DELETE, ScreenName.RESULT, ScreenName.DELETE],
        [ScreenName.WITHDRAW, ScreenName.DELETE, ScreenName.DELETE],
        [ScreenName.DELETE, ScreenName.WITHDRAW, ScreenName.DELETE],
        [ScreenName.DELETE, ScreenName.GOODBYE],
    ],
)
def test_keep_leads_to_the_last_screen_that_does_not_ask_for_it(
    visits: Visits, way: list[ScreenName]
) -> None:
    visit = with_portraits(visits)
    visit.go(ScreenName.RESULT)
    for stage in way:
        visit.go(stage)
    asked = [ScreenName.RESULT, *(stage for stage in way if stage != ScreenName.DELETE)]
    if visit.screen == ScreenName.DELETE:
        assert visit._came_from == asked[-1]
    assert visit._came_from != ScreenName.DELETE


# ---- whose it is


def test_a_reload_comes_back_to_the_same_visit(visits: Visits) -> None:
    visit = visits.of("cookie", "first page")
    visits.close_page("first page")
    assert visits.of("cookie", "second page") is visit
    assert visit.presence.closed is None


def test_where_cookies_are_blocked_each_page_is_a_visit(visits: Visits) -> None:
    assert visits.of("", "one") is visits.of("", "one")
    assert visits.of("", "one") is not visits.of("", "two")


def test_two_browsers_share_nothing(visits: Visits) -> None:
    one, two = agreed(visits, "one"), agreed(visits, "two")
    assert len({one.ticket, two.ticket, one.voter, two.voter, one.sitting, two.sitting}) == 6
    assert visits.with_ticket(two.ticket) is two
    assert one.sitting
    assert visits.with_sitting(one.sitting) is one


@pytest.mark.parametrize("ticket", ["", "guessed", "é", "../../etc/passwd", "\x00"])
def test_a_guessed_ticket_opens_nothing(visits: Visits, ticket: str) -> None:
    agreed(visits)
    assert visits.with_ticket(ticket) is None


# ---- the end


def test_delete_mine_leaves_nothing_and_the_visit_goes_on(
    visits: Visits, album: Album, tmp_path: Path
) -> None:
    visit = with_portraits(visits)
    before, run = made(visit), visit.start_making().run
    visit.wipe()
    assert run.is_stopped
    assert files(tmp_path) == []
    assert (visit.selfies, visit.making, visit.has_consented) == ((), None, False)
    assert album.get(before.photographs[0]) is None
    with pytest.raises(VisitorError):
        visit.keep(JPEG)


def test_the_next_person_on_the_same_screen_is_a_new_visit_and_a_new_voter(
    visits: Visits, tmp_path: Path
) -> None:
    visit = with_portraits(visits)
    visits.end(visit)
    after = visits.of("one", "page of one")
    assert after is not visit
    assert after.voter != visit.voter
    assert after.ticket != visit.ticket
    assert not after.has_consented
    assert visit.is_over
    assert files(tmp_path) == []


def test_what_may_be_shown_outlives_the_visit_and_its_code_takes_it_back(
    visits: Visits, album: Album
) -> None:
    visit = with_portraits(visits)
    assert visit.sitting
    allow(visit)
    photograph = made(visit).photographs[0]
    visits.end(visit)
    assert album.get(photograph) is not None
    assert visits.with_sitting(visit.sitting) is None  # and no browser may see it
    assert album.withdraw(visit.sharing.stage_code)
    assert album.get(photograph) is None


def test_a_new_making_takes_the_permission_to_show_back(visits: Visits, album: Album) -> None:
    visit = with_portraits(visits)
    assert visit.sitting
    code = allow(visit)
    visit.start_making()
    assert visit.sharing.stage_code == ""
    assert not album.withdraw(code)


def test_a_closed_tab_ends_its_making_at_once_and_its_visit_after_a_grace(
    visits: Visits, tmp_path: Path
) -> None:
    visit = with_portraits(visits)
    run = visit.start_making().run
    visits.close_page("page of one")
    assert run.is_stopped
    visits.forget_expired()
    assert not visit.is_over
    assert visit.presence.closed is not None
    visit.presence.closed -= GRACE_S + 1
    visits.forget_expired()
    assert visit.is_over
    assert files(tmp_path) == []


def test_one_of_two_open_pages_may_be_closed(visits: Visits) -> None:
    visit = agreed(visits)
    visits.of("one", "second page")
    visits.close_page("second page")
    assert visit.presence.closed is None


def test_after_the_retention_a_visit_is_gone_whoever_is_still_there(
    visits: Visits, clock: Clock, tmp_path: Path
) -> None:
    visit = with_portraits(visits)
    run = visit.start_making().run
    clock.now += timedelta(minutes=29)
    assert visits.of("one", "page of one") is visit
    clock.now += timedelta(minutes=1, seconds=1)
    assert visits.of("one", "page of one") is not visit
    assert visit.is_over
    assert run.is_stopped
    assert files(tmp_path) == []


def test_what_the_host_approved_outlives_the_visit_that_allowed_it(
    visits: Visits, album: Album, clock: Clock
) -> None:
    visit = with_portraits(visits)
    assert visit.sitting
    allow(visit)
    selfie, portrait = visit.selfies[0].picture, made(visit).portraits[0]
    album.approve(visit.sitting)
    clock.now += timedelta(minutes=31)
    visits.forget_expired()
    assert visit.is_over
    assert visits.of("one", "page of one") is not visit
    assert album.get(selfie) is None
    assert album.get(portrait) is not None


def test_a_code_typed_elsewhere_ends_the_visit_too(visits: Visits, album: Album) -> None:
    visit = with_portraits(visits)
    assert visit.sitting
    allow(visit)
    assert album.withdraw(visit.sharing.stage_code)
    visits.forget_expired()
    assert visit.is_over


def test_what_has_expired_goes_also_while_nobody_asks(visits: Visits, clock: Clock) -> None:
    told = threading.Event()
    visits.on_forget = lambda session: told.set()
    visit = with_portraits(visits)
    clock.now += timedelta(minutes=31)
    visits.watch(every_s=0.01)
    assert told.wait(60)
    assert visit.is_over
    assert visit.selfies == ()


def test_an_idle_page_that_agreed_to_nothing_is_forgotten_too(visits: Visits) -> None:
    visit = visits.of("one", "page")
    visit.presence.touched -= 31 * 60
    assert visits.of("one", "page") is not visit


def test_however_many_come_nobody_who_agreed_is_sent_away(visits: Visits) -> None:
    mine, stranger = agreed(visits, "mine"), visits.of("stranger", None)
    mine.presence.touched -= 60 * 60
    stranger.presence.touched -= 1
    for i in range(MOST_STRANGERS):
        visits.of(f"invented {i}", None)
    visits.forget_expired()
    assert not mine.is_over
    assert stranger.is_over  # it had nothing to lose


def test_where_all_places_are_taken_the_next_consent_is_asked_to_wait(
    visits: Visits, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("booth.visits.MOST_VISITS", 3)
    with_selfie, unused, third = (agreed(visits, name) for name in ("one", "two", "three"))
    with_selfie.add(FACE, with_selfie.keep(JPEG))
    visits.make_room_for(third)  # agreed again: it has its place
    late = visits.of("late", "page of late")
    with pytest.raises(VisitorError) as refused:
        visits.make_room_for(late)
    assert refused.value.key == "visit.busy"
    for visit in (with_selfie, unused):
        visit.presence.touched -= UNUSED_S + 1
    visits.make_room_for(late)
    assert (with_selfie.is_over, unused.is_over, third.is_over) == (False, True, False)


def test_selfies_of_all_visits_are_bounded_together(visits: Visits, monkeypatch: pytest.MonkeyPatch) -> None:
    visit = agreed(visits)
    visit.add(FACE, visit.keep(JPEG))
    visits.require_memory()
    monkeypatch.setattr("booth.visits.MOST_BYTES", visit.selfies[0].nbytes - 1)
    with pytest.raises(VisitorError) as refused:
        visits.require_memory()
    assert refused.value.key == "visit.busy"
    visits.end(visit)
    visits.require_memory()
