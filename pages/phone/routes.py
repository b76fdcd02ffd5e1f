"""The room's phones: one light page, and two routes that it asks.

`GET /vote` and `GET /CODE` are the page, `GET /api/round` says where the room is, `POST /api/guess` keeps an
answer. None of them goes through Gradio, whose queue takes a second a vote for a thousand phones.
"""

import gzip
import json
import logging
import re
import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from markupsafe import Markup
from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from booth.storage import ID_PATTERN
from errors import VisitorError
from pages.guards.error_boundary import refusal
from pages.guards.gate import COOKIE
from pages.guards.host_auth import LOOPBACK
from pages.guards.rate_limit import TokenBuckets
from pages.guards.voters import Voter
from pages.markup import render
from pages.theme import STYLE
from services import Services
from votes.database import DatabaseAway
from votes.room import ROOM_CODE_LENGTH, Snapshot
from votes.schema import Guess, Kind, Knows, RoundId, Source
from words import FALLBACK, Words

LOG = logging.getLogger("face_value")
# People type capitals, and letters that we never use, as the o of our own two addresses of that length.
CODE = f"(?!host$|vote$)[A-Za-z0-9]{{{ROOM_CODE_LENGTH}}}"
MOST_BYTES = 1024  # of an answer
BURST, WITHIN_S = 6, 3.0  # taps of one phone; people who change their mind are slower
STATUS = {"phone.late": 409, "phone.soon": 409, "vote.gone": 409}
NO_STORE = {"Cache-Control": "no-store"}
# What the page's script says by itself.
SPOKEN, UNSPOKEN = (
    ("phone.", "tally.", "timer."),
    ("phone.code", "phone.cookie", "phone.unsaved", "tally.right"),
)
FOLDER = Path(__file__).parent
SCRIPTS = (STYLE / "within.js", STYLE / "countdown.js", FOLDER / "phone.js")


class GuessBody(BaseModel):
    """The body of an answer."""

    model_config = ConfigDict(extra="forbid")

    round: Annotated[str, StringConstraints(pattern=f"^{ID_PATTERN}$")]
    answer: Kind
    them: bool | None = None
    knows: Knows | None = None


class Phones:
    """The handlers of the routes."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._board = services.board
        self._words = services.words
        self._voters = services.voters
        self._taps = TokenBuckets(BURST, BURST / WITHIN_S)
        pages = {language: vote_page(services.words, language).encode() for language in services.words.tables}
        self._pages = {language: (page, gzip.compress(page)) for language, page in pages.items()}

    def routes(self) -> list[Route]:
        """All of them."""
        short = Route("/{code}", self._vote)
        short.path_regex = re.compile(f"^/(?P<code>{CODE})$")
        return [  # what a thousand phones ask most comes first
            Route("/api/round", self._round),
            Route("/api/guess", self._guess, methods=["POST"]),
            Route("/round/{round}.jpg", self._picture),
            Route("/vote", self._vote),
            short,
        ]

    async def _vote(self, request: Request) -> Response:
        """The page for whoever has the room's code; else a page that asks for it."""
        language = self._words.preferred(request.headers.get("accept-language", ""))
        now = await self._board.now()
        known = self._voters.find(request)
        former = known.code if known else ""
        code = request.path_params.get("code") or request.query_params.get("code") or former
        is_new = code not in ("", former)
        if is_new and not self._voters.may_try_code(request):
            page = code_page(self._words, language, "phone.code_wait")
            return HTMLResponse(page, 429, headers=NO_STORE | {"Retry-After": "60"})
        if str(code).strip().lower() != now.room.code:
            if is_new:
                self._voters.count_wrong_code(request)
            page = code_page(self._words, language, "phone.code_wrong" if is_new else "")
            return HTMLResponse(page, headers=NO_STORE)
        if request.client and request.client.host not in LOOPBACK:
            self._board.is_reached = True
        takes_gzip = "gzip" in request.headers.get("accept-encoding", "")
        headers = NO_STORE | ({"Content-Encoding": "gzip"} if takes_gzip else {})
        answer = HTMLResponse(self._pages[language][takes_gzip], headers=headers)
        answer.headers["set-cookie"] = self._voters.cookie(self._voters.admit(request, now.room.code))
        return answer

    async def _round(self, request: Request) -> Response:
        """Where the room is: the same bytes for everyone."""
        body, tag = await self._board.body()
        if voter := self._voters.find(request):
            self._board.count_phone(voter.id)
        now = str(self._board.server_ms)  # beside the body, which stays the same from second to second
        headers = {"ETag": tag, "Cache-Control": "no-cache", "Server-Now": now}
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        return Response(body, media_type="application/json", headers=headers)

    async def _guess(self, request: Request) -> Response:
        """200 after the commit; 403, 409, 422, 429 or 503 with a sentence."""
        language = self._words.preferred(request.headers.get("accept-language", ""))

        def refuse(key: str, status: int) -> Response:
            return refusal(self._words.say(key, language), status)

        now = await self._board.now()  # first: it has whom the host pardoned
        voter = self._voters.find(request)
        if voter is None:
            return refuse("phone.cookie", 403)
        if voter.code != now.room.code:
            return refuse("phone.code_wrong", 403)
        if not self._taps.take(voter.id):
            return refuse("phone.slow", 429)
        sent = await _read_guess(request)
        if sent is None:
            return refuse("phone.invalid", 422)
        if now.round is None or now.round.id != sent.round:
            return refuse("phone.late", 409)
        try:
            kept = await self._services.store.record_async(self._as_guess(sent, voter, now, request))
        except VisitorError as error:
            return refuse(error.key, STATUS[error.key])
        except DatabaseAway:  # known, and logged where the room is read
            return refuse("phone.unsaved", 503)
        except SQLAlchemyError as error:  # a full disk, say, or a lock that somebody holds
            LOG.error("an answer cannot be kept now: %s", type(error).__name__)
            return refuse("phone.unsaved", 503)
        return Response(
            json.dumps({"round": kept.round, "answer": kept.answer.value}),
            media_type="application/json",
            headers=NO_STORE,
        )

    def _as_guess(self, sent: GuessBody, voter: Voter, now: Snapshot, request: Request) -> Guess:
        """The answer as it is kept: who saw the picture being made, or is in it, is exposed."""
        if now.round is None:
            raise VisitorError("phone.late")
        at = datetime.now(UTC)
        seconds = max(0.0, (at - now.round.at).total_seconds())  # a clock can be set back
        exposed = now.round.again or sent.knows == Knows.ME or self._saw_making(now, request)
        return Guess(
            RoundId(sent.round),
            voter.id,
            sent.answer,
            exposed,
            seconds,
            at,
            sent.them if now.round.informed else None,
            sent.knows if now.round.asks_familiarity else None,
            Source.SUSPECT if voter.is_suspect else Source.PHONE,
        )

    def _saw_making(self, now: Snapshot, request: Request) -> bool:
        """Whether this browser also holds the visit that the picture comes from."""
        item, cookie = now.room.item, request.cookies.get(COOKIE, "")
        shown = self._board.catalogue.exhibit(item) if item and cookie else None
        if shown is None or shown.sitting is None:
            return False
        visit = self._services.visits.with_sitting(shown.sitting)
        return visit is not None and secrets.compare_digest(visit.cookie.encode(), cookie.encode())

    async def _picture(self, request: Request) -> Response:
        """The picture of the round on the stage, while phones may see it."""
        now = await self._board.now()
        asked = now.round
        if asked is None or asked.id != request.path_params["round"] or not self._board.has_picture(now):
            return refusal(self._words.say("phone.gone"), 404)
        jpeg = await run_in_threadpool(self._board.catalogue.jpeg, asked.item.id, True)
        if jpeg is None:
            return refusal(self._words.say("phone.gone"), 404)
        return Response(jpeg, media_type="image/jpeg", headers=NO_STORE)


async def _read_guess(request: Request) -> GuessBody | None:
    body = bytearray()
    try:
        async for part in request.stream():
            body += part
            if len(body) > MOST_BYTES:
                return None
        return GuessBody.model_validate_json(bytes(body))
    except (ValidationError, ClientDisconnect):
        return None


def vote_page(words: Words, language: str) -> Markup:
    """The whole page, in one answer: style, script and sentences are inside."""
    spoken = {
        key.removeprefix("phone."): words.template(key, language)
        for key in words.tables[FALLBACK]
        if key.startswith(SPOKEN) and not key.startswith(UNSPOKEN)
    }
    sentences = json.dumps(spoken, ensure_ascii=False).replace("<", "\\u003c")
    return _page(
        "vote",
        words,
        language,
        sentences=Markup(sentences),
        script=Markup().join(_own(file) for file in SCRIPTS),
    )


def code_page(words: Words, language: str, trouble: str) -> Markup:
    """Asks for the code of the room; `trouble` is the key of what was wrong with the one before, or empty."""
    return _page("code", words, language, trouble=trouble, length=ROOM_CODE_LENGTH)


def _page(name: str, words: Words, language: str, **values: object) -> Markup:
    def say(key: str) -> str:
        return words.say(key, language)

    return render(
        f"phone/{name}.html", language=language, say=say, style=_own(FOLDER / "phone.css"), **values
    )


def _own(file: Path) -> Markup:
    """A file of ours that goes into the page as it is."""
    return Markup(file.read_text(encoding="utf-8"))
