"""Pictures on their way in: whoever sends slowly keeps nobody from theirs, and memory has an end."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from booth.album import Album
from booth.visits import Visits
from pages.booth.uploads import Intake
from pages.guards.bodies import Bodies
from pages.guards.error_boundary import ErrorBoundary
from pages.verify.routes import Checks
from pipelines.marks.signing import Signer
from pipelines.selfie.face import FaceFinder
from words import read_words

WORDS = read_words()


def browser(app: Callable[[Request], object]) -> httpx.AsyncClient:
    routes = [Route("/", app, methods=["POST"])]
    return httpx.AsyncClient(transport=httpx.ASGITransport(Starlette(routes=routes)), base_url="http://booth")


async def sent_until(done: asyncio.Event, data: bytes = b"x") -> AsyncIterator[bytes]:
    """A body that does not end before `done`."""
    yield data
    await done.wait()


def test_bodies_in_memory_are_bounded_together_and_given_back() -> None:
    async def run() -> None:
        bodies, done = Bodies(most_together=100), asyncio.Event()

        async def measure(request: Request) -> Response:
            async with bodies.read(request, 60) as data:
                return PlainTextResponse("busy" if data is None else str(len(data)))

        async with browser(measure) as one:
            slow = asyncio.create_task(one.post("/", content=sent_until(done, bytes(60))))
            await asyncio.sleep(0.05)
            assert (await one.post("/", content=bytes(40))).text == "40"
            assert (await one.post("/", content=bytes(50))).text == "busy"
            done.set()
            assert (await slow).text == "60"
            assert (
                await one.post("/", content=bytes(61))
            ).text == "61"  # one more than allowed, to refuse it
            assert (await one.post("/", content=bytes(60))).text == "60"

    asyncio.run(run())


def test_only_so_many_wait_and_who_still_sends_is_none_of_them() -> None:
    async def run() -> None:
        bodies, done, answered = Bodies(most_waiting=1), asyncio.Event(), asyncio.Event()

        async def wait(request: Request) -> Response:
            async with bodies.read(request) as data:
                await answered.wait()
                return PlainTextResponse("busy" if data is None else "read")

        async with browser(wait) as one:
            slow = [asyncio.create_task(one.post("/", content=sent_until(done))) for _ in range(5)]
            await asyncio.sleep(0.05)
            first = asyncio.create_task(one.post("/", content=b"x"))
            await asyncio.sleep(0.05)
            second = asyncio.create_task(one.post("/", content=b"x"))
            await asyncio.sleep(0.05)
            answered.set()
            assert ((await first).text, (await second).text) == ("read", "busy")
            done.set()
            assert [(await each).text for each in slow] == ["read"] * 5

    asyncio.run(run())


def test_many_slow_pictures_keep_no_check_waiting(tmp_path: Path) -> None:
    checks = Checks(Signer(tmp_path), WORDS, ErrorBoundary(WORDS))
    asyncio.run(ask_beside_slow_senders(checks.routes(), "/verify", {}, WORDS.say("verify.type")))


def test_many_slow_selfies_keep_no_visitor_waiting(tmp_path: Path) -> None:
    visits = Visits(Album(tmp_path / "sittings", 30, 12), 30)
    visit = visits.of("one", "page")
    visit.consent(True)
    with FaceFinder() as finder:  # never asked: what is sent is no photo
        routes = Intake(visits, finder, ErrorBoundary(WORDS), WORDS).routes()
        headers = {"X-Ticket": visit.ticket}
        asyncio.run(ask_beside_slow_senders(routes, "/selfies", headers, WORDS.say("file.type")))


async def ask_beside_slow_senders(
    routes: list[Route], path: str, headers: dict[str, str], sentence: str
) -> None:
    done, transport = asyncio.Event(), httpx.ASGITransport(Starlette(routes=routes))
    async with httpx.AsyncClient(transport=transport, base_url="http://booth", headers=headers) as one:
        slow = [asyncio.create_task(one.post(path, content=sent_until(done))) for _ in range(30)]
        await asyncio.sleep(0.1)
        async with asyncio.timeout(20):
            answer = await one.post(path, content=b"no picture")
        assert (answer.status_code, answer.json()["error"]) == (422, sentence)
        done.set()
        await asyncio.gather(*slow)
