"""The drop zone in a real browser: a dropped file, a chosen one, a wrong one; nothing is in anybody's way."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from pipelines.draw.model_set import read_model_sets
from pipelines.marks.signing import Signer
from tests.hostile import card
from tests.serving import Booth, is_failure
from tests.test_browser import axe
from words import read_words

pytestmark = pytest.mark.browser

WORDS = read_words()
SIZES = {"laptop": (1920, 1080), "kiosk": (1080, 1920), "phone": (390, 844), "small phone": (320, 568)}
DROP = """(bytes) => {
  const data = new DataTransfer();
  data.items.add(new File([new Uint8Array(bytes)], "somebody.jpg", { type: "image/jpeg" }));
  const event = new DragEvent("drop", { dataTransfer: data, bubbles: true });
  document.querySelector(".drop span").dispatchEvent(event);
}"""


@pytest.fixture(scope="module")
def portrait(booth: Booth) -> bytes:
    signer = Signer(booth.folder / "data")
    return signer.sign(card(320, 400), "generated", read_model_sets()["mini"], format="JPEG")


@pytest.fixture
def page(browser: Browser, booth: Booth, request: pytest.FixtureRequest) -> Iterator[Page]:
    width, height = SIZES[getattr(request, "param", "laptop")]
    page = browser.new_page(viewport={"width": width, "height": height}, locale="en-GB")
    failures: list[str] = []
    page.on("console", lambda said: failures.append(said.text) if is_failure(said) else None)
    page.on("pageerror", lambda error: failures.append(str(error)))
    page.goto(f"{booth.url}verify")
    yield page
    page.close()
    assert failures == []


@pytest.mark.parametrize("page", SIZES, indirect=True)
def test_a_dropped_picture_gets_its_sentence_and_everybody_can_read_it(
    page: Page, booth: Booth, portrait: bytes
) -> None:
    page.evaluate(DROP, list(portrait))
    told = page.get_by_role("status")
    expect(told.get_by_text(WORDS.say("verify.ours_ai"))).to_be_visible()
    expect(told.locator(".truth.generated")).to_have_text(WORDS.say("verify.ai"))
    expect(page.get_by_alt_text(WORDS.say("verify.alt"))).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert [one["id"] for one in axe(page)["violations"]] == []
    assert not [path for path in booth.pictures if "sittings" not in path.parts]
    assert "somebody" not in booth.log


def test_a_chosen_file_may_follow_another_and_a_wrong_one_is_told(
    page: Page, portrait: bytes, tmp_path: Path
) -> None:
    told = page.get_by_role("status")
    for name, data, key in (
        ("changed.jpg", portrait[:-30] + b"\0" + portrait[-29:], "changed"),
        ("text.txt", b"a text", "type"),
        ("again.jpg", portrait, "ours_ai"),
    ):
        (tmp_path / name).write_bytes(data)
        page.locator("input[type=file]").set_input_files(tmp_path / name)
        expect(told.get_by_text(WORDS.say(f"verify.{key}"))).to_be_visible()
    expect(told.locator(".truth")).to_have_count(1)


def test_the_keyboard_reaches_zone_and_way_back(page: Page, booth: Booth) -> None:
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('href')") == "./"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.type") == "file"
    assert page.evaluate("getComputedStyle(document.querySelector('.drop')).outlineStyle") == "solid"
