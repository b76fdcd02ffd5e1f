"""Where a picture is checked: `GET /verify` is a page with a drop zone, `POST /verify` takes a file's bytes.

A plain page like the phones'. The picture stays in memory until it is answered; neither it nor its name,
which the browser does not send, is kept or logged.
"""

import asyncio
import re
from html import escape
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from errors import PhotoError
from pages import markup
from pages.booth.uploads import body_of
from pages.guards.errors_shown import ErrorsShown, refusal
from pages.phone.routes import language_of
from pipelines.marks.signing import Signer
from pipelines.marks.verify import Proof, prove
from pipelines.selfie.photo import MAX_BYTES
from words import Words

PATH = "/verify"
AT_ONCE = 1  # a check takes 0.2 s of a core, and the other one may be the room's
MOST_HERE = 8  # pictures in memory, 12 MB each: whoever comes then tries again
NO_STORE = {"Cache-Control": "no-store"}
TOLD = {"file.type": "verify.type", "file.big": "verify.big"}  # in every language of this page
SPOKEN = ("reading", "lost", "alt", "photo", "ai", "drop", "another")  # what the script says
FOLDER = Path(__file__).parent


class Checks:
    """The handlers of the routes."""

    def __init__(self, signer: Signer, words: Words, errors_shown: ErrorsShown) -> None:
        self._signer = signer
        self._words = words
        self._errors_shown = errors_shown
        self._seats = asyncio.Semaphore(AT_ONCE)
        self._here = 0

    def routes(self) -> list[Route]:
        """Both."""
        return [Route(PATH, self._page), Route(PATH, self._check, methods=["POST"])]

    def _page(self, request: Request) -> Response:
        language = self._language(request)
        return HTMLResponse(check_page(self._words, language), headers=NO_STORE)

    async def _check(self, request: Request) -> Response:
        """200 with the verdict; 422 with a sentence for what is no picture, 503 where too many wait."""
        language = self._language(request)
        if self._here >= MOST_HERE:
            return refusal(self._words.say("verify.busy", language), 503)
        self._here += 1
        try:
            data = await body_of(request)
            async with self._seats:
                return await run_in_threadpool(self._answer, data, language)
        finally:
            self._here -= 1

    def _answer(self, data: bytes, language: str) -> Response:
        say = self._words.say
        with self._errors_shown.shown() as told:
            try:
                proof = prove(data, self._signer.known())
            except PhotoError as error:
                return refusal(say(TOLD[error.key], language, **error.values), 422)
            return JSONResponse(_answered(proof, say(proof.key, language)), headers=NO_STORE)
        return refusal(told.sentence, 500)

    def _language(self, request: Request) -> str:
        return language_of(request.headers.get("accept-language", ""), self._words)


def _answered(proof: Proof, sentence: str) -> dict[str, str]:
    """What the page gets; `said` is missing where the file tells nothing that counts."""
    said = {"said": proof.said} if proof.said else {}
    return {"verdict": proof.verdict.value, **said, "words": sentence}


def check_page(words: Words, language: str) -> str:
    """The whole page but for style and script."""
    said = {key: words.say(f"verify.{key}", language) for key in SPOKEN}
    said["big"] = words.say("verify.big", language, mb=MAX_BYTES // 2**20)
    data = "".join(f' data-{key}="{escape(sentence)}"' for key, sentence in said.items())
    signs = "".join(
        f'<template id="{kind}"><svg class="sign" viewBox="0 0 24 24" aria-hidden="true">{drawing}</svg>'
        "</template>"
        for kind, drawing in markup.SIGNS.items()
    )
    filled = {
        "language": language,
        "data": f'{data} data-limit="{MAX_BYTES}"',
        "logo": markup.LOGO,
        "signs": signs,
    }
    page = (FOLDER / "verify.html").read_text(encoding="utf-8")

    def fill(found: re.Match[str]) -> str:
        return filled.get(found[1]) or escape(words.say(f"verify.{found[1]}", language))

    return re.sub(r"\{\{(\w+)\}\}", fill, page)
