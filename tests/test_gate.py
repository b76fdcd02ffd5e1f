"""What every request passes before it reaches Gradio or our routes."""

import asyncio
import re
from http.cookies import SimpleCookie
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

from pages.gate import COOKIE, MOST_BYTES, Gate, known_as

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


def test_no_two_browsers_get_the_same_cookie() -> None:
    values = {re.split("[=;]", gate().get("/").headers["set-cookie"])[1] for _ in range(20)}
    assert len(values) == 20
    assert {len(value) for value in values} == {22}


def test_in_the_frame_of_a_space_the_cookie_is_partitioned() -> None:
    client = gate(hosted=True)
    assert "SameSite=None; Secure; Partitioned" in client.get("/").headers["set-cookie"]
    assert "https://huggingface.co" in client.get("/").headers["content-security-policy"]


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "http://booth.local:1", "null", "http://booth.local"]
)
def test_another_page_of_the_browser_can_send_nothing(origin: str) -> None:
    for method in ("POST", "DELETE"):
        answer = gate().request(method, EVENT, headers={"Origin": origin})
        assert (answer.status_code, answer.json()["error"]) == (403, "Refused.")


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


def test_another_page_of_the_browser_can_read_nothing() -> None:
    answer = gate().get("/gradio_api/heartbeat/x", headers={"Origin": "http://evil.example"})
    assert "access-control-allow-origin" not in answer.headers
    assert "access-control-allow-credentials" not in answer.headers


def test_an_event_may_bring_little_and_a_photo_what_its_own_route_allows() -> None:
    client = gate()
    assert client.post(EVENT, content=bytes(MOST_BYTES)).text == str(MOST_BYTES)
    assert client.post(EVENT, content=bytes(MOST_BYTES + 1)).status_code == 413
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


@given(st.text())
def test_any_cookie_header_can_be_read(header: str) -> None:
    assert isinstance(known_as(header), str)


@given(st.text("abcdefXYZ019-_", min_size=1))
def test_the_cookie_is_found_among_others(value: str) -> None:
    jar = SimpleCookie({COOKIE: value, "other": "x"})
    assert known_as(jar.output(header="", sep=";")) == value
