"""Who may hold a connection, and how long: below every middleware, where a request is still bytes.

uvicorn waits for ever for the rest of a request, and its parser joins the pieces of an endless header anew
with each of them: one such connection keeps everybody waiting. So the head of a request has a size here, head
and body have a time, and a server whose connections run out closes those that ask nothing.
"""

import asyncio
from collections.abc import Iterator
from functools import partial
from itertools import count
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

HEAD_BYTES = 32 * 1024  # address and headers together, as nginx's large_client_header_buffers (4 of 8 KiB)
HEAD_S = 10.0  # from a connection, or an answer, to the end of the next request's head
BODY_S = 120.0  # a photo of 12 MB on a network of 1 Mbit/s
SILENT_S = 30.0  # between two pieces of a body
MOST_DESCRIPTORS = 16_384
OWN_DESCRIPTORS = 256  # models, database, album, log


class BoundedProtocol(HttpToolsProtocol):
    """A connection whose requests are bounded in bytes and seconds. Answers may take as long as they like."""

    def __init__(self, most_connections: int, numbers: Iterator[int], **of_server: Any) -> None:
        """`numbers` go to connections as they come; `of_server` is what uvicorn gives each."""
        super().__init__(**of_server)
        self._most_connections = most_connections
        self._beside_body = 0  # bytes of this request that are none of its body
        self._deadline: asyncio.TimerHandle | None = None  # of what the request is at
        self._silence: asyncio.TimerHandle | None = None
        self.is_awaited = True  # whether the other side has to send something
        self._number = next(numbers)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Somebody is there. Where too many are, the oldest that asks nothing goes; else this one."""
        super().connection_made(transport)
        self._await_within(HEAD_S)
        if len(self.connections) > self._most_connections:
            bounded = (other for other in self.connections if isinstance(other, BoundedProtocol))
            waiting = (other for other in bounded if other.is_awaited and not other.transport.is_closing())
            min(waiting, key=BoundedProtocol.waits_since, default=self).abort()

    def waits_since(self) -> tuple[float, int]:
        """What orders those that wait: the loop's clock, and who came first where one turn took many."""
        return self._deadline.when() if self._deadline else 0.0, self._number

    def abort(self) -> None:
        """Hang up, without a word."""
        if not self.transport.is_closing():
            self.transport.abort()

    def data_received(self, data: bytes) -> None:
        """Bytes came. More of them beside the body than a request has: it is refused."""
        if self.transport.is_closing():
            return
        self._beside_body += len(data)
        super().data_received(data)
        if self._beside_body > HEAD_BYTES and not self.transport.is_closing():
            self._refuse()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is over; no clock runs any more."""
        self._await_nothing()
        super().connection_lost(exc)

    # ---- of the parser

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        super().on_message_begin()
        self._await_within(HEAD_S)

    def on_headers_complete(self) -> None:
        """The head is there."""
        self._await_within(BODY_S)
        self._silence = self.loop.call_later(SILENT_S, self.abort)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        self._beside_body -= len(body)
        if self._silence:
            self._silence.cancel()
            self._silence = self.loop.call_later(SILENT_S, self.abort)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """All of the request is there: now it is our turn."""
        self._await_nothing()
        self._beside_body = 0
        super().on_message_complete()

    # ---- of the answer

    def on_response_complete(self) -> None:
        """The connection is kept for another request; where this one still comes, its time goes on."""
        super().on_response_complete()
        if not self.is_awaited and not self.transport.is_closing():
            self._await_within(HEAD_S)

    # ---- inside

    def _await_within(self, seconds: float) -> None:
        self._await_nothing()
        self.is_awaited = True
        self._deadline = self.loop.call_later(seconds, self.abort)

    def _await_nothing(self) -> None:
        for timer in (self._deadline, self._silence):
            if timer:
                timer.cancel()
        self._deadline = self._silence = None
        self.is_awaited = False

    def _refuse(self) -> None:
        self._await_nothing()
        self.transport.write(STATUS_LINE[431] + b"content-length: 0\r\nconnection: close\r\n\r\n")
        self.transport.close()


def bound_connections(config: Config, most: int | None = None) -> int:
    """Let a server that runs bound its connections from now on; how many there may be.

    `most`: as many as the system allows, unless told.
    """
    most = most or raise_descriptor_limit() - OWN_DESCRIPTORS
    config.http_protocol_class = partial(BoundedProtocol, most, count())  # type: ignore[assignment]
    return most


def raise_descriptor_limit() -> int:
    """As many open files as this program may have; how many that are. A connection is one."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return MOST_DESCRIPTORS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, MOST_DESCRIPTORS)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return MOST_DESCRIPTORS if soft == resource.RLIM_INFINITY else soft
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return wanted
