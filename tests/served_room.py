"""The room's own routes on a port of this process: stage, phones, host's commands, health. No booth."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette

from booth.album import Album
from booth.catalogue import Catalogue
from pages.board import Board
from pages.guards.host_auth import HostAuth
from pages.guards.voters import Voter, Voters
from pages.health import health_route
from pages.host.routes import Commands
from pages.phone.routes import Phones
from pages.stage.routes import Stage
from pages.theme import style_routes
from pipelines.draw.model_set import read_model_sets
from pipelines.look import read_looks
from settings import Settings
from tests.decks import STARTER, read_once
from tests.forwarder import Forwarder, forwarding
from votes.room import Room
from votes.schema import VoterId
from votes.store import Store
from words import read_words

KEY = "a key for the test"
HOST = {"Authorization": f"Bearer {KEY}"}


@dataclass(frozen=True)
class ServedRoom:
    """Where it is, and what it works with."""

    port: int
    store: Store
    board: Board
    album: Album
    voters: Voters

    @property
    def room(self) -> Room:
        return self.board.room

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    @property
    def code(self) -> str:
        """Of the room, as it was known last."""
        return self.room.latest.value.room.code

    def open(self) -> str:
        """A new round, which takes answers."""
        with httpx.Client(base_url=self.url, headers=HOST, timeout=30) as host:
            host.post("api/host/close")
            return str(host.post("api/host/open").json()["round"])

    def cookie(self, name: str) -> str:
        """Of a phone that was let in."""
        return self.voters.cookie(Voter(VoterId(f"{name:_<22}"), self.code)).split(";")[0]

    def name_of(self, voter: str) -> str:
        """The name that this cookie was made of."""
        return voter.rstrip("_")


def serve_room(store: Store, album: Album, deck: Path = STARTER) -> tuple[Starlette, Board, Voters]:
    """The routes, the board behind them, and who signs its voters' cookies."""
    catalogue = Catalogue(read_once(deck), album)
    board = Board(Room(store, catalogue), catalogue, Settings())
    voters = Voters(store.voters_secret(), 1000, False, board.room.pardoned_until)
    words = read_words()
    services: Any = SimpleNamespace(
        words=words,
        settings=Settings(),
        looks=read_looks(),
        look_titles={name: words.say(f"looks.{name}") for name in read_looks()},
        model_titles={name: words.say(f"model_sets.{name}") for name in read_model_sets()},
        store=store,
        board=board,
        visits=None,
        host_auth=HostAuth(KEY),
        voters=voters,
    )
    models: Any = SimpleNamespace(state="ready", reason="")
    routes = [
        *Phones(services).routes(),
        *Stage(services).routes(),
        *Commands(services).routes(),
        *style_routes(),
        health_route(models, store, "mini", "1.0"),
    ]
    return Starlette(routes=routes), board, voters


@contextmanager
def served_room(url: str, folder: Path, deck: Path = STARTER) -> Iterator[ServedRoom]:
    """Until the block ends."""
    with Store(url) as store:
        album = Album(folder / "album", 30, 12)
        app, board, voters = serve_room(store, album, deck)
        server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", timeout_graceful_shutdown=1))
        thread = threading.Thread(target=server.run)
        thread.start()
        try:
            while not server.started:
                time.sleep(0.01)
            port = server.servers[0].sockets[0].getsockname()[1]
            yield ServedRoom(port, store, board, album, voters)
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[ServedRoom]:
    with served_room(f"sqlite:///{tmp_path}/votes.sqlite3", tmp_path) as served:
        yield served


@pytest.fixture
def way(served: ServedRoom) -> Iterator[Forwarder]:
    """What stands between browsers and the room."""
    with forwarding(("127.0.0.1", served.port)) as way:
        yield way
