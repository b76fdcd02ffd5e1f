"""What a phone, the stage or the booth can learn of a round's picture from its bytes: nothing of the truth.

The deck's files are signed as they are when somebody takes them home, so every mark there is could slip in.
"""

import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.testclient import TestClient

from booth.album import Album
from booth.catalogue import Catalogue
from booth.deck import read_deck
from pages.board import Board
from pages.host.login import RequireHost
from pages.host.routes import Commands
from pages.phone.routes import Phones
from pages.stage.routes import Stage
from pipelines.marks.note import SOFTWARE, SOURCES
from pipelines.marks.verify import Proof, ProofVerdict, prove
from pipelines.selfie.photo import Photo, jpeg_segments
from services import Services
from settings import Settings
from tests.test_booth import sat_down, visit_of
from tests.test_booth import services as services  # the fixture
from votes.room import Room
from votes.schema import Kind
from votes.store import Store
from words import read_words

WORDS = read_words()
KEY = {"Authorization": "Bearer the host's key"}
TRACES = (b"c2pa", b"jumb", b"xmp", b"Exif", b"ICC_PROFILE", b"Adobe", SOFTWARE.encode())
SCAN, END = 0xDA, b"\xff\xd9"
LIST = """
[[item]]
file = "one.jpg"
truth = "photograph"
credit = "NASA"
licence = "public domain"
[[item]]
file = "two.jpg"
truth = "generated"
credit = "NASA"
licence = "public domain"
"""


@pytest.fixture
def signed(services: Services, astronaut: Photo, tmp_path: Path) -> Iterator[Services]:
    """A services whose deck holds a signed plate, and a signed portrait that is softer, as portraits are."""
    folder = tmp_path / "deck"
    folder.mkdir()
    plate = np.ascontiguousarray(astronaut.pixels[:, 50:460])
    portrait = np.ascontiguousarray(cv2.GaussianBlur(plate, (0, 0), 1.2))
    (folder / "deck.toml").write_text(LIST)
    (folder / "one.jpg").write_bytes(services.signer.sign(plate, "plate", format="JPEG"))
    (folder / "two.jpg").write_bytes(
        services.signer.sign(portrait, "generated", services.generator.model_set, format="JPEG")
    )
    deck = read_deck(folder)
    catalogue = Catalogue(deck, Album(tmp_path / "none", 30, 12))
    with Store("sqlite://") as store:
        board = Board(Room(store, catalogue), catalogue, Settings())
        yield replace(services, deck=deck, store=store, board=board)


@pytest.fixture
def room(signed: Services) -> Iterator[TestClient]:
    routes = [*Phones(signed).routes(), *Stage(signed).routes(), *Commands(signed).routes()]
    hosts_only = Middleware(RequireHost, signed.host_auth, WORDS)
    with TestClient(Starlette(routes=routes, middleware=[hosts_only])) as client:
        yield client


def making_of(jpeg: bytes) -> tuple[tuple[bytes, ...], int, bytes]:
    """All of a JPEG but its compressed picture: each segment as it is, how long, and what follows the end."""
    segments = list(jpeg_segments(jpeg))
    end = jpeg.rindex(END) + len(END)
    return tuple(jpeg[start:stop] for _, start, stop in segments), len(jpeg), jpeg[end:].strip(b"\0")


def shown(room: TestClient, signed: Services) -> dict[Kind, dict[str, bytes]]:
    """What phone and stage get of each round while it is open, by its truth."""
    found: dict[Kind, dict[str, bytes]] = {}
    for _ in signed.deck.groups:
        round_id = room.post("/api/host/open", headers=KEY).json()["round"]
        item = signed.board.catalogue.item(signed.board.room.snapshot().room.item or "")
        assert item is not None
        places = ("round", "stage")
        found[item.truth] = {place: room.get(f"/{place}/{round_id}.jpg").content for place in places}
        for command in ("close", "reveal", "reveal", "reveal", "reveal"):
            room.post(f"/api/host/{command}", headers=KEY)
    assert set(found) == set(Kind)
    return found


def test_a_phone_cannot_read_the_truth_out_of_the_bytes(room: TestClient, signed: Services) -> None:
    found = shown(room, signed)
    for place in ("round", "stage"):
        photograph, generated = (found[kind][place] for kind in (Kind.PHOTOGRAPH, Kind.GENERATED))
        assert making_of(photograph) == making_of(generated)
        for file in (photograph, generated):
            assert prove(file, signed.signer.own_chain()) == Proof(ProofVerdict.NONE)
            assert not [trace for trace in TRACES if trace in file]
            assert not [term for term in SOURCES.values() if term.encode() in file]
            assert making_of(file)[2] == b""
            kept = {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
            assert set(Image.open(io.BytesIO(file)).info) == kept


def test_the_booths_own_question_is_as_silent(signed: Services) -> None:
    cards = [card for group in signed.deck.groups for card in group]
    files = [signed.deck.jpeg(card) for card in cards]
    assert {card.item.truth for card in cards} == set(Kind)
    assert making_of(files[0]) == making_of(files[1])
    assert [prove(file, signed.signer.own_chain()) for file in files] == [Proof(ProofVerdict.NONE)] * 2


def test_a_sitters_own_pair_is_as_silent(services: Services, astronaut: Photo) -> None:
    sat_down(services, astronaut, "1")
    made = visit_of(services).finished_making().result()
    exhibits = made.pairs[0].exhibits
    assert making_of(exhibits[Kind.PHOTOGRAPH]) == making_of(exhibits[Kind.GENERATED])
    assert {prove(file, services.signer.own_chain()) for file in exhibits.values()} == {
        Proof(ProofVerdict.NONE)
    }


def test_what_is_taken_home_has_the_mark_that_the_round_had_not(signed: Services) -> None:
    kept = [card.path.read_bytes() for group in signed.deck.groups for card in group]
    proofs = {prove(file, signed.signer.own_chain()) for file in kept}
    assert proofs == {Proof(ProofVerdict.OURS, "photograph"), Proof(ProofVerdict.OURS, "ai")}
