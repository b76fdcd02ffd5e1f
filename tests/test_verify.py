"""The page that checks a picture: what it answers, what it keeps (nothing), and whom it lets in."""

import io
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from markupsafe import escape
from PIL import Image
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.testclient import TestClient

from pages.guards.error_boundary import ErrorBoundary
from pages.guards.gate import MOST_BYTES, Gate
from pages.theme import style_routes
from pages.verify import routes as verify
from pages.verify.routes import Checks
from pipelines.draw.model_set import read_model_sets
from pipelines.marks.note import mark
from pipelines.marks.signing import Signer
from pipelines.selfie.photo import MAX_BYTES
from tests.hostile import REFUSED, card
from words import read_words

pytestmark = pytest.mark.app

WORDS = read_words()
MINI = read_model_sets()["mini"]
HERE = {"Origin": "http://testserver"}


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    return Signer(tmp_path / "data")


@pytest.fixture
def page(signer: Signer) -> Iterator[TestClient]:
    routes = [*Checks(signer, WORDS, ErrorBoundary(WORDS)).routes(), *style_routes()]
    gate = Middleware(Gate, False, None, "Refused.")
    with TestClient(Starlette(routes=routes, middleware=[gate])) as client:
        yield client


def asked(page: TestClient, file: bytes, **headers: str) -> Any:
    return page.post("/verify", content=file, headers=HERE | headers)


@pytest.mark.parametrize("language", sorted(WORDS.tables))
def test_the_page_speaks_the_browsers_language_and_loads_nothing_from_elsewhere(
    page: TestClient, language: str
) -> None:
    answer = page.get("/verify", headers={"Accept-Language": f"{language}-XX,en;q=0.5"})
    assert f'lang="{language}"' in answer.text
    for key in ("title", "lead", "drop", "note", "back"):
        assert escape(WORDS.say(f"verify.{key}", language)) in answer.text
    assert "{{" not in answer.text and "{mb}" not in answer.text
    assert not re.search(r"""(?:src|href)=["'](?:https?:)?//""", answer.text)
    for linked in re.findall(r'(?:src|href)="(style/[^"]+)"', answer.text):
        assert page.get(f"/{linked}").status_code == 200


def test_a_picture_is_answered_in_a_sentence(page: TestClient, signer: Signer, tmp_path: Path) -> None:
    portrait = signer.sign(card(64, 80), "generated", MINI, format="JPEG")
    assert asked(page, portrait).json() == {
        "verdict": "ours",
        "said": "ai",
        "words": WORDS.say("verify.ours_ai"),
    }
    german = asked(page, portrait, **{"Accept-Language": "de"}).json()
    assert german["words"] == WORDS.say("verify.ours_ai", "de")
    changed = bytearray(portrait)
    changed[-40] ^= 1
    foreign = Signer(tmp_path / "other").sign(card(64, 80), "generated", MINI)
    plate = signer.sign(card(64, 80), "plate", format="JPEG")
    keys = [
        asked(page, file).json()["words"]
        for file in (bytes(changed), foreign, mark(card(), "generated"), plate)
    ]
    assert keys == [
        WORDS.say(f"verify.{key}") for key in ("changed", "foreign_ai", "note_ai", "ours_photograph")
    ]


@pytest.mark.parametrize("language", ["en", "fr"])
def test_what_is_no_picture_or_too_large_is_a_sentence_in_the_same_language(
    page: TestClient, language: str
) -> None:
    for file, key in ((b"a text", "type"), (b"", "type"), (bytes(MAX_BYTES + 1), "big")):
        answer = asked(page, file, **{"Accept-Language": language})
        assert answer.status_code == 422
        assert answer.json()["error"] == WORDS.say(f"verify.{key}", language, mb=MAX_BYTES // 2**20)


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_a_hostile_picture_is_a_sentence(page: TestClient, name: str) -> None:
    answer = asked(page, REFUSED[name][0]())
    assert answer.status_code in (200, 422)
    assert answer.json().get("words") or answer.json().get("error")


def test_another_sites_page_gets_no_answer(page: TestClient) -> None:
    elsewhere = page.post("/verify", content=b"x", headers={"Origin": "http://elsewhere.example"})
    assert elsewhere.status_code == 403


def test_only_this_route_takes_more_than_an_event(page: TestClient) -> None:
    assert asked(page, bytes(MOST_BYTES * 2)).status_code == 422
    assert page.post("/verify/", content=bytes(MOST_BYTES * 2), headers=HERE).status_code == 413


def test_nothing_of_a_picture_is_kept_or_logged(
    page: TestClient, signer: Signer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    signer.load()
    portrait = signer.sign(card(64, 80), "generated", MINI, format="JPEG")
    before = sorted(tmp_path.rglob("*"))
    answer = asked(page, portrait)
    asked(page, b"a text of somebody")
    assert answer.headers["cache-control"] == "no-store" and "set-cookie" not in answer.headers
    assert sorted(tmp_path.rglob("*")) == before
    logged = [record.getMessage() for record in caplog.records if record.name == "face_value"]
    assert len(logged) == 1 and re.fullmatch(r"refused [0-9a-f]{6} with 422", logged[0])


def test_a_failure_of_ours_is_a_sentence_with_an_id(
    page: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("/a/path")

    monkeypatch.setattr(verify, "prove", broken)
    answer = asked(page, b"x")
    assert answer.status_code == 500 and "/a/path" not in answer.text
    assert answer.json()["error"].startswith(WORDS.say("error.any", id="").split("(")[0].strip())


def test_a_picture_that_was_saved_again_has_no_mark(page: TestClient, signer: Signer) -> None:
    file = io.BytesIO()
    signed = signer.sign(card(64, 80), "generated", MINI)
    Image.fromarray(np.asarray(Image.open(io.BytesIO(signed)))).save(file, "JPEG")
    assert asked(page, file.getvalue()).json() == {"verdict": "none", "words": WORDS.say("verify.none")}
