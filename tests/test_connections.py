"""What one connection may cost: endless heads, half requests, silence; and more of them than fit."""

import asyncio
import resource
import select
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from pages.guards import connections
from pages.guards.connections import HEAD_BYTES, bound_connections, raise_descriptor_limit

GET = b"GET / HTTP/1.1\r\nHost: booth\r\n"
SHORT_S = 0.3


async def measure(request: Request) -> Response:
    return PlainTextResponse(str(len(await request.body())))


async def drip(_: Request) -> Response:
    async def parts() -> AsyncIterator[bytes]:
        for _ in range(4):
            yield b"."
            await asyncio.sleep(SHORT_S)

    return StreamingResponse(parts())


async def hold(_: Request) -> Response:
    """Nothing else happens meanwhile."""
    time.sleep(4 * SHORT_S)
    return Response()


@contextmanager
def serving(most: int | None = None) -> Iterator[int]:
    """A server of the port that it gives, whose connections are bounded."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        routes = [Route("/", measure, methods=["GET", "POST"]), Route("/drip", drip), Route("/busy", hold)]
        config = uvicorn.Config(Starlette(routes=routes), log_level="critical")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        bound_connections(config, most)
        yield port
        server.should_exit = True
        thread.join(10)


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=10)


def ask(port: int, *parts: bytes) -> bytes:
    """The whole answer to a request of these bytes; empty where it is hung up."""
    with connect(port) as one:
        try:
            for part in parts:
                one.sendall(part)
        except OSError:
            pass  # refused in the middle; what it was told is still to read
        return read_all(one)


def read_all(one: socket.socket) -> bytes:
    read = b""
    try:
        while part := one.recv(65536):
            read += part
    except ConnectionError:
        pass
    return read


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HEAD_S", "SILENT_S"):
        monkeypatch.setattr(connections, name, SHORT_S)
    monkeypatch.setattr(connections, "BODY_S", 4 * SHORT_S)


ENDLESS = {
    "one value": (GET + b"Cookie: ", b"x" * 65536),
    "one name": (GET, b"x" * 65536),
    "many headers": (GET, b"X-One: 1\r\n" * 6554),
    "an address": (b"GET /", b"x" * 65536),
    "trailers": (
        b"POST / HTTP/1.1\r\nHost: booth\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
        b"A: b\r\n" * 9000,
    ),
    "a chunk's extension": (
        b"POST / HTTP/1.1\r\nHost: booth\r\nTransfer-Encoding: chunked\r\n\r\n1;",
        b"x" * 65536,
    ),
}


@pytest.mark.parametrize("kind", ENDLESS)
def test_an_endless_head_is_refused_and_holds_nobody_up(kind: str) -> None:
    first, more = ENDLESS[kind]
    with serving() as port, connect(port) as endless:
        endless.sendall(first)
        sent = 0
        with pytest.raises(ConnectionError):  # before it has sent 16 MB
            while sent < 2**24:
                endless.sendall(more)
                sent += len(more)
        assert b"200 OK" in ask(port, GET + b"Connection: close\r\n\r\n")


def test_what_browsers_send_passes_and_a_long_body_is_no_head() -> None:
    head = GET + b"Connection: close\r\n"
    with serving() as port:
        assert b"200 OK" in ask(port, head + b"Cookie: " + b"x" * (HEAD_BYTES - 200) + b"\r\n\r\n")
        assert b"431" in ask(port, head + b"Cookie: " + b"x" * 2**20 + b"\r\n\r\n")
        body = bytes(2**20)
        sized = head.replace(b"GET", b"POST") + b"Content-Length: %d\r\n\r\n" % len(body)
        assert ask(port, sized + body).endswith(b"1048576")
        with connect(port) as kept:  # many requests of one connection are not added up
            for _ in range(40):
                kept.sendall(GET + b"Cookie: " + b"x" * 2000 + b"\r\n\r\n")
                assert kept.recv(4096).endswith(b"0")


HALF = {
    "nothing": b"",
    "half a head": GET,
    "no body": b"POST / HTTP/1.1\r\nHost: booth\r\nContent-Length: 9\r\n\r\n",
    "half a body": b"POST / HTTP/1.1\r\nHost: booth\r\nContent-Length: 9\r\n\r\nhalf",
}


@pytest.mark.parametrize("kind", HALF)
def test_who_stops_in_the_middle_of_a_request_is_hung_up_on(impatient: None, kind: str) -> None:
    with serving() as port:
        assert ask(port, HALF[kind]) == b""


def test_who_drips_a_request_is_hung_up_on_too(impatient: None) -> None:
    head, body = GET, b"POST / HTTP/1.1\r\nHost: booth\r\nContent-Length: 900\r\n\r\n"
    for start, drop in ((head, b"X: 1\r\n"), (body, b"x")):
        with serving() as port, connect(port) as slow:
            slow.sendall(start)
            with pytest.raises(ConnectionError):
                for _ in range(60):
                    slow.sendall(drop)
                    time.sleep(SHORT_S / 3)


def test_an_answer_may_take_its_time(impatient: None) -> None:
    with serving() as port:
        whole = ask(port, b"GET /drip HTTP/1.1\r\nHost: booth\r\nConnection: close\r\n\r\n")
        assert whole.count(b"1\r\n.\r\n") == 4


def test_where_too_many_come_the_oldest_that_asks_nothing_goes() -> None:
    with serving(most=20) as port, ExitStack() as stack:
        streaming = stack.enter_context(connect(port))
        streaming.sendall(b"GET /drip HTTP/1.1\r\nHost: booth\r\nConnection: close\r\n\r\n")
        assert streaming.recv(64)
        silent = [stack.enter_context(connect(port)) for _ in range(60)]
        assert b"200 OK" in ask(port, GET + b"Connection: close\r\n\r\n")
        silent[0].settimeout(5)
        assert read_all(silent[0]) == b""  # hung up on
        silent[-1].sendall(GET + b"Connection: close\r\n\r\n")
        assert b"200 OK" in read_all(silent[-1])  # the last to come is still there
        assert read_all(streaming)  # and who is being answered is not touched


def test_of_many_that_came_at_once_the_last_stays_too() -> None:
    with serving(most=20) as port, ExitStack() as stack:
        busy = stack.enter_context(connect(port))
        busy.sendall(b"GET /busy HTTP/1.1\r\nHost: booth\r\nConnection: close\r\n\r\n")
        time.sleep(SHORT_S)  # the loop is held: it takes all that come now in one turn
        silent = [stack.enter_context(connect(port)) for _ in range(60)]
        assert b"200 OK" in ask(port, GET + b"Connection: close\r\n\r\n")
        hung_up, *_ = select.select(silent, (), (), 0)
        assert len(hung_up) >= 60 - 20
        for last in silent[-10:]:
            last.sendall(GET + b"Connection: close\r\n\r\n")
            assert b"200 OK" in read_all(last)


def test_as_many_files_may_be_open_as_the_system_allows() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(before[0], 512), before[1]))
        allowed = raise_descriptor_limit()
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == allowed >= min(before[0], 4096)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
