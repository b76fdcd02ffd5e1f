"""What reaches Gradio: what our own page sends, and of anything else one sentence and an id."""

import asyncio
import json
import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import gradio as gr
import pytest
from gradio.routes import App
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.testclient import TestClient

import app
from booth.visit import ScreenName
from pages.booth.page import booth_page
from pages.guards.error_boundary import ErrorBoundary
from pages.guards.events import PATHS, QUEUED, UNQUEUED, EventFilter
from pages.guards.gate import COOKIE
from services import Services
from settings import Settings
from tests.test_booth import TICKED
from tests.test_booth import services as services  # the fixture
from words import read_words

WORDS = read_words()
SECRET = "/etc/passwd"
FILE = {"path": SECRET, "meta": {"_type": "gradio.FileData"}}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just(SECRET),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*FILE, "x"]), inner),
    max_leaves=6,
)


@dataclass
class Served:
    """The page as it is launched, in this process."""

    page: gr.Blocks
    client: TestClient

    def index(self, handler: str) -> int:
        return next(index for index, known in self.page.fns.items() if known.name == handler)

    def send(self, body: object, path: str = UNQUEUED) -> Any:
        content = body if isinstance(body, bytes) else json.dumps(body)
        return self.client.post(path, content=content, headers={"Content-Type": "application/json"})


@pytest.fixture
def served(services: Services) -> Iterator[Served]:
    async def built() -> Served:  # without a running loop Gradio makes three and closes none
        page = booth_page(services)
        launch = app.launch_arguments(services, Settings(), page)
        gradio = App.create_app(page, app_kwargs=launch["app_kwargs"])
        return Served(
            page,
            TestClient(gradio, "http://localhost", raise_server_exceptions=False, cookies={COOKIE: "mine"}),
        )

    yield asyncio.run(built())


def event(index: int, *data: object, **other: Any) -> dict[str, Any]:
    return {
        "data": list(data),
        "fn_index": index,
        "trigger_id": 1,
        "session_hash": "abc1",
        "event_data": None,
    } | other


def test_what_the_page_sends_reaches_its_handlers(served: Served, services: Services) -> None:
    assert served.send(event(served.index("open"))).status_code == 200
    agreed = served.send(event(served.index("agree"), TICKED, event_data={}))
    assert agreed.status_code == 200
    assert services.visits.of("mine", None).screen == ScreenName.CAMERA
    joined = served.send(event(served.index("draw"), "grey", "", "4", "0"), QUEUED)
    assert (joined.status_code, set(joined.json())) == (200, {"event_id"})


def test_who_knows_the_name_of_anothers_session_hears_nothing_of_it(served: Served) -> None:
    assert served.send(event(served.index("open"))).status_code == 200
    for cookies in ({}, {COOKIE: "another's"}):
        other = TestClient(served.client.app, "http://localhost", cookies=cookies)
        answer = other.post(UNQUEUED, json=event(served.index("open")))
        assert (answer.status_code, answer.json()["error"]) == (403, WORDS.say("visit.refused"))
        # only then the two streams, which would not end
        for stream in ("queue/data?session_hash=abc1", "heartbeat/abc1"):
            assert other.get(f"/gradio_api/{stream}").status_code == 403
    assert served.send(event(served.index("open"))).status_code == 200


FORGED: list[tuple[str, Any]] = [
    ("withdraw", {"data": [FILE]}),
    ("withdraw", {"data": [[FILE]]}),
    ("withdraw", {"data": ["x"], "event_data": FILE}),
    ("withdraw", {"data": ["x"], "event_data": {"target": FILE}}),
    ("agree", {"data": [{"agreed": True}]}),
    ("agree", {"data": []}),
    ("agree", {"data": [SECRET, SECRET]}),
    ("agree", {"data": [None]}),
    ("agree", {"data": [True]}),
    ("agree", {"data": SECRET}),
    ("agree", {"data": {"0": SECRET}}),
    ("agree", {"data": [TICKED], "fn_index": 10**6}),
    ("agree", {"data": [TICKED], "fn_index": -1}),
    ("agree", {"data": [TICKED], "fn_index": True}),
    ("agree", {"data": [TICKED], "fn_index": "8"}),
    ("agree", {"data": [TICKED], "fn_index": None}),
    ("agree", {"data": [TICKED], "session_hash": None}),
    ("agree", {"data": [TICKED], "session_hash": "../../x"}),
    ("agree", {"data": [TICKED], "session_hash": "x" * 5000}),
    ("agree", {"data": [TICKED], "trigger_id": FILE}),
    ("agree", {"data": [TICKED], "batched": True}),
    ("agree", {"data": [TICKED], "event_id": SECRET}),
    ("agree", {"data": [TICKED], "request": {}}),
]


@pytest.mark.parametrize("path", PATHS)
def test_what_it_would_not_send_is_one_sentence_and_an_id(
    served: Served,
    services: Services,
    path: str,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    for handler, forged in FORGED:
        answer = served.send(event(served.index(handler)) | forged, path)
        assert (answer.status_code, answer.json()["error"]) == (422, WORDS.say("visit.refused")), forged
        assert answer.json()["id"] in caplog.text
        assert SECRET not in answer.text
    seen = caplog.text + "".join(capfd.readouterr())
    assert SECRET not in seen
    assert "Traceback" not in seen
    assert not services.visits.of("mine", None).has_consented


def test_each_event_has_its_own_address(served: Served) -> None:
    queued = event(served.index("draw"), "grey", "", "4", "0")
    assert [served.send(queued, path).status_code for path in (UNQUEUED, QUEUED)] == [422, 200]
    at_once = event(served.index("agree"), TICKED)
    assert [served.send(at_once, path).status_code for path in (UNQUEUED, QUEUED)] == [200, 422]
    assert served.send(at_once, UNQUEUED + "/").status_code == 404


def test_an_input_brings_text_and_nothing_else(served: Served) -> None:
    for place in (0, -0.1, True, None, float("nan"), float("inf"), 10**400):
        answer = served.send(event(served.index("draw"), "grey", "", "4", place), QUEUED)
        assert answer.status_code == 422, place


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(
    body=JSON | st.fixed_dictionaries({"data": JSON, "fn_index": JSON, "session_hash": JSON}) | st.binary()
)
def test_no_body_is_a_failure_of_ours(served: Served, body: Any) -> None:
    assert served.send(body).status_code == 422


def test_no_odd_body_is_one_either(served: Served) -> None:
    deep = b"[" * 100_000
    for body in (b"", b"{", deep, b'{"data": [' + deep, b"\xff\xfe", b"null"):
        assert [served.send(body, path).status_code for path in PATHS] == [422, 422]


def test_of_one_name_said_twice_gradio_sees_what_was_checked(served: Served, services: Services) -> None:
    index = served.index("agree")
    twice = f'{{"data": [{json.dumps(FILE)}], "data": [""], "fn_index": {index}, "session_hash": "a"}}'
    assert served.send(twice.encode()).status_code == 200
    other = f'{{"data": [""], "data": [{json.dumps(FILE)}], "fn_index": {index}, "session_hash": "a"}}'
    assert served.send(other.encode()).status_code == 422


def test_a_failure_behind_it_is_one_sentence_whose_id_the_log_has_too(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_: Request) -> Response:
        raise RuntimeError

    middleware = [Middleware(EventFilter, {"": served.page}, ErrorBoundary(WORDS), "Refused.")]
    behind = Starlette(routes=[Route("/x", broken)], middleware=middleware)
    answer = TestClient(behind, raise_server_exceptions=False).get("/x")
    assert answer.status_code == 500
    told = answer.json()["error"]
    logged = next(record.getMessage() for record in caplog.records if record.levelno == logging.ERROR)
    assert told == WORDS.say(
        "error.any", id=re.findall("error ([0-9a-f]{6}): RuntimeError at test_events.py", logged)[0]
    )


def test_a_stream_that_nobody_has_ends(served: Served, caplog: pytest.LogCaptureFixture) -> None:
    answer = served.client.get("/gradio_api/queue/data?session_hash=" + SECRET)
    assert answer.status_code == 200
    assert "Traceback" not in caplog.text
    assert SECRET not in caplog.text + answer.text
