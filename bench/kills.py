"""`kill -9` in mid-vote, a hundred times: `python -m bench.kills`. On two cores each takes eleven seconds.

A stage and a phone stay open in a browser all the while. After each kill the app is started anew; what is
measured is how long after the first answer of `/healthz` both pages are back by themselves. Afterwards every
vote that was acknowledged is looked up in the database.
"""

import argparse
import asyncio
import os
import random
import signal
import statistics
import subprocess
import tempfile
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from bench.apps import LOG, PATIENCE_S, Apps, free_port, new_cookie, started
from bench.phones import Connection
from pages.guards.voters import Voters
from votes.store import Store

CLIENTS = 8
LIVES_S = (0.5, 2.0)  # of a server, once both pages are back
GOAL_S = 5.0
IS_BACK = {
    "stage": "!document.getElementById('keys').dataset.lost && !!document.querySelector('.count')",
    "phone": "!!document.querySelector('[data-answer]') && document.getElementById('s').textContent !== "
    "JSON.parse(document.getElementById('w').textContent).offline",
}


def healthy(port: int, folder: Path) -> float:
    """The moment of the first answer of `/healthz`."""
    began = time.monotonic()
    while time.monotonic() - began < PATIENCE_S:
        with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5):
            return time.monotonic()
        time.sleep(0.02)
    raise SystemExit(f"the app does not come back: {(folder / LOG).read_text()[-2000:]}")


def opened(browser: Browser, url: str) -> Page:
    """A page on that address."""
    page = browser.new_page()
    page.goto(url)
    return page


def vote_until_killed(
    app: "subprocess.Popen[bytes]",
    port: int,
    round_id: str,
    voters: Voters,
    code: str,
    acknowledged: set[str],
) -> None:
    """Clients vote, each for one new voter after the other, until the server dies under them."""
    body = f'{{"round":"{round_id}","answer":"generated"}}'.encode()

    async def client() -> None:
        one = Connection(port)
        with suppress(OSError):
            while True:
                voter, one.cookie = new_cookie(voters, code)
                status, _ = await one.ask("POST", "/api/guess", body)
                if status == 200:
                    acknowledged.add(voter)

    async def killer() -> None:
        await asyncio.sleep(random.uniform(*LIVES_S))
        app.send_signal(signal.SIGKILL)

    async def both() -> None:
        await asyncio.gather(killer(), *(client() for _ in range(CLIENTS)))

    asyncio.run(both())
    app.wait()


def run(folder: Path, kills: int) -> tuple[str, set[str], dict[str, list[float]]]:
    """Round, acknowledged voters, and seconds until each page was back after each start."""
    port, acknowledged = free_port(), set[str]()
    apps = Apps((port,), f"sqlite:///{folder}/votes.sqlite3")
    back: dict[str, list[float]] = {name: [] for name in IS_BACK}
    app = started(folder, port)
    healthy(port, folder)
    round_id, code = apps.command("open"), apps.code()
    voters = apps.voters()
    with sync_playwright() as playwright, ThreadPoolExecutor(1) as voting:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        addresses = {"stage": "stage", "phone": code}
        pages = {name: opened(browser, f"http://127.0.0.1:{port}/{addresses[name]}") for name in IS_BACK}
        for kill in range(kills):
            voting.submit(vote_until_killed, app, port, round_id, voters, code, acknowledged).result()
            app = started(folder, port)
            there = healthy(port, folder)
            for name, page in pages.items():
                page.wait_for_function(IS_BACK[name], timeout=60_000, polling=20)
                back[name].append(time.monotonic() - there)
            print(f"\r{kill + 1} of {kills}", end="", flush=True)
        browser.close()
    app.kill()
    app.wait()
    return round_id, acknowledged, back


def main() -> None:
    """Print every figure with its goal."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--kills", type=int, default=100)
    kills = options.parse_args().kills
    with tempfile.TemporaryDirectory() as name:
        round_id, acknowledged, back = run(Path(name), kills)
        with Store(f"sqlite:///{name}/votes.sqlite3") as store:
            kept = [str(one.voter) for one in store.guesses() if one.round == round_id]
    print(
        f"\r{kills} x kill -9 in mid-vote, {os.cpu_count()} cores: {len(acknowledged)} votes acknowledged, "
        f"{len(acknowledged - set(kept))} lost, {len(kept) - len(set(kept))} double"
    )
    for page, seconds in back.items():
        print(
            f"  {page} back after /healthz: median {statistics.median(seconds):.1f} s, "
            f"at most {max(seconds):.1f} s (goal {GOAL_S:.0f} s)"
        )


if __name__ == "__main__":
    main()
