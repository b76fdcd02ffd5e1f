"""Selfies come in through the page's own routes: bounded, judged at once, and only for one's own visit."""

import asyncio
import io
import logging
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from starlette.applications import Starlette
from starlette.testclient import TestClient

from booth.album import Album
from booth.visit import Visit
from booth.visits import Visits
from pages.booth.uploads import Intake
from pages.guards.error_boundary import ErrorBoundary
from pipelines.selfie.face import FaceFinder
from pipelines.selfie.photo import MAX_BYTES
from pipelines.selfie.samples import SAMPLES, sample
from tests.hostile import REFUSED, card, encoded
from words import read_words

pytestmark = pytest.mark.draws

WORDS = read_words()


@pytest.fixture
def album(tmp_path: Path) -> Album:
    return Album(tmp_path / "sittings", 30, 12)


@pytest.fixture
def visits(album: Album) -> Visits:
    return Visits(album, 30)


@pytest.fixture
def client(visits: Visits, finder: FaceFinder) -> TestClient:
    return TestClient(Starlette(routes=Intake(visits, finder, ErrorBoundary(WORDS), WORDS).routes()))


@pytest.fixture
def visit(visits: Visits) -> Visit:
    visit = visits.of("one", "page")
    visit.consent(True)
    return visit


def face(name: str = "astronaut") -> bytes:
    return encoded(sample(name).pixels, "png")


def send(client: TestClient, visit: Visit, content: bytes) -> Any:
    return client.post("/selfies", content=content, headers={"X-Ticket": visit.ticket})


def test_a_good_selfie_is_taken_into_memory_and_its_thumbnail_into_the_album(
    client: TestClient, visit: Visit, album: Album, tmp_path: Path
) -> None:
    answer = send(client, visit, face())
    assert answer.status_code == 200
    told = answer.json()
    assert told["verdict"] == WORDS.say("camera.good")
    assert told["url"] == f"pictures/{told['id']}"
    assert np.array_equal(visit.selfies[0].face.photo.pixels, sample("astronaut").pixels)
    kept = album.get(told["id"])
    assert kept is not None
    thumbnail = Image.open(io.BytesIO(kept.jpeg))
    assert thumbnail.size == (384, 480)
    assert "exif" not in thumbnail.info
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 1  # the thumbnail only


def test_a_selfie_arrives_as_it_was_sent_left_stays_left_and_red_red(
    client: TestClient, visit: Visit
) -> None:
    pixels = sample("astronaut").pixels.copy()
    pixels[:, :40], pixels[:, -40:] = (255, 0, 0), (0, 0, 255)
    assert send(client, visit, encoded(pixels, "png")).status_code == 200
    kept = visit.selfies[0].face.photo.pixels
    assert (tuple(kept[250, 5]), tuple(kept[250, -5])) == ((255, 0, 0), (0, 0, 255))


@pytest.mark.parametrize("ticket", ["", "guessed", "é", "../../etc/passwd"])
def test_without_a_ticket_nothing_is_taken(client: TestClient, visit: Visit, ticket: str) -> None:
    headers = {"X-Ticket": ticket.encode("latin-1")}
    for answer in (
        client.post("/selfies", content=face(), headers=headers),
        client.post("/selfies/sample/hopper", headers=headers),
    ):
        assert answer.status_code == 404
        assert answer.json()["error"] == WORDS.say("visit.over")
    assert visit.selfies == ()


def test_without_consent_nothing_is_taken(client: TestClient, visits: Visits, tmp_path: Path) -> None:
    visit = visits.of("one", "page")
    for answer in (
        send(client, visit, face()),
        client.post("/selfies/sample/hopper", headers={"X-Ticket": visit.ticket}),
    ):
        assert answer.status_code == 403
        assert answer.json()["error"] == WORDS.say("consent.missing")
    assert visit.selfies == ()
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_a_hostile_file_is_refused_by_the_sentence_that_fits(
    client: TestClient, visit: Visit, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    make, key = REFUSED[name]
    answer = send(client, visit, make())
    assert answer.status_code == 422
    assert answer.json()["error"].startswith(WORDS.template(key).partition("{")[0])
    assert visit.selfies == ()
    assert [one for one in caplog.records if one.levelno >= logging.ERROR] == []


def test_a_photo_is_answered_in_the_visitors_language(client: TestClient, visit: Visit) -> None:
    visit.speak("de")
    assert send(client, visit, face()).json()["verdict"] == WORDS.say("camera.good", "de")
    refused = send(client, visit, encoded(card(640, 800), "png"))
    assert refused.json()["error"] == WORDS.say("face.none", "de")


def test_a_picture_without_a_face_is_answered_at_once_and_not_kept(
    client: TestClient, visit: Visit, tmp_path: Path
) -> None:
    answer = send(client, visit, encoded(card(640, 800), "png"))
    assert (answer.status_code, answer.json()["error"]) == (422, WORDS.say("face.none"))
    assert visit.selfies == ()
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_fifth_photo_is_refused_and_leaves_no_thumbnail(
    client: TestClient, visit: Visit, tmp_path: Path
) -> None:
    answers = [send(client, visit, face()) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200] * 4 + [422]
    assert answers[-1].json()["error"] == WORDS.say("file.many", n=5)
    assert len([path for path in tmp_path.rglob("*.jpg")]) == 4


def test_a_ground_that_leaves_a_trace_earns_advice_and_the_photo_is_taken(
    client: TestClient, visit: Visit
) -> None:
    answer = send(client, visit, face("hopper"))  # a flag, and grey hair before it
    assert answer.status_code == 200
    assert answer.json()["note"] == WORDS.say("camera.wall")
    assert len(visit.selfies) == 1


def test_a_quiet_ground_and_a_sample_face_earn_none(client: TestClient, visit: Visit) -> None:
    quiet = send(client, visit, face("astronaut"))
    example = client.post("/selfies/sample/hopper", headers={"X-Ticket": visit.ticket})
    assert quiet.status_code == example.status_code == 200
    assert "note" not in quiet.json() | example.json()


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_a_sample_face_is_as_good_as_a_selfie_and_known_as_one(
    client: TestClient, visit: Visit, name: str
) -> None:
    answer = client.post(f"/selfies/sample/{name}", headers={"X-Ticket": visit.ticket})
    assert answer.status_code == 200
    assert visit.selfies[0].is_sample


@pytest.mark.parametrize("name", ["nobody", "..%2f..%2fetc%2fpasswd", "astronaut.png"])
def test_no_other_file_can_be_had_as_a_sample(client: TestClient, visit: Visit, name: str) -> None:
    answer = client.post(f"/selfies/sample/{name}", headers={"X-Ticket": visit.ticket})
    assert answer.status_code == 404
    assert visit.selfies == ()


def test_a_selfie_can_be_taken_back_but_not_somebody_elses(
    client: TestClient, visit: Visit, visits: Visits, album: Album
) -> None:
    picture = send(client, visit, face()).json()["id"]
    other = visits.of("two", "page two")
    stolen = client.delete(f"/selfies/{picture}", headers={"X-Ticket": other.ticket})
    assert stolen.status_code == 404
    assert album.get(picture) is not None
    assert client.delete(f"/selfies/{picture}", headers={"X-Ticket": visit.ticket}).status_code == 200
    assert album.get(picture) is None
    assert client.delete(f"/selfies/{picture}", headers={"X-Ticket": visit.ticket}).status_code == 404


def test_reading_stops_where_a_file_becomes_too_big(visits: Visits, visit: Visit, finder: FaceFinder) -> None:
    routes = Starlette(routes=Intake(visits, finder, ErrorBoundary(WORDS), WORDS).routes())
    headers = [(b"x-ticket", visit.ticket.encode())]
    scope = {"type": "http", "method": "POST", "path": "/selfies", "query_string": b"", "headers": headers}
    sent, answers = [0], list[Any]()

    async def endless() -> dict[str, Any]:
        sent[0] += 2**20
        return {"type": "http.request", "body": b"\xff\xd8\xff" + bytes(2**20 - 3), "more_body": True}

    async def answer(message: Any) -> None:
        answers.append(message)

    asyncio.run(routes(scope, endless, answer))
    assert sent[0] <= MAX_BYTES + 2**21
    assert answers[0]["status"] == 422
    assert WORDS.say("file.big", mb=MAX_BYTES // 2**20) in answers[1]["body"].decode()


def test_a_failure_of_ours_is_one_sentence_with_an_id_that_the_log_has_too(
    client: TestClient, visit: Visit, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("pages.booth.uploads.read_photo", lambda data: 1 / 0)
    answer = send(client, visit, b"x")
    found = re.search(r"\((\w+)\)", answer.json()["error"])
    assert found is not None
    (entry,) = [one for one in caplog.records if "ZeroDivisionError" in one.getMessage()]
    assert found[1] in entry.getMessage()
    assert "ZeroDivisionError" not in answer.text
