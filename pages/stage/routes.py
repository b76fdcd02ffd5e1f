"""The stage: `GET /stage` is the page, `GET /api/stage` the stream of what it shows, and the pictures beside.

Anybody may look at it, as everybody in the room does; only a host's browser can move it. Only that and this
machine's own screen show the room's code: who reads the stream from elsewhere is not in the room. A scene is
sent whole, so a reload or a lost connection comes back to the right thing.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import suppress

from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response, StreamingResponse
from starlette.routing import Route

from pages.guards.error_boundary import refusal
from pages.guards.host_auth import LOOPBACK, Access
from pages.markup import render
from pages.stage.scenes import Scenes
from pipelines.exhibit import exhibit
from services import Services
from votes.rounds import Scene, countdown
from votes.studies import read_studies

LOOK_EVERY_S = 0.1  # at the snapshot in memory
BEAT_S = 1.0  # an event that says the time here: a page that hears none for four seconds has no network
NO_STORE = {"Cache-Control": "no-store"}
FRAME = (864, 1080)  # px; two beside each other are 600 px wide on 1080 lines, 800 on 1440


class Stage:
    """The handlers of the routes."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._board = services.board
        self._scenes = Scenes(services, read_studies(), services.model_titles)
        self._drawn: dict[bool, tuple[object, str]] = {}  # with and without the code

    def routes(self) -> list[Route]:
        """All of them."""
        return [
            Route("/stage", self._page),
            Route("/api/stage", self._stream),
            Route("/stage/{round}.jpg", self._picture),
            Route("/stage/{round}/{frame}.jpg", self._frame),
        ]

    def _page(self, request: Request) -> Response:
        say = self._services.words.say
        is_host = self._services.host_auth.check(request) == Access.GRANTED
        keys = "" if is_host else say("stage.keys", link=f"{self._board.base_path}/host")
        said = {name: say(f"stage.{name}") for name in ("title", "offline")} | {"old": say("error.old")}
        spoken = {"language": self._services.words.language, "direction": say("language.dir")}
        page = render("stage/page.html", keys=keys, **spoken, **said)
        return HTMLResponse(page, headers=NO_STORE)

    async def _stream(self, request: Request) -> Response:
        headers = NO_STORE | {"X-Accel-Buffering": "no"}
        is_here = request.client is not None and request.client.host in LOOPBACK
        shows_code = is_here or self._services.host_auth.check(request) == Access.GRANTED
        return StreamingResponse(self._events(shows_code), media_type="text/event-stream", headers=headers)

    async def _events(self, shows_code: bool) -> AsyncIterator[str]:
        """What the stage shows, whenever that changes."""
        last, told_at = "", 0.0
        yield "retry: 1000\n\n"
        while True:
            looking = asyncio.create_task(self._state(shows_code))
            try:
                while not (await asyncio.wait({looking}, timeout=BEAT_S))[0]:
                    yield self._beat()  # the database is slow, the network is not
            finally:
                looking.cancel()
            text = json.dumps(looking.result(), ensure_ascii=False)
            if text != last or time.monotonic() - told_at >= BEAT_S:
                yield self._beat() + (f"data: {text}\n\n" if text != last else "")
                last, told_at = text, time.monotonic()
            await asyncio.sleep(LOOK_EVERY_S)

    def _beat(self) -> str:
        return f"event: beat\ndata: {self._board.server_ms}\n\n"

    async def _state(self, shows_code: bool) -> dict[str, object]:
        now = await self._board.now()
        is_stale = self._board.room.latest.is_stale
        key = (now.room, now.round, None if now.room.scene == Scene.OPEN else now.count)
        drawn = self._drawn.get(shows_code, (None, ""))
        if drawn[0] != key:
            # It says how the room answered, and where nobody knows that what was shown stays.
            with suppress(SQLAlchemyError):
                drawn = (key, await run_in_threadpool(self._scenes.html, now, shows_code))
                self._drawn[shows_code] = drawn
        return {
            "html": drawn[1],
            "scene": now.room.scene.value,
            "blank": now.room.blank,
            "position": now.room.position,
            **countdown(now.room, now.round),
            "answers": now.answers,
            "unit": self._scenes.unit(now),
            "note": self._services.words.say("stage.stale") if is_stale else self._scenes.note(now),
        }

    async def _picture(self, request: Request) -> Response:
        """The picture of the round on the stage; nothing tells which of the two truths it is."""
        now = await self._board.now()
        asked = now.round
        if asked is None or asked.id != request.path_params["round"]:
            return self._gone()
        jpeg = await run_in_threadpool(self._board.catalogue.jpeg, asked.item.id)
        return Response(jpeg, media_type="image/jpeg", headers=NO_STORE) if jpeg else self._gone()

    async def _frame(self, request: Request) -> Response:
        """A picture of the making, once the truth is out."""
        now = await self._board.now()
        asked = now.round
        is_known = now.room.scene.is_truth_known
        if not is_known or asked is None or asked.id != request.path_params["round"]:
            return self._gone()
        photo = await run_in_threadpool(
            self._board.catalogue.frame, asked.item.id, request.path_params["frame"]
        )
        if photo is None:
            return self._gone()
        jpeg = await run_in_threadpool(exhibit, photo.pixels, FRAME)
        return Response(jpeg, media_type="image/jpeg", headers=NO_STORE)

    def _gone(self) -> Response:
        return refusal(self._services.words.say("phone.gone"), 404)
