"""What the room's pages read: one snapshot for all who ask, and the address that phones can reach.

A thousand phones ask each second and a half. They are answered from memory; one of them at a time has the
snapshot read anew behind the answers.
"""

import asyncio
import hashlib
import json
import time
from collections import OrderedDict
from functools import lru_cache

import segno
from markupsafe import Markup
from starlette.concurrency import run_in_threadpool

from booth.catalogue import Catalogue
from pipelines.tonight import find_own_address
from settings import LOOPBACK_NAMES, Settings
from votes.latest import LATE_S
from votes.room import Room, Snapshot
from votes.rounds import public_round
from votes.schema import State

STALE_S = 2.0  # what is older is waited for
HERE_S = 15.0  # a phone that asked within this time is here; one in a pocket asks less often
MOST_PHONES = 20_000


class Board:
    """The room as pages see it."""

    def __init__(self, room: Room, catalogue: Catalogue, settings: Settings) -> None:
        self.room = room
        self.catalogue = catalogue
        self._settings = settings
        self._reading: asyncio.Task[Snapshot] | None = None
        self._body: tuple[Snapshot, bool, bytes, str] | None = None
        self._last_asked = -HERE_S
        self._phones: OrderedDict[str, float] = OrderedDict()
        self.is_reached = False  # a phone has opened the page from elsewhere

    async def now(self) -> Snapshot:
        """The room a moment ago, or as it was last known where the database does not answer."""
        latest = self.room.latest
        if not latest.is_fresh and (self._reading is None or self._reading.done()):
            self._reading = asyncio.create_task(run_in_threadpool(self.room.snapshot))
        if latest.age >= STALE_S and self._reading and not latest.is_stale:
            await asyncio.wait({self._reading}, timeout=LATE_S)
        return latest.value  # a command may have answered meanwhile

    async def body(self) -> tuple[bytes, str]:
        """The bytes of `GET /api/round`, the same for everyone, and their ETag."""
        now = await self.now()
        is_stale = self.room.latest.is_stale
        if self._body and self._body[0] is now and self._body[1] == is_stale:
            return self._body[2:]
        body = public_round(now.room, now.round, now.count, now.answers)
        body["picture"] = f"round/{now.round.id}.jpg" if self.has_picture(now) and now.round else None
        body |= {"place": now.room.place + 1, "of": len(now.room.programme), "stale": is_stale}
        encoded = json.dumps(body, separators=(",", ":")).encode()
        self._body = (now, is_stale, encoded, f'"{hashlib.sha256(encoded).hexdigest()[:16]}"')
        return self._body[2:]

    @property
    def server_ms(self) -> int:
        """The time here, ms since 1970: a page whose own clock is wrong counts down by it."""
        return round(1000 * self.room.now.timestamp())

    def has_picture(self, now: Snapshot) -> bool:
        """Whether phones show the picture now: while they may answer, and with the truth."""
        return now.round is not None and now.room.round_state in (State.OPEN, State.REVEALED)

    def count_phone(self, voter: str) -> None:
        """A phone asked."""
        self._phones[voter] = self._last_asked = time.monotonic()
        self._phones.move_to_end(voter)
        if len(self._phones) > MOST_PHONES:
            self._phones.popitem(last=False)

    @property
    def phones(self) -> int:
        """How many phones asked a moment ago."""
        since = time.monotonic() - HERE_S
        while self._phones and next(iter(self._phones.values())) < since:
            self._phones.popitem(last=False)
        return len(self._phones)

    @property
    def has_phones(self) -> bool:
        """Whether any phone asked a moment ago. Safe from any thread."""
        return time.monotonic() - self._last_asked < HERE_S

    # ---- where phones find the room

    @property
    def is_only_here(self) -> bool:
        """Whether no other machine can reach this one."""
        settings = self._settings
        return not settings.public_url and settings.address in LOOPBACK_NAMES

    @property
    def base_path(self) -> str:
        """Below which a proxy shows us, without the slash at its end; empty where it is all of an address."""
        return self._settings.base_path

    @property
    def url(self) -> str:
        """The room's address with its code, for the QR code."""
        return f"{self.base_url}/{self.room.snapshot().room.code}"

    @property
    def link(self) -> str:
        """The same for people who type it: no scheme, as short as the address allows."""
        return self.url.split("://", 1)[1]

    @property
    def base_url(self) -> str:
        """Where phones find this machine, without a slash at the end."""
        settings = self._settings
        if settings.public_url:
            return settings.public_url.rstrip("/")
        host = settings.address
        if host in ("0.0.0.0", "::"):
            host = find_own_address()
        return f"http://{host}" + ("" if settings.port == 80 else f":{settings.port}")


@lru_cache(8)
def qr(url: str) -> Markup:
    """A QR code as SVG with the margin of four modules that scanners need (ISO 18004)."""
    code = segno.make(url, error="m", micro=False)
    return Markup(code.svg_inline(border=4, omitsize=True, light="#fff", svgclass=None, lineclass=None))
