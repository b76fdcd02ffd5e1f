"""Under which names the booth may be asked, and from where its screens may be used."""

import ipaddress
import socket
from collections.abc import Callable
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from pages.guards.error_boundary import refusal
from pages.guards.host_auth import LOOPBACK, Access, HostAuth

BOOTH_ROUTES = (
    "/gradio_api/",
    "/selfies",
    "/hints",
    "/attract",
    "/config",
)  # of a visit; below /host they are the host's
ROOM_PAGE = "vote"
JOINED_PAGE = "/joined"  # and no room code, which has four letters
# What phones and laptops ask of their makers' servers to learn whether a network leads to the internet. In a
# booth's own network those names lead here, and a redirect makes the phone open our page ("captive portal").
NETWORK_CHECKS = (
    *("/generate_204", "/gen_204"),  # Android, Chrome OS
    *("/hotspot-detect.html", "/library/test/success.html"),  # iOS, macOS
    *("/connecttest.txt", "/ncsi.txt", "/redirect"),  # Windows
    *("/success.txt", "/canonical.html", "/check_network_status.txt"),  # Firefox, Ubuntu, GNOME
)


class OwnNames:
    """Middleware: the booth answers under its own names; who asks by another is sent to the right one.

    Any site can point a name of its own at this machine (DNS rebinding), and a browser would take the booth
    for that site's. An address of numbers cannot be pointed anywhere.
    """

    def __init__(
        self, app: ASGIApp, public_url: str | None, own_url: Callable[[], str], sentence: str
    ) -> None:
        """`own_url`: where the booth is found."""
        self._app = app
        self._own_url = own_url
        self._sentence = sentence
        machine = socket.gethostname().lower()
        public = urlsplit(public_url or "").hostname or ""
        self._names = {"localhost", machine, f"{machine.split('.')[0]}.local", public} - {""}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http" or self._is_own(Headers(scope=scope).get("host", "")):
            await self._app(scope, receive, send)
        elif scope["method"] in ("GET", "HEAD"):
            own = self._own_url()
            sent = (f"{own}{JOINED_PAGE}", 302) if scope["path"] in NETWORK_CHECKS else (own, 307)
            await RedirectResponse(*sent)(scope, receive, send)
        else:
            await refusal(self._sentence, 421)(scope, receive, send)

    def _is_own(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        return name in self._names or _is_number(name)


class BoothHere:
    """Middleware: a visit's page is for this machine's screen, and for whoever the host lets in elsewhere.

    The room's pages, what is taken home and the check of a picture stay open to every phone.
    """

    def __init__(self, app: ASGIApp, host_auth: HostAuth, sentence: str) -> None:
        self._app = app
        self._host_auth = host_auth
        self._sentence = sentence

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http" or not _is_of_booth(scope["path"]) or self._may(HTTPConnection(scope)):
            await self._app(scope, receive, send)
        elif scope["path"] == "/":
            await RedirectResponse(ROOM_PAGE, 303)(scope, receive, send)
        else:
            await refusal(self._sentence, 403)(scope, receive, send)

    def _may(self, connection: HTTPConnection) -> bool:
        is_here = connection.client is not None and connection.client.host in LOOPBACK
        return is_here or self._host_auth.check(connection) == Access.GRANTED


def _is_of_booth(path: str) -> bool:
    return path == "/" or path.startswith(BOOTH_ROUTES)


def _is_number(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
