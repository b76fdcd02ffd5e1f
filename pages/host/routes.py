"""The host's commands as HTTP, for clickers, Stream Decks and the stage's own keys; and what was answered.

`POST /api/host/NAME` and the downloads, with `Authorization: Bearer KEY` or the cookie of the host page.
"""

import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from errors import VisitorError
from pages.guards.error_boundary import refusal
from pages.guards.host_auth import Access
from services import Services
from settings import version
from votes import fairness
from votes.export import as_csv, as_json, method, rows
from votes.room import Snapshot
from votes.rounds import split

BOM = "\ufeff"  # Excel reads a table without it in the letters of its own country
LOG = logging.getLogger("face_value")
NO_STORE = {"Cache-Control": "no-store"}
REFUSED = {
    Access.MISSING: (401, "host.missing"),
    Access.WRONG: (403, "host.wrong"),
    Access.THROTTLED: (429, "host.wait"),
}
Handler = Callable[[Request], Awaitable[Response]]


class Commands:
    """The handlers of the routes."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._room = room = services.board.room
        self._moves: dict[str, Callable[[str], Snapshot]] = {
            "open": lambda _: room.open(),
            "close": lambda _: room.close(),
            "reveal": lambda _: room.reveal(),
            "next": room.next,
            "back": room.back,
            "blank": room.blank,
            "replay": room.replay,
        }

    def routes(self) -> list[Route]:
        """All of them."""
        moves = [
            Route(f"/api/host/{name}", self._for_hosts(self._command(move)), methods=["POST"])
            for name, move in self._moves.items()
        ]
        exports = {
            "export.csv": ("text/csv; charset=utf-8", self._csv),
            "export.json": ("application/json", self._json),
            "drift.csv": ("text/csv; charset=utf-8", self._drift),
            "method.md": ("text/markdown; charset=utf-8", self._method),
        }
        return [
            *moves,
            Route("/api/host/split", self._for_hosts(self._split)),
            Route("/api/host/picture/{picture}.jpg", self._for_hosts(self._picture)),
            *(
                Route(f"/api/host/{name}", self._for_hosts(self._export(name, kind, write)))
                for name, (kind, write) in exports.items()
            ),
        ]

    def _for_hosts(self, handle: Handler) -> Handler:
        """Nothing but a sentence for everybody else."""

        async def answer(request: Request) -> Response:
            access = self._services.host_auth.check(request)
            if access != Access.GRANTED:
                status, key = REFUSED[access]
                return self._refuse(key, status)
            try:
                return await handle(request)
            except SQLAlchemyError as error:
                LOG.error("the database does not answer: %s", type(error).__name__)
                return self._refuse("host.away", 503)

        return answer

    def _command(self, move: Callable[[str], Snapshot]) -> Handler:
        async def handle(request: Request) -> Response:
            try:
                now = await run_in_threadpool(move, request.query_params.get("seen", ""))
            except VisitorError as error:
                return self._refuse(error.key, 409)
            round_id, state = now.round.id if now.round else None, now.room.round_state.value
            return _json({"round": round_id, "state": state, "position": now.room.position})

        return handle

    async def _split(self, _: Request) -> Response:
        """How the room answered so far: only while the host holds the button."""
        now = await run_in_threadpool(self._room.snapshot)
        return _json(split(now.count) | {"source": now.source.value})

    async def _picture(self, request: Request) -> Response:
        """A picture of the programme, or one that waits for approval, by the id of its item."""
        programme, name = self._services.board.catalogue, request.path_params["picture"]
        jpeg = await run_in_threadpool(programme.host_jpeg, name)
        if jpeg is None:
            return self._refuse("phone.gone", 404)
        return Response(jpeg, media_type="image/jpeg", headers=NO_STORE)

    def _export(self, name: str, kind: str, write: Callable[[], str]) -> Handler:
        async def handle(_: Request) -> Response:
            text = await run_in_threadpool(write)
            headers = NO_STORE | {"Content-Disposition": f'attachment; filename="face-value-{name}"'}
            return Response(text, media_type=kind, headers=headers)

        return handle

    def _csv(self) -> str:
        return BOM + as_csv(rows(self._services.store.trials()))

    def _drift(self) -> str:
        return BOM + fairness.as_csv(self._services.store.drifts())

    def _json(self) -> str:
        return as_json(rows(self._services.store.trials()))

    def _method(self) -> str:
        return method(self._services.store.trials(), version(), self._room.snapshot().room.event)

    def _refuse(self, key: str, status: int) -> Response:
        return refusal(self._services.words.say(key), status)


def _json(body: dict[str, Any]) -> Response:
    return Response(json.dumps(body), media_type="application/json", headers=NO_STORE)
