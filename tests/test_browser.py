"""The first page in a real browser, as a visitor walks it."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from pipelines.model_set import WEIGHTS, is_here, read_model_sets
from tests.hostile import REFUSED, card, encoded
from tests.hub import build_local
from votes.store import Store
from words import read_words

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parent.parent
WORDS = read_words()
SERVE = "import sys, app; from pathlib import Path; sys.exit(app.main(Path(sys.argv[1])))"
STARTING_S, MAKING_S = 120, 180  # patience on a busy machine, not a measurement
SIZES = {"laptop": (1920, 1080), "kiosk": (1080, 1920), "phone": (390, 844)}
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")


@dataclass(frozen=True)
class Booth:
    """A running page, and where it may write."""

    url: str
    folder: Path

    @property
    def store(self) -> Store:
        return Store(f"sqlite:///{self.folder}/data/votes.sqlite3")

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text(encoding="utf-8")


@contextlib.contextmanager
def serving(folder: Path, weights: Path) -> Iterator[Booth]:
    """`app.py` in a process of its own, until its models are ready."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (folder / "tmp").mkdir(parents=True)
    environment = os.environ | {
        "FACE_VALUE_DATA": str(folder / "data"),
        "FACE_VALUE_PORT": str(port),
        "FACE_VALUE_MODELS": "mini",
        "FACE_VALUE_DEVICE": "cpu",
        "TMPDIR": str(folder / "tmp"),
        "HF_HUB_OFFLINE": "1",
    }
    with (folder / "log").open("w", encoding="utf-8") as log:
        serving = subprocess.Popen(
            [sys.executable, "-c", SERVE, str(weights)], cwd=ROOT, env=environment, stdout=log, stderr=log
        )
    try:
        wait_until_ready(f"http://127.0.0.1:{port}/healthz", serving)
        yield Booth(f"http://127.0.0.1:{port}/", folder)
    finally:
        serving.terminate()
        serving.wait(30)


def wait_until_ready(url: str, serving: "subprocess.Popen[bytes]") -> None:
    for _ in range(STARTING_S * 2):
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=5) as answer:
            if b'"ready"' in answer.read():
                return
        if serving.poll() is not None:
            break
        time.sleep(0.5)
    pytest.fail("the page did not become ready")


@pytest.fixture(scope="module")
def booth(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Booth]:
    """The page with tiny random weights, which any machine has."""
    folder = tmp_path_factory.mktemp("booth")
    with serving(folder / "served", build_local(folder / "weights")) as booth:
        yield booth


@pytest.fixture
def bundled_booth(tmp_path: Path) -> Iterator[Booth]:
    """The page as it is shipped."""
    if not is_here(read_model_sets()["mini"]):
        pytest.skip("weights/mini is not in this checkout")
    with serving(tmp_path / "served", WEIGHTS) as booth:
        yield booth


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = shutil.which("chromium")  # the system's where there is one, else Playwright's own
        if not chromium and not Path(playwright.chromium.executable_path).exists():
            pytest.skip("no Chromium: install Debian's, or run: playwright install chromium")
        browser = playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
        yield browser
        browser.close()


@contextlib.contextmanager
def visitor(browser: Browser, booth: Booth, size: str = "laptop") -> Iterator[tuple[Page, list[str]]]:
    """A page of one's own, and every address it asks for."""
    width, height = SIZES[size]
    with browser.new_context(viewport={"width": width, "height": height}) as context:
        page, asked = context.new_page(), list[str]()
        page.on("request", lambda request: asked.append(request.url))
        page.goto(booth.url)
        expect(button(page, "look.go", n=4)).to_be_visible(timeout=30_000)
        yield page, asked


def button(page: Page, key: str, **values: object) -> Locator:
    return page.get_by_role("button", name=WORDS.say(key, **values), exact=True)


def notice(page: Page, sentence: str) -> Locator:
    return page.locator(".notice", has_text=sentence)


def make(page: Page) -> None:
    button(page, "look.go", n=4).click()
    expect(page.get_by_alt_text(WORDS.say("making.photo_alt"))).to_be_visible(timeout=MAKING_S * 1000)


def finish(page: Page) -> None:
    expect(button(page, "result.guess")).to_be_visible(timeout=MAKING_S * 1000)


def wait_until_forgotten(booth: Booth, ticket: str) -> None:
    """The server hears of a closed tab a moment later."""
    for _ in range(STARTING_S):
        request = urllib.request.Request(f"{booth.url}selfies", b"", {"X-Ticket": ticket}, method="POST")
        try:
            urllib.request.urlopen(request, timeout=5)
        except urllib.error.HTTPError as answer:
            answer.close()
            if answer.code == 404:
                return
        time.sleep(0.5)
    pytest.fail("the visit outlived its tab")


def no_sideways_scrolling(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))


def test_a_visit_goes_from_sample_face_to_one_kept_answer(browser: Browser, booth: Booth) -> None:
    visit(browser, booth)


def test_a_visit_works_with_the_bundled_weights(browser: Browser, bundled_booth: Booth) -> None:
    visit(browser, bundled_booth)


def visit(browser: Browser, booth: Booth) -> None:
    """Sample face, make, stop, make, result, question, answer; then what was asked for and kept."""
    with booth.store as store:
        before = len(store.guesses())
    with visitor(browser, booth) as (page, asked):
        button(page, "sample.astronaut").click()
        expect(page.get_by_alt_text(WORDS.say("camera.selfie", i=1))).to_be_visible()
        page.get_by_label("Editorial").check()

        make(page)
        button(page, "making.stop").click()
        expect(notice(page, WORDS.say("making.stopped"))).to_be_visible()
        expect(page.get_by_alt_text(WORDS.say("camera.selfie", i=1))).to_be_visible()
        expect(page.get_by_label("Editorial")).to_be_checked()

        make(page)
        finish(page)
        expect(page.locator(".contact img")).to_have_count(5)
        assert page.evaluate("document.documentElement.scrollHeight <= window.innerHeight")
        expect(page.get_by_text(WORDS.say("result.rehearsal"))).to_be_visible()

        button(page, "result.guess").click()
        expect(page.get_by_alt_text(WORDS.say("vote.alt"))).to_be_visible()
        expect(page.locator(".truth")).to_have_count(0)
        photograph, ai = button(page, "vote.photo").bounding_box(), button(page, "vote.ai").bounding_box()
        assert photograph and ai
        for side in ("width", "height"):
            assert photograph[side] == pytest.approx(ai[side], abs=0.5)  # type: ignore[literal-required]
        button(page, "vote.ai").dblclick()
        expect(page.locator(".truth")).to_be_visible()
        expect(page.get_by_text(WORDS.say("vote.exposed"))).to_be_visible()

    outside = [url for url in asked if not url.startswith((booth.url, "data:", "blob:"))]
    assert outside == []
    with booth.store as store:
        kept = store.guesses()[before:]
        assert len(kept) == 1
        assert kept[0].exposed
        assert store.find(kept[0].round).item.look == "editorial"


def test_nothing_of_a_visit_is_left_on_disk_or_in_the_log(browser: Browser, booth: Booth) -> None:
    with visitor(browser, booth) as (page, _):
        page.locator("input[type=file]").set_input_files(
            {"name": "my-holiday.png", "mimeType": "image/png", "buffer": encoded(card(), "png")}
        )
        expect(page.get_by_alt_text(WORDS.say("camera.selfie", i=1))).to_be_visible()
        ticket = page.locator(".selfies").get_attribute("data-ticket")
        assert ticket and ticket not in booth.log
        assert "my-holiday" not in booth.log + page.content()
    wait_until_forgotten(booth, ticket)
    pictures = [path for path in booth.folder.rglob("*") if path.suffix in (".png", ".jpg", ".jpeg", ".webp")]
    assert pictures == []
    assert str(booth.folder) not in booth.log


@pytest.mark.parametrize("name", ["zip bomb", "png of 2.5 billion pixels", "png without pixels"])
def test_a_bad_file_earns_its_sentence_beside_the_photos(browser: Browser, booth: Booth, name: str) -> None:
    make_bytes, key = REFUSED[name]
    with visitor(browser, booth) as (page, _):
        page.locator("input[type=file]").set_input_files(
            {"name": "face.jpg", "mimeType": "image/jpeg", "buffer": make_bytes()}
        )
        expect(page.locator(".selfies .notice")).to_have_text(WORDS.say(key, mp=50, mb=12))
        expect(page.locator(".selfies img")).to_have_count(0)


@pytest.mark.parametrize(("body", "told"), [('{"error": "Not now."}', "Not now."), ("<h1>", None)])
def test_a_failing_intake_is_told_beside_the_photos(
    browser: Browser, booth: Booth, body: str, told: str | None
) -> None:
    with visitor(browser, booth) as (page, _):
        page.route("**/selfies", lambda route: route.fulfill(status=500, body=body))
        send_a_photo(page)
        expect(page.locator(".selfies [role=status]")).to_have_text(told or WORDS.say("camera.lost"))


def test_a_photo_for_a_visit_that_is_over_is_told_and_the_next_is_taken(
    browser: Browser, booth: Booth
) -> None:
    with visitor(browser, booth) as (page, _):
        page.locator(".selfies").evaluate("box => { box.dataset.ticket = 'old'; }")
        send_a_photo(page)
        expect(page.locator(".selfies .notice")).to_have_text(WORDS.say("visit.over"))
        send_a_photo(page)
        expect(page.get_by_alt_text(WORDS.say("camera.selfie", i=1))).to_be_visible()


def send_a_photo(page: Page) -> None:
    page.locator("input[type=file]").set_input_files(
        {"name": "face.png", "mimeType": "image/png", "buffer": encoded(card(), "png")}
    )


def test_a_file_above_the_limit_earns_its_sentence(browser: Browser, booth: Booth) -> None:
    with visitor(browser, booth) as (page, _):
        page.locator("input[type=file]").set_input_files(
            {"name": "face.jpg", "mimeType": "image/jpeg", "buffer": b"\xff\xd8\xff" + bytes(13 * 2**20)}
        )
        expect(page.locator(".selfies .notice")).to_have_text(WORDS.say("file.big", mb=12), timeout=20_000)


def test_a_photo_without_a_face_comes_back_with_its_sentence(browser: Browser, booth: Booth) -> None:
    with visitor(browser, booth) as (page, _):
        page.locator("input[type=file]").set_input_files(
            {"name": "wall.png", "mimeType": "image/png", "buffer": encoded(card(640, 800), "png")}
        )
        expect(page.get_by_alt_text(WORDS.say("camera.selfie", i=1))).to_be_visible()
        button(page, "look.go", n=4).click()
        expect(notice(page, WORDS.say("face.none"))).to_be_visible(timeout=MAKING_S * 1000)


def test_without_a_photo_the_page_says_so(browser: Browser, booth: Booth) -> None:
    with visitor(browser, booth) as (page, _):
        button(page, "look.go", n=4).click()
        expect(notice(page, WORDS.say("camera.missing"))).to_be_visible()
        expect(page.get_by_label("Studio grey")).to_be_checked()
        button(page, "sample.hopper").click()
        expect(page.get_by_alt_text(WORDS.say("camera.selfie", i=1))).to_be_visible()


def test_the_choices_obey_the_arrow_keys(browser: Browser, booth: Booth) -> None:
    with visitor(browser, booth) as (page, _):
        page.get_by_label("4", exact=True).focus()
        page.keyboard.press("ArrowRight")
        expect(page.get_by_label("1", exact=True)).to_be_checked()
        expect(button(page, "look.go_one")).to_be_visible()


def test_a_phone_never_scrolls_sideways(browser: Browser, booth: Booth) -> None:
    with visitor(browser, booth, "phone") as (page, _):
        assert no_sideways_scrolling(page)
        button(page, "sample.hopper").click()
        make(page)
        assert no_sideways_scrolling(page)
        finish(page)
        assert no_sideways_scrolling(page)
        button(page, "result.guess").click()
        expect(page.get_by_alt_text(WORDS.say("vote.alt"))).to_be_visible()
        assert no_sideways_scrolling(page)


def test_two_visitors_see_only_their_own_photos(browser: Browser, booth: Booth) -> None:
    with visitor(browser, booth) as (one, _), visitor(browser, booth) as (other, _):
        button(one, "sample.astronaut").click()
        expect(one.locator(".selfies img")).to_have_count(1)
        expect(other.locator(".selfies img")).to_have_count(0)
        one.reload()
        expect(button(one, "look.go", n=4)).to_be_visible()
        expect(one.locator(".selfies img")).to_have_count(0)
