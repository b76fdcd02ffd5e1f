"""`POST /selfies`: the bytes of one photo, from the page that holds a visit's ticket.

Nothing reaches the disk. Two routes of Gradio are closed, they stand behind ours: its upload, which would
keep files and tell their paths, and its deep link, which would write what a page shows to the disk.
"""

import asyncio
import secrets

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from pages.telling import LOG, Teller, Told
from pages.visits import Visit, Visits
from pipelines.photo import MAX_BYTES, read_photo
from words import Words

AT_ONCE = 2  # photos decoded at the same time; a large one takes about 150 MB meanwhile
PATIENCE_S = 60.0  # a stalled phone must not keep its seat


def intake_routes(visits: Visits, teller: Teller, words: Words) -> list[Route]:
    """The route for photos, and those that shut Gradio's."""
    seats = asyncio.Semaphore(AT_ONCE)

    async def take(request: Request) -> Response:
        """200 when the photo was taken, 422 with a sentence when not, 404 without a visit."""
        visit = visits.with_ticket(request.headers.get("X-Ticket", ""))
        if visit is None:
            return _refusal(words.say("visit.over"), 404)
        async with seats:
            data = await _body(request)
            told = await run_in_threadpool(_keep, visit, data, teller)
        if not told.sentence:
            return JSONResponse({"photos": len(visit.photos)})
        visit.refuse(told.sentence)
        return _refusal(told.sentence, 422)

    async def shut(_: Request) -> Response:
        return _refusal(words.say("file.type"), 404)

    return [
        Route("/selfies", take, methods=["POST"]),
        Route("/gradio_api/upload", shut, methods=["POST"]),
        Route("/gradio_api/deep_link", shut, methods=["GET", "HEAD"]),
    ]


def _refusal(sentence: str, status: int) -> JSONResponse:
    name = secrets.token_hex(3)
    LOG.info("refused %s with %d", name, status)
    return JSONResponse({"error": sentence, "id": name}, status)


async def _body(request: Request) -> bytes:
    """The body, as far as one byte more than is allowed: enough to refuse it."""
    data = bytearray()
    try:
        async with asyncio.timeout(PATIENCE_S):
            async for chunk in request.stream():
                data += chunk
                if len(data) > MAX_BYTES:
                    break
    except (ClientDisconnect, TimeoutError):
        return b""
    return bytes(data)


def _keep(visit: Visit, data: bytes, teller: Teller) -> Told:
    with teller.telling() as told:
        visit.add(read_photo(data))
    return told
