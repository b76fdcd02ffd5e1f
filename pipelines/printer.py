"""A printer of CUPS as it is now: whether it can print, and what keeps it from that.

`pycups` is used where it is installed. Each call has a connection of its own: a printer that was switched
off, or a CUPS that was started anew, is found again.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from errors import OperatorError, VisitorError

# What a printer says of itself (RFC 8011, 5.4.12), and the sentence for it: the first that it says counts.
TROUBLES = {
    "media-empty": "paper",
    "media-needed": "paper",
    "media-jam": "jam",
    "marker-supply-empty": "ink",
    "toner-empty": "ink",
    "door-open": "door",
    "cover-open": "door",
    "offline": "away",
    "connecting-to-device": "away",
    "shutdown": "away",
    "timed-out": "away",
    "paused": "stopped",
}
KINDS = frozenset({*TROUBLES.values(), "failed", "unknown"})  # all that `trouble` may say
PRINTER_STOPPED = 5  # `printer-state` of RFC 8011, 5.4.11


class Printer:
    """One printer by its name in CUPS. Safe to share between threads."""

    def __init__(self, name: str, server: str = "") -> None:
        """`server`: CUPS's host and port; empty for this machine's own. Raises `OperatorError`."""
        self.name = name
        self._server = server
        self._cups = _load_cups()

    def trouble(self) -> str:
        """What keeps it from printing: paper, jam, ink, door, away, stopped, unknown; empty for nothing."""
        try:
            with self.connected() as cups:
                said = cups.getPrinterAttributes(
                    self.name, requested_attributes=["printer-state", "printer-state-reasons"]
                )
        except VisitorError as error:
            return error.key.removeprefix("paper.")
        reasons = [reason.rsplit("-", 1)[0] for reason in said["printer-state-reasons"] if reason != "none"]
        found = [TROUBLES[reason] for reason in reasons if reason in TROUBLES]
        is_stopped = said["printer-state"] == PRINTER_STOPPED
        return found[0] if found else "stopped" if is_stopped else ""

    @contextmanager
    def connected(self) -> Iterator[Any]:
        """A connection. What CUPS refuses is told by a `VisitorError`: unknown, away or failed."""
        try:
            if self._server:  # libcups keeps it for each thread
                self._cups.setServer(self._server)
            yield self._cups.Connection()
        except self._cups.IPPError as error:
            is_unknown = error.args[0] == self._cups.IPP_NOT_FOUND
            raise VisitorError("paper.unknown" if is_unknown else "paper.failed") from error
        except (RuntimeError, self._cups.HTTPError) as error:
            raise VisitorError("paper.away") from error


def _load_cups() -> Any:
    """The module of pycups. Raises `OperatorError` where it is not installed."""
    try:
        return import_module("cups")
    except ImportError as error:
        raise OperatorError(
            "FACE_VALUE_PRINTER: printing needs pycups. On Debian: apt-get install libcups2-dev gcc, then "
            ".venv/bin/pip install pycups==2.0.4"
        ) from error
