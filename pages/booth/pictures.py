"""`GET /pictures/ID` and `GET /take/TICKET.zip`: a visit's pictures, for its own browser only."""

import io
import secrets
import zipfile
from collections.abc import Iterable

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from booth.album import Album, StoredPicture
from booth.visit import Visit
from booth.visits import Visits
from errors import StorageAway
from pages.guards.error_boundary import refusal
from pages.guards.gate import COOKIE
from words import Words

PRIVATE = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


def picture_routes(album: Album, visits: Visits, words: Words) -> list[Route]:
    """Both routes. Unknown, gone and somebody else's are one answer."""

    def picture(request: Request) -> Response:
        try:
            kept = album.get(request.path_params["picture"])
        except StorageAway as error:
            return refusal(words.sentence(error), 503)
        visit = visits.with_sitting(kept.sitting) if kept else None
        if kept is None or visit is None or not _its_own(visit, request):
            return refusal(words.say("picture.gone"), 404)
        if "take" not in request.query_params:
            return Response(kept.jpeg, media_type="image/jpeg", headers=PRIVATE)
        if not kept.name:
            return refusal(words.say("picture.gone"), 404)
        visit.take_home()
        return Response(kept.jpeg, media_type="image/jpeg", headers=PRIVATE | disposition(kept.name))

    async def everything(request: Request) -> Response:
        visit = visits.with_ticket(request.path_params["ticket"])
        if visit is None or visit.sitting is None or not _its_own(visit, request):
            return refusal(words.say("picture.gone"), 404)
        try:
            packed = await run_in_threadpool(lambda sitting: pack(album.downloads(sitting)), visit.sitting)
        except StorageAway as error:
            return refusal(words.sentence(error), 503)
        visit.take_home()
        return Response(packed, media_type="application/zip", headers=PRIVATE | disposition("face-value.zip"))

    return [Route("/pictures/{picture}", picture), Route("/take/{ticket}.zip", everything)]


def _its_own(visit: Visit, request: Request) -> bool:
    return secrets.compare_digest(visit.cookie.encode(), request.cookies.get(COOKIE, "").encode())


def pack(pictures: Iterable[StoredPicture]) -> bytes:
    """What may be taken home, as one file; pictures do not get smaller, so they are only put together."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as bundle:
        for kept in pictures:
            bundle.writestr(kept.name, kept.jpeg)
    return file.getvalue()


def disposition(name: str) -> dict[str, str]:
    """The header by which a browser saves an answer instead of showing it."""
    return {"Content-Disposition": f'attachment; filename="{name}"'}
