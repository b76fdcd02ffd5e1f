"""Phones of a hall, all in this process, each at an address of its own, as its page would behave."""

import asyncio
import json
import random
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field

from bench.apps import Apps
from votes.schema import Kind, Source
from votes.store import Store

POLL_S = 1.75  # a phone's mean: `PAUSE_MS` and half of `SPREAD_MS` in pages/phone/phone.js
AGAIN_S = 2.5  # from a refused vote to the next try, its mean there
TICK_S = 0.02
AGREE_S = 10.0


class Connection:
    """One keep-alive connection, with as little work on this side as HTTP allows."""

    def __init__(self, port: int, address: str = "127.0.0.1") -> None:
        """`address` is where it comes from: any of 127.0.0.0/8 is this machine's."""
        self._port = port
        self._address = address
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self.cookie = ""

    async def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, bytes]:
        """Status and body. Raises `OSError` when the server is gone.

        As a browser does, it asks again where a connection that was kept turns out to be closed: the server
        keeps one for five seconds.
        """
        if self._streams is not None:
            with suppress(OSError):
                return await self._ask_once(method, path, body, **headers)
        return await self._ask_once(method, path, body, **headers)

    async def _ask_once(self, method: str, path: str, body: bytes, **headers: str) -> tuple[int, bytes]:
        if self._streams is None:
            self._streams = await asyncio.open_connection(
                "127.0.0.1", self._port, local_addr=(self._address, 0)
            )
        reader, writer = self._streams
        lines = [f"{method} {path} HTTP/1.1", "Host: localhost", f"Content-Length: {len(body)}"]
        lines += [f"Cookie: {self.cookie}"] if self.cookie else []
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        try:
            writer.write("\r\n".join([*lines, "", ""]).encode() + body)
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            length = 0
            for line in head.split("\r\n")[1:]:
                name, _, value = line.partition(": ")
                if name.lower() == "content-length":
                    length = int(value)
                if name.lower() == "set-cookie" and "voter" in value:
                    self.cookie = value.split(";")[0]
            return int(head.split()[1]), await reader.readexactly(length)
        except (asyncio.IncompleteReadError, OSError) as error:
            self.hang_up()
            raise OSError("the server is gone") from error

    def hang_up(self) -> None:
        """The next request opens another."""
        if self._streams:
            self._streams[1].close()
        self._streams = None

    @property
    def voter(self) -> str:
        """The id that the cookie was given for."""
        return self.cookie.partition("=")[2].split(".")[0]


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


@dataclass
class Hall:
    """What the phones of one round were answered, and how fast."""

    round_id: str
    code: str
    within: float  # seconds
    pages: Times = field(default_factory=Times)
    polls: Times = field(default_factory=Times)
    votes: Times = field(default_factory=Times)
    late: Times = field(default_factory=Times)  # how late this process woke: its own share in every time
    acknowledged: dict[str, str] = field(default_factory=dict)  # by voter, the answer
    trouble: Counter[str] = field(default_factory=Counter)  # what was not answered with 200

    async def ask(self, line: Connection, times: Times, method: str, path: str, body: bytes = b"") -> bool:
        """Whether it was answered, with 200; its time counts then."""
        began = time.perf_counter()
        try:
            status, _ = await line.ask(
                method, path, body, Accept_Encoding="gzip", Content_Type="application/json"
            )
        except OSError:
            status = 0
        if status == 200:
            times.ms.append(1000 * (time.perf_counter() - began))
        else:
            self.trouble[f"{path.partition('?')[0]} {status or 'no connection'}"] += 1
        return status == 200

    async def phone(self, line: Connection) -> None:
        """Open the page, poll, vote once at a moment of chance, poll on."""
        over = time.monotonic() + self.within
        await asyncio.sleep(random.uniform(0, self.within / 2))
        while not await self.ask(line, self.pages, "GET", f"/{self.code}"):
            await asyncio.sleep(AGAIN_S)
        vote_at: float | None = random.uniform(time.monotonic(), over)
        while time.monotonic() < over or vote_at:
            if vote_at and time.monotonic() >= vote_at:
                vote_at = None if await self.vote(line) else time.monotonic() + AGAIN_S
            await self.ask(line, self.polls, "GET", "/api/round")
            await asyncio.sleep(POLL_S * random.uniform(0.85, 1.15))

    async def vote(self, line: Connection) -> bool:
        """Whether it was acknowledged."""
        answer = random.choice(list(Kind)).value
        body = f'{{"round":"{self.round_id}","answer":"{answer}"}}'.encode()
        is_kept = await self.ask(line, self.votes, "POST", "/api/guess", body)
        if is_kept:
            self.acknowledged[line.voter] = answer
        return is_kept

    async def watch_itself(self) -> None:
        """For ever."""
        while True:
            began = time.perf_counter()
            await asyncio.sleep(TICK_S)
            self.late.ms.append(1000 * (time.perf_counter() - began - TICK_S))

    def look_up(self, database: str) -> str:
        """What of it is in the database: lost is who is not there with the answer that was acknowledged."""
        with Store(database) as store:
            kept = [one for one in store.guesses() if one.round == self.round_id]
        by_voter = {str(one.voter): one.answer.value for one in kept}
        lost = sum(by_voter.get(voter) != answer for voter, answer in self.acknowledged.items())
        double = len(kept) - len(self.acknowledged)
        apart = sum(one.source != Source.PHONE for one in kept)
        told = f"{len(self.acknowledged)} votes acknowledged, {lost} lost, {double} double"
        return f"{told}, {apart} counted apart"


async def fill(apps: Apps, phones: int, within: float) -> Hall:
    """As many phones as that in one round, each at one of the apps."""
    hall = Hall(await asyncio.to_thread(apps.command, "open"), apps.code(), within)
    watching = asyncio.create_task(hall.watch_itself())
    lines = [Connection(apps.ports[i % len(apps.ports)], address(i)) for i in range(phones)]
    await asyncio.gather(*(hall.phone(line) for line in lines))
    watching.cancel()
    for line in lines:
        line.hang_up()
    await agree(apps, phones)
    for _ in range(4):
        await asyncio.to_thread(apps.command, "reveal")
    return hall


async def agree(apps: Apps, answers: int) -> None:
    """Every app counts all the answers, whichever took them. Raises `SystemExit` where one does not."""
    late = time.monotonic() + AGREE_S
    for port in apps.ports:
        while json.loads((await Connection(port).ask("GET", "/api/round"))[1])["answers"] != answers:
            if time.monotonic() > late:
                raise SystemExit(f"the app at {port} does not count {answers} answers")
            await asyncio.sleep(0.1)


def address(i: int) -> str:
    """One of this machine's own, for each phone another: a limit of a network counts each for itself."""
    return f"127.0.{1 + i // 250}.{1 + i % 250}"
