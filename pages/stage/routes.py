"""The stage: `GET /stage` is the page, `GET /api/stage` the stream of what it shows, and the pictures beside.

Anybody may look at it, as everybody in the room does; only a host's browser can move it. A scene is sent
whole, so a reload or a lost connection comes back to the right thing.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from html import escape
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response, StreamingResponse
from starlette.routing import Route

from pages.guards.errors_shown import refusal
from pages.guards.host_key import Answer
from pages.stage.scenes import Scenes
from pipelines.draw.model_set import read_model_sets
from pipelines.exhibit import exhibit
from services import Services
from votes.room import Snapshot
from votes.rounds import TRUTH_KNOWN, Scene
from votes.studies import read_studies

LOOK_EVERY_S = 0.1  # at the snapshot in memory
BEAT_S = 3.0  # a line that says nothing, so that a lost connection is noticed on both sides
NO_STORE = {"Cache-Control": "no-store"}
FRAME = (864, 1080)  # px; two beside each other are 600 px wide on 1080 lines, 800 on 1440
FOLDER = Path(__file__).parent


class Stage:
    """The handlers of the routes."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._board = services.board
        titles = {name: model_set.title for name, model_set in read_model_sets().items()}
        self._scenes = Scenes(services, read_studies(), titles)
        self._drawn: tuple[object, str] | None = None

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
        page = (FOLDER / "stage.html").read_text(encoding="utf-8")
        keys = "" if self._services.host_key.asks(request) == Answer.OPEN else say("stage.keys", link="/host")
        words = {"title": say("stage.title"), "keys": keys, "offline": say("stage.offline")}
        for name, text in words.items():
            page = page.replace(f"{{{{{name}}}}}", escape(text))
        return HTMLResponse(page, headers=NO_STORE)

    async def _stream(self, request: Request) -> Response:
        headers = NO_STORE | {"X-Accel-Buffering": "no"}
        return StreamingResponse(self._told(), media_type="text/event-stream", headers=headers)

    async def _told(self) -> AsyncIterator[str]:
        """What is shown, whenever that changes."""
        last, silent = "", 0.0
        yield "retry: 1000\n\n"
        while True:
            now = await self._board.now()
            text = json.dumps(await self._shown(now), ensure_ascii=False)
            if text != last:
                yield f"data: {text}\n\n"
                last, silent = text, 0.0
            elif silent >= BEAT_S:
                yield ": still here\n\n"
                silent = 0.0
            await asyncio.sleep(LOOK_EVERY_S)
            silent += LOOK_EVERY_S

    async def _shown(self, now: Snapshot) -> dict[str, object]:
        key = (now.setting, now.asked, None if now.setting.scene == Scene.OPEN else now.count)
        if self._drawn is None or self._drawn[0] != key:
            self._drawn = (key, await run_in_threadpool(self._scenes.html, now))
        return {
            "html": self._drawn[1],
            "scene": now.setting.scene.value,
            "blank": now.setting.blank,
            "answers": now.answers,
            "unit": self._scenes.unit(now),
            "note": self._scenes.note(now),
        }

    async def _picture(self, request: Request) -> Response:
        """The picture of the round on the stage; nothing tells which of the two truths it is."""
        now = await self._board.now()
        asked = now.asked
        if asked is None or asked.id != request.path_params["round"]:
            return self._gone()
        jpeg = await run_in_threadpool(self._board.programme.jpeg, asked.item.id)
        return Response(jpeg, media_type="image/jpeg", headers=NO_STORE) if jpeg else self._gone()

    async def _frame(self, request: Request) -> Response:
        """A picture of the making, once the truth is out."""
        now = await self._board.now()
        asked = now.asked
        told = asked is not None and now.setting.scene in TRUTH_KNOWN
        if not told or asked is None or asked.id != request.path_params["round"]:
            return self._gone()
        photo = await run_in_threadpool(
            self._board.programme.frame, asked.item.id, request.path_params["frame"]
        )
        if photo is None:
            return self._gone()
        jpeg = await run_in_threadpool(exhibit, photo.pixels, FRAME)
        return Response(jpeg, media_type="image/jpeg", headers=NO_STORE)

    def _gone(self) -> Response:
        return refusal(self._services.words.say("phone.gone"), 404)
