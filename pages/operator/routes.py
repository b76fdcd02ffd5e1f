"""The operator's page of a kiosk, `GET /operator`: five taps into the corner lead here, a PIN opens it.

A plain page, without Gradio, at this machine's screen only. It shows numbers, never a visitor's picture; the
frames of its camera test are looked at in memory and forgotten.
"""

from collections.abc import Awaitable, Callable
from urllib.parse import parse_qs

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from booth.end_of_day import count_remains, end_day
from booth.paper import REFUSALS as PAPER_REFUSALS
from errors import VisitorError
from pages.guards.error_boundary import refusal
from pages.guards.host_auth import Access
from pages.guards.operator_auth import OperatorAuth
from pages.markup import render
from pipelines.paper import as_pdf, lay_out_sheet
from pipelines.selfie.hints import LONGEST_SIDE, FrameJudge
from pipelines.selfie.samples import sample
from pipelines.tonight import look_around
from services import Services
from settings import PIN_DIGITS, version

PAGE = "/operator"
NO_STORE = {"Cache-Control": "no-store"}
HERE, BOOTH = "../operator", "../"  # relative, from an address below the page
DONE = ("models", "loading", "wiped", "printed")
Handler = Callable[[Request], Awaitable[Response]]


def operator_routes(services: Services) -> list[Route]:
    """All of them; none but on a kiosk."""
    return Operator(services, services.operator_auth).routes() if services.operator_auth else []


class Operator:
    """The handlers of the routes."""

    def __init__(self, services: Services, auth: OperatorAuth) -> None:
        self._services = services
        self._say = services.words.say
        self._auth = auth
        self._judge = services.frame_judge or FrameJudge()

    def routes(self) -> list[Route]:
        """The page, the PIN, and what an operator does."""
        does = {"frame": self._frame, "models": self._models, "wipe": self._wipe, "leave": self._leave}
        does |= {"paper": self._print} if self._services.paper else {}
        return [
            Route(PAGE, self._page),
            Route(f"{PAGE}/pin", self._log_in, methods=["POST"]),
            *(Route(f"{PAGE}/{name}", self._guarded(do), methods=["POST"]) for name, do in does.items()),
        ]

    def _guarded(self, do: Handler) -> Handler:
        async def answer(request: Request) -> Response:
            if self._auth.check(request) != Access.GRANTED:
                return refusal(self._say("operator.missing"), 401)
            return await do(request)

        return answer

    async def _page(self, request: Request) -> Response:
        """The menu for an operator, the PIN's pad for whoever else stands here, nothing elsewhere."""
        if not self._auth.is_here(request):
            return refusal(self._say("operator.elsewhere"), 403)
        if self._auth.check(request) != Access.GRANTED:
            return self._pad("", 401)
        return await run_in_threadpool(self._menu, str(request.query_params.get("done", "")))

    async def _log_in(self, request: Request) -> Response:
        if not self._auth.is_here(request):
            return refusal(self._say("operator.elsewhere"), 403)
        pin = _form(await request.body()).get("pin", "")
        access = self._auth.check_pin(pin)
        if access == Access.GRANTED:
            return RedirectResponse(HERE, 303, headers={"Set-Cookie": self._auth.begin()})
        return self._pad("wait", 429) if access == Access.THROTTLED else self._pad("wrong", 403)

    async def _frame(self, request: Request) -> Response:
        """What the judge of frames says of the camera test's picture; 204 while it looks at another one."""
        frame = await request.body()
        with self._services.error_boundary.catch() as failure:
            hint = await run_in_threadpool(self._judge.judge, frame)
            if hint is None:
                return Response(status_code=204)
            words = self._say(f"camera.hint_{hint}" if hint else "camera.good")
            return JSONResponse({"hint": hint, "words": words}, headers=NO_STORE)
        return refusal(failure.sentence, 422)

    async def _models(self, _: Request) -> Response:
        """Out of memory, and in again, behind the page."""
        begun = self._services.warmup.restart(self._services.generator.unload)
        return _back("models" if begun else "loading")

    async def _print(self, _: Request) -> Response:
        """A sheet with a sample face on both sides; what keeps it from coming out stands on the page."""
        paper, pixels = self._services.paper, sample("astronaut").pixels
        if paper is None:
            return refusal(self._say("paper.unknown"), 404)
        captions = self._say("paper.photograph"), self._say("paper.portrait")
        sheet = as_pdf(lay_out_sheet((pixels, pixels), captions, self._say("operator.paper")))
        try:
            await run_in_threadpool(paper.print_sheet, sheet)
        except VisitorError as error:
            return _back(error.key.removeprefix("paper."))
        return _back("printed")

    async def _wipe(self, request: Request) -> Response:
        """The end of the day."""
        services, with_votes = self._services, "votes" in _form(await request.body())
        given = services.visits, services.album, services.store, with_votes
        with services.error_boundary.catch() as failure:
            await run_in_threadpool(end_day, *given)
            return _back("wiped")
        return refusal(failure.sentence, 500)

    async def _leave(self, _: Request) -> Response:
        return RedirectResponse(BOOTH, 303, headers={"Set-Cookie": self._auth.end()})

    # ---- what is shown

    def _pad(self, refused: str, status: int) -> Response:
        given = {"say": self._say, "language": self._services.words.language, "digits": PIN_DIGITS}
        page = render("operator/pin.html", refused=refused and self._say(f"operator.{refused}"), **given)
        return HTMLResponse(page, status, headers=NO_STORE)

    def _said(self, done: str) -> str:
        """What came of the button that led here."""
        if done in PAPER_REFUSALS and self._services.paper:
            return self._say(f"paper.{done}")
        return self._say(f"operator.done_{done}") if done in DONE else ""

    def _menu(self, done: str) -> Response:
        services = self._services
        given = services.visits, services.album, services.store
        page = render(
            "operator/menu.html",
            say=self._say,
            language=services.words.language,
            done=self._said(done),
            paper=services.paper,
            visits=services.visits,
            remains=count_remains(*given),
            findings=list(look_around(services.settings)),
            models=services.warmup,
            title=services.model_titles.get(services.generator.model_set.name, ""),
            version=version(),
            side=LONGEST_SIDE,
        )
        return HTMLResponse(page, headers=NO_STORE)


def _back(done: str) -> Response:
    return RedirectResponse(f"{HERE}?done={done}", 303)


def _form(body: bytes) -> dict[str, str]:
    """The fields of a plain form; the body is bounded by the gate."""
    return {name: values[0] for name, values in parse_qs(body.decode("utf-8", "replace")).items()}
