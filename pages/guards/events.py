"""What an event of the page may carry: one text for each input of its handler, and nothing else.

Gradio looks for files that a value names, and writes a value that it cannot use into its log, before any
handler of ours is asked. So whatever our page would not send is refused here, and what passes is written
anew: nothing depends on two parsers reading one text alike.
"""

from collections.abc import Mapping
from typing import Annotated

import gradio as gr
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pages.guards.error_boundary import ErrorBoundary, refusal

UNQUEUED, QUEUED = PATHS = "/gradio_api/run/predict", "/gradio_api/queue/join"


class Event(BaseModel):
    """The body of an event, as Gradio's page sends it."""

    model_config = ConfigDict(extra="forbid", strict=True)

    data: list[str]
    fn_index: int
    session_hash: Annotated[str, StringConstraints(pattern="^[a-z0-9]{1,40}$")]
    trigger_id: int | None = None
    event_data: Annotated[dict[str, None], Field(max_length=0)] | None = None  # none of ours has any


class EventFilter:
    """Middleware: only events that a page has, each page by its path. A failure is one sentence."""

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

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if scope["path"] in self._pages and scope["method"] == "POST":
            body = _validate(await _read_body(receive), *self._pages[scope["path"]])
            if body is None:
                await refusal(self._sentence, 422)(scope, receive, send)
                return
            scope, receive = _replace_body(scope, receive, body)
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


def _validate(body: bytes | None, page: gr.Blocks, queued: bool) -> bytes | None:
    """The event in our own words; None where the page has no such event or sends no such values."""
    try:
        event = Event.model_validate_json(body or b"")
    except ValidationError:
        return None
    handler = page.fns.get(event.fn_index)
    if handler is None or handler.queue != queued or len(event.data) != len(handler.inputs):
        return None
    return event.model_dump_json(exclude_unset=True).encode()


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
