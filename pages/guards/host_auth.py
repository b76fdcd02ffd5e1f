"""Who may move the stage: whoever knows the host's key, by header or by a signed cookie.

The key is the operator's setting, else one that is made at the first start and kept beside the votes.
"""

import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path

from itsdangerous import BadSignature, TimestampSigner
from starlette.requests import HTTPConnection

from errors import OperatorError
from pages.guards.gate import cookie_attributes
from pages.guards.rate_limit import TokenBuckets, address_of
from settings import Settings

COOKIE = "face_value_host"
DAY = timedelta(days=1)
MAX_WRONG_KEYS, WITHIN_S = 5, 60.0  # that begin alike, from one address
PREFIX = (
    4  # characters. Who tries keys by the thousand needs the right ones; who spoils the rest locks nobody out
)
LOOPBACK = ("127.0.0.1", "::1")
FILE = "host.key"


class Access(StrEnum):
    """Whether a request may move the stage."""

    GRANTED = "granted"
    MISSING = "missing"  # neither key nor cookie
    WRONG = "wrong"
    THROTTLED = "throttled"  # too many wrong keys just now


def ensure_host_key(settings: Settings, share: Callable[[str], str] = str) -> tuple[str, bool]:
    """The key, and whether it is new here. Raises `OperatorError` where it cannot be kept.

    `share` is told the one that is kept here and answers with the room's: of several booths one was first.
    """
    if settings.host_key:
        return settings.host_key.get_secret_value(), False
    try:
        kept, is_new = keep_secret(settings.data / FILE, lambda: secrets.token_urlsafe(12))
        if (key := share(kept)) != kept:
            (settings.data / FILE).write_text(key, encoding="ascii")
        return key, is_new or key != kept
    except (OSError, UnicodeDecodeError) as error:
        raise OperatorError(
            f"{FILE}: the host's key cannot be kept there. Set FACE_VALUE_HOST_KEY."
        ) from error


def keep_secret(file: Path, make: Callable[[], str]) -> tuple[str, bool]:
    """What the file holds, made now where there is none, for its owner alone; and whether it was made.

    Raises `OSError`, and `UnicodeDecodeError` for a file that is not ours.
    """
    if file.is_file() and (kept := file.read_text(encoding="ascii").strip()):
        return kept, False
    secret = make()
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch(0o600)
    file.chmod(0o600)
    file.write_text(secret, encoding="ascii")
    return secret, True


class HostAuth:
    """Checks keys and cookies. Safe to share between threads."""

    def __init__(self, key: str, hosted: bool = False) -> None:
        self._key = key.encode()
        self._signer = TimestampSigner(key, salt="face value host")
        self._attributes = cookie_attributes(hosted)
        self._prefix = max(1, min(PREFIX, len(key) // 2))
        self._wrong = TokenBuckets(MAX_WRONG_KEYS, MAX_WRONG_KEYS / WITHIN_S)

    def check(self, connection: HTTPConnection) -> Access:
        """Whether that request comes from a host."""
        scheme, _, given = connection.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return self.check_key(given.strip(), connection)
        cookie = connection.cookies.get(COOKIE, "")
        if not cookie:
            return Access.MISSING
        try:
            _, made = self._signer.unsign(cookie, return_timestamp=True)
        except BadSignature:
            return Access.MISSING  # of an earlier key: log in again
        # Younger than now it is where the clock was set back; no host is put out for that.
        return Access.GRANTED if datetime.now(UTC) - made < DAY else Access.MISSING

    def check_key(self, key: str, connection: HTTPConnection) -> Access:
        """Whether that is the key. After five wrong ones within a minute the next that begins alike waits."""
        tried = address_of(connection), key[: self._prefix]
        if self._wrong.left(tried) < 1:
            return Access.THROTTLED
        if secrets.compare_digest(key.encode("utf-8", "replace"), self._key):
            return Access.GRANTED
        self._wrong.take(tried)
        return Access.WRONG

    def session_cookie(self) -> str:
        """The header of a host who has shown the key."""
        value = self._signer.sign("host").decode()
        return (
            f"{COOKIE}={value}; Path=/; Max-Age={DAY // timedelta(seconds=1)}; HttpOnly; {self._attributes}"
        )
