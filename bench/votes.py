"""A thousand phones at once: `python -m bench.votes`. Server only: what a hall's Wi-Fi adds is not in it.

In one run, on this machine: 1,000 phones that open the page, poll and vote within 10 s, first alone, then
while portraits are drawn; votes a second with 50 clients, against a queued event of Gradio's; and `kill -9`
in mid-vote. Every acknowledged vote is looked up in the database afterwards.
"""

import argparse
import asyncio
import os
import platform
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from votes.schema import Kind, Source
from votes.store import Store

ROOT = Path(__file__).parent.parent
KEY = "bench"
GOAL_MS, GOAL_RATIO = 50.0, 30.0
POLL_S = 1.75  # a phone's mean
PATIENCE_S = 120


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


@contextmanager
def serving(folder: Path, port: int) -> Iterator["subprocess.Popen[bytes]"]:
    """The app, ready; killed at the end."""
    given = {"DATA": str(folder), "PORT": str(port), "MODELS": "mini", "DEVICE": "cpu", "HOST_KEY": KEY}
    environment = os.environ | {f"FACE_VALUE_{name}": value for name, value in given.items()}
    app = subprocess.Popen([sys.executable, "app.py"], cwd=ROOT, env=environment, stderr=subprocess.DEVNULL)
    try:
        began = time.monotonic()
        while time.monotonic() - began < PATIENCE_S:
            with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz") as answer:
                if b'"ready"' in answer.read():
                    break
            time.sleep(0.05)
        yield app
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
        return store.setting().code


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


@contextmanager
def drawing(port: int) -> Iterator[None]:
    """A visitor at the booth makes portraits again and again, in a browser on this machine."""
    enough = threading.Event()

    def visit() -> None:
        from playwright.sync_api import sync_playwright

        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"]
            )
            page = browser.new_page(viewport={"width": 1080, "height": 1350})
            page.goto(f"http://127.0.0.1:{port}/")
            page.get_by_role("button", name="Start", exact=True).click(timeout=60_000)
            page.locator(".ticks input[name=agreed]").check()
            page.get_by_role("button", name="Continue", exact=True).click()
            page.get_by_role("button", name="Eileen Collins", exact=True).click()
            page.get_by_role("button", name="Use it", exact=True).click()
            while not enough.is_set():
                page.get_by_role("button", name="Make 4 portraits", exact=True).click(timeout=60_000)
                begun.set()
                page.get_by_role("button", name="Make again", exact=True).click(timeout=120_000)
                made.append(1)
            browser.close()

    begun, made = threading.Event(), list[int]()
    thread = threading.Thread(target=visit, daemon=True)
    thread.start()
    begun.wait(120)
    yield
    enough.set()
    thread.join(120)
    print(f"    meanwhile {4 * len(made)} portraits were drawn")


async def flood(port: int, folder: Path, clients: int, each: int) -> float:
    """Votes a second of clients that each send for one new voter after the other."""
    round_id, code = await asyncio.to_thread(command, port, "open"), code_of(folder)
    body = f'{{"round":"{round_id}","answer":"generated"}}'.encode()

    async def client() -> None:
        one = Connection(port)
        for _ in range(each):
            one.cookie = f"face_value_voter={random.getrandbits(128):022x}"[:39] + f".{code}"
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


def killed(folder: Path, port: int, times: int) -> None:
    """`kill -9` in mid-vote; what was acknowledged must be there, and the round goes on."""
    acknowledged, back_s = set[str](), []
    with serving(folder, port):
        round_id = command(port, "open")
    for _ in range(times):
        died = time.monotonic()
        with serving(folder, port) as app:
            back_s.append(time.monotonic() - died)
            asyncio.run(until_killed(app, port, round_id, code_of(folder), acknowledged))
    with Store(f"sqlite:///{folder}/votes.sqlite3") as store:
        kept = [str(one.voter) for one in store.guesses() if one.round == round_id]
    print(
        f"  {times} x kill -9 in mid-vote: {len(acknowledged)} votes acknowledged, "
        f"{len(acknowledged - set(kept))} lost, {len(kept) - len(set(kept))} double; ready again after "
        f"{max(back_s):.1f} s at most"
    )


async def until_killed(
    app: "subprocess.Popen[bytes]", port: int, round_id: str, code: str, acknowledged: set[str]
) -> None:
    """Eight clients vote until the server dies under them."""
    body = f'{{"round":"{round_id}","answer":"generated"}}'.encode()

    async def client() -> None:
        one = Connection(port)
        with suppress(OSError):
            while True:
                voter = f"{random.getrandbits(88):022x}"
                one.cookie = f"face_value_voter={voter}.{code}"
                status, _ = await one.ask("POST", "/api/guess", body)
                if status == 200:
                    acknowledged.add(voter)

    async def killer() -> None:
        await asyncio.sleep(random.uniform(0.2, 0.8))
        app.send_signal(signal.SIGKILL)

    await asyncio.gather(killer(), *(client() for _ in range(8)))


def free_port() -> int:
    """One that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def main() -> None:
    """Print every figure with its goal."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--phones", type=int, default=1000)
    options.add_argument("--within", type=float, default=10.0, help="seconds")
    options.add_argument("--kills", type=int, default=10)
    given = options.parse_args()
    print(f"Server only, {platform.processor() or platform.machine()}, {os.cpu_count()} cores:")
    with tempfile.TemporaryDirectory() as name:
        folder, port = Path(name), free_port()
        with serving(folder, port):
            print(f"  {given.phones} phones within {given.within:.0f} s, alone:")
            polls, votes = asyncio.run(hall(port, folder, given.phones, given.within))
            print(f"    votes {votes}; polls {polls}; goal p95 {GOAL_MS:.0f} ms")
            print("  the same while portraits are drawn:")
            with drawing(port):
                polls, votes = asyncio.run(hall(port, folder, given.phones, given.within))
            print(f"    votes {votes}; polls {polls}; goal p95 {GOAL_MS:.0f} ms")
            compare(port, folder)
        killed(folder / "killed", port, given.kills)


if __name__ == "__main__":
    main()
