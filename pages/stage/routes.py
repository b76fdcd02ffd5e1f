"""The stage: `GET /stage` is the page, `GET /api/stage` the stream of what it shows, and the pictures beside.

Anybody may look at it, as everybody in the room does; only a host's browser can move it. Only that and this
machine's own screen show the room's code: who reads the stream from elsewhere is not in the room. A scene is
sent whole, so a reload or a lost connection comes back to the right thing.
"""

import asyncio
import json
from collections.abc import AsyncIterator

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
from votes.room import Snapshot
from votes.rounds import Scene
from votes.studies import read_studies

LOOK_EVERY_S = 0.1  # at the snapshot in memory
BEAT_S = 3.0  # a line that says nothing, so that a lost connection is noticed on both sides
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
        page = render("stage/page.html", title=say("stage.title"), keys=keys, offline=say("stage.offline"))
        return HTMLResponse(page, headers=NO_STORE)

    async def _stream(self, request: Request) -> Response:
        headers = NO_STORE | {"X-Accel-Buffering": "no"}
        is_here = request.client is not None and request.client.host in LOOPBACK
        shows_code = is_here or self._services.host_auth.check(request) == Access.GRANTED
        return StreamingResponse(self._events(shows_code), media_type="text/event-stream", headers=headers)

    async def _events(self, shows_code: bool) -> AsyncIterator[str]:
        """What the stage shows, whenever that changes."""
        last, silent = "", 0.0
        yield "retry: 1000\n\n"
        while True:
            now = await self._board.now()
            text = json.dumps(await self._state(now, shows_code), ensure_ascii=False)
            if text != last:
                yield f"data: {text}\n\n"
                last, silent = text, 0.0
            elif silent >= BEAT_S:
                yield ": still here\n\n"
                silent = 0.0
            await asyncio.sleep(LOOK_EVERY_S)
            silent += LOOK_EVERY_S

    async def _state(self, now: Snapshot, shows_code: bool) -> dict[str, object]:
        key = (now.room, now.round, None if now.room.scene == Scene.OPEN else now.count)
        drawn = self._drawn.get(shows_code)
        if drawn is None or drawn[0] != key:
            drawn = (key, await run_in_threadpool(self._scenes.html, now, shows_code))
            self._drawn[shows_code] = drawn
        return {
            "html": drawn[1],
            "scene": now.room.scene.value,
            "blank": now.room.blank,
            "position": now.room.position,
            "answers": now.answers,
            "unit": self._scenes.unit(now),
            "note": self._scenes.note(now),
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
