"""`python -m booth sweep`: delete what visitors left, where the booth was killed and does not start again.

A booth deletes its visitors' pictures when it ends and, what a power cut left, when it starts. This is the
same without a start: for `ExecStopPost=` of a systemd unit, and for a machine that is packed away.
"""

import argparse
import socket
import sys
from collections.abc import Sequence
from contextlib import ExitStack

from booth.open_album import open_album
from errors import OperatorError
from settings import Settings, read_settings
from votes.store import Store

PATIENCE_S = 2.0


def sweep(settings: Settings) -> int:
    """Delete; how many sittings stay. A booth alone needs no database for it. Raises `OperatorError`."""
    with ExitStack() as stack:
        store = stack.enter_context(Store(settings.database_url)) if settings.pictures else None
        album = open_album(settings, store)
        album.close()
        return len(album.offers())


def main(arguments: Sequence[str] | None = None) -> int:
    """Delete every picture but approved ones. 0; or 2 with one sentence on stderr."""
    parser = argparse.ArgumentParser(prog="python -m booth", description=__doc__.partition(":")[0])
    parser.add_argument(
        "action", choices=["sweep"], help="delete what no sitter and host allowed to be shown"
    )
    parser.parse_args(arguments)
    try:
        settings = read_settings()
        with socket.socket() as probe:
            probe.settimeout(PATIENCE_S)
            if probe.connect_ex(("127.0.0.1", settings.port)) == 0:
                raise OperatorError(
                    f"FACE_VALUE_PORT = {settings.port}: a program answers there. If it is the booth, end "
                    "it: then it deletes by itself."
                )
        kept = sweep(settings)
    except OperatorError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(f"{kept} sittings that may be shown are kept, everything else is deleted.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
