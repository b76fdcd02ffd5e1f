"""Before the host page: whoever has no cookie of a host gets a form for the key, and nothing else."""

from urllib.parse import parse_qs

from starlette.requests import HTTPConnection, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from pages.guards.error_boundary import refusal
from pages.guards.host_auth import Access, HostAuth
from pages.markup import render
from words import Words

PAGE, LOGIN = "/host", "/host/key"
# Relative, as all our addresses: a proxy may give us a path of its own. The host page is light, whatever the
# system says, and lies at /host/, so that addresses below it begin there.
FOLDER, LIGHT = "host/", "./?__theme=light"
MOST_BYTES = 1024


class RequireHost:
    """Middleware: `/host` and all below it are for hosts only."""

    def __init__(self, app: ASGIApp, host_auth: HostAuth, words: Words) -> None:
        self._app = app
        self._host_auth = host_auth
        self._words = words

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        path = scope.get("path", "")
        if scope["type"] != "http" or not (path == PAGE or path.startswith(f"{PAGE}/")):
            await self._app(scope, receive, send)
            return
        if path == PAGE and scope["method"] == "GET":
            await RedirectResponse(FOLDER, 303)(scope, receive, send)
        elif path == LOGIN and scope["method"] == "POST":
            await (await self._log_in(Request(scope, receive)))(scope, receive, send)
        elif self._host_auth.check(HTTPConnection(scope)) == Access.GRANTED:
            await self._admit(scope, receive, send)
        elif path in (f"{PAGE}/", LOGIN):
            await self._form("", 401)(scope, receive, send)
        else:
            await refusal(self._words.say("host.missing"), 401)(scope, receive, send)

    async def _admit(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_page = scope["path"] == f"{PAGE}/" and b"__theme" not in scope["query_string"]
        if is_page or scope["path"] == LOGIN:
            await RedirectResponse(LIGHT, 303)(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _log_in(self, request: Request) -> Response:
        body = bytearray()
        async for part in request.stream():
            body += part
            if len(body) > MOST_BYTES:
                return self._form("host.wrong", 403)
        given = parse_qs(body.decode("utf-8", "replace")).get("key", [""])[0]
        access = self._host_auth.check_key(given.strip(), request)
        if access == Access.GRANTED:
            return RedirectResponse(LIGHT, 303, headers={"Set-Cookie": self._host_auth.session_cookie()})
        return self._form("host.wait", 429) if access == Access.THROTTLED else self._form("host.wrong", 403)

    def _form(self, refusal: str, status: int) -> Response:
        words = self._words
        page = render("host/login.html", language=words.language, say=words.say, refusal=refusal)
        return HTMLResponse(page, status, headers={"Cache-Control": "no-store"})
