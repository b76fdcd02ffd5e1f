"""Where a picture is checked: `GET /verify` is a page with a drop zone, `POST /verify` takes a file's bytes.

A plain page like the phones'. The picture stays in memory until it is answered; neither it nor its name,
which the browser does not send, is kept or logged.
"""

import asyncio

from markupsafe import Markup
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from errors import PhotoError
from pages.guards.bodies import Bodies
from pages.guards.error_boundary import ErrorBoundary, refusal
from pages.markup import render
from pipelines.marks.signing import Signer
from pipelines.marks.verify import Proof, prove
from pipelines.selfie.photo import MAX_BYTES
from words import Words

PATH = "/verify"
AT_ONCE = 1  # a check takes 0.2 s of a core, and the other one may be the room's
NO_STORE = {"Cache-Control": "no-store"}
REFUSALS = {"file.type": "verify.type", "file.big": "verify.big"}  # in every language of this page
SPOKEN = ("reading", "lost", "alt", "photo", "ai", "drop", "another")  # what the script says


class Checks:
    """The handlers of the routes."""

    def __init__(self, signer: Signer, words: Words, error_boundary: ErrorBoundary) -> None:
        self._signer = signer
        self._words = words
        self._error_boundary = error_boundary
        self._seats = asyncio.Semaphore(AT_ONCE)
        self._bodies = Bodies()

    def routes(self) -> list[Route]:
        """Both."""
        return [Route(PATH, self._page), Route(PATH, self._check, methods=["POST"])]

    def _page(self, request: Request) -> Response:
        language = self._language(request)
        return HTMLResponse(check_page(self._words, language), headers=NO_STORE)

    async def _check(self, request: Request) -> Response:
        """200 with the verdict; 422 with a sentence for what is no picture, 503 where too many wait."""
        language = self._language(request)
        async with self._bodies.read(request) as data:
            if data is None:
                return refusal(self._words.say("verify.busy", language), 503)
            async with self._seats:
                return await run_in_threadpool(self._check_picture, data, language)

    def _check_picture(self, data: bytes, language: str) -> Response:
        say = self._words.say
        with self._error_boundary.catch() as failure:
            try:
                proof = prove(data, self._signer.own_chain())
            except PhotoError as error:
                return refusal(say(REFUSALS[error.key], language, **error.values), 422)
            return JSONResponse(_body(proof, say(proof.key, language)), headers=NO_STORE)
        return refusal(failure.sentence, 500)

    def _language(self, request: Request) -> str:
        return self._words.preferred(request.headers.get("accept-language", ""))


def _body(proof: Proof, sentence: str) -> dict[str, str]:
    """What the page gets; `said` is missing where the file tells nothing that counts."""
    said = {"said": proof.said} if proof.said else {}
    return {"verdict": proof.verdict.value, **said, "words": sentence}


def check_page(words: Words, language: str) -> Markup:
    """The whole page but for style and script."""

    def say(key: str, **values: object) -> str:
        return words.say(f"verify.{key}", language, **values)

    spoken = {key: say(key) for key in SPOKEN} | {"big": say("big", mb=MAX_BYTES // 2**20)}
    given = {"language": language, "direction": words.say("language.dir", language), "spoken": spoken}
    return render("verify/page.html", say=say, limit=MAX_BYTES, **given)
