"""A thousand phones at once: `python -m bench.votes`. Server only: what a hall's Wi-Fi adds is not in it.

In one run, on this machine: 1,000 phones that open the page, poll and vote within 10 s, first alone, then
while portraits are drawn in the same process; and votes a second with 50 clients, against a queued event of
Gradio's. Every acknowledged vote is looked up in the database afterwards.
"""

import argparse
import asyncio
import os
import platform
import random
import secrets
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from bench.busy_booth import DRAW, DRAWN
from pages.guards.voters import Voter, Voters
from votes.schema import Kind, Source, VoterId
from votes.store import Store

ROOT = Path(__file__).parent.parent
KEY = "bench"
GOAL_MS, GOAL_RATIO = 50.0, 30.0
POLL_S = 1.75  # a phone's mean
PATIENCE_S = 120
LOG = "log"
MOST_NEW = 100_000  # all phones have one address here
SITTINGS = 4  # before the phones come


class Connection:
    """One keep-alive connection, with as little work on this side as HTTP allows."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self.cookie = ""

    async def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, bytes]:
        """Status and body. Raises `OSError` when the server is gone."""
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        lines = [f"{method} {path} HTTP/1.1", "Host: localhost", f"Content-Length: {len(body)}"]
        lines += [f"Cookie: {self.cookie}"] if self.cookie else []
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        writer.write("\r\n".join([*lines, "", ""]).encode() + body)
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            length = 0
            for line in head.split("\r\n")[1:]:
                name, _, value = line.partition(": ")
                if name.lower() == "content-length":
                    length = int(value)
                if name.lower() == "set-cookie" and "voter" in value:
                    self.cookie = value.split(";")[0]
            return int(head.split()[1]), await reader.readexactly(length)
        except asyncio.IncompleteReadError as error:
            raise OSError("the server is gone") from error


@dataclass
class Times:
    """Milliseconds of one kind of request."""

    ms: list[float] = field(default_factory=list)

    def at(self, share: float) -> float:
        """A quantile."""
        return sorted(self.ms)[min(len(self.ms) - 1, int(share * len(self.ms)))] if self.ms else float("nan")

    def __str__(self) -> str:
        return (
            f"p50 {self.at(0.5):.1f}, p95 {self.at(0.95):.1f}, most {self.at(1):.1f} ms (n = {len(self.ms)})"
        )


def started(folder: Path, port: int, module: str = "app") -> "subprocess.Popen[bytes]":
    """The app on its way up."""
    given = {"DATA": str(folder), "PORT": str(port), "MODELS": "mini", "DEVICE": "cpu", "HOST_KEY": KEY}
    given["NEW_VOTERS"] = str(MOST_NEW)
    environment = os.environ | {f"FACE_VALUE_{name}": value for name, value in given.items()}
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOG).open("ab") as log:
        return subprocess.Popen([sys.executable, "-m", module], cwd=ROOT, env=environment, stderr=log)


@contextmanager
def serving(folder: Path, port: int) -> Iterator[None]:
    """The app, its models loaded; killed at the end."""
    app = started(folder, port, "bench.busy_booth")
    try:
        began = time.monotonic()
        while time.monotonic() - began < PATIENCE_S:
            with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz") as answer:
                if b'"ready"' in answer.read():
                    break
            time.sleep(0.05)
        yield
    finally:
        app.kill()
        app.wait()


def command(port: int, name: str) -> str:
    """The id of the round after a host's command."""
    asked = urllib.request.Request(
        f"http://127.0.0.1:{port}/api/host/{name}", method="POST", headers={"Authorization": f"Bearer {KEY}"}
    )
    with urllib.request.urlopen(asked) as answer:
        return str(answer.read().split(b'"')[3].decode())


def code_of(folder: Path) -> str:
    """The room's code, from the database."""
    with Store(f"sqlite:///{folder}/votes.sqlite3") as store:
        return store.room_state().code


def voters_of(folder: Path) -> Voters:
    """What signs ids of voters, as the server of that folder does."""
    with Store(f"sqlite:///{folder}/votes.sqlite3") as store:
        return Voters(store.voters_secret(), MOST_NEW, False)


def new_cookie(voters: Voters, code: str) -> tuple[str, str]:
    """A voter that was let in with that code, and its cookie."""
    voter = VoterId(secrets.token_urlsafe(16))
    return voter, voters.cookie(Voter(voter, code)).split(";")[0]


async def one_phone(port: int, code: str, round_id: str, within: float, polls: Times, votes: Times) -> None:
    """Open the page, poll, vote once at a moment of chance, poll on."""
    one, began = Connection(port), time.monotonic()
    await asyncio.sleep(random.uniform(0, within / 2))
    await one.ask("GET", f"/{code}", Accept_Encoding="gzip")
    vote_at = random.uniform(time.monotonic() - began, within)
    voted = False
    while time.monotonic() - began < within or not voted:
        if not voted and time.monotonic() - began >= vote_at:
            body = f'{{"round":"{round_id}","answer":"{random.choice(list(Kind)).value}"}}'.encode()
            asked = time.perf_counter()
            status, _ = await one.ask("POST", "/api/guess", body, Content_Type="application/json")
            voted = status == 200
            votes.ms += [1000 * (time.perf_counter() - asked)] if voted else []
        asked = time.perf_counter()
        await one.ask("GET", "/api/round")
        polls.ms.append(1000 * (time.perf_counter() - asked))
        await asyncio.sleep(POLL_S * random.uniform(0.85, 1.15))


async def hall(port: int, folder: Path, phones: int, within: float) -> tuple[Times, Times]:
    """All of them in one round; times of polls and of votes."""
    polls, votes = Times(), Times()
    round_id, code = await asyncio.to_thread(command, port, "open"), code_of(folder)
    await asyncio.gather(*(one_phone(port, code, round_id, within, polls, votes) for _ in range(phones)))
    with Store(f"sqlite:///{folder}/votes.sqlite3") as store:
        kept = [one for one in store.guesses() if one.round == round_id and one.source == Source.PHONE]
    lost, double = len(votes.ms) - len(kept), len(kept) - len({one.voter for one in kept})
    print(f"    {len(votes.ms)} of {phones} votes acknowledged, {lost} lost, {double} double")
    for name in ("reveal", "reveal", "reveal", "reveal"):
        await asyncio.to_thread(command, port, name)
    return polls, votes


def sittings(folder: Path) -> list[float]:
    """Seconds of each that is over."""
    file = folder / DRAWN
    return [float(line) for line in file.read_text().split()] if file.exists() else []


@contextmanager
def drawing(folder: Path) -> Iterator[None]:
    """The busy booth draws all the time; says how long a sitting took before and meanwhile."""
    (folder / DRAW).touch()
    while len(sittings(folder)) < SITTINGS:  # the first warms the networks up
        time.sleep(0.1)
    alone = sittings(folder)[1:]
    yield
    meanwhile = sittings(folder)[SITTINGS:]
    (folder / DRAW).unlink()
    print(
        f"    a sitting of four portraits took {statistics.median(alone):.1f} s alone, meanwhile "
        f"{', '.join(f'{one:.1f}' for one in meanwhile)} s"
    )


async def flood(port: int, folder: Path, clients: int, each: int) -> float:
    """Votes a second of clients that each send for one new voter after the other."""
    round_id, code = await asyncio.to_thread(command, port, "open"), code_of(folder)
    body = f'{{"round":"{round_id}","answer":"generated"}}'.encode()
    voters = voters_of(folder)

    async def client() -> None:
        one = Connection(port)
        for _ in range(each):
            one.cookie = new_cookie(voters, code)[1]
            status, said = await one.ask("POST", "/api/guess", body)
            if status != 200:
                raise SystemExit(f"a vote was refused: {said!r}")

    began = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(clients)))
    return clients * each / (time.perf_counter() - began)


QUEUED = """
import sys, gradio as gr
from datetime import UTC, datetime
from votes.schema import Guess, Item, Kind, VoterId
from votes.store import Store
store = Store(sys.argv[2])
asked = store.round_of(Item("picture", Kind.GENERATED, "grey", "mini", "plate"))
def vote(voter):
    store.record(Guess(asked.id, VoterId(voter), Kind.GENERATED, False, 1.0, datetime.now(UTC)))
    return "kept"
with gr.Blocks() as page:
    box, out = gr.Textbox(), gr.Textbox()
    box.change(vote, box, out)
page.queue(default_concurrency_limit=10).launch(server_port=int(sys.argv[1]), quiet=True)
"""


async def queued(port: int, clients: int, each: int) -> float:
    """Votes a second through a queued event of Gradio's, joined and awaited as its own page does."""
    import httpx

    async def client(name: int) -> None:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}/gradio_api", timeout=120) as one:
            for i in range(each):
                session = f"s{name}x{i}"
                event = {"data": [f"{session}"], "fn_index": 0, "session_hash": session}
                await one.post("/queue/join", json=event)
                async with one.stream("GET", f"/queue/data?session_hash={session}") as stream:
                    async for line in stream.aiter_lines():
                        if "process_completed" in line:
                            break

    began = time.perf_counter()
    await asyncio.gather(*(client(name) for name in range(clients)))
    return clients * each / (time.perf_counter() - began)


def compare(port: int, folder: Path) -> None:
    """Our route and Gradio's queue, the same votes into the same kind of database."""
    ours = asyncio.run(flood(port, folder, 50, 40))
    other = free_port()
    url = f"sqlite:///{folder}/queued.sqlite3"
    with subprocess.Popen([sys.executable, "-c", QUEUED, str(other), url], cwd=ROOT) as app:
        try:
            for _ in range(PATIENCE_S * 4):
                with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{other}/config"):
                    break
                time.sleep(0.25)
            theirs = asyncio.run(queued(other, 50, 4))
        finally:
            app.kill()
    print(
        f"  50 clients: route {ours:.0f} votes/s, queued event {theirs:.1f}/s: {ours / theirs:.0f}x "
        f"(goal {GOAL_RATIO:.0f}x)"
    )


def free_port() -> int:
    """One that nobody listens on, and that the system gives to no connection while the app is down."""
    while True:
        port = random.randrange(20_000, 30_000)
        with suppress(OSError), socket.socket() as free:
            free.bind(("127.0.0.1", port))
            return port


def main() -> None:
    """Print every figure with its goal."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--phones", type=int, default=1000)
    options.add_argument("--within", type=float, default=10.0, help="seconds")
    given = options.parse_args()
    print(f"Server only, {platform.processor() or platform.machine()}, {os.cpu_count()} cores:")
    with tempfile.TemporaryDirectory() as name:
        folder, port = Path(name), free_port()
        with serving(folder, port):
            print(f"  {given.phones} phones within {given.within:.0f} s, alone:")
            polls, votes = asyncio.run(hall(port, folder, given.phones, given.within))
            print(f"    votes {votes}; polls {polls}; goal p95 {GOAL_MS:.0f} ms")
            print("  the same while portraits are drawn:")
            with drawing(folder):
                polls, votes = asyncio.run(hall(port, folder, given.phones, given.within))
            print(f"    votes {votes}; polls {polls}; goal p95 {GOAL_MS:.0f} ms")
            compare(port, folder)


if __name__ == "__main__":
    main()
