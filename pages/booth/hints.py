"""What the camera screen says before the shot: `POST /hints`, a small frame of the live camera.

A frame is looked at in memory and forgotten with the request; nothing of it is written, logged or cached.
"""

import time
from weakref import WeakKeyDictionary

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from booth.line import Line
from booth.visit import ScreenName, Visit
from booth.visits import Visits
from pages.guards.bodies import Bodies
from pages.guards.error_boundary import ErrorBoundary, refusal
from pipelines.selfie.hints import MOST_BYTES, FrameJudge
from services import Services
from words import Words

EVERY_S = 0.3  # least time between two frames of a visit; the page lets half a second pass
NO_STORE = {"Cache-Control": "no-store"}


def hint_routes(services: Services) -> list[Route]:
    """The route; none where no hints are given, as on a Space."""
    if services.frame_judge is None:
        return []
    given = services.visits, services.frame_judge, services.line, services.error_boundary, services.words
    return Hints(*given).routes()


class Hints:
    """The handler of the route. Raises nothing: without a hint the shot is as good."""

    def __init__(
        self, visits: Visits, judge: FrameJudge, line: Line, error_boundary: ErrorBoundary, words: Words
    ) -> None:
        self._visits = visits
        self._judge = judge
        self._line = line
        self._error_boundary = error_boundary
        self._words = words
        self._bodies = Bodies()
        self._latest: WeakKeyDictionary[Visit, float] = WeakKeyDictionary()  # monotonic s

    def routes(self) -> list[Route]:
        """The one."""
        return [Route("/hints", self._hint, methods=["POST"])]

    async def _hint(self, request: Request) -> Response:
        """200 with a name of `Hint`, empty where all is well; 403, 413, 422 or 429 with a sentence.

        204, unread, where the machine has other work, and for whoever is not before the camera any more: a
        page that is being left may send one more, and a browser would log every other answer as an error.
        """
        visit = self._visits.with_ticket(request.headers.get("X-Ticket", ""))
        if visit is not None and not visit.has_consented:
            return refusal(self._words.say("consent.missing", visit.language), 403)
        if visit is None or visit.screen != ScreenName.CAMERA or self._line.is_busy:
            return Response(status_code=204)
        if not self._is_due(visit):
            return refusal(self._words.say("visit.refused", visit.language), 429)
        async with self._bodies.read(request, MOST_BYTES) as frame:
            if frame is None:
                return Response(status_code=204)
            if len(frame) > MOST_BYTES:
                return refusal(self._words.say("visit.refused", visit.language), 413)
            return await run_in_threadpool(self._look, frame, visit.language)

    def _is_due(self, visit: Visit) -> bool:
        now = time.monotonic()
        if now - self._latest.get(visit, -EVERY_S) < EVERY_S:
            return False
        self._latest[visit] = now
        return True

    def _look(self, frame: bytes, language: str) -> Response:
        with self._error_boundary.catch(language) as failure:
            hint = self._judge.judge(frame)
            if hint is None:
                return Response(status_code=204)
            return JSONResponse({"hint": hint}, headers=NO_STORE)
        return refusal(failure.sentence, 422)
