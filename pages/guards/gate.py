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

from pages.guards.error_boundary import refusal
from settings import path_of

COOKIE = "face_value"
MOST_BYTES = 256 * 1024  # of an event; photos have routes of their own, which count for themselves
OWN_LIMIT = ("/selfies", "/verify")
PAGE_PREFIXES = ("/host",)  # where a page of its own lies
GRADIO_PAGES = ("/", "/host/")
PICTURES_THAT_COULD_RUN = ("/logo",)  # SVGs: an operator's, and yet
INERT = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox"
GRADIO = "/gradio_api/"
OPEN_ROUTES = ("run/predict", "queue/join", "queue/data", "startup-events", "app_id", "theme.css")
HEARTBEAT = "heartbeat/"  # and the session's name
SIGN_IN_ROUTES = ("/login/huggingface", "/login/callback", "/logout")  # of Gradio, where visitors may
CLOSED_ROUTES = ("/monitoring", "/login", "/logout", "/pwa_icon", "/manifest.json")
HUB = "https://huggingface.co https://*.hf.space"  # whose page frames a Space


class Gate:
    """Middleware: the visitor's cookie, foreign origins, large bodies, and what the page may reach."""

    def __init__(
        self, app: ASGIApp, hosted: bool, public_url: str | None, sentence: str, signs_in: bool = False
    ) -> None:
        self._app = app
        self._sentence = sentence
        self._public_host, self._base_path = _netloc(public_url or ""), path_of(public_url)
        self._attributes = cookie_attributes(hosted)
        self._hosted = hosted
        self._sign_in_routes = SIGN_IN_ROUTES if signs_in else ()
        frames = f"frame-ancestors 'self'{' ' + HUB if hosted else ''}"
        self._policy, self._policy_of_gradio = (
            f"default-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; connect-src 'self'; "
            f"script-src 'self' 'unsafe-inline'{evaluates}; style-src 'self' 'unsafe-inline'; "
            f"font-src 'self' data:; form-action 'self'; base-uri 'self'; object-src 'none'; {frames}"
            for evaluates in ("", " 'unsafe-eval'")  # Gradio makes functions of our components' scripts
        )
        self._headers = {
            b"referrer-policy": b"same-origin",
            b"x-content-type-options": b"nosniff",
            b"permissions-policy": b"camera=(self)",
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope = _below(self._base_path, scope)
        headers = Headers(scope=scope)
        if not _is_open(scope["path"]) and scope["path"] not in self._sign_in_routes:
            await refusal(self._sentence, 404)(scope, receive, send)
            return
        if not self._is_ours(headers):
            await refusal(self._sentence, 403)(scope, receive, send)
            return
        limit = None if scope["path"] in OWN_LIMIT else MOST_BYTES
        if limit and _content_length(headers) > limit:
            await refusal(self._sentence, 413)(scope, receive, send)
            return
        await self._app(scope, _limit_body(receive, limit), self._with_headers(scope, send))

    def _is_ours(self, headers: Headers) -> bool:
        """Whether the page that asks is ours, also where it only reads.

        Gradio's CORS layer lies around this one and lets every website read what we answer: so we answer
        none. A browser sends no Origin with a plain visit, nor does a program: those have no other page's
        power, and to other sites' pages the cookie is not sent.
        """
        origin = headers.get("origin")
        if origin is None:
            return True
        hosts = {headers.get("host", ""), self._public_host}
        if self._hosted:
            hosts.add(headers.get("x-forwarded-host", ""))
        return _netloc(origin) in hosts - {""}

    def _with_headers(self, scope: Scope, send: Send) -> Send:
        """Add our headers to the answer, and the cookie to the page's."""
        asks_page = scope["method"] == "GET" and scope["path"] == "/"
        policy = self._policy_of_gradio if scope["path"] in GRADIO_PAGES else self._policy
        policy = INERT if scope["path"] in PICTURES_THAT_COULD_RUN else policy
        # as every handler reads it; Python's own parser finds none behind another program's odd cookie
        is_new = asks_page and not HTTPConnection(scope).cookies.get(COOKIE)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                ours = self._headers | {b"content-security-policy": policy.encode()}
                theirs = [header for header in message["headers"] if header[0] not in ours]
                message["headers"] = [*theirs, *ours.items()]
                headers = MutableHeaders(scope=message)
                if headers.get("content-type", "").startswith("text/html"):
                    headers.setdefault("cache-control", "no-store")  # a page holds its visit
                if is_new and headers.get("content-type", "").startswith("text/html"):
                    value = secrets.token_urlsafe(16)
                    headers.append("set-cookie", f"{COOKIE}={value}; Path=/; HttpOnly; {self._attributes}")
            await send(message)

        return send_with_headers


class BasePath:
    """Middleware, the innermost: routes see the public path again, as ASGI has it (`root_path`)."""

    def __init__(self, app: ASGIApp, base_path: str) -> None:
        self._app = app
        self._base_path = base_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if self._base_path and scope["type"] == "http":
            path = self._base_path + scope["path"]
            scope = {**scope, "path": path, "raw_path": path.encode(), "root_path": self._base_path}
        await self._app(scope, receive, send)


def cookie_attributes(hosted: bool) -> str:
    """How our cookies are kept: in the frame of another site a browser keeps only partitioned ones."""
    return "SameSite=None; Secure; Partitioned" if hosted else "SameSite=Strict"


def _below(base_path: str, scope: Scope) -> Scope:
    """The request as it is below the public address's path; proxies take that away, or do not."""
    path = scope["path"]
    if base_path and (path == base_path or path.startswith(f"{base_path}/")):
        path = path[len(base_path) :] or "/"
    return {**scope, "path": path, "root_path": ""} if base_path else scope


def _is_open(path: str) -> bool:
    """Whether a page of ours ever asks for that."""
    for prefix in PAGE_PREFIXES:
        path = path.removeprefix(prefix)
    if path.startswith(GRADIO):
        asked = path.removeprefix(GRADIO)
        return asked in OPEN_ROUTES or asked.startswith(HEARTBEAT)
    return not path.startswith(CLOSED_ROUTES)


def _netloc(origin: str) -> str:
    try:
        return urlsplit(origin).netloc
    except ValueError:  # an open bracket, say
        return ""


def _content_length(headers: Headers) -> int:
    given = headers.get("content-length", "0")[:12]  # Python reads no number of thousands of digits
    return int(given) if given.isdecimal() else 0


def _limit_body(receive: Receive, limit: int | None) -> Receive:
    """As much of a body as is allowed; then the sender counts as gone."""
    if limit is None:
        return receive
    taken = 0

    async def receive_limited() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        return message if taken <= limit else {"type": "http.disconnect"}

    return receive_limited
