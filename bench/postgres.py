"""A real PostgreSQL for benches and tests: clusters in temporary folders, reached by a socket there."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from errors import OperatorError

DEBIAN = Path("/usr/lib/postgresql")  # `initdb` is not on the path there
NOT_ROOT = "postgres"  # the server refuses to run as root; Debian's package brings this account


def tool(name: str) -> Path | None:
    """One of the server's programs, of the newest version here."""
    if found := shutil.which(name):
        return Path(found)
    return max(DEBIAN.glob(f"*/bin/{name}"), key=lambda path: int(path.parts[-3]), default=None)


@dataclass(frozen=True)
class Server:
    """One cluster. Its folder holds its data and its socket."""

    folder: str

    @property
    def data(self) -> Path:
        """Where it keeps what it knows."""
        return Path(self.folder, "data")

    @property
    def socket(self) -> str:
        """The path of its socket, which PostgreSQL names after its port."""
        return f"{self.folder}/.s.PGSQL.5432"

    @property
    def pid(self) -> int:
        """Of the process that started all its others."""
        return int(Path(self.data, "postmaster.pid").read_text().split()[0])

    def connections(self) -> int:
        """How many programs hold now."""
        import psycopg

        with psycopg.connect(host=self.folder, user="postgres") as owner:
            query = "SELECT count(*) - 1 FROM pg_stat_activity WHERE backend_type = 'client backend'"
            row = owner.execute(query).fetchone()
        return int(row[0]) if row else 0

    def run(self, name: str, *arguments: str | Path) -> None:
        """One of the server's programs. Raises `OperatorError` where PostgreSQL is not installed."""
        program = tool(name)
        if not program:
            raise OperatorError("PostgreSQL is not installed here. On Debian: apt-get install postgresql")
        subprocess.run(
            [program, *arguments],
            user=NOT_ROOT if os.geteuid() == 0 else None,
            cwd=self.folder,
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
        )

    @property
    def url(self) -> str:
        """For `FACE_VALUE_DATABASE`."""
        return f"postgresql://postgres@/postgres?host={self.folder}"

    def break_down(self) -> None:
        """It is gone at once, with whatever it was doing."""
        if Path(self.data, "postmaster.pid").exists():
            self.run("pg_ctl", "-D", self.data, "-w", "-m", "immediate", "stop")

    @contextmanager
    def running(self, *options: str) -> Iterator[None]:
        """Until the block ends; `options` in the form NAME=VALUE."""
        given = "".join(f" -c {option}" for option in ("listen_addresses=''", *options))
        self.run("pg_ctl", "-D", self.data, "-w", "-o", f"-k {self.folder}{given}", "start")
        try:
            yield
        finally:
            self.break_down()


@contextmanager
def _server() -> Iterator[Server]:
    """A folder for one."""
    with tempfile.TemporaryDirectory(prefix="fv-pg-", ignore_cleanup_errors=True) as folder:
        if os.geteuid() == 0 and tool("initdb"):
            shutil.chown(folder, NOT_ROOT)
        yield Server(folder)


@contextmanager
def running_server(*options: str) -> Iterator[Server]:
    """A new cluster, until the block ends."""
    with _server() as server:
        made = ("-U", "postgres", "--auth=trust", "--no-sync", "-E", "UTF8", "--locale=C")
        server.run("initdb", "-D", server.data, *made)
        with server.running(*options):
            yield server


@contextmanager
def running_pair(*options: str) -> Iterator[tuple[Server, Server]]:
    """A primary, and a copy that has every commit before the primary answers it."""
    with ExitStack() as stack:
        primary, copy = stack.enter_context(running_server(*options)), stack.enter_context(_server())
        source = ("-h", primary.folder, "-U", "postgres")
        copy.run("pg_basebackup", *source, "-D", copy.data, "-R", "-X", "stream", "-c", "fast", "--no-sync")
        stack.enter_context(copy.running(*options))
        ask(primary, "ALTER SYSTEM SET synchronous_standby_names = '*'", "SELECT pg_reload_conf()")
        yield primary, copy


def ask(server: Server, *statements: str) -> None:
    """As its owner, each in a transaction of its own."""
    import psycopg

    with psycopg.connect(host=server.folder, user="postgres", autocommit=True) as owner:
        for statement in statements:
            owner.execute(statement.encode())


def make_read_only(server: Server) -> None:
    """It stays, and only lets itself be read."""
    ask(server, "ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()")


def cut_off(copy: Server) -> None:
    """What its primary commits reaches it no more, so that the primary answers no commit."""
    ask(copy, "ALTER SYSTEM SET primary_conninfo = ''", "SELECT pg_reload_conf()")


def promote(copy: Server) -> None:
    """It takes writes from now on."""
    ask(copy, "SELECT pg_promote()")
