"""What every request passes: whose browser it is, where it comes from, what it asks for, how much it brings.

Gradio lets any website read its answers once it is served under another name than localhost, reads event
bodies of any size, and has routes that keep files or tell paths. The page needs few of them: those are open.
Pure ASGI, as Starlette's own base class for middleware would hold back event streams.
"""

import secrets
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pages.guards.errors_shown import refusal

COOKIE = "face_value"
MOST_BYTES = 256 * 1024  # of an event; photos have routes of their own, which count for themselves
OWN_BOUND = ("/selfies", "/verify")
FRONTS = ("/host",)  # where a page of its own lies
BEHIND = "/gradio_api/"
OPEN = ("run/predict", "queue/join", "queue/data", "startup-events", "app_id", "theme.css")
BEATS = "heartbeat/"  # and the session's name
SIGNING_IN = ("/login/huggingface", "/login/callback", "/logout")  # of Gradio, where visitors may
CLOSED = ("/monitoring", "/login", "/logout", "/pwa_icon", "/manifest.json")
HUB = "https://huggingface.co https://*.hf.space"  # whose page frames a Space


class Gate:
    """Middleware: the visitor's cookie, foreign origins, large bodies, and what the page may reach."""

    def __init__(
        self, app: ASGIApp, hosted: bool, public_url: str | None, sentence: str, signs_in: bool = False
    ) -> None:
        self._app = app
        self._sentence = sentence
        self._public = urlsplit(public_url).netloc if public_url else ""
        self._manner = manner(hosted)
        self._hosted = hosted
        self._signing_in = SIGNING_IN if signs_in else ()
        policy = (
            "default-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; connect-src 'self'; "
            "script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
            "style-src 'self' 'unsafe-inline'; "  # Gradio writes both into its page
            "font-src 'self' data:; form-action 'self'; base-uri 'self'; object-src 'none'; "
            f"frame-ancestors 'self'{' ' + HUB if hosted else ''}"
        )
        self._ours = {
            b"content-security-policy": policy.encode(),
            b"referrer-policy": b"same-origin",
            b"x-content-type-options": b"nosniff",
            b"permissions-policy": b"camera=(self)",
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if not _is_open(scope["path"]) and scope["path"] not in self._signing_in:
            await refusal(self._sentence, 404)(scope, receive, send)
            return
        if not self._is_ours(headers):
            await refusal(self._sentence, 403)(scope, receive, send)
            return
        bound = None if scope["path"] in OWN_BOUND else MOST_BYTES
        if bound and _length(headers) > bound:
            await refusal(self._sentence, 413)(scope, receive, send)
            return
        await self._app(scope, _bounded(receive, bound), self._dressed(scope, send))

    def _is_ours(self, headers: Headers) -> bool:
        """Whether the page that asks is ours, also where it only reads.

        Gradio's CORS layer lies around this one and lets every website read what we answer: so we answer
        none. A browser sends no Origin with a plain visit, nor does a program: those have no other page's
        power, and to other sites' pages the cookie is not sent.
        """
        origin = headers.get("origin")
        if origin is None:
            return True
        hosts = {headers.get("host", ""), self._public}
        if self._hosted:
            hosts.add(headers.get("x-forwarded-host", ""))
        return _netloc(origin) in hosts - {""}

    def _dressed(self, scope: Scope, send: Send) -> Send:
        """Add our headers to the answer, and the cookie to the page's."""
        asks_page = scope["method"] == "GET" and scope["path"] == "/"
        # as every handler reads it; Python's own parser finds none behind another program's odd cookie
        new = asks_page and not HTTPConnection(scope).cookies.get(COOKIE)

        async def dressed(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = [one for one in message["headers"] if one[0] not in self._ours]
                message["headers"] = [*given, *self._ours.items()]
                headers = MutableHeaders(scope=message)
                if new and headers.get("content-type", "").startswith("text/html"):
                    value = secrets.token_urlsafe(16)
                    headers.append("set-cookie", f"{COOKIE}={value}; Path=/; HttpOnly; {self._manner}")
            await send(message)

        return dressed


def manner(hosted: bool) -> str:
    """How our cookies are kept: in the frame of another site a browser keeps only partitioned ones."""
    return "SameSite=None; Secure; Partitioned" if hosted else "SameSite=Strict"


def _is_open(path: str) -> bool:
    """Whether a page of ours ever asks for that."""
    for front in FRONTS:
        path = path.removeprefix(front)
    if path.startswith(BEHIND):
        asked = path.removeprefix(BEHIND)
        return asked in OPEN or asked.startswith(BEATS)
    return not path.startswith(CLOSED)


def _netloc(origin: str) -> str:
    try:
        return urlsplit(origin).netloc
    except ValueError:  # an open bracket, say
        return ""


def _length(headers: Headers) -> int:
    given = headers.get("content-length", "0")[:12]  # Python reads no number of thousands of digits
    return int(given) if given.isdecimal() else 0


def _bounded(receive: Receive, bound: int | None) -> Receive:
    """As much of a body as is allowed; then the sender counts as gone."""
    if bound is None:
        return receive
    taken = 0

    async def counted() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        return message if taken <= bound else {"type": "http.disconnect"}

    return counted
