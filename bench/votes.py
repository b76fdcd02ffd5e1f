"""A hall of phones at once: `python -m bench.votes`. Server only: what a hall's Wi-Fi adds is not in it.

In one run, on this machine: 1,000 phones that open the page, poll and vote within 10 s, first alone, then
while portraits are drawn in the same process; and votes a second with 50 clients, against a queued event of
Gradio's. With `--apps 2` instead: 3,000 phones at two apps on one PostgreSQL, then the same at one app on
SQLite. Every acknowledged vote is looked up in the database afterwards.
"""

import argparse
import asyncio
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from bench.apps import PATIENCE_S, ROOT, Apps, cpu_s, free_port, new_cookie, serving
from bench.busy_booth import DRAW, DRAWN
from bench.phones import Connection, fill
from bench.postgres import Server, running_server

GOAL_MS, GOAL_RATIO = 50.0, 30.0
SITTINGS = 4  # before the phones come
CLIENTS, EACH = 50, 40


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


async def flood(apps: Apps, clients: int, each: int) -> float:
    """Votes a second of clients that each send for one new voter after the other."""
    round_id, code = await asyncio.to_thread(apps.command, "open"), apps.code()
    body = f'{{"round":"{round_id}","answer":"generated"}}'.encode()
    voters = apps.voters()

    async def client() -> None:
        one = Connection(apps.ports[0])
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


def compare(apps: Apps, folder: Path) -> None:
    """Our route and Gradio's queue, the same votes into the same kind of database."""
    ours = asyncio.run(flood(apps, CLIENTS, EACH))
    other = free_port()
    url = f"sqlite:///{folder}/queued.sqlite3"
    with subprocess.Popen([sys.executable, "-c", QUEUED, str(other), url], cwd=ROOT) as app:
        try:
            for _ in range(PATIENCE_S * 4):
                with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{other}/config"):
                    break
                time.sleep(0.25)
            theirs = asyncio.run(queued(other, CLIENTS, EACH // 10))
        finally:
            app.kill()
    print(
        f"  {CLIENTS} clients: route {ours:.0f} votes/s, queued event {theirs:.1f}/s: {ours / theirs:.0f}x "
        f"(goal {GOAL_RATIO:.0f}x)"
    )


def measure(apps: Apps, phones: int, within: float, server: Server | None = None) -> None:
    """Print what a hall of phones was answered, and what that cost whom."""
    processes = {f"app {i}": app.pid for i, app in enumerate(apps.processes, 1)}
    if server:
        processes["PostgreSQL"] = server.pid
    before, own = {name: cpu_s(pid) for name, pid in processes.items()}, time.process_time()
    hall = asyncio.run(fill(apps, phones, within))
    spent = [f"{name} {cpu_s(pid) - before[name]:.1f}" for name, pid in processes.items()]
    trouble = ", ".join(f"{n} x {what}" for what, n in hall.trouble.items())
    print(f"    {hall.look_up(apps.database)}; refused: {trouble or 'nothing'}")
    print(f"    votes {hall.votes}; polls {hall.polls}; goal p95 {GOAL_MS:.0f} ms; pages {hall.pages}")
    spent.append(f"the phones' process {time.process_time() - own:.1f}")
    print(f"    processor seconds: {', '.join(spent)}, which woke late by {hall.late}")


def prices(apps: Apps, server: Server) -> None:
    """Print what one request of each kind costs the first app and PostgreSQL, in processor time."""
    code, voters, round_id = apps.code(), apps.voters(), apps.command("open")
    vote = f'{{"round":"{round_id}","answer":"generated"}}'.encode()
    kinds = {"page": ("GET", f"/{code}"), "poll": ("GET", "/api/round")}
    kinds |= {"picture": ("GET", f"/round/{round_id}.jpg"), "vote": ("POST", "/api/guess")}

    async def client(method: str, path: str) -> None:
        one = Connection(apps.ports[0])
        for _ in range(EACH):
            one.cookie = new_cookie(voters, code)[1]
            await one.ask(method, path, vote if method == "POST" else b"", Accept_Encoding="gzip")

    async def all_of_them(method: str, path: str) -> None:
        await asyncio.gather(*(client(method, path) for _ in range(CLIENTS)))

    for kind, asked in kinds.items():
        pids = apps.processes[0].pid, server.pid
        before, began = [cpu_s(pid) for pid in pids], time.monotonic()
        asyncio.run(all_of_them(*asked))
        took = time.monotonic() - began
        app, database = (
            1000 * (cpu_s(pid) - then) / (CLIENTS * EACH) for pid, then in zip(pids, before, strict=True)
        )
        print(
            f"    a {kind}: app {app:.2f}, PostgreSQL {database:.2f} ms of a processor; "
            f"{CLIENTS * EACH / took:.0f} a second, {CLIENTS} clients at one app"
        )


def one_app(folder: Path, phones: int, within: float) -> None:
    """An app alone, then while it draws, then against Gradio's queue."""
    with serving([folder], "bench.busy_booth") as apps:
        print(f"  {phones} phones within {within:.0f} s, alone:")
        measure(apps, phones, within)
        print("  the same while portraits are drawn:")
        with drawing(folder):
            measure(apps, phones, within)
        compare(apps, folder)


def several_apps(folder: Path, count: int, phones: int, within: float) -> None:
    """Several apps on PostgreSQL, then one on SQLite. Both keep a commit through a loss of power."""
    print(f"  {phones} phones within {within:.0f} s; they and the servers share the cores. ", end="")
    print(f"{count} apps on one PostgreSQL:")
    folders = [folder / str(i) for i in range(count)]
    with running_server() as server, serving(folders, database=server.url) as apps:
        measure(apps, phones, within, server)
        print(f"    connections that the apps keep to it: {server.connections()}")
        prices(apps, server)
    print("  one app on SQLite:")
    with serving([folder / "alone"]) as apps:
        measure(apps, phones, within)


def main() -> None:
    """Print every figure with its goal."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--apps", type=int, default=1, help="on one PostgreSQL, where there are several")
    options.add_argument("--phones", type=int, help="1000, or 3000 for several apps")
    options.add_argument("--within", type=float, default=10.0, help="seconds")
    given = options.parse_args()
    print(f"Server only, {platform.processor() or platform.machine()}, {os.cpu_count()} cores:")
    with tempfile.TemporaryDirectory() as name:
        if given.apps == 1:
            one_app(Path(name), given.phones or 1000, given.within)
        else:
            several_apps(Path(name), given.apps, given.phones or 3000, given.within)


if __name__ == "__main__":
    main()
