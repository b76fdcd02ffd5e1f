"""A real PostgreSQL for tests: a cluster of its own in a temporary folder, reached by a socket there."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

DEBIAN = Path("/usr/lib/postgresql")  # `initdb` is not on the path there
NOT_ROOT = "postgres"  # the server refuses to run as root; Debian's package brings this account


def tool(name: str) -> Path | None:
    """One of the server's programs, of the newest version here."""
    if found := shutil.which(name):
        return Path(found)
    return max(DEBIAN.glob(f"*/bin/{name}"), key=lambda path: int(path.parts[-3]), default=None)


@contextmanager
def cluster() -> Iterator[str]:
    """The folder of its socket, until the block ends. Skips where PostgreSQL is not installed."""
    initdb, control = tool("initdb"), tool("pg_ctl")
    if not initdb or not control:
        pytest.skip("PostgreSQL is not installed here (Debian: apt-get install postgresql)")
    user = NOT_ROOT if os.geteuid() == 0 else None
    with tempfile.TemporaryDirectory(prefix="fv-pg-", ignore_cleanup_errors=True) as folder:
        if user:
            shutil.chown(folder, user)

        def run(*command: str | Path) -> None:
            subprocess.run(
                command,
                user=user,
                cwd=folder,
                check=True,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.STDOUT,
            )

        data = Path(folder, "data")
        run(initdb, "-D", data, "-U", "postgres", "--auth=trust", "--no-sync", "-E", "UTF8", "--locale=C")
        run(control, "-D", data, "-w", "-o", f"-k {folder} -c listen_addresses=''", "start")
        try:
            yield folder
        finally:
            run(control, "-D", data, "-w", "-m", "immediate", "stop")
