"""Before the host page: whoever has no cookie of a host gets a form for the key, and nothing else."""

from html import escape
from pathlib import Path
from urllib.parse import parse_qs

from starlette.requests import HTTPConnection, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from pages.guards.errors_shown import refusal
from pages.guards.host_key import Answer, HostKey
from words import Words

PAGE, LOGIN = "/host", "/host/key"
LIGHT = f"{PAGE}/?__theme=light"  # the host page is light, whatever the system says
MOST_BYTES = 1024
FOLDER = Path(__file__).parent


class HostsOnly:
    """Middleware: `/host` and all below it are for hosts only."""

    def __init__(self, app: ASGIApp, host_key: HostKey, words: Words) -> None:
        self._app = app
        self._host_key = host_key
        self._words = words

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        path = scope.get("path", "")
        if scope["type"] != "http" or not (path == PAGE or path.startswith(f"{PAGE}/")):
            await self._app(scope, receive, send)
            return
        if path == LOGIN and scope["method"] == "POST":
            await (await self._login(Request(scope, receive)))(scope, receive, send)
        elif self._host_key.asks(HTTPConnection(scope)) == Answer.OPEN:
            await self._inside(scope, receive, send)
        elif path in (PAGE, f"{PAGE}/", LOGIN):
            await self._form("", 401)(scope, receive, send)
        else:
            await refusal(self._words.say("host.missing"), 401)(scope, receive, send)

    async def _inside(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_page = scope["path"].rstrip("/") == PAGE and b"__theme" not in scope["query_string"]
        if is_page or scope["path"] == LOGIN:
            await RedirectResponse(LIGHT, 303)(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _login(self, request: Request) -> Response:
        body = bytearray()
        async for part in request.stream():
            body += part
            if len(body) > MOST_BYTES:
                return self._form("host.wrong", 403)
        given = parse_qs(body.decode("utf-8", "replace")).get("key", [""])[0]
        answer = self._host_key.tries(given.strip(), request)
        if answer == Answer.OPEN:
            return RedirectResponse(LIGHT, 303, headers={"Set-Cookie": self._host_key.cookie()})
        return self._form("host.wait", 429) if answer == Answer.WAIT else self._form("host.wrong", 403)

    def _form(self, wrong: str, status: int) -> Response:
        say = self._words.say
        page = (FOLDER / "login.html").read_text(encoding="utf-8")
        told = f'<p class="notice" role="alert">{escape(say(wrong))}</p>' if wrong else ""
        for name in ("title", "login", "login_lead", "key", "go"):
            page = page.replace(f"{{{{{name}}}}}", escape(say(f"host.{name}")))
        return HTMLResponse(page.replace("{{notice}}", told), status, headers={"Cache-Control": "no-store"})
