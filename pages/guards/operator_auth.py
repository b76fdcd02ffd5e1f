"""Who may open the operator's page of a kiosk: whoever stands at its screen and knows the PIN.

The PIN is the operator's setting, else one that is made at the first start and kept beside the host's key.
"""

import secrets
import threading
import time

from starlette.requests import HTTPConnection

from errors import OperatorError
from pages.guards.gate import cookie_attributes
from pages.guards.host_auth import LOOPBACK, Access, keep_secret
from pages.guards.rate_limit import TokenBuckets
from settings import PIN_DIGITS, Settings

COOKIE = "face_value_operator"
MOST_TRIES, WITHIN_S = 5, 60.0  # of all together: everybody who may try stands at the one screen
SESSION_S = 15 * 60.0  # a kiosk stands among its visitors: who forgets to go back is put out soon
FILE = "operator.pin"


def ensure_pin(settings: Settings) -> tuple[str, bool]:
    """The PIN, and whether it was made just now. Raises `OperatorError` where it cannot be kept."""
    if settings.operator_pin:
        return settings.operator_pin.get_secret_value(), False
    try:
        return keep_secret(settings.data / FILE, lambda: f"{secrets.randbelow(10**PIN_DIGITS):0{PIN_DIGITS}}")
    except (OSError, UnicodeDecodeError) as error:
        raise OperatorError(f"{FILE}: the PIN cannot be kept there. Set FACE_VALUE_OPERATOR_PIN.") from error


class OperatorAuth:
    """Checks the PIN and the session. Safe to share between threads."""

    def __init__(self, pin: str) -> None:
        self._pin = pin.encode()
        self._tries = TokenBuckets(MOST_TRIES, MOST_TRIES / WITHIN_S)
        self._sessions: dict[str, float] = {}  # until when, monotonic s
        self._lock = threading.Lock()

    def is_here(self, connection: HTTPConnection) -> bool:
        """Whether the request comes from this machine's own screen."""
        return connection.client is not None and connection.client.host in LOOPBACK

    def check(self, connection: HTTPConnection) -> Access:
        """Whether that request comes from an operator."""
        with self._lock:
            until = self._sessions.get(connection.cookies.get(COOKIE, ""), 0.0)
        is_in = self.is_here(connection) and time.monotonic() < until
        return Access.GRANTED if is_in else Access.MISSING

    def check_pin(self, pin: str) -> Access:
        """Whether that is the PIN. Each try counts; after five within a minute the right one waits too."""
        with self._lock:
            if not self._tries.take(""):
                return Access.THROTTLED
        is_right = secrets.compare_digest(pin.encode("utf-8", "replace"), self._pin)
        return Access.GRANTED if is_right else Access.WRONG

    def begin(self) -> str:
        """The header of an operator who has shown the PIN; whoever was in before is out."""
        token = secrets.token_urlsafe(16)
        with self._lock:
            self._sessions = {token: time.monotonic() + SESSION_S}
        return f"{COOKIE}={token}; Path=/; Max-Age={int(SESSION_S)}; HttpOnly; {cookie_attributes(False)}"

    def end(self) -> str:
        """The header that takes it away; the session is over on this side too."""
        with self._lock:
            self._sessions = {}
        return f"{COOKIE}=; Path=/; Max-Age=0; HttpOnly; {cookie_attributes(False)}"
