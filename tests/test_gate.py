"""What every request passes before it reaches Gradio or our routes."""

import asyncio
import re
from typing import Any

import gradio as gr
import pytest
from gradio.routes import App
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

from pages.guards.gate import COOKIE, MOST_BYTES, Gate

EVENT = "/gradio_api/run/predict"


async def page(_: Request) -> Response:
    return HTMLResponse("<h1>The page</h1>")


async def event(request: Request) -> Response:
    length = len(await request.body())
    allowed = {"access-control-allow-origin": "*", "access-control-allow-credentials": "true"}
    return PlainTextResponse(str(length), headers=allowed)


def gate(hosted: bool = False, public_url: str | None = None) -> TestClient:
    routes = [Route("/", page), Route("/{rest:path}", event, methods=["GET", "POST", "DELETE"])]
    middleware = [Middleware(Gate, hosted, public_url, "Refused.")]
    return TestClient(Starlette(routes=routes, middleware=middleware), base_url="http://booth.local:7860")


def test_a_browser_gets_its_cookie_with_the_page_once() -> None:
    client = gate()
    given_ = client.get("/").headers["set-cookie"]
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(given_.split("; "))
    assert "Max-Age" not in given_
    assert "set-cookie" not in client.get("/").headers  # the client sends it back
    assert "set-cookie" not in gate().post(EVENT).headers
    assert "set-cookie" not in gate().get("/healthz").headers


@pytest.mark.parametrize(
    "header",
    [
        *(f"{COOKIE}=abc", f"other=1; {COOKIE}=abc; more=2"),
        # of other programs under the same name, as on localhost, where all ports share their cookies
        *(f'settings={{"a": 1}}; {COOKIE}=abc', f"café[x]=1; {COOKIE}=abc", f'x="open; {COOKIE}=abc'),
    ],
)
def test_a_browser_that_has_its_cookie_keeps_it_whatever_else_it_sends(header: str) -> None:
    answer = gate().get("/", headers={"Cookie": header.encode()})
    assert (answer.status_code, "set-cookie" in answer.headers) == (200, False)


@settings(deadline=None)
@given(st.text(st.characters(max_codepoint=255, exclude_characters="\r\n\0")))
def test_no_cookie_header_breaks_the_page(header: str) -> None:
    assert gate().get("/", headers={"Cookie": header.encode("latin-1")}).status_code == 200


def test_no_two_browsers_get_the_same_cookie() -> None:
    values = {re.split("[=;]", gate().get("/").headers["set-cookie"])[1] for _ in range(20)}
    assert len(values) == 20
    assert {len(value) for value in values} == {22}


def test_in_the_frame_of_a_space_the_cookie_is_partitioned() -> None:
    client = gate(hosted=True)
    assert "SameSite=None; Secure; Partitioned" in client.get("/").headers["set-cookie"]
    assert "https://huggingface.co" in client.get("/").headers["content-security-policy"]


STRANGE = [
    "http://evil.example",
    "http://booth.local:1",
    "null",
    "http://booth.local",
    "http://[bad",
    "x",
    "",
]


@pytest.mark.parametrize("origin", STRANGE)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_another_page_of_the_browser_can_neither_send_nor_read(method: str, origin: str) -> None:
    answer = gate().request(method, EVENT, headers={"Origin": origin})
    assert (answer.status_code, answer.json()["error"]) == (403, "Refused.")


@pytest.mark.parametrize("path", ["/", "/config", "/gradio_api/app_id", "/gradio_api/heartbeat/x"])
def test_behind_gradio_too_which_lets_every_page_read_another_page_gets_one_sentence(path: str) -> None:
    client = gradio_gate()
    foreign = client.get(path, headers={"Origin": "http://evil.example"})
    assert foreign.headers["access-control-allow-origin"] == "http://evil.example"  # its layer is around ours
    assert (foreign.status_code, set(foreign.json())) == (403, {"error", "id"})


def test_gradios_own_events_pass() -> None:
    client = gradio_gate()
    origin = {"Origin": "http://booth.local:7860"}
    assert client.get("/config", headers=origin).json()["dependencies"]
    event = {"data": ["Ada"], "fn_index": 0, "session_hash": "one"}
    answer = client.post("/gradio_api/run/predict", json=event, headers=origin)
    assert answer.json()["data"] == ["Hello Ada"]
    large = client.post("/gradio_api/run/predict", content=iter([bytes(2**16)] * 8), headers=origin)
    assert large.status_code in (400, 413)


def gradio_gate() -> TestClient:
    """The gate as `launch` builds it in, before a page of Gradio's with one event."""

    async def served() -> App:  # without a running loop Gradio makes three and closes none
        with gr.Blocks(analytics_enabled=False) as blocks:
            said = gr.HTML()
            gr.Button().click(lambda name: f"Hello {name}", gr.Textbox(), said, queue=False)
        middleware = [Middleware(Gate, False, None, "Refused.")]
        return App.create_app(blocks, app_kwargs={"middleware": middleware})

    return TestClient(asyncio.run(served()), base_url="http://booth.local:7860")


@pytest.mark.parametrize(
    ("client", "origin"),
    [
        (gate(), "http://booth.local:7860"),
        (gate(public_url="https://vote.example/room"), "https://vote.example"),
        (gate(), None),
    ],
)
def test_our_own_page_can(client: TestClient, origin: str | None) -> None:
    headers = {"Origin": origin} if origin else {}
    assert client.post(EVENT, headers=headers).status_code == 200


def test_behind_a_spaces_proxy_its_own_name_counts() -> None:
    headers = {"Origin": "https://me-face.hf.space", "X-Forwarded-Host": "me-face.hf.space"}
    assert gate(hosted=True).post(EVENT, headers=headers).status_code == 200
    assert gate().post(EVENT, headers=headers).status_code == 403


def test_an_event_may_bring_little_and_a_photo_what_its_own_route_allows() -> None:
    client = gate()
    assert client.post(EVENT, content=bytes(MOST_BYTES)).text == str(MOST_BYTES)
    assert client.post(EVENT, content=bytes(MOST_BYTES + 1)).status_code == 413
    for length in ("9" * 5000, "-1", "many"):  # never taken at its word
        assert client.post(EVENT, content=b"", headers={"Content-Length": length}).status_code in (200, 413)
    assert client.post("/selfies", content=bytes(3 * MOST_BYTES)).text == str(3 * MOST_BYTES)


def test_a_body_of_unknown_length_is_cut_off_where_it_becomes_too_big() -> None:
    taken, sent = [0], [0]

    async def greedy(scope: Any, receive: Any, send: Any) -> None:
        while (message := await receive())["type"] == "http.request":
            taken[0] += len(message["body"])

    async def endless() -> dict[str, Any]:
        sent[0] += 1
        return {"type": "http.request", "body": bytes(2**16), "more_body": True}

    async def ignore(message: Any) -> None:
        return None

    scope = {"type": "http", "method": "POST", "path": EVENT, "headers": []}
    asyncio.run(Gate(greedy, False, None, "Refused.")(scope, endless, ignore))
    assert taken[0] <= MOST_BYTES
    assert sent[0] <= MOST_BYTES // 2**16 + 1


@pytest.mark.parametrize(
    "path",
    [
        *("/gradio_api/upload", "/gradio_api/file=/etc/passwd", "/gradio_api/deep_link", "/gradio_api/info"),
        *(
            "/gradio_api/proxy=http://x",
            "/gradio_api/call/make",
            "/gradio_api/stream/x",
            "/gradio_api/openapi.json",
        ),
        *("/gradio_api/component_server", "/gradio_api/process_recording", "/monitoring", "/login"),
    ],
)
def test_routes_of_gradio_that_the_page_does_not_need_are_shut(path: str) -> None:
    client = gate()
    assert [client.get(path).status_code, client.post(path).status_code] == [404, 404]


def test_the_page_may_reach_nothing_but_itself() -> None:
    answer = gate().get("/")
    policy = dict(
        part.strip().partition(" ")[::2] for part in answer.headers["content-security-policy"].split(";")
    )
    assert policy["default-src"] == policy["connect-src"] == "'self'"
    assert "http" not in answer.headers["content-security-policy"]
    assert answer.headers["permissions-policy"] == "camera=(self)"
    assert answer.headers["x-content-type-options"] == "nosniff"
