"""The first page without a browser: routes, visits, sentences, and what a sitting changes on screen."""

import asyncio
import base64
import io
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import numpy as np
import pytest
from gradio.routes import App
from PIL import Image
from starlette.applications import Starlette
from starlette.testclient import TestClient

import app
from errors import NotDownloaded, OperatorError, TooMuch
from pages import markup
from pages.components.choice import Option, choice
from pages.desk import Desk
from pages.first import Handlers, first_page
from pages.intake import intake_routes
from pages.layout import Screens, lay_out
from pages.look_pictures import LookPictures
from pages.samples import SAMPLES, sample
from pages.telling import Teller
from pages.visits import MOST_VISITS, Visits
from pages.warmup import Warmup, health_route
from pipelines.face import FaceFinder
from pipelines.generate import Progress, Rendering, Request
from pipelines.look import read_expressions, read_looks
from pipelines.model_set import read_model_sets
from pipelines.photo import MAX_BYTES, Photo
from pipelines.provenance import read_mark
from pipelines.studio import Studio
from settings import Settings
from tests.hostile import REFUSED, card, encoded
from votes.schema import Kind
from votes.store import Store
from words import read_words

ROOT = Path(__file__).parent.parent
WORDS = read_words()
STEPS = 3


class Painter:
    """Stands where the generator stands: paints each portrait in its own flat colour."""

    model_set = read_model_sets()["mini"]
    loaded = True

    def __init__(self, failure: Exception | None = None) -> None:
        self.failure = failure
        self.steps_done = 0

    def load(self) -> None:
        if self.failure:
            raise self.failure

    def revisions(self) -> dict[str, str]:
        return {}

    def draw(self, request: Request) -> Iterator[Progress | Rendering]:
        self.load()
        width, height = self.model_set.canvas
        images = [np.full((height, width, 3), 60 + 40 * i, np.uint8) for i in range(len(request.seeds))]
        for step in range(1, STEPS + 1):
            self.steps_done = step
            yield Progress(0, len(images), step, STEPS, (images[0],))
        for i, image in enumerate(images):
            yield Rendering(image, i, request.seeds[i], "plate", 0.4, 20, STEPS, 0.1)


@pytest.fixture
def desk(finder: FaceFinder, studio: Studio) -> Iterator[Desk]:
    painter: Any = Painter()
    looks, teller = read_looks(), Teller(WORDS)
    with Store("sqlite://") as store:
        yield Desk(
            words=WORDS,
            looks=looks,
            pictures=LookPictures(looks, finder, studio),
            expressions=read_expressions(),
            why="Small offline model.",
            finder=finder,
            studio=studio,
            generator=painter,
            store=store,
            visits=Visits(retention_minutes=30),
            teller=teller,
            warmup=Warmup([painter.load], teller),
        )


def visitor(session: str = "one") -> Any:
    """As much of Gradio's request as a handler looks at."""
    return SimpleNamespace(session_hash=session)


def page_of(desk: Desk) -> tuple[Handlers, Screens]:
    async def laid_out() -> Screens:
        with gr.Blocks(analytics_enabled=False):
            return lay_out(desk)

    screens = asyncio.run(laid_out())  # without a running loop Gradio makes three and closes none
    return Handlers(desk, screens), screens


def sat_down(desk: Desk, count: str = "2") -> tuple[Handlers, Screens, list[dict[Any, Any]]]:
    """A visitor who chose a sample face and let the portraits be made."""
    does, on = page_of(desk)
    does.sample_chosen("astronaut")(visitor())
    does.begin(visitor())
    return does, on, list(does.make("grey", "relaxed", count, visitor()))


def pictures_in(html: str) -> list[bytes]:
    return [base64.b64decode(found) for found in re.findall(r"data:image/jpeg;base64,([^\"]+)", html)]


# ---- photos come in


def intake(visits: Visits) -> TestClient:
    return TestClient(Starlette(routes=intake_routes(visits, Teller(WORDS), WORDS)))


def test_a_photo_is_taken_into_memory_by_the_page_that_holds_the_ticket() -> None:
    visits = Visits(30)
    visit = visits.of("one")
    answer = intake(visits).post(
        "/selfies", content=encoded(card(), "png"), headers={"X-Ticket": visit.ticket}
    )
    assert (answer.status_code, answer.json()) == (200, {"photos": 1})
    assert np.array_equal(visit.photos[0].pixels, card())


@pytest.mark.parametrize("ticket", ["", "guessed", "é", "../../etc/passwd"])
def test_without_a_ticket_nothing_is_taken(ticket: str) -> None:
    visits = Visits(30)
    visit = visits.of("one")
    answer = intake(visits).post(
        "/selfies", content=encoded(card(), "png"), headers={"X-Ticket": ticket.encode("latin-1")}
    )
    assert answer.status_code == 404
    assert answer.json()["error"] == WORDS.say("visit.over")
    assert visit.photos == []


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_a_hostile_file_is_refused_by_the_sentence_that_fits(name: str) -> None:
    make, key = REFUSED[name]
    visits = Visits(30)
    visit = visits.of("one")
    answer = intake(visits).post("/selfies", content=make(), headers={"X-Ticket": visit.ticket})
    expected = WORDS.tables["en"][key].partition("{")[0]
    assert answer.status_code == 422
    assert answer.json()["error"].startswith(expected)
    assert visit.refused == [answer.json()["error"]]
    assert visit.photos == []


def test_reading_stops_where_a_file_becomes_too_big() -> None:
    visits = Visits(30)
    visit = visits.of("one")
    routes = Starlette(routes=intake_routes(visits, Teller(WORDS), WORDS))
    headers = [(b"x-ticket", visit.ticket.encode())]
    scope = {"type": "http", "method": "POST", "path": "/selfies", "query_string": b"", "headers": headers}
    sent, answers = [0], list[Any]()

    async def endless() -> dict[str, Any]:
        sent[0] += 2**20
        return {"type": "http.request", "body": b"\xff\xd8\xff" + bytes(2**20 - 3), "more_body": True}

    async def answer(message: Any) -> None:
        answers.append(message)

    asyncio.run(routes(scope, endless, answer))
    assert sent[0] <= MAX_BYTES + 2**21
    assert answers[0]["status"] == 422
    assert WORDS.say("file.big", mb=MAX_BYTES // 2**20) in answers[1]["body"].decode()


def test_a_fifth_photo_is_refused() -> None:
    visits = Visits(30)
    visit = visits.of("one")
    client = intake(visits)
    for _ in range(5):
        answer = client.post("/selfies", content=encoded(card(), "png"), headers={"X-Ticket": visit.ticket})
    assert answer.json()["error"] == WORDS.say("file.many", n=5)
    assert len(visit.photos) == 4


def test_a_failure_of_ours_is_one_sentence_with_an_id_that_the_log_has_too(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("pages.intake.read_photo", lambda data: 1 / 0)
    visits = Visits(30)
    answer = intake(visits).post("/selfies", content=b"x", headers={"X-Ticket": visits.of("one").ticket})
    found = re.search(r"\((\w+)\)", answer.json()["error"])
    assert found is not None
    (entry,) = [one for one in caplog.records if one.exc_info]
    assert found[1] in entry.getMessage()
    assert "ZeroDivisionError" not in answer.text


# ---- visits


def test_each_session_has_its_own_visit_and_keeps_it() -> None:
    visits = Visits(30)
    one, other = visits.of("one"), visits.of("other")
    assert visits.of("one") is one
    assert other is not one
    assert len({one.ticket, one.voter, other.ticket, other.voter}) == 4


def test_a_closed_tab_is_forgotten_and_its_making_stops() -> None:
    visits = Visits(30)
    visit = visits.of("one")
    visit.add(Photo(card()))
    run = visit.start_run()
    visits.forget("one")
    assert run.stop.is_set()
    assert visits.with_ticket(visit.ticket) is None
    assert visits.of("one").photos == []


def test_after_the_retention_a_visit_is_gone() -> None:
    visits = Visits(retention_minutes=30)
    visit = visits.of("one")
    visit.touched -= 29 * 60
    assert visits.with_ticket(visit.ticket) is visit
    visit.touched -= 2 * 60
    assert visits.with_ticket(visit.ticket) is None


def test_what_has_expired_goes_also_while_nobody_asks() -> None:
    visits, told = Visits(30), threading.Event()
    visits.on_forget = lambda session: told.set()
    visit = visits.of("one")
    visit.add(Photo(card()))
    visit.touched -= 31 * 60
    visits.watch(every_s=0.01)
    assert told.wait(60)
    visits.close()
    assert visit.gone
    assert visit.photos == []


def test_visits_are_bounded_and_the_stalest_goes_first() -> None:
    visits = Visits(30)
    first = visits.of("first")
    first.touched -= 60
    others = [visits.of(f"session {n}") for n in range(MOST_VISITS)]
    visits.forget_expired()
    assert visits.with_ticket(first.ticket) is None
    assert visits.with_ticket(others[-1].ticket) is others[-1]


# ---- what is shown


def test_every_sample_face_is_here_without_a_network() -> None:
    for name in SAMPLES:
        assert min(sample(name).pixels.shape[:2]) >= 512
        assert WORDS.say(f"sample.{name}")


def test_text_is_escaped_wherever_it_is_shown() -> None:
    bad = "<img src=x onerror=alert(1)>\"'"
    shown = (
        markup.picture("", bad, bad)
        + markup.heading(bad, bad)
        + markup.notice(bad)
        + markup.note(bad)
        + markup.status(bad)
        + markup.steps(bad, [0.5])
    )
    assert "<img src=x" not in shown
    assert "\"'" not in shown


def test_a_choice_gives_gradios_template_engines_nothing_to_run() -> None:
    part = choice("n", "`${alert(1)}` {{evil}}", [Option("a", "\\`${2}")], "a", "seg")
    assert not set("`${}\\") & set(part.html_template)


def test_a_preview_shown_on_the_page_keeps_its_colours() -> None:
    (jpeg,) = pictures_in(markup.data_url(np.ascontiguousarray(card(640, 400))) + '"')
    shown = np.asarray(Image.open(io.BytesIO(jpeg)))
    assert np.abs(shown.astype(int) - card(640, 400)).mean() < 2


# ---- a sitting


def test_the_plate_comes_first_then_what_it_saw_then_real_steps_then_the_result(desk: Desk) -> None:
    _, on, updates = sat_down(desk)
    assert WORDS.say("making.loading") in updates[0][on.making.steps]
    firsts = [
        next(i for i, update in enumerate(updates) if sign in str(update.get(part, "")))
        for part, sign in (
            (on.making.plate, "<img"),
            (on.making.seen, "<img"),
            (on.making.steps, "progressbar"),
            (on.making.preview, "<img"),
            (on.result.sheet, "<img"),
        )
    ]
    assert firsts == sorted(firsts)
    labels = [
        update[on.making.steps] for update in updates if "progressbar" in str(update.get(on.making.steps))
    ]
    assert [re.findall(r"step (\d) of 3", label)[0] for label in labels] == ["1", "2", "3"]
    assert "--done:100%" in labels[-1]


def test_the_result_shows_the_photograph_and_every_portrait_each_marked_as_what_it_is(desk: Desk) -> None:
    _, on, updates = sat_down(desk, count="3")
    files = pictures_in(updates[-1][on.result.sheet])
    assert len(files) == 4
    marks = [read_mark(file) for file in files]
    assert all(marks)
    assert len({repr(mark) for mark in marks}) == 2  # one photograph, three from the plate
    assert WORDS.say("result.photo") in updates[-1][on.result.sheet]


def test_stop_ends_the_making_within_one_step_and_keeps_the_photos(desk: Desk) -> None:
    does, on = page_of(desk)
    painter: Any = desk.generator
    does.sample_chosen("astronaut")(visitor())
    does.begin(visitor())
    making = does.make("grey", "", "2", visitor())
    while painter.steps_done < 1:
        next(making)
    stopped = does.stop(visitor())
    assert list(making) == []
    assert painter.steps_done <= 2
    assert WORDS.say("making.stopped") in stopped[on.start.notice]
    assert len(desk.visits.of("one").photos) == 1


def test_a_visit_is_kept_while_its_portraits_are_made(desk: Desk) -> None:
    does, on = page_of(desk)
    does.sample_chosen("astronaut")(visitor())
    does.begin(visitor())
    making, visit = does.make("grey", "", "1", visitor()), desk.visits.of("one")
    next(making)
    visit.touched -= 31 * 60
    desk.visits.forget_expired()
    assert on.result.sheet in list(making)[-1]
    desk.visits.forget_expired()
    assert desk.visits.of("one") is visit


def test_a_visit_that_goes_while_its_portraits_are_made_says_so(desk: Desk) -> None:
    does, on = page_of(desk)
    does.sample_chosen("astronaut")(visitor())
    does.begin(visitor())
    making = does.make("grey", "", "1", visitor())
    next(making)
    does.leave(visitor())
    last = list(making)[-1]
    assert WORDS.say("visit.over") in last[on.start.notice]
    assert last[on.start.screen].visible
    assert desk.visits.of("one").ticket in last[on.start.selfies]


def test_a_visit_that_goes_while_it_waits_for_the_machine_says_so(desk: Desk) -> None:
    does, on = page_of(desk)
    does.sample_chosen("astronaut")(visitor())
    does.begin(visitor())
    does.leave(visitor())
    (last,) = does.make("grey", "", "1", visitor())
    assert WORDS.say("visit.over") in last[on.start.notice]
    assert last[on.start.screen].visible


def test_whoever_waits_for_somebody_else_is_told(desk: Desk) -> None:
    does, on = page_of(desk)
    for name in ("one", "two"):
        does.sample_chosen("astronaut")(visitor(name))
    assert does.begin(visitor("one"))[on.making.steps] == ""
    making = does.make("grey", "", "1", visitor("one"))
    next(making)
    assert WORDS.say("making.before") in does.begin(visitor("two"))[on.making.steps]
    list(making)
    assert does.begin(visitor("two"))[on.making.steps] == ""


def test_photos_sent_to_a_visit_that_is_over_are_answered_beside_the_photos(desk: Desk) -> None:
    does, on = page_of(desk)
    assert WORDS.say("visit.over") in does.photos_sent(visitor())[on.start.selfies]


@pytest.mark.parametrize("count", [[], {}, None, 2, "99"])
def test_a_forged_number_is_one_sentence_without_a_traceback(
    desk: Desk, count: Any, caplog: pytest.LogCaptureFixture
) -> None:
    does, on = page_of(desk)
    assert does.count_chosen(count)[on.start.notice]
    assert [one for one in caplog.records if one.exc_info] == []


def test_a_second_make_takes_the_place_of_the_first(desk: Desk) -> None:
    does, on = page_of(desk)
    does.sample_chosen("astronaut")(visitor())
    does.begin(visitor())
    first = does.make("grey", "", "1", visitor())
    next(first)
    does.begin(visitor())
    assert list(first) == []
    assert on.result.sheet in list(does.make("grey", "", "1", visitor()))[-1]
    nothing = [{on.start.notice: gr.skip()}]
    assert list(does.make("grey", "", "1", visitor())) == nothing  # one making for one tap


def test_without_a_photo_nothing_is_made(desk: Desk) -> None:
    does, on = page_of(desk)
    assert WORDS.say("camera.missing") in does.begin(visitor())[on.start.notice]
    assert list(does.make("grey", "", "4", visitor())) == [{on.start.notice: gr.skip()}]


def test_a_photo_without_a_face_is_answered_beside_the_photos(desk: Desk) -> None:
    does, on = page_of(desk)
    desk.visits.of("one").add(Photo(np.full((600, 480, 3), 128, np.uint8)))
    does.begin(visitor())
    last = list(does.make("grey", "", "1", visitor()))[-1]
    assert WORDS.say("face.none") in last[on.start.selfies]
    assert last[on.start.screen].visible


@pytest.mark.parametrize(
    ("failure", "sentence"),
    [
        (TooMuch(), WORDS.say("making.memory")),
        (NotDownloaded("a/b", "mini"), WORDS.say("making.missing")),
        (RuntimeError("/secret/path"), WORDS.say("error.any", id="").partition("(")[0]),
    ],
)
def test_what_the_machine_cannot_do_is_one_sentence_beside_the_button(
    desk: Desk, failure: Exception, sentence: str, caplog: pytest.LogCaptureFixture
) -> None:
    painter: Any = Painter(failure)
    desk = replace(desk, generator=painter)
    _, on, updates = sat_down(desk)
    assert sentence in updates[-1][on.start.notice]
    assert "/secret/path" not in updates[-1][on.start.notice]
    assert "Traceback" not in updates[-1][on.start.notice]
    assert len([one for one in caplog.records if one.exc_info]) == isinstance(failure, RuntimeError)


@pytest.mark.parametrize(
    "wish",
    [("../../etc", "", "1"), ("grey", "../x", "1"), ("grey", "", "99"), ("grey", "", None), ({}, [], "1")],
)
def test_a_forged_wish_is_refused_by_one_sentence(desk: Desk, wish: tuple[Any, Any, Any]) -> None:
    does, on = page_of(desk)
    does.sample_chosen("hopper")(visitor())
    does.begin(visitor())
    last = list(does.make(*wish, visitor()))[-1]
    assert WORDS.say("error.any", id="").partition("(")[0] in last[on.start.notice]


# ---- the question


def test_the_truth_that_is_kept_is_that_of_the_picture_shown(desk: Desk) -> None:
    does, on, _ = sat_down(desk)
    seen = set()
    for _ in range(24):
        (file,) = pictures_in(does.ask(visitor())[on.question.picture])
        standing = desk.visits.of("one").asked
        assert standing is not None
        painted = np.asarray(Image.open(io.BytesIO(file))).std() < 1  # the painter paints in flat colours
        assert painted == (desk.store.find(standing.round.id).item.truth == Kind.GENERATED)
        seen.add(painted)
    assert seen == {True, False}


def test_the_question_does_not_tell_the_truth(desk: Desk) -> None:
    does, on, _ = sat_down(desk)
    pages, sizes = set(), {Kind.PHOTOGRAPH: set(), Kind.GENERATED: set()}
    for _ in range(24):
        asked = does.ask(visitor())
        standing = desk.visits.of("one").asked
        assert standing is not None
        (file,) = pictures_in(asked[on.question.picture])
        image = Image.open(io.BytesIO(file))
        assert read_mark(file) is None
        assert "exif" not in image.info and "xmp" not in image.info
        sizes[standing.round.item.truth].add((image.size, str(image.quantization)))
        shown = [one if isinstance(one, str) else str(one.visible) for one in asked.values()]
        pages.add(re.sub(r"base64,[^\"]+", "", "".join(shown)))
    assert len(pages) == 1
    assert sizes[Kind.PHOTOGRAPH] == sizes[Kind.GENERATED]
    assert len(sizes[Kind.PHOTOGRAPH]) == 1


@pytest.mark.parametrize("said", list(Kind))
def test_the_answer_is_kept_as_exposed_then_the_truth_is_told(desk: Desk, said: Kind) -> None:
    does, on, _ = sat_down(desk)
    does.ask(visitor())
    shown = does.answer(said)(visitor())[on.question.words]
    (kept,) = desk.store.guesses()
    item = desk.store.find(kept.round).item
    assert (kept.answer, kept.exposed) == (said, True)
    assert (item.look, item.expression, item.model_set, item.start) == ("grey", "relaxed", "mini", "plate")
    assert item.rehearsal
    word = {Kind.PHOTOGRAPH: "photograph", Kind.GENERATED: "AI"}
    right = WORDS.say("vote.right", x=word[said])
    assert (right in shown) == (item.truth == said)
    assert WORDS.say("vote.exposed") in shown
    assert WORDS.say("vote.one") in shown


def test_a_second_tap_changes_nothing(desk: Desk) -> None:
    does, on, _ = sat_down(desk)
    does.ask(visitor())
    first = does.answer(Kind.PHOTOGRAPH)(visitor())
    again = does.answer(Kind.GENERATED)(visitor())
    assert again[on.question.words] == first[on.question.words]
    (kept,) = desk.store.guesses()
    assert kept.answer == Kind.PHOTOGRAPH


def test_an_answer_without_a_question_is_refused_by_a_sentence(desk: Desk) -> None:
    does, on = page_of(desk)
    told = does.answer(Kind.GENERATED)(visitor())
    assert WORDS.say("vote.gone") in told[on.question.words]
    assert not told[on.question.answers].visible
    assert told[on.question.again].visible  # the way on
    assert WORDS.say("visit.over") in does.ask(visitor())[on.result.notice]
    assert desk.store.guesses() == ()


def test_two_visitors_never_see_each_other(desk: Desk) -> None:
    does, on, _ = sat_down(desk)
    other = does.welcome(visitor("two"))[on.start.selfies]
    assert pictures_in(other) == []
    assert WORDS.say("visit.over") in does.ask(visitor("two"))[on.result.notice]


# ---- start-up


def test_health_says_how_far_the_models_are_and_503_with_a_reason_when_not(desk: Desk) -> None:
    def ask(warmup: Warmup) -> Any:
        return TestClient(Starlette(routes=[health_route(warmup, desk.store, "mini", "1.2")])).get("/healthz")

    loading = ask(desk.warmup)
    assert (loading.status_code, loading.json()["models"]) == (200, "loading")
    desk.warmup.start()
    desk.warmup.join()
    ready = {"status": "ok", "model_set": "mini", "models": "ready", "database": "ok", "version": "1.2"}
    assert ask(desk.warmup).json() == ready
    failing = Warmup([Painter(NotDownloaded("a/b", "mini")).load], desk.teller)
    failing.start()
    failing.join()
    missing = ask(failing)
    assert (missing.status_code, missing.json()["models"]) == (503, "missing")
    assert missing.json()["reason"] == WORDS.say("making.missing")


def test_each_look_is_shown_on_a_sample_face(desk: Desk) -> None:
    desk.pictures.draw()
    client = TestClient(Starlette(routes=[desk.pictures.route()]))
    pictures = {name: client.get(f"/looks/{name}.jpg").content for name in desk.looks}
    assert len(set(pictures.values())) == len(desk.looks) >= 6
    assert Image.open(io.BytesIO(pictures["grey"])).size == (240, 300)
    assert client.get("/looks/nosuch.jpg").status_code == 404


def test_gradio_keeps_nothing_of_a_visit_that_is_over(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))

    async def served() -> App:
        page, given = first_page(desk), app.launch_arguments(desk, Settings())
        page.state_session_capacity = given["state_session_capacity"]  # as launch does
        return App.create_app(page, app_kwargs=given["app_kwargs"])

    gradio = asyncio.run(served())  # without a running loop Gradio makes three and closes none
    kept, client = gradio.state_holder, TestClient(gradio)
    desk.visits.of("one")
    assert kept["one"]  # as any event of that session would
    link = "/gradio_api/deep_link?session_hash=one"
    assert [client.request(verb, link).status_code for verb in ("GET", "HEAD")] == [404, 404]
    assert list(tmp_path.rglob("state.json")) == []
    desk.visits.forget("one")
    assert "one" not in kept
    assert "one" not in kept.time_last_used
    assert kept.capacity == MOST_VISITS


def test_the_page_launches_without_history_docs_analytics_and_footer(desk: Desk) -> None:
    given = app.launch_arguments(desk, Settings())
    off = ("share", "run_history", "enable_monitoring", "pwa", "ssr_mode", "mcp_server", "show_error")
    assert [given[name] for name in off] == [False] * len(off)
    assert given["footer_links"] == []
    assert given["app_kwargs"]["openapi_url"] is None
    assert given["max_file_size"] == "12mb"
    assert "http" not in given["head"]
    assert os.environ["GRADIO_ANALYTICS_ENABLED"] == "False"


def started(*words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    given = os.environ | {f"FACE_VALUE_{name}": value for name, value in environment.items()}
    return subprocess.run(
        [sys.executable, *words], cwd=ROOT, env=given, capture_output=True, text=True, timeout=120
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [("PORT", "many"), ("MODELS", "nosuch"), ("DATABASE", "nowhere"), ("RETENTION_MINUTES", "0")],
)
def test_a_wrong_setting_is_one_sentence_and_exit_2(tmp_path: Path, name: str, value: str) -> None:
    done = started("app.py", **({"DATA": str(tmp_path), "MODELS": "mini"} | {name: value}))
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert value in done.stderr or name in done.stderr


def test_a_missing_system_library_of_opencv_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(OperatorError, match="apt-get install libgl1"):
        app.require_opencv()


def test_what_is_heavy_is_imported_behind_the_open_page(tmp_path: Path) -> None:
    heavy = ("torch", "diffusers", "transformers", "mediapipe", "controlnet_aux", "matplotlib", "skimage")
    code = (
        "import sys, app; from settings import Settings; from words import read_words;"
        "desk = app.build_desk(Settings(models='mini'), read_words());"
        "from pages.first import first_page; first_page(desk);"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    done = started("-c", code, DATA=str(tmp_path))
    assert done.stdout == "[]\n", done.stderr


def test_the_version_is_the_projects() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+", app.version())
