"""Under which names the booth answers, and who may use its screens from elsewhere."""

import socket

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

from pages.guards.addresses import JOINED_PAGE, BoothHere, OwnNames
from pages.guards.gate import Gate
from pages.guards.host_auth import HostAuth
from settings import Settings

KEY = {"Authorization": "Bearer the host's key"}
OWN = "http://192.0.2.7:7860"
EVENT = "/gradio_api/run/predict"


async def page(_: Request) -> Response:
    return PlainTextResponse("here")


def app(*middleware: Middleware) -> Starlette:
    return Starlette(
        routes=[Route("/{rest:path}", page, methods=["GET", "POST", "HEAD"])], middleware=list(middleware)
    )


def asked(host: str, method: str = "GET", public_url: str | None = "https://booth.example.org") -> Response:
    names = Middleware(OwnNames, public_url, lambda: OWN, "Refused.")
    client = TestClient(app(names), follow_redirects=False)
    return client.request(method, "/", headers={"Host": host})  # type: ignore[return-value]


MACHINE = socket.gethostname()


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "127.0.0.1:7860", "192.168.4.1:7860", "[::1]:7860", "[fe80::1]", "localhost:7860"),
        *(
            "LOCALHOST",
            "booth.example.org",
            "Booth.Example.org:443",
            MACHINE,
            f"{MACHINE.split('.')[0]}.local",
        ),
    ],
)
def test_its_own_names_and_numbers_are_answered(host: str) -> None:
    assert asked(host).status_code == 200
    assert asked(host, "POST").status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "booth.example.org.evil.example", "127.0.0.1.evil.example", "", "[bad", "x:y:z", "1e3"],
)
def test_another_name_is_sent_to_the_booths_own_and_does_nothing(host: str) -> None:
    sent = asked(host)
    assert (sent.status_code, sent.headers["location"]) == (307, OWN)
    refused = asked(host, "POST")
    assert refused.status_code == 421


@pytest.mark.parametrize("path", ["/generate_204", "/hotspot-detect.html", "/connecttest.txt"])
def test_a_phone_that_asks_whether_its_network_leads_anywhere_is_shown_our_page(path: str) -> None:
    client = TestClient(app(Middleware(OwnNames, None, lambda: OWN, "Refused.")), follow_redirects=False)
    shown = client.get(path, headers={"Host": "connectivitycheck.gstatic.com"})
    assert (shown.status_code, shown.headers["location"]) == (302, f"{OWN}{JOINED_PAGE}")
    assert client.get(path, headers={"Host": "192.0.2.7"}).status_code == 200


def visitor(address: str, **headers: str) -> TestClient:
    auth = HostAuth("the host's key")
    guarded = app(Middleware(BoothHere, auth, "Refused."))
    return TestClient(guarded, client=(address, 1), headers=headers, follow_redirects=False)


def test_a_strangers_phone_is_sent_to_the_room_and_takes_no_place_in_the_line() -> None:
    phone = visitor("192.0.2.9")
    sent = phone.get("/")
    assert (sent.status_code, sent.headers["location"]) == (303, "vote")
    for path in (EVENT, "/gradio_api/queue/join", "/selfies", "/selfies/sample/hopper", "/hints"):
        assert phone.post(path).status_code == 403, path
    assert phone.get("/config").status_code == 403
    for path in (
        "/vote",
        "/api/round",
        "/stage",
        "/verify",
        "/healthz",
        "/take/x.zip",
        "/host/",
        "/pictures/x",
    ):
        assert phone.get(path).status_code == 200, path


def test_the_screen_here_and_the_host_elsewhere_use_the_booth() -> None:
    for one in (visitor("127.0.0.1"), visitor("::1"), visitor("192.0.2.9", **KEY)):
        assert (one.get("/").status_code, one.post(EVENT).status_code) == (200, 200)


@pytest.mark.parametrize(
    ("booth", "bind", "is_local"),
    [
        *(("auto", "127.0.0.1", False), ("auto", "0.0.0.0", True), ("auto", "::", True)),
        *(("open", "0.0.0.0", False), ("local", "127.0.0.1", True)),
    ],
)
def test_it_is_so_where_others_come_in(
    monkeypatch: pytest.MonkeyPatch, booth: str, bind: str, is_local: bool
) -> None:
    settings = Settings(booth=booth, bind=bind)  # type: ignore[arg-type]
    assert settings.is_booth_local is is_local
    monkeypatch.setenv("SPACE_ID", "a/b")
    assert not settings.is_booth_local


def test_only_gradios_pages_may_make_functions_of_text() -> None:
    client = TestClient(app(Middleware(Gate, False, None, "Refused.")))
    policies = {
        path: client.get(path).headers["content-security-policy"]
        for path in ("/", "/host/", "/stage", "/vote")
    }
    assert ["'unsafe-eval'" in policy for policy in policies.values()] == [True, True, False, False]
