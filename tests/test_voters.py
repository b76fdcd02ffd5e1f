"""Ballots that a program stuffs: invented ids, one phone that plays many, codes that are guessed."""

import asyncio
import itertools
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from itsdangerous import TimestampSigner
from starlette.applications import Starlette
from starlette.testclient import TestClient

from booth.album import Album
from pages.guards import rate_limit
from pages.guards.voters import COOKIE, NEW_PER_CONNECTION, WRONG_CODES, Voter, Voters
from pages.host.layout import Host, lay_out
from pages.host.page import Handlers
from pages.host.routes import Commands
from pages.phone.routes import Phones
from pages.stage.routes import Stage
from services import Services
from tests.served_room import serve_room
from tests.test_booth import services as services  # the fixture
from votes.export import method, rows
from votes.schema import Source, VoterId
from votes.store import Store
from words import read_words

WORDS = read_words()
KEY = {"Authorization": "Bearer the host's key"}
PORTS = itertools.count(1)
HALL = "192.0.2.1"


@pytest.fixture
def app(services: Services) -> Starlette:
    return Starlette(
        routes=[*Phones(services).routes(), *Stage(services).routes(), *Commands(services).routes()]
    )


@pytest.fixture
def host(services: Services) -> Handlers:
    async def laid_out() -> Host:
        with gr.Blocks(analytics_enabled=False):
            return lay_out(WORDS, services.generator.model_set.starts)

    return Handlers(services, asyncio.run(laid_out()))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """Seconds that pass when a test says so."""
    now = [1000.0]
    monkeypatch.setattr(rate_limit.time, "monotonic", lambda: now[0])
    yield now


def browser(app: Starlette, address: str = HALL, port: int | None = None) -> TestClient:
    """With a connection of its own, unless a port is named."""
    return TestClient(app, client=(address, port or next(PORTS)))


def opened(app: Starlette) -> str:
    return str(browser(app).post("/api/host/open", headers=KEY).json()["round"])


def code_of(services: Services) -> str:
    return services.board.room.snapshot().room.code


def join_and_vote(services: Services, one: TestClient, round_id: str) -> int:
    one.cookies.clear()
    assert one.get(f"/{code_of(services)}").status_code == 200
    return int(one.post("/api/guess", json={"round": round_id, "answer": "generated"}).status_code)


def sources(services: Services) -> dict[Source, int]:
    kept = [guess.source for guess in services.store.guesses()]
    return {source: kept.count(source) for source in set(kept)}


# ---- ids


def forgeries(services: Services) -> dict[str, str]:
    code, id_ = code_of(services), "A" * 22
    own = services.voters.cookie(Voter(VoterId(id_), code, True)).split(";")[0].removeprefix(f"{COOKIE}=")
    elsewhere = Voters(b"another room's", 1, False).cookie(Voter(VoterId(id_), code))
    return {
        "nothing": "",
        "a bare id": f"{id_}.{code}",
        "as it was before": f"{id_}.{code}.p",
        "of another secret": elsewhere.split(";")[0].removeprefix(f"{COOKIE}="),
        "another id": own.replace("A", "B", 1),
        "no suspect any more": own.replace(".s.", ".p."),
        "odd bytes": "é\x7f..%00",
    }


@pytest.mark.parametrize(
    "kind",
    [
        "nothing",
        "a bare id",
        "as it was before",
        "of another secret",
        "another id",
        "no suspect any more",
        "odd bytes",
    ],
)
def test_only_the_server_makes_voters(app: Starlette, services: Services, kind: str) -> None:
    round_id, one = opened(app), browser(app)
    cookie = {"Cookie": f"{COOKIE}={forgeries(services)[kind]}".encode("latin-1")}
    answer = one.post("/api/guess", json={"round": round_id, "answer": "generated"}, headers=cookie)
    assert (answer.status_code, answer.json()["error"]) == (403, WORDS.say("phone.cookie"))
    assert services.store.guesses() == ()


def test_every_process_of_a_database_signs_alike(tmp_path: Any) -> None:
    url = f"sqlite:///{tmp_path}/votes.sqlite3"
    with Store(url) as first, Store(url) as second, Store("sqlite://") as other:
        assert first.voters_secret() == second.voters_secret() != other.voters_secret()


# ---- how fast


def test_a_hall_behind_one_address_joins_at_once(app: Starlette, services: Services) -> None:
    for _ in range(300):
        phone = browser(app)
        phone.get(f"/{code_of(services)}")
        assert ".p." in phone.cookies[COOKIE]


def test_beyond_what_may_join_at_once_answers_are_kept_and_counted_apart(
    app: Starlette, services: Services, clock: list[float]
) -> None:
    round_id = opened(app)
    for _ in range(1000):
        services.voters._new.take(HALL)
    for _ in range(5):
        assert join_and_vote(services, browser(app), round_id) == 200
    assert sources(services) == {Source.SUSPECT: 5}
    assert services.board.room._read().answers == 0  # the stage counts none of them
    clock[0] += 2.5  # then few: one a second
    for _ in range(5):
        join_and_vote(services, browser(app), round_id)
    join_and_vote(services, browser(app, "192.0.2.77"), round_id)  # of another network
    assert sources(services) == {Source.SUSPECT: 8, Source.PHONE: 3}


def test_one_connection_is_one_browser(app: Starlette, services: Services) -> None:
    round_id, one = opened(app), browser(app)
    for _ in range(20):
        assert join_and_vote(services, one, round_id) == 200
    kept = sources(services)
    assert kept == {Source.PHONE: NEW_PER_CONNECTION, Source.SUSPECT: 20 - NEW_PER_CONNECTION}


def test_a_phone_that_opens_the_page_again_is_the_same_voter(app: Starlette, services: Services) -> None:
    round_id, one = opened(app), browser(app)
    for _ in range(20):
        assert one.get(f"/{code_of(services)}").status_code == 200
        assert one.post("/api/guess", json={"round": round_id, "answer": "generated"}).status_code in (
            200,
            429,
        )
    assert sources(services) == {Source.PHONE: 1}


def test_an_ipv6_network_is_one_address(app: Starlette, services: Services) -> None:
    round_id = opened(app)
    for _ in range(1000):
        services.voters._new.take("2001:db8::/64")
    assert join_and_vote(services, browser(app, "2001:db8::abcd:1"), round_id) == 200
    assert sources(services) == {Source.SUSPECT: 1}


# ---- what the host sees and does


def stuffed(app: Starlette, services: Services) -> str:
    """A round with one honest answer and seventeen that look made."""
    round_id, one = opened(app), browser(app)
    join_and_vote(services, browser(app), round_id)
    for _ in range(20):
        join_and_vote(services, one, round_id)
    return round_id


def test_the_host_is_told_and_removes_them_with_one_tap(
    app: Starlette, services: Services, host: Handlers
) -> None:
    stuffed(app, services)
    shown = host.refresh()[host._on.suspects]
    assert WORDS.say("host.suspects", n=17) in shown.value
    after = host.remove_suspects()[host._on.suspects]
    assert after.visible is False
    assert sources(services) == {Source.PHONE: 4}


def test_or_counts_them_and_their_phones_from_then_on(
    app: Starlette, services: Services, host: Handlers
) -> None:
    round_id, one = opened(app), browser(app)
    for _ in range(NEW_PER_CONNECTION + 1):
        join_and_vote(services, one, round_id)
    host.accept_suspects()
    assert sources(services) == {Source.PHONE: NEW_PER_CONNECTION + 1}
    one.post("/api/guess", json={"round": round_id, "answer": "photograph"})
    assert sources(services) == {Source.PHONE: NEW_PER_CONNECTION + 1}


def test_another_process_of_the_database_knows_whom_the_host_pardoned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"sqlite:///{tmp_path}/votes.sqlite3"
    with Store(url) as one, Store(url) as other:
        _, first, _ = serve_room(one, Album(tmp_path / "one", 30, 12))
        app, second, voters = serve_room(other, Album(tmp_path / "other", 30, 12))
        hosts, room = first.room, second.room
        round_id, code = hosts.open().room.round_id, hosts.snapshot().room.code
        early, late = browser(app), browser(app)

        def sources_after(voter: TestClient) -> list[Source]:
            assert voter.post("/api/guess", json={"round": round_id, "answer": "generated"}).is_success
            return sorted(guess.source for guess in other.guesses())

        early.cookies.set(*cookie_of(voters, "early", code))
        room.latest.renew()
        assert sources_after(early) == [Source.SUSPECT]
        hosts.accept_suspects()
        room.latest.renew()  # as a moment later by itself
        assert sources_after(early) == [Source.PHONE]
        early.get(f"/{code}")  # which signs its cookie anew
        assert sources_after(early) == [Source.PHONE]
        monkeypatch.setattr(TimestampSigner, "get_timestamp", lambda _: int(time.time()) + 5)
        late.cookies.set(*cookie_of(voters, "late", code))
        assert sources_after(late) == [Source.PHONE, Source.SUSPECT]
    with Store(url) as started_again:
        assert started_again.pardoned_until() is not None


def cookie_of(voters: Voters, name: str, code: str) -> tuple[str, str]:
    """Name and value, of a phone that joined faster than a room does."""
    name, value = voters.cookie(Voter(VoterId(f"{name:_<22}"), code, True)).split(";")[0].split("=", 1)
    return name, value


def test_the_export_counts_them_apart(app: Starlette, services: Services) -> None:
    stuffed(app, services)
    trials = services.store.trials()
    assert [row["source"] for row in rows(trials)].count("suspect") == 17
    card = method(trials, "1")
    assert "17 answers of phones that joined faster" in card
    assert "phones that joined faster than a room does, sitter not in view" in card


# ---- codes


def test_guessing_the_code_ends_and_phones_that_are_in_stay_in(
    app: Starlette, services: Services, clock: list[float]
) -> None:
    inside, round_id = browser(app), opened(app)
    assert join_and_vote(services, inside, round_id) == 200
    guesser = browser(app)
    wrong = [guesser.get("/vote?code=zzz9") for _ in range(WRONG_CODES)]
    assert {answer.status_code for answer in wrong} == {200}
    late = guesser.get(f"/vote?code={code_of(services)}")  # the right one, by chance
    assert late.status_code == 429
    assert WORDS.say("phone.code_wait") in late.text
    assert COOKIE not in guesser.cookies
    assert inside.get("/vote").status_code == 200
    assert (
        COOKIE in (elsewhere := browser(app, "192.0.2.9")).get(f"/{code_of(services)}").cookies or elsewhere
    )


def test_a_wrong_code_is_forgotten_in_time(app: Starlette, services: Services, clock: list[float]) -> None:
    guesser = browser(app)
    for _ in range(WRONG_CODES):
        guesser.get("/vote?code=zzz9")
    clock[0] += 60
    assert guesser.get(f"/vote?code={code_of(services)}").status_code == 200


def test_the_stage_shows_the_code_to_hosts_and_on_this_machine_only(
    app: Starlette, services: Services
) -> None:
    scenes = Stage(services)._scenes
    now = services.board.room.snapshot()
    assert code_of(services) in scenes.html(now)
    hidden = scenes.html(now, shows_code=False)
    assert code_of(services) not in hidden
    assert WORDS.say("stage.code_hidden") in hidden
    far, here = browser(app), browser(app, "127.0.0.1")
    for one, headers, is_shown in ((far, {}, False), (far, KEY, True), (here, {}, True)):
        assert (code_of(services) in first_scene(one, headers)) is is_shown


def first_scene(one: TestClient, headers: dict[str, str]) -> str:
    """What the stage's stream sends first; then that browser is gone."""
    sent = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": "GET", "path": "/api/stage", "query_string": b"", "headers": sent}

    async def read() -> str:
        said, is_read = "", asyncio.Event()

        async def receive() -> dict[str, object]:
            await is_read.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            nonlocal said
            said += message.get("body", b"").decode()
            if '"html"' in said:  # a beat may come before
                is_read.set()

        await one.app(scope | {"client": one._transport.client}, receive, send)  # type: ignore[attr-defined]
        scene = next(event for event in said.split("\n\n") if event.startswith("data: "))
        return str(json.loads(scene.removeprefix("data: "))["html"])

    return asyncio.run(read())
