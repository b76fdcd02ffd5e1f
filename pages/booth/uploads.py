"""Selfies come in: `POST /selfies`, `POST /selfies/sample/NAME`, `DELETE /selfies/ID`.

The page that holds a visit's ticket sends the bytes of one photo, and is told at once whether it will do.
The photo itself stays in memory; the album gets a thumbnail. A kiosk takes what its page's camera sends, and
nothing that was a file before: a program that writes such bytes is not told apart from it.
"""

import asyncio
import io
from collections.abc import Callable

from PIL import Image
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from booth.visit import Visit
from booth.visits import Visits
from errors import VisitorError
from pages.guards.bodies import Bodies
from pages.guards.error_boundary import ErrorBoundary, refusal
from pipelines.exhibit import crop_to_fit
from pipelines.plate.ground import measure_ground
from pipelines.selfie.face import Face, FaceFinder, require_good
from pipelines.selfie.photo import Photo, read_photo
from pipelines.selfie.samples import SAMPLES, sample
from words import Words

AT_ONCE = 2  # photos decoded at the same time; a large one takes about 150 MB meanwhile
JFIF = b"\xff\xd8\xff\xe0"  # how browsers begin the JPEG of a canvas
NOTES = (
    b"Exif",
    b"http://ns.adobe.com/xap",
    b"Photoshop",
    b"8BIM",
)  # which cameras and programs put into files
NOTED_WITHIN = 65_536  # bytes; they stand before the picture
THUMBNAIL = (384, 480)  # width, height in px; 4:5 like every print


class Intake:
    """The handlers of the routes."""

    def __init__(
        self,
        visits: Visits,
        finder: FaceFinder,
        error_boundary: ErrorBoundary,
        words: Words,
        is_kiosk: bool = False,
    ) -> None:
        self._visits = visits
        self._finder = finder
        self._error_boundary = error_boundary
        self._words = words
        self._is_kiosk = is_kiosk
        self._seats = asyncio.Semaphore(AT_ONCE)
        self._bodies = Bodies()

    def routes(self) -> list[Route]:
        """All three."""
        return [
            Route("/selfies", self._photo, methods=["POST"]),
            Route("/selfies/sample/{name}", self._sample, methods=["POST"]),
            Route("/selfies/{picture}", self._remove, methods=["DELETE"]),
        ]

    async def _photo(self, request: Request) -> Response:
        """200 with address, verdict, at times a note; a sentence with 422 for the photo, 503 for too many."""
        visit = self._visits.with_ticket(request.headers.get("X-Ticket", ""))
        if visit is None:
            return refusal(self._words.say("visit.over"), 404)
        if not visit.has_consented:
            return refusal(self._words.say("consent.missing", visit.language), 403)
        async with self._bodies.read(request) as data:
            if data is None:
                return refusal(self._words.say("file.busy", visit.language), 503)
            if self._is_kiosk and not is_shot(request, data):
                return refusal(self._words.say("file.kiosk", visit.language), 403)
            async with self._seats:  # only now: whoever sends slowly keeps nobody from theirs
                return await run_in_threadpool(self._keep, visit, lambda: read_photo(data))

    async def _sample(self, request: Request) -> Response:
        """A sample face instead of one's own."""
        visit, name = (
            self._visits.with_ticket(request.headers.get("X-Ticket", "")),
            request.path_params["name"],
        )
        if visit is None or name not in SAMPLES:
            return refusal(self._words.say("visit.over"), 404)
        if not visit.has_consented:
            return refusal(self._words.say("consent.missing", visit.language), 403)
        return await run_in_threadpool(self._keep, visit, lambda: sample(name), True)

    def _remove(self, request: Request) -> Response:
        """Take one back; 404 for one that is not this visit's."""
        visit = self._visits.with_ticket(request.headers.get("X-Ticket", ""))
        if visit is None or not visit.remove(request.path_params["picture"]):
            return refusal(self._words.say("picture.gone"), 404)
        return JSONResponse({})

    def _keep(self, visit: Visit, read: Callable[[], Photo], is_sample: bool = False) -> Response:
        with self._error_boundary.catch(visit.language) as failure:
            self._visits.require_memory()
            face = require_good(self._finder.find(read()))
            picture = visit.keep(_thumbnail(face))
            try:
                visit.add(face, picture, is_sample)
            except VisitorError:
                visit.album.drop(picture)
                raise
            told = {"verdict": self._words.say(face.verdict.key, visit.language)}
            if not is_sample and measure_ground(face).leaves_trace:  # advice: the photo is taken
                told["note"] = self._words.say("camera.wall", visit.language)
            return JSONResponse({"id": picture, "url": f"pictures/{picture}", **told})
        return refusal(failure.sentence, 422)


def is_shot(request: Request, data: bytes) -> bool:
    """Whether these bytes look as our page's camera sends them: a canvas's JPEG, without any note."""
    is_jpeg = request.headers.get("content-type") == "image/jpeg" and data.startswith(JFIF)
    return is_jpeg and not any(note in data[:NOTED_WITHIN] for note in NOTES)


def _thumbnail(face: Face) -> bytes:
    """JPEG of head and shoulders, for a frame of the contact sheet."""
    pixels = face.photo.pixels
    x, y = face.pupils.mean(axis=0)[:2]
    half = 2.6 * face.pupil_distance  # from the pupils to the frame's sides
    left, right = max(0, round(x - half)), round(x + half)
    top, bottom = max(0, round(y - half)), round(y + 1.5 * half)
    file = io.BytesIO()
    Image.fromarray(crop_to_fit(pixels[top:bottom, left:right], THUMBNAIL)).save(file, "JPEG", quality=90)
    return file.getvalue()
