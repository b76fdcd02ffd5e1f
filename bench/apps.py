"""Apps in processes of their own, as benches of the room start, ask and look into them."""

import os
import random
import secrets
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from pages.guards.voters import Voter, Voters
from votes.schema import VoterId
from votes.store import Store

ROOT = Path(__file__).parent.parent
KEY = "bench"
PATIENCE_S = 120
LOG = "log"
AT_REST = 0.1  # of a core; without phones an app takes less


@dataclass(frozen=True)
class Apps:
    """Those of one room: their ports, the URL of the database that they share, their processes."""

    ports: tuple[int, ...]
    database: str
    processes: tuple["subprocess.Popen[bytes]", ...] = ()

    @property
    def cpu_s(self) -> list[float]:
        """Seconds of processor time of each, since its start."""
        return [cpu_s(process.pid) for process in self.processes]

    def command(self, name: str) -> str:
        """The id of the round after a host's command to the first."""
        asked = urllib.request.Request(
            f"http://127.0.0.1:{self.ports[0]}/api/host/{name}",
            method="POST",
            headers={"Authorization": f"Bearer {KEY}"},
        )
        with urllib.request.urlopen(asked) as answer:
            return str(answer.read().split(b'"')[3].decode())

    def code(self) -> str:
        """The room's code, from the database."""
        with Store(self.database) as store:
            return store.room_state().code

    def voters(self) -> Voters:
        """What signs ids of voters, as the servers of that database do."""
        with Store(self.database) as store:
            return Voters(store.voters_secret(), 1, False)


def new_cookie(voters: Voters, code: str) -> tuple[str, str]:
    """A voter that was let in with that code, and its cookie."""
    voter = VoterId(secrets.token_urlsafe(16))
    return voter, voters.cookie(Voter(voter, code)).split(";")[0]


def cpu_s(pid: int) -> float:
    """Seconds of processor time of a process and those that it started, since their start."""
    process = psutil.Process(pid)
    times = [one.cpu_times() for one in (process, *process.children(recursive=True))]
    return float(sum(each.user + each.system for each in times))


def started(folder: Path, port: int, module: str = "app", **more: str) -> "subprocess.Popen[bytes]":
    """The app on its way up, with `more` of its settings."""
    given = {"DATA": str(folder), "PORT": str(port), "MODELS": "mini", "DEVICE": "cpu", "HOST_KEY": KEY}
    environment = os.environ | {f"FACE_VALUE_{name}": value for name, value in {**given, **more}.items()}
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOG).open("ab") as log:
        return subprocess.Popen([sys.executable, "-m", module], cwd=ROOT, env=environment, stderr=log)


@contextmanager
def serving(folders: list[Path], module: str = "app", database: str = "") -> Iterator[Apps]:
    """An app in each folder, on one `database` or the first one's SQLite; models loaded; killed at last."""
    ports = tuple(free_port() for _ in folders)
    url = database or f"sqlite:///{folders[0]}/votes.sqlite3"
    apps = tuple(
        started(folder, port, module, DATABASE=url) for folder, port in zip(folders, ports, strict=True)
    )
    try:
        for port, app in zip(ports, apps, strict=True):
            _wait_until_ready(port, app.pid)
        yield Apps(ports, url, apps)
    finally:
        for app in apps:
            app.kill()
            app.wait()


def _wait_until_ready(port: int, pid: int) -> None:
    """It draws pictures of its own for a while after it is ready."""
    late = time.monotonic() + PATIENCE_S
    while time.monotonic() < late:
        with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz") as answer:
            if b'"ready"' in answer.read() and _is_at_rest(pid):
                return
        time.sleep(0.05)
    raise SystemExit("the app does not become ready")


def _is_at_rest(pid: int) -> bool:
    before = cpu_s(pid)
    time.sleep(1.0)
    return cpu_s(pid) - before < AT_REST


def free_port() -> int:
    """One that nobody listens on, and that the system gives to no connection while the app is down."""
    while True:
        port = random.randrange(20_000, 30_000)
        with suppress(OSError), socket.socket() as free:
            free.bind(("127.0.0.1", port))
            return port
