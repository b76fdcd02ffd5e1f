"""Who may move the stage: whoever knows the host's key, by header or by a signed cookie.

The key is the operator's setting, else one that is made at the first start and kept beside the votes.
"""

import secrets
import time
from collections import deque
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path

from itsdangerous import BadSignature, TimestampSigner
from starlette.requests import HTTPConnection

from errors import OperatorError
from pages.guards.gate import manner
from settings import Settings

COOKIE = "face_value_host"
DAY = timedelta(days=1)
WRONG_KEYS, WITHIN_S = 5, 60.0  # of all who try elsewhere together: nobody's address is kept
HERE = ("127.0.0.1", "::1")  # counted for itself, or a prankster in the hall could lock the speaker out
FILE = "host.key"


class Answer(StrEnum):
    """What the host_key says."""

    OPEN = "open"
    MISSING = "missing"  # neither key nor cookie
    WRONG = "wrong"
    WAIT = "wait"  # too many wrong keys just now


def host_key(settings: Settings) -> tuple[str, bool]:
    """The key, and whether it was made just now. Raises `OperatorError` where it cannot be kept."""
    if settings.host_key:
        return settings.host_key.get_secret_value(), False
    file = settings.data / FILE
    try:
        if file.is_file() and (kept := file.read_text(encoding="ascii").strip()):
            return kept, False
        return _made(file), True
    except (OSError, UnicodeDecodeError) as error:
        raise OperatorError(
            f"{FILE}: the host's key cannot be kept there. Set FACE_VALUE_HOST_KEY."
        ) from error


def _made(file: Path) -> str:
    key = secrets.token_urlsafe(12)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch(0o600)
    file.chmod(0o600)
    file.write_text(key, encoding="ascii")
    return key


class HostKey:
    """Checks keys and cookies. Safe to share between threads."""

    def __init__(self, key: str, hosted: bool = False) -> None:
        self._key = key.encode()
        self._signer = TimestampSigner(key, salt="face value host")
        self._manner = manner(hosted)
        self._wrong = {here: deque[float](maxlen=WRONG_KEYS) for here in (True, False)}

    def asks(self, connection: HTTPConnection) -> Answer:
        """Whether that request comes from a host."""
        scheme, _, given = connection.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return self.tries(given.strip(), connection)
        cookie = connection.cookies.get(COOKIE, "")
        if not cookie:
            return Answer.MISSING
        try:
            _, made = self._signer.unsign(cookie, return_timestamp=True)
        except BadSignature:
            return Answer.MISSING  # of an earlier key: log in again
        # Younger than now it is where the clock was set back; no host is put out for that.
        return Answer.OPEN if datetime.now(UTC) - made < DAY else Answer.MISSING

    def tries(self, key: str, connection: HTTPConnection) -> Answer:
        """Whether that is the key. After five wrong ones within a minute not even the right one opens."""
        now, wrong = time.monotonic(), self._wrong[bool(connection.client and connection.client.host in HERE)]
        if len(wrong) == WRONG_KEYS and now - wrong[0] < WITHIN_S:
            return Answer.WAIT
        if secrets.compare_digest(key.encode(), self._key):
            return Answer.OPEN
        wrong.append(now)
        return Answer.WRONG

    def cookie(self) -> str:
        """The header of a host who has shown the key."""
        value = self._signer.sign("host").decode()
        return f"{COOKIE}={value}; Path=/; Max-Age={DAY // timedelta(seconds=1)}; HttpOnly; {self._manner}"
