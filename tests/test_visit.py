"""A visit: consent first, one's own pictures only, and an end that leaves nothing."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from booth.album import Album, PictureId
from booth.visit import GRACE_S, MOST_VISITS, Made, Stage, Visit, Visits
from errors import PhotoError, VisitorError
from pipelines.selfie.photo import Photo

PHOTO = Photo(np.full((8, 8, 3), 128, np.uint8))
JPEG = b"\xff\xd8 a picture \xff\xd9"


class Clock:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = datetime(2026, 5, 1, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


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
    visit.add(PHOTO, visit.keep(JPEG))
    visit.made = Made(
        "grey", (visit.keep(JPEG, "photograph-1.jpg"),), (visit.keep(JPEG, "ai-portrait-1.jpg"),)
    )
    return visit


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


# ---- consent


@pytest.mark.parametrize("stage", [Stage.CAMERA, Stage.LOOK, Stage.MAKING, Stage.RESULT, Stage.VOTE])
def test_nothing_behind_the_consent_opens_without_it(visits: Visits, stage: Stage) -> None:
    visit = visits.of("one", "page")
    with pytest.raises(VisitorError) as told:
        visit.go(stage)
    assert told.value.key == "consent.missing"
    assert visit.stage == Stage.WELCOME


def test_without_the_tick_no_photo_is_taken_and_nothing_is_written(visits: Visits, tmp_path: Path) -> None:
    visit = visits.of("one", "page")
    for attempt in (lambda: visit.consent(False), lambda: visit.add(PHOTO, PictureId("x")), visit.start_run):
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
        visit.add(PHOTO, picture)
    with pytest.raises(PhotoError):
        visit.add(PHOTO, pictures[4])
    assert visit.remove(pictures[1])
    assert album.get(pictures[1]) is None
    assert not visit.remove(pictures[1])
    assert [one.picture for one in visit.selfies] == [pictures[0], *pictures[2:4]]


def test_a_making_needs_a_photo_and_stops_the_one_before(visits: Visits, album: Album) -> None:
    visit = agreed(visits)
    with pytest.raises(VisitorError) as told:
        visit.start_run()
    assert told.value.key == "camera.missing"
    visit = with_portraits(visits)
    made, first = visit.made, visit.start_run()
    assert made is not None
    assert [album.get(one) for one in (*made.photographs, *made.portraits)] == [None, None]
    second = visit.start_run()
    assert first.stop.is_set()
    assert not second.stop.is_set()


def test_portraits_that_are_not_there_are_not_shown(visits: Visits) -> None:
    visit = agreed(visits)
    for stage in (Stage.RESULT, Stage.VOTE):
        with pytest.raises(VisitorError):
            visit.go(stage)


# ---- whose it is


def test_a_reload_comes_back_to_the_same_visit(visits: Visits) -> None:
    visit = visits.of("cookie", "first page")
    visits.close_page("first page")
    assert visits.of("cookie", "second page") is visit
    assert visit.left is None


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
    made, run = visit.made, visit.start_run()
    visit.wipe()
    assert run.stop.is_set()
    assert files(tmp_path) == []
    assert (visit.selfies, visit.made, visit.quiz, visit.consented) == ([], None, None, False)
    assert made is not None
    assert album.get(made.photographs[0]) is None
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
    assert not after.consented
    assert visit.gone
    assert files(tmp_path) == []


def test_what_may_be_shown_outlives_the_visit_and_its_code_takes_it_back(
    visits: Visits, album: Album
) -> None:
    visit = with_portraits(visits)
    assert visit.made and visit.sitting
    visit.code = album.allow_show(visit.sitting, (*visit.made.photographs, *visit.made.portraits)).code
    visits.end(visit)
    assert album.get(visit.made.photographs[0]) is not None
    assert visits.with_sitting(visit.sitting) is None  # and no browser may see it
    assert album.withdraw(visit.code)
    assert album.get(visit.made.photographs[0]) is None


def test_a_new_making_takes_the_permission_to_show_back(visits: Visits, album: Album) -> None:
    visit = with_portraits(visits)
    assert visit.made and visit.sitting
    code = visit.code = album.allow_show(visit.sitting, visit.made.portraits).code
    visit.start_run()
    assert visit.code == ""
    assert not album.withdraw(code)


def test_a_closed_tab_ends_its_making_at_once_and_its_visit_after_a_grace(
    visits: Visits, tmp_path: Path
) -> None:
    visit = with_portraits(visits)
    run = visit.start_run()
    visits.close_page("page of one")
    assert run.stop.is_set()
    visits.forget_expired()
    assert not visit.gone
    assert visit.left is not None
    visit.left -= GRACE_S + 1
    visits.forget_expired()
    assert visit.gone
    assert files(tmp_path) == []


def test_one_of_two_open_pages_may_be_closed(visits: Visits) -> None:
    visit = agreed(visits)
    visits.of("one", "second page")
    visits.close_page("second page")
    assert visit.left is None


def test_after_the_retention_a_visit_is_gone_whoever_is_still_there(
    visits: Visits, clock: Clock, tmp_path: Path
) -> None:
    visit = with_portraits(visits)
    run = visit.start_run()
    clock.now += timedelta(minutes=29)
    assert visits.of("one", "page of one") is visit
    clock.now += timedelta(minutes=1, seconds=1)
    assert visits.of("one", "page of one") is not visit
    assert visit.gone
    assert run.stop.is_set()
    assert files(tmp_path) == []


def test_what_the_host_approved_outlives_the_visit_that_allowed_it(
    visits: Visits, album: Album, clock: Clock
) -> None:
    visit = with_portraits(visits)
    assert visit.made and visit.sitting
    visit.code = album.allow_show(visit.sitting, visit.made.portraits).code
    album.approve(visit.sitting)
    clock.now += timedelta(minutes=31)
    visits.forget_expired()
    assert visit.gone
    assert visits.of("one", "page of one") is not visit
    assert album.get(visit.made.photographs[0]) is None
    assert album.get(visit.made.portraits[0]) is not None


def test_a_code_typed_elsewhere_ends_the_visit_too(visits: Visits, album: Album) -> None:
    visit = with_portraits(visits)
    assert visit.made and visit.sitting
    visit.code = album.allow_show(visit.sitting, visit.made.portraits).code
    assert album.withdraw(visit.code)
    visits.forget_expired()
    assert visit.gone


def test_what_has_expired_goes_also_while_nobody_asks(visits: Visits, clock: Clock) -> None:
    told = threading.Event()
    visits.on_forget = lambda session: told.set()
    visit = with_portraits(visits)
    clock.now += timedelta(minutes=31)
    visits.watch(every_s=0.01)
    assert told.wait(60)
    assert visit.gone
    assert visit.selfies == []


def test_an_idle_page_that_agreed_to_nothing_is_forgotten_too(visits: Visits) -> None:
    visit = visits.of("one", "page")
    visit.touched -= 31 * 60
    assert visits.of("one", "page") is not visit


def test_the_stalest_visit_makes_room_for_the_newest(visits: Visits) -> None:
    first = agreed(visits, "first")
    first.touched -= 1
    for i in range(MOST_VISITS):
        visits.of(f"visitor {i}", None)
    visits.forget_expired()
    assert first.gone
