"""Which phone votes: an id that only this room's servers can sign, given with the page and the room's code.

Nobody can tell a phone from a program that plays a thousand of them. What is told apart is speed: phones of
one address join as fast as a hall behind one router does, then few; a connection carries one browser. Whoever
comes beyond that may vote, and is counted apart.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from itsdangerous import BadSignature, TimestampSigner
from starlette.requests import Request

from pages.guards.gate import cookie_attributes
from pages.guards.rate_limit import TokenBuckets, address_of
from votes.schema import VoterId

COOKIE = "face_value_voter"
YEAR_S = 365 * 24 * 3600
NEW_PER_S = 1.0  # voters of one address, when as many as may join at once have
NEW_PER_CONNECTION, AGAIN_S = 3, 60.0  # a tab, a private window; a port is another browser's a while later
WRONG_CODES, WRONG_PER_S = 60, 0.5  # of one address: 31^4 codes take weeks
PRESUMED, SUSPECT = "p", "s"


@dataclass(frozen=True)
class Voter:
    """One phone, the code that it came in with, and whether it came faster than a room does."""

    id: VoterId
    code: str
    is_suspect: bool = False


class Voters:
    """Gives ids to phones and knows them again. Used by the event loop's thread only."""

    def __init__(
        self,
        secret: bytes,
        at_once: int,
        is_hosted: bool,
        pardoned_until: Callable[[], datetime | None] = lambda: None,
    ) -> None:
        """`at_once`: how many may join from one address at the same time.

        `pardoned_until`: whoever joined until then is one of the room; the host knows better.
        """
        self._signer = TimestampSigner(secret, salt="face value voter")
        self._is_hosted = is_hosted
        self._new = TokenBuckets(at_once, NEW_PER_S)
        self._of_connection = TokenBuckets(NEW_PER_CONNECTION, 1 / AGAIN_S)
        self._wrong_codes = TokenBuckets(WRONG_CODES, WRONG_PER_S)
        self._pardoned_until = pardoned_until

    def find(self, request: Request) -> Voter | None:
        """Which phone it is; None where it has no cookie of ours."""
        try:
            value, made = self._signer.unsign(request.cookies.get(COOKIE, ""), return_timestamp=True)
            voter, code, kind = value.decode().split(".")
        except (BadSignature, ValueError):
            return None
        pardoned = self._pardoned_until()
        return Voter(VoterId(voter), code, kind == SUSPECT and not (pardoned and made <= pardoned))

    def admit(self, request: Request, code: str) -> Voter:
        """A phone that has read the room's code: the one that it was, or a new one."""
        if known := self.find(request):
            return Voter(known.id, code, known.is_suspect)
        in_time = self._new.take(address_of(request)) and self._is_one_browser(request)
        return Voter(VoterId(secrets.token_urlsafe(16)), code, not in_time)

    def cookie(self, voter: Voter) -> str:
        """The header that lets a phone be known again."""
        value = f"{voter.id}.{voter.code}.{SUSPECT if voter.is_suspect else PRESUMED}"
        attributes = cookie_attributes(self._is_hosted)
        return (
            f"{COOKIE}={self._signer.sign(value).decode()}; Path=/; Max-Age={YEAR_S}; HttpOnly; {attributes}"
        )

    def may_try_code(self, request: Request) -> bool:
        """Whether a code from that address is looked at. The wrong ones it sent lately are counted."""
        return self._wrong_codes.left(address_of(request)) >= 1

    def count_wrong_code(self, request: Request) -> None:
        """That address sent one."""
        self._wrong_codes.take(address_of(request))

    def _is_one_browser(self, request: Request) -> bool:
        """Whether this connection has brought few voters. Behind a proxy, connections say nothing."""
        if self._is_hosted or request.client is None or not request.client.port:
            return True
        return self._of_connection.take((request.client.host, request.client.port))
