"""Hints before the shot: what a small frame of the camera says; a route that looks, answers and forgets."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import pytest
from PIL import Image
from starlette.applications import Starlette
from starlette.testclient import TestClient

from booth.album import Album
from booth.line import Line
from booth.visit import ScreenName, Visit
from booth.visits import Visits
from errors import PhotoError
from pages.booth.hints import Hints, hint_routes
from pages.booth.page import BoothPage
from pages.guards.error_boundary import ErrorBoundary
from pipelines.arrays import Pixels
from pipelines.selfie import hints
from pipelines.selfie.hints import LONGEST_SIDE, MOST_BYTES, FrameFace, FrameJudge, Hint, judge_frame
from pipelines.selfie.photo import Photo, open_photo
from services import Services, build_services
from settings import Settings
from tests.hostile import card, encoded
from tests.test_booth import services as services  # the fixture
from words import read_words

pytestmark = pytest.mark.draws

WORDS = read_words()
GREY = (120, 126, 132)


def frame(pixels: Pixels | Image.Image) -> bytes:
    """As the page sends it."""
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    image.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    return encoded(image, "jpeg", quality=70, subsampling=2)


def about_the_face(photo: Photo, middle: tuple[int, int], half: int) -> Pixels:
    """A square of the photo."""
    x, y = middle
    return photo.pixels[max(0, y - half) : y + half, max(0, x - half) : x + half]


# ---- judging


@pytest.fixture(scope="module")
def judge() -> Iterator[FrameJudge]:
    with FrameJudge() as judge:
        yield judge


def test_whoever_stands_well_hears_nothing(judge: FrameJudge, astronaut: Photo, hopper: Photo) -> None:
    closer = about_the_face(astronaut, (225, 120), 130)
    assert [judge.judge(frame(pixels)) for pixels in (closer, hopper.pixels)] == [Hint.GOOD] * 2


def test_two_people_are_two_and_a_passer_by_behind_is_none(
    judge: FrameJudge, astronaut: Photo, hopper: Photo
) -> None:
    one, other = astronaut.pixels[:300, 90:360], hopper.pixels[32:, :511]
    alike = np.hstack([one, np.asarray(Image.fromarray(other).resize((270, 300)))])
    assert judge.judge(frame(alike)) == Hint.MANY
    behind = hopper.pixels.copy()
    behind[:120, :108] = np.asarray(Image.fromarray(one).resize((108, 120)))
    assert judge.judge(frame(behind)) == Hint.GOOD


def test_a_tenth_of_the_light_is_too_dark_with_and_without_a_face(
    judge: FrameJudge, astronaut: Photo, hopper: Photo
) -> None:
    for pixels in (astronaut.pixels, hopper.pixels, card(256, 200)):
        assert judge.judge(frame(pixels // 10)) == Hint.DARK


def test_light_that_is_lost_is_too_bright(judge: FrameJudge, astronaut: Photo, hopper: Photo) -> None:
    for photo in (astronaut, hopper):
        assert judge.judge(frame((photo.pixels * 2.0).clip(0, 255).astype(np.uint8))) == Hint.BRIGHT


def test_a_small_head_is_too_far(judge: FrameJudge, astronaut: Photo, hopper: Photo) -> None:
    for photo in (astronaut, hopper):
        room = Image.new("RGB", (1280, 1280), GREY)
        room.paste(Image.fromarray(photo.pixels), (400, 400))
        assert judge.judge(frame(room)) == Hint.FAR


def test_a_head_larger_than_the_oval_is_too_near_and_one_beyond_the_edge_is_cut(
    judge: FrameJudge, astronaut: Photo, hopper: Photo
) -> None:
    for photo, middle, face in ((astronaut, (225, 119), 104), (hopper, (266, 230), 198)):
        x, y = middle
        near = about_the_face(photo, middle, int(0.65 * face))
        cut = about_the_face(photo, (x, y + int(0.6 * face)), int(1.2 * face))
        assert [judge.judge(frame(pixels)) for pixels in (near, cut)] == [Hint.NEAR, Hint.CUT]


def test_a_face_turned_away_is_told_to_either_side(judge: FrameJudge, portraits: Path) -> None:
    turned = open_photo(portraits / "train" / "029369.jpg").pixels  # 30 degrees
    for pixels in (turned, np.ascontiguousarray(turned[:, ::-1])):
        assert judge.judge(frame(pixels)) == Hint.TURNED
    light, ahead = np.full((200, 160, 3), 200, np.uint8), FrameFace(40, 60, 75, 75, 0.0)
    found = [judge_frame(light, [ahead._replace(aside=aside)]) for aside in (-0.5, -0.3, 0.3, 0.5)]
    assert found == [Hint.TURNED, Hint.GOOD, Hint.GOOD, Hint.TURNED]


def test_nobody_is_nobody(judge: FrameJudge) -> None:
    assert judge.judge(frame(Image.new("RGB", (256, 200), GREY))) == Hint.NONE


def test_official_portraits_of_all_tones_need_no_hint_and_are_dark_in_the_dark(
    judge: FrameJudge, portraits: Path
) -> None:
    photos = [open_photo(path) for path in sorted((portraits / "test").glob("*.jpg"))]
    told = [judge.judge(frame(photo.pixels)) for photo in photos]
    assert sorted(told) == [Hint.GOOD] * 23 + [Hint.FAR]  # one has a small face
    assert {judge.judge(frame(photo.pixels // 10)) for photo in photos} == {Hint.DARK}


def claimed(width: int, height: int) -> bytes:
    """A small JPEG whose header claims another size."""
    size = height.to_bytes(2, "big") + width.to_bytes(2, "big")
    data = frame(card(64, 64))
    return data.replace(b"\x00\x40\x00\x40", size, 1)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no picture",
        encoded(card(64, 64), "png"),
        b"\xff\xd8\xff" + bytes(100),
        claimed(60_000, 60_000),
        claimed(LONGEST_SIDE + 1, 10),
        frame(card(64, 64)) + bytes(MOST_BYTES),
    ],
    ids=["nothing", "text", "png", "cut short", "a huge one", "a large one", "a long one"],
)
def test_what_is_no_small_jpeg_is_refused_before_it_is_decoded(judge: FrameJudge, data: bytes) -> None:
    with pytest.raises(PhotoError):
        judge.judge(data)


def test_nobody_waits_while_another_frame_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    began, may_end = threading.Event(), threading.Event()

    def read(_: bytes) -> Pixels:
        began.set()
        may_end.wait(10)
        raise PhotoError("file.broken")

    def look() -> None:
        with pytest.raises(PhotoError):
            judge.judge(b"")

    monkeypatch.setattr(hints, "read_frame", read)
    judge = FrameJudge()
    thread = threading.Thread(target=look)
    thread.start()
    began.wait(10)
    assert judge.judge(b"") is None
    may_end.set()
    thread.join()
    look()  # free again, though it failed


# ---- the route


class CountingJudge:
    """Says what it was made to say of every frame, and counts them."""

    def __init__(self) -> None:
        self.frames = 0

    def judge(self, data: bytes) -> Hint:
        assert data
        self.frames += 1
        return Hint.MANY


@pytest.fixture
def counting() -> Any:
    return CountingJudge()


@pytest.fixture
def visits(tmp_path: Path) -> Visits:
    return Visits(Album(tmp_path / "sittings", 30, 12), 30)


@pytest.fixture
def visit(visits: Visits) -> Visit:
    """Somebody before the camera."""
    visit = visits.of("one", "page")
    visit.consent(True)
    visit.go(ScreenName.CAMERA)
    return visit


Ask = Callable[..., Any]


@pytest.fixture
def line() -> Line:
    return Line()


def asking(visits: Visits, judge: Any, line: Line) -> Ask:
    client = TestClient(Starlette(routes=Hints(visits, judge, line, ErrorBoundary(WORDS), WORDS).routes()))

    def ask(ticket: str, data: bytes | None = None) -> Any:
        content = frame(card(64, 64)) if data is None else data
        return client.post("/hints", content=content, headers={"X-Ticket": ticket})

    return ask


@pytest.fixture
def ask(visits: Visits, counting: Any, line: Line) -> Ask:
    return asking(visits, counting, line)


def test_a_frame_is_answered_with_its_hint(ask: Ask, visit: Visit) -> None:
    answer = ask(visit.ticket)
    assert (answer.status_code, answer.json()) == (200, {"hint": "many"})
    assert answer.headers["cache-control"] == "no-store"


def test_before_the_consent_no_frame_is_looked_at(ask: Ask, visits: Visits, counting: CountingJudge) -> None:
    visit = visits.of("one", "page")
    answer = ask(visit.ticket)
    assert (answer.status_code, answer.json()["error"]) == (403, WORDS.say("consent.missing"))
    visit.consent(True)  # not before the camera yet
    assert ask(visit.ticket).status_code == 204
    assert counting.frames == 0


def test_whose_visit_is_over_or_elsewhere_is_not_looked_at(
    ask: Ask, visit: Visit, visits: Visits, counting: CountingJudge
) -> None:
    visit.go(ScreenName.LOOK)
    assert ask(visit.ticket).status_code == 204
    visit.go(ScreenName.CAMERA)
    visits.end(visit)
    assert [ask(ticket).status_code for ticket in (visit.ticket, "", "guessed")] == [204] * 3
    assert counting.frames == 0


def test_too_often_is_refused_and_then_taken_again(
    ask: Ask, visit: Visit, counting: CountingJudge, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert [ask(visit.ticket).status_code for _ in range(3)] == [200, 429, 429]
    assert counting.frames == 1
    monkeypatch.setattr("pages.booth.hints.EVERY_S", 0.0)
    assert ask(visit.ticket).status_code == 200


def test_while_portraits_are_made_nothing_is_looked_at(
    ask: Ask, visit: Visit, line: Line, counting: CountingJudge
) -> None:
    with line.place():
        assert ask(visit.ticket).status_code == 204
    assert counting.frames == 0
    assert ask(visit.ticket).status_code == 200


def test_a_body_that_is_too_large_is_refused_unread(ask: Ask, visit: Visit, counting: CountingJudge) -> None:
    assert ask(visit.ticket, bytes(MOST_BYTES + 1)).status_code == 413
    assert counting.frames == 0


def test_what_is_no_jpeg_is_refused(visits: Visits, visit: Visit, judge: FrameJudge, line: Line) -> None:
    answer = asking(visits, judge, line)(visit.ticket, encoded(card(64, 64), "png"))
    assert (answer.status_code, answer.json()["error"]) == (422, WORDS.say("file.type"))


def test_nothing_of_a_frame_is_kept_or_logged(
    visits: Visits,
    visit: Visit,
    judge: FrameJudge,
    line: Line,
    astronaut: Photo,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    monkeypatch.setattr("pages.booth.hints.EVERY_S", 0.0)
    monkeypatch.chdir(tmp_path)
    ask = asking(visits, judge, line)
    answers = [ask(visit.ticket, data) for data in (frame(astronaut.pixels), frame(card(64, 64)), b"no")]
    assert [answer.status_code for answer in answers] == [200, 200, 422]
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert visit.selfies == ()
    assert not [said for said in caplog.records if "refused" not in said.getMessage()]


# ---- where they are off


@pytest.mark.parametrize(
    ("setting", "space", "given"),
    [("on", False, True), ("off", False, False), ("on", True, False), ("off", True, False)],
)
def test_there_are_no_hints_on_a_space_or_where_they_are_switched_off(
    setting: Any, space: bool, given: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SPACE_ID", raising=False)
    if space:
        monkeypatch.setenv("SPACE_ID", "me/face-value")
    settings = Settings(hints=setting, data=tmp_path, models="mini", host_key="a key of the test")
    services = build_services(settings, WORDS)
    assert (services.frame_judge is not None) == given
    assert len(hint_routes(services)) == given
    services.store.close()


def test_without_hints_the_page_sends_no_frame_and_the_consent_speaks_of_none(services: Services) -> None:
    async def lay_out(judge: FrameJudge | None) -> str:  # async, as `page_of` of the booth's tests says
        with gr.Blocks(analytics_enabled=False) as page:
            BoothPage(replace(services, frame_judge=judge))
        return str(page.get_config_file())

    for judge, side in ((FrameJudge(), LONGEST_SIDE), (None, 0)):
        text = asyncio.run(lay_out(judge))
        assert f'data-hint-side="{side}"' in text
        assert (WORDS.say("consent.hints") in text) == (judge is not None)
