"""Signing in on a Space that lends a GPU: one sentence before drawing, and nothing else of it anywhere."""

import asyncio
import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import gradio as gr
import pytest
from gradio.routes import App
from itsdangerous import TimestampSigner
from starlette.testclient import TestClient

import app
from booth.quota import remaining_seconds
from pages.booth.page import booth_page
from pages.guards.gate import SIGN_IN_ROUTES
from services import Services
from settings import Settings
from tests.test_booth import services as services  # the fixture
from words import read_words

WORDS = read_words()
TOKEN = "hf_oauth_a-visitors-own"
OAUTH = {
    "OAUTH_CLIENT_ID": "an-id",
    "OAUTH_CLIENT_SECRET": "a-secret",
    "OAUTH_SCOPES": "openid profile read-billing",
    "OPENID_PROVIDER_URL": "https://hub.invalid",
}


@contextmanager
def hub(answer: str, status: int = 200) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Where quotas are asked for, and who asked with what."""
    asked: list[tuple[str, str]] = []

    class Window(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append((self.path, self.headers["authorization"]))
            self.send_response(status)
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer.encode())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Window) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()
            thread.join()


def quota(current: object) -> str:
    return json.dumps({"base": 300, "current": current, "resetsAt": None, "overquotaUsed": 0})


def test_what_is_left_is_asked_for_with_the_visitors_own_token() -> None:
    with hub(quota(182.6)) as (address, asked):
        assert remaining_seconds(TOKEN, address) == 182
    assert asked == [("/api/spaces/zero-gpu/quota", f"Bearer {TOKEN}")]


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        *((quota(5), 401), (quota(5), 500), ("<html>", 200), ("{}", 200), ("[]", 200)),
        *((quota(None), 200), (quota("much"), 200), (quota(1e400), 200)),
    ],
)
def test_whatever_else_is_answered_nothing_is_known(answer: str, status: int) -> None:
    with hub(answer, status) as (address, _):
        assert remaining_seconds(TOKEN, address) is None


def test_a_hub_that_does_not_answer_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("booth.quota.TIMEOUT_S", 0.2)
    silent = threading.Event()

    class Silent(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            silent.wait(60)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Silent) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            assert remaining_seconds(TOKEN, f"http://127.0.0.1:{server.server_port}") is None
        finally:
            silent.set()
            server.shutdown()
            thread.join()
    assert remaining_seconds(TOKEN, "http://127.0.0.1:9") is None  # nobody is there


def served(
    services: Services, monkeypatch: pytest.MonkeyPatch, signs_in: bool = True
) -> tuple[TestClient, gr.Blocks]:
    """The page as a Space serves it."""
    for name, value in OAUTH.items():
        monkeypatch.setattr(f"gradio.oauth.{name}", value)
    monkeypatch.setenv("SYSTEM", "spaces")
    monkeypatch.setenv("SPACE_ID", "somebody/face-value")
    services = replace(services, signs_in=signs_in)

    async def built() -> tuple[App, gr.Blocks]:  # without a running loop Gradio makes three and closes none
        page = booth_page(services)
        given = app.launch_arguments(services, Settings(), page)
        return App.create_app(page, app_kwargs=given["app_kwargs"]), page

    made, page = asyncio.run(built())
    return TestClient(made, base_url="https://somebody-face-value.hf.space"), page


def signed_in() -> str:
    """The cookie that Gradio keeps of somebody who signed in."""
    told = {"access_token": TOKEN, "scope": OAUTH["OAUTH_SCOPES"], "expires_at": 2**40}
    session = base64.b64encode(json.dumps({"oauth_info": {**told, "userinfo": {}}}).encode())
    secret = hashlib.sha256(f"{OAUTH['OAUTH_CLIENT_SECRET']}-v4".encode()).hexdigest()
    return TimestampSigner(secret).sign(session).decode()


def ask(client: TestClient, page: gr.Blocks) -> str:
    """What each event that asks is answered."""
    events = [index for index, event in page.fns.items() if event.name == "tell_quota"]
    assert len(events) == 3
    bodies = [{"data": [], "fn_index": index, "session_hash": "abc"} for index in events]
    answers = {client.post("/gradio_api/run/predict", json=body).json()["data"][0] for body in bodies}
    (one,) = answers
    return str(one)


def test_who_is_signed_in_hears_what_is_left_before_drawing(
    services: Services, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    client, page = served(services, monkeypatch)
    with hub(quota(182)) as (address, asked):
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", address)
        assert ask(client, page) == ""
        assert asked == []  # nobody is asked for somebody who did not sign in
        client.cookies.set("session", signed_in(), domain="somebody-face-value.hf.space")
        assert WORDS.say("lent.left", s=182) in ask(client, page)
        assert {bearer for _, bearer in asked} == {f"Bearer {TOKEN}"}
        shown = client.get("/").text + client.get("/config").text
    assert TOKEN not in shown + caplog.text


def test_a_quota_that_is_not_told_leaves_the_page_as_it_is(
    services: Services, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    client, page = served(services, monkeypatch)
    client.cookies.set("session", signed_in(), domain="somebody-face-value.hf.space")
    with hub("no", 403) as (address, _):
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", address)
        assert ask(client, page) == ""
    assert TOKEN not in caplog.text


def test_only_where_visitors_may_sign_in_the_ways_there_are_open(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OAUTH_CLIENT_ID", raising=False)
    closed, plain = served(services, monkeypatch, signs_in=False)
    assert [closed.get(path).status_code for path in SIGN_IN_ROUTES] == [404] * len(SIGN_IN_ROUTES)
    assert not plain.expects_oauth
    client, page = served(services, monkeypatch)
    assert page.expects_oauth
    assert client.get("/logout", follow_redirects=False).status_code == 307
    assert client.get("/login").status_code == 404  # Gradio's other one


def test_only_a_space_whose_head_says_so_lets_visitors_sign_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SPACE_ID", raising=False)
    monkeypatch.setenv("OAUTH_CLIENT_ID", "an-id")
    assert not Settings().signs_in
    monkeypatch.setenv("SPACE_ID", "somebody/face-value")
    assert Settings().signs_in
    monkeypatch.delenv("OAUTH_CLIENT_ID")
    assert not Settings().signs_in
