"""What an event of the page may carry: one text for each input of its handler, and nothing else.

Gradio looks for files that a value names, and writes a value that it cannot use into its log, before any
handler of ours is asked. So whatever our page would not send is refused here, and what passes is written
anew: nothing depends on two parsers reading one text alike.
"""

import secrets
from collections import OrderedDict
from collections.abc import Mapping
from typing import Annotated

import gradio as gr
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pages.guards.error_boundary import ErrorBoundary, refusal
from pages.guards.gate import COOKIE, GRADIO, HEARTBEAT

STREAM = "queue/data"
MOST_SESSIONS = 10_000
UNQUEUED, QUEUED = PATHS = "/gradio_api/run/predict", "/gradio_api/queue/join"


class Event(BaseModel):
    """The body of an event, as Gradio's page sends it."""

    model_config = ConfigDict(extra="forbid", strict=True)

    data: list[str]
    fn_index: int
    session_hash: Annotated[str, StringConstraints(pattern="^[a-z0-9]{1,40}$")]
    trigger_id: int | None = None
    event_data: Annotated[dict[str, None], Field(max_length=0)] | None = None  # none of ours has any


class Sessions:
    """Which browser a session of Gradio's belongs to: whoever asks first, by our cookie.

    A session's name stands in addresses, and lets anybody who has read it hear what that page hears. The
    browser's cookie does not. Where cookies are blocked the name is all there is.
    """

    def __init__(self) -> None:
        self._cookies: OrderedDict[str, str] = OrderedDict()

    def belongs(self, session: str, cookie: str) -> bool:
        """Whether that browser may ask for that session."""
        known = self._cookies.setdefault(session, cookie)
        self._cookies.move_to_end(session)
        if len(self._cookies) > MOST_SESSIONS:
            self._cookies.popitem(last=False)
        return not known or secrets.compare_digest(known.encode(), cookie.encode())


class EventFilter:
    """Middleware: only events that a page has, each page by its path, each session its own browser's.

    A failure is one sentence.
    """

    def __init__(
        self, app: ASGIApp, pages: Mapping[str, gr.Blocks], error_boundary: ErrorBoundary, sentence: str
    ) -> None:
        self._app = app
        self._pages = {
            f"{prefix}{path}": (page, path == QUEUED)
            for prefix, page in pages.items()
            for path in (UNQUEUED, QUEUED)
        }
        self._error_boundary = error_boundary
        self._sentence = sentence
        self._sessions = Sessions()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if scope["path"] in self._pages and scope["method"] == "POST":
            event = _validate(await _read_body(receive), *self._pages[scope["path"]])
            if event is None:
                await refusal(self._sentence, 422)(scope, receive, send)
                return
            session = event.session_hash
            scope, receive = _replace_body(scope, receive, event.model_dump_json(exclude_unset=True).encode())
        else:
            session = _session_of(scope)
        if session and not self._sessions.belongs(session, HTTPConnection(scope).cookies.get(COOKIE, "")):
            await refusal(self._sentence, 403)(scope, receive, send)
            return
        started = False

        async def send_and_note(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        with self._error_boundary.catch() as failure:
            await self._app(scope, receive, send_and_note)
        if failure.sentence and started:  # Gradio's streams can fail when they are open already
            await send({"type": "http.response.body", "body": b""})
        elif failure.sentence:
            await refusal(failure.sentence, 500)(scope, receive, send)


def _session_of(scope: Scope) -> str:
    """The session that a stream is asked for; empty for any other request."""
    _, _, asked = scope["path"].rpartition(GRADIO)
    if asked.startswith(HEARTBEAT):
        return str(asked.removeprefix(HEARTBEAT))
    return HTTPConnection(scope).query_params.get("session_hash", "") if asked == STREAM else ""


def _validate(body: bytes | None, page: gr.Blocks, queued: bool) -> Event | None:
    """The event in our own words; None where the page has no such event or sends no such values."""
    try:
        event = Event.model_validate_json(body or b"")
    except ValidationError:
        return None
    handler = page.fns.get(event.fn_index)
    if handler is None or handler.queue != queued or len(event.data) != len(handler.inputs):
        return None
    return event


async def _read_body(receive: Receive) -> bytes | None:
    """The body, which the gate has bounded; None when its sender is gone."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        body += message.get("body", b"")
        if not message.get("more_body"):
            return bytes(body)


def _replace_body(scope: Scope, receive: Receive, body: bytes) -> tuple[Scope, Receive]:
    """The same request with another body; later messages, as that the browser is gone, still come."""
    length = (b"content-length", str(len(body)).encode())
    headers = [*((name, value) for name, value in scope["headers"] if name != length[0]), length]
    first: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_again() -> Message:
        return first.pop() if first else await receive()

    return {**scope, "headers": headers}, receive_again
