"""Take home: `GET /take/LINK`, a light page on which a visitor saves what was made of them, or deletes it.

The link is known to whoever was shown its QR code. Unknown, over and deleted are one answer, and whoever asks
for many is asked to wait. `GET /joined` is where a phone lands that joined the booth's own network.
"""

from datetime import datetime
from pathlib import Path

from markupsafe import Markup
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from booth.take_home import Links, pictures_to_take
from booth.visit import ScreenName
from errors import StorageAway, VisitorError
from pages.booth.pictures import PRIVATE, disposition, pack
from pages.booth.take import time_of
from pages.guards.addresses import JOINED_PAGE
from pages.guards.error_boundary import refusal
from pages.guards.rate_limit import TokenBuckets, address_of
from pages.markup import render
from pages.said import said_by_room
from services import Services

MISSES, MISSES_PER_S = 30, 0.2  # of one address; a phone misses once, when its link is over
REQUESTS, REQUESTS_PER_S = 120, 4.0  # of one link: a page with its pictures takes a dozen
STYLE = Path(__file__).parent / "take.css"


class TakeHomePages:
    """The handlers of the routes."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._words = services.words
        self._links: Links = services.visits.links
        self._misses = TokenBuckets(MISSES, MISSES_PER_S)
        self._requests = TokenBuckets(REQUESTS, REQUESTS_PER_S)
        self._style = Markup(STYLE.read_text(encoding="utf-8"))

    def routes(self) -> list[Route]:
        """All of them."""
        return [
            Route("/take/{link}/all.zip", self._everything),
            Route("/take/{link}/delete", self._delete, methods=["POST"]),
            Route("/take/{link}/{picture}.jpg", self._picture),
            Route("/take/{link}", self._page),
            Route(JOINED_PAGE, self._joined),
        ]

    async def _page(self, request: Request) -> Response:
        """Everything that may be saved, until when, and the way to delete it."""
        link = request.path_params["link"]
        if refused := self._refuse(request, link):
            return refused
        return await run_in_threadpool(self._show, link, request)

    async def _picture(self, request: Request) -> Response:
        """One picture; `?save` makes a browser save it."""
        link = request.path_params["link"]
        if refused := self._refuse(request, link):
            return refused
        try:
            kept = await run_in_threadpool(self._links.picture, link, request.path_params["picture"])
        except StorageAway as error:
            return refusal(self._words.sentence(error, self._language(request)), 503)
        if kept is None:
            return refusal(self._words.say("home.gone", self._language(request)), 404)
        is_saved = "save" in request.query_params
        if is_saved:
            self._links.mark_taken(link)
        saving = disposition(kept.name) if is_saved else {}
        return Response(kept.jpeg, media_type="image/jpeg", headers=PRIVATE | saving)

    async def _everything(self, request: Request) -> Response:
        """All of them as one file."""
        link = request.path_params["link"]
        if refused := self._refuse(request, link):
            return refused
        sitting, album = self._links.sitting(link), self._services.album
        try:
            packed = await run_in_threadpool(lambda: pack(album.downloads(sitting) if sitting else ()))
        except StorageAway as error:
            return refusal(self._words.sentence(error, self._language(request)), 503)
        self._links.mark_taken(link)
        return Response(packed, media_type="application/zip", headers=PRIVATE | disposition("face-value.zip"))

    async def _delete(self, request: Request) -> Response:
        """The phone's "Delete mine": everything of that visitor goes, at the booth too."""
        link = request.path_params["link"]
        if refused := self._refuse(request, link):
            return refused
        await run_in_threadpool(self._wipe, link)
        return self._say("home.deleted", request)

    async def _joined(self, request: Request) -> Response:
        """A phone has joined the booth's network, and is told what to do next."""
        return self._say("home.wifi", request, lead="home.wifi_lead")

    # ---- what is answered

    def _refuse(self, request: Request, link: str) -> Response | None:
        """The answer to who may not see it: nothing of what is there, or was."""
        if self._links.sitting(link):
            return None if self._requests.take(link) else self._say("home.slow", request, 429)
        is_patient = self._misses.take(address_of(request))
        return self._say("home.gone", request, 404) if is_patient else self._say("home.slow", request, 429)

    def _show(self, link: str, request: Request) -> Response:
        language, services = self._language(request), self._services
        sitting, until = self._links.sitting(link), self._links.until(link)
        if sitting is None or until is None:  # over since it was looked up
            return self._say("home.gone", request, 404)
        seconds = max(1, round((until - datetime.now(until.tzinfo)).total_seconds()))
        pictures = [
            (taken.id, self._words.say(taken.kind.caption, language, i=taken.number), taken.kind)
            for taken in pictures_to_take(services.album, sitting)
        ]
        page = self._render(
            "pictures",
            request,
            link=link,
            pictures=pictures,
            until=time_of(until),
            seconds=seconds,
            answers=said_by_room(services, sitting, language),
        )
        return HTMLResponse(page, headers=PRIVATE)

    def _wipe(self, link: str) -> None:
        try:
            visit = self._links.delete(link)
        except VisitorError:  # twice is as good as once
            return
        self._services.store.forget_drift(visit.sitter)
        if not visit.is_over:  # the booth's screen says so at the next tap
            visit.go(ScreenName.GOODBYE)

    def _say(self, key: str, request: Request, status: int = 200, lead: str = "") -> Response:
        """A page of one sentence."""
        page = self._render("sentence", request, title=key, lead=lead)
        headers = PRIVATE | ({"Retry-After": "60"} if status == 429 else {})
        return HTMLResponse(page, status, headers=headers)

    def _render(self, name: str, request: Request, **values: object) -> Markup:
        language = self._language(request)

        def say(key: str, **marks: object) -> str:
            return self._words.say(key, language, **marks)

        return render(f"take/{name}.html", language=language, say=say, style=self._style, **values)

    def _language(self, request: Request) -> str:
        return self._words.preferred(request.headers.get("accept-language", ""))
