"""Start-up: what is launched, what waits behind the open page, and what a wrong setting says."""

import asyncio
import io
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from gradio.routes import App
from PIL import Image
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.testclient import TestClient

import app
from booth.visits import MOST_VISITS
from errors import NotDownloaded, OperatorError
from pages.booth.page import booth_page
from pages.guards.error_boundary import ErrorBoundary
from pages.health import health_route
from pages.look_pictures import WELCOME
from pages.warmup import Warmup
from pipelines.draw.drawer import DrawRequest
from pipelines.draw.generate import Progress, Rendering
from pipelines.sitting import sit
from services import Services
from settings import Settings
from tests.test_booth import STEPS, Painter
from tests.test_booth import services as services  # the fixture
from words import read_words

ROOT = Path(__file__).parent.parent
WORDS = read_words()


def test_health_says_how_far_the_models_are_and_503_with_a_reason_when_not(services: Services) -> None:
    def ask(warmup: Warmup) -> Any:
        return TestClient(Starlette(routes=[health_route(warmup, services.store, "mini", "1.2")])).get(
            "/healthz"
        )

    loading = ask(services.warmup)
    assert (loading.status_code, loading.json()["models"]) == (200, "loading")
    services.warmup.start()
    services.warmup.join()
    ready = {"status": "ok", "model_set": "mini", "models": "ready", "database": "ok", "version": "1.2"}
    assert ask(services.warmup).json() == ready
    failing = Warmup([Painter(NotDownloaded("a/b", "mini")).load], services.error_boundary)
    failing.start()
    failing.join()
    missing = ask(failing)
    assert (missing.status_code, missing.json()["models"]) == (503, "missing")
    assert missing.json()["reason"] == WORDS.say("making.missing")


def test_what_is_only_nice_to_have_comes_last_and_may_fail() -> None:
    states = []

    def nice() -> None:
        states.append(warmup.state)
        raise RuntimeError

    warmup = Warmup([lambda: states.append(warmup.state)], ErrorBoundary(WORDS), [nice])
    warmup.start()
    warmup.join()
    assert states == ["loading", "ready"]
    assert warmup.state == "ready"


def test_the_end_waits_for_the_step_that_is_begun_and_begins_no_other() -> None:
    begun, go_on, done = threading.Event(), threading.Event(), list[str]()

    def load() -> None:
        begun.set()
        assert go_on.wait(60)
        done.append("load")

    warmup = Warmup([load, lambda: done.append("draw")], ErrorBoundary(WORDS), [lambda: done.append("nice")])
    warmup.start()
    assert begun.wait(60)
    threading.Timer(0.2, go_on.set).start()
    warmup.close()
    assert done == ["load"]


@pytest.mark.draws
def test_at_the_end_the_welcomes_portrait_stops_within_a_step(services: Services) -> None:
    painter: Any = services.generator
    paint, drawn = painter.draw, list[object]()

    def watched(request: DrawRequest) -> Iterator[Progress | Rendering]:
        for event in paint(request):
            drawn.append(event)
            services.pictures.close()
            yield event

    painter.draw = watched
    services.pictures.draw_welcome()
    assert len(drawn) == 1
    client = TestClient(Starlette(routes=[services.pictures.route()]))
    assert client.get(f"/looks/{WELCOME[1]}.jpg").status_code == 404


@pytest.mark.draws
def test_each_look_is_shown_on_a_sample_face(services: Services) -> None:
    services.pictures.draw()
    client = TestClient(Starlette(routes=[services.pictures.route()]))
    pictures = {name: client.get(f"/looks/{name}.jpg").content for name in services.looks}
    assert len(set(pictures.values())) == len(services.looks) >= 6
    assert Image.open(io.BytesIO(pictures["grey"])).size == (240, 300)
    assert client.get("/looks/nosuch.jpg").status_code == 404


@pytest.mark.draws
def test_the_welcome_shows_a_photograph_and_a_portrait_drawn_here_or_none(services: Services) -> None:
    services.pictures.draw()
    services.pictures.draw_welcome()
    client = TestClient(Starlette(routes=[services.pictures.route()]))
    photograph, portrait = (
        Image.open(io.BytesIO(client.get(f"/looks/{one}.jpg").content)) for one in WELCOME
    )
    assert photograph.size == (960, 1200)
    assert portrait.getextrema() == ((60, 60),) * 3  # what the painter paints
    services.pictures._pictures.clear()
    painter: Any = services.generator
    painter.failure = NotDownloaded("a/b", "mini")
    with pytest.raises(NotDownloaded):
        services.pictures.draw_welcome()
    assert client.get(f"/looks/{WELCOME[1]}.jpg").status_code == 404  # at once: it will not come


def test_a_picture_that_is_still_to_be_drawn_is_told_at_once_from_one_that_never_comes(
    services: Services,
) -> None:
    client = TestClient(Starlette(routes=[services.pictures.route()]))
    for asking in (client.head, client.get):
        assert asking(f"/looks/{WELCOME[1]}.jpg").status_code == 202
        assert asking("/looks/nosuch.jpg").status_code == 404
    scope = {"type": "http", "path_params": {"name": WELCOME[1]}}
    with pytest.raises(StopIteration):  # it awaits nothing: a browser's six connections are for its visitor
        services.pictures.route().endpoint(Request(scope)).send(None)


@pytest.mark.draws
def test_a_visitor_passes_what_the_page_draws_for_itself(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    painter: Any = services.generator
    paint, standing, drawn = painter.draw, ExitStack(), list[int]()
    stopped, again, tries = threading.Event(), threading.Event(), count(1)

    def begin(*given: Any) -> Iterator[Any]:
        if next(tries) > 1:
            again.set()
        return sit(*given)

    def watched(request: DrawRequest) -> Iterator[Progress | Rendering]:
        """A visitor comes while the first step of the first drawing is made."""
        drawn.append(0)
        if len(drawn) == 1:
            standing.enter_context(services.line.place())
        try:
            for event in paint(request):
                drawn[-1] += 1
                yield event
        finally:
            stopped.set()

    painter.draw = watched
    monkeypatch.setattr("pages.look_pictures.sit", begin)
    drawing = threading.Thread(target=services.pictures.draw_welcome)
    drawing.start()
    assert stopped.wait(60)
    assert drawn == [1]  # it ended within a step
    assert not again.wait(0.1)  # and begins no other while somebody is there
    standing.close()
    drawing.join(60)
    assert drawn == [1, STEPS + 1]
    client = TestClient(Starlette(routes=[services.pictures.route()]))
    assert client.get(f"/looks/{WELCOME[1]}.jpg").status_code == 200


def test_gradio_keeps_nothing_of_a_visit_that_is_over(
    services: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))

    async def served() -> App:
        page = booth_page(services)
        given = app.launch_arguments(services, Settings(), page)
        page.state_session_capacity = given["state_session_capacity"]  # as launch does
        return App.create_app(page, app_kwargs=given["app_kwargs"])

    gradio = asyncio.run(served())  # without a running loop Gradio makes three and closes none
    kept, client = gradio.state_holder, TestClient(gradio, base_url="http://127.0.0.1")
    visit = services.visits.of("cookie", "one")
    assert kept["one"]  # as any event of that session would
    link = "/gradio_api/deep_link?session_hash=one"
    assert [client.request(verb, link).status_code for verb in ("GET", "HEAD")] == [404, 404]
    assert list(tmp_path.rglob("state.json")) == []
    services.visits.end(visit)
    assert "one" not in kept
    assert "one" not in kept.time_last_used
    assert kept.capacity == MOST_VISITS


def test_before_the_answer_the_truth_is_not_in_the_pages_own_description(services: Services) -> None:
    async def served() -> App:
        page = booth_page(services)
        given = app.launch_arguments(services, Settings(), page)
        return App.create_app(page, app_kwargs=given["app_kwargs"])

    client = TestClient(asyncio.run(served()), base_url="http://127.0.0.1")
    config = client.get("/config").text
    items = [card.item.id for group in services.deck.groups for card in group]
    files = [card.path.name for group in services.deck.groups for card in group]
    assert [told for told in (*items, *files) if told in config] == []
    assert "deck.toml" not in config


def a_page() -> Any:
    """Of which only the events are asked for."""
    return SimpleNamespace(fns={})


def test_the_page_launches_without_history_docs_analytics_and_footer(services: Services) -> None:
    async def built() -> dict[str, Any]:  # without a running loop Gradio makes three and closes none
        return app.launch_arguments(services, Settings(), a_page())

    given = asyncio.run(built())
    off = ("share", "run_history", "enable_monitoring", "pwa", "ssr_mode", "mcp_server", "show_error")
    assert [given[name] for name in off] == [False] * len(off)
    assert given["footer_links"] == []
    assert given["app_kwargs"]["openapi_url"] is None
    assert given["max_file_size"] == "12mb"
    assert "http" not in given["head"]
    assert os.environ["GRADIO_ANALYTICS_ENABLED"] == "False"


def test_on_a_space_the_page_listens_to_its_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (Settings().is_hosted, Settings().address) == (False, "127.0.0.1")
    monkeypatch.setenv("SPACE_ID", "me/face-value")
    assert (Settings().is_hosted, Settings().address) == (True, "0.0.0.0")


def started(*words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    given = os.environ | {f"FACE_VALUE_{name}": value for name, value in environment.items()}
    return subprocess.run(
        [sys.executable, *words], cwd=ROOT, env=given, capture_output=True, text=True, timeout=120
    )


WRONG = {
    "PORT": "many",
    "MODELS": "nosuch",
    "DATABASE": "nowhere",
    "RETENTION_MINUTES": "0",
    "DECK": "nosuch",
    "SIGNING_KEY": "nosuch",
}
# Each in turn, for a start is mostly imports: after its line on stderr a line of ours with its exit code.
EACH = """
import os, sys, app
right = dict(os.environ)
for name, value in zip(sys.argv[1::2], sys.argv[2::2]):
    os.environ[f"FACE_VALUE_{name}"] = value
    sys.stderr.write(f"exit {app.main()}\\n")
    os.environ.clear()
    os.environ.update(right)
"""


@pytest.fixture(scope="module")
def refused(tmp_path_factory: pytest.TempPathFactory) -> "subprocess.CompletedProcess[str]":
    words = [word for pair in WRONG.items() for word in pair]
    return started("-c", EACH, *words, DATA=str(tmp_path_factory.mktemp("data")), MODELS="mini")


@pytest.mark.app
def test_a_wrong_setting_is_one_sentence_and_exit_2(refused: "subprocess.CompletedProcess[str]") -> None:
    assert (refused.returncode, refused.stdout) == (0, "")
    said, codes = refused.stderr.splitlines()[::2], refused.stderr.splitlines()[1::2]
    assert codes == ["exit 2"] * len(WRONG), refused.stderr
    for line, (name, value) in zip(said, WRONG.items(), strict=True):
        assert value in line or name in line


@pytest.mark.app
def test_a_wrong_setting_ends_the_program_so(tmp_path: Path) -> None:
    done = started("app.py", DATA=str(tmp_path), MODELS="mini", DECK="nosuch")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)


def test_a_missing_system_library_of_opencv_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(OperatorError, match="apt-get install libgl1"):
        app.require_opencv()


@pytest.mark.app
def test_what_is_heavy_is_imported_behind_the_open_page(tmp_path: Path) -> None:
    heavy = (
        *("torch", "diffusers", "transformers", "mediapipe", "controlnet_aux", "matplotlib", "skimage"),
        *("c2pa", "cryptography"),
    )
    code = (
        "import sys, app; from settings import Settings; from words import read_words;"
        "from services import build_services;"
        "services = build_services(Settings(models='mini'), read_words());"
        "from pages.booth.page import booth_page; booth_page(services);"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    done = started("-c", code, DATA=str(tmp_path))
    assert done.stdout == "[]\n", done.stderr
