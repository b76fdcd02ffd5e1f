"""A machine that stands among its visitors: photos come from its camera, and nothing leads elsewhere."""

import io
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from starlette.applications import Starlette
from starlette.testclient import TestClient

from booth.album import Album
from booth.visit import ScreenName, Visit
from booth.visits import Visits
from pages.booth.screen import Screen
from pages.booth.uploads import Intake
from pages.guards.error_boundary import ErrorBoundary
from pages.theme import booth_head, host_head
from services import Services
from settings import Settings
from tests.test_booth import page_of, visitor
from tests.test_booth import services as services  # the fixture
from words import read_words

WORDS = read_words()
KIOSK = Settings(mode="kiosk")
GROUND = np.full((480, 640, 3), 128, np.uint8)  # nobody in it: it is read and refused with a sentence


def encoded(kind: str, **more: object) -> bytes:
    file = io.BytesIO()
    Image.fromarray(GROUND).save(file, kind, **more)
    return file.getvalue()


def with_note() -> bytes:
    exif = Image.Exif()
    exif[0x0110] = "A phone"  # its model
    return encoded("JPEG", exif=exif)


@pytest.fixture
def visits(tmp_path: Path) -> Visits:
    return Visits(Album(tmp_path / "sittings", 30, 12), 30)


def sent(visits: Visits, body: bytes, kind: str, is_kiosk: bool = True) -> int:
    visit = visits.of("one", "page")
    visit.consent(True)

    class Nobody:
        """Finds no face in whatever was let in."""

        def find(self, _: object) -> object:
            raise LookupError

    intake = Intake(visits, Nobody(), ErrorBoundary(WORDS), WORDS, is_kiosk)  # type: ignore[arg-type]
    headers = {"X-Ticket": visit.ticket, "Content-Type": kind}
    return (
        TestClient(Starlette(routes=intake.routes()))
        .post("/selfies", content=body, headers=headers)
        .status_code
    )


FILES = {
    "a phone's photo": (with_note(), "image/jpeg"),
    "a photo with XMP": (encoded("JPEG", xmp=b"<x:xmpmeta/>"), "image/jpeg"),
    "a screenshot": (encoded("PNG"), "image/png"),
    "a screenshot by another name": (encoded("PNG"), "image/jpeg"),
    "a picture of the web": (encoded("WEBP"), "image/webp"),
    "a form's file": (encoded("JPEG"), "multipart/form-data; boundary=x"),
    "no kind": (encoded("JPEG"), ""),
}


@pytest.mark.parametrize("what", FILES)
def test_a_kiosk_takes_no_file(visits: Visits, what: str) -> None:
    body, kind = FILES[what]
    assert sent(visits, body, kind) == 403
    assert sent(visits, body, kind, is_kiosk=False) == 422  # looked at, and refused for what it shows


def test_a_kiosk_takes_what_its_camera_sends(visits: Visits) -> None:
    assert sent(visits, encoded("JPEG", quality=95), "image/jpeg") == 422


def page_source(services: Services) -> str:
    """All that is laid out on the booth's page."""
    page, _ = page_of(services)
    parts = [part for screen in page.screens.values() for part in _parts(screen)]
    texts = [getattr(part, name, "") for part in parts for name in ("value", "html_template", "js_on_load")]
    return "\n".join(map(str, texts))


def _parts(screen: Screen) -> list[object]:
    found, open_ = [], [screen.column]
    while open_:
        part = open_.pop()
        found.append(part)
        open_ += getattr(part, "children", [])
    return found


def test_a_kiosks_page_has_no_file_dialog_and_leads_nowhere(services: Services) -> None:
    laptop, kiosk = page_source(services), page_source(replace(services, settings=KIOSK))
    for offer in ('type="file"', 'href="verify"', 'class="quiet other"'):
        assert offer in laptop
        assert offer not in kiosk
    assert re.findall(r'href="(?!#)[^"]*"', kiosk) == []


def test_what_is_wrong_with_a_kiosks_camera_is_nothing_for_its_visitors_to_mend(services: Services) -> None:
    page, _ = page_of(replace(services, settings=KIOSK))
    spoken = page.camera.camera.constructor_args["words"]
    assert {spoken[key] for key in ("denied", "none", "insecure", "busy")} == {WORDS.say("camera.fault")}
    visit: Visit = services.visits.of("one", "page of one")
    visit.consent(True)
    visit.go(ScreenName.CAMERA)
    told = page.camera.take_photos(visitor())[page.camera.notice]  # type: ignore[arg-type]
    assert WORDS.say("camera.missing_kiosk") in told


def test_only_a_kiosks_page_keeps_hands_from_the_browser() -> None:
    assert "style/kiosk.js" in booth_head(WORDS, KIOSK)
    assert "kiosk" not in booth_head(WORDS)
    assert "kiosk" not in host_head(WORDS)


def test_a_kiosk_is_used_at_its_own_screen_and_a_space_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    assert KIOSK.is_booth_local
    assert not Settings().is_booth_local
    assert not Settings(mode="kiosk", booth="open").is_booth_local
    monkeypatch.setenv("SPACE_ID", "a/b")
    assert not KIOSK.is_kiosk
