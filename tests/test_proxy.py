"""A booth below a path of another server: every page works there, and at the booth's own address too."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.nginx import free_port, proxy
from tests.serving import Booth, serving, weights
from words import read_words

pytestmark = pytest.mark.browser

WORDS = read_words()
KEY = "a key for the test"
PATH = "/fair/booth"


@dataclass(frozen=True)
class Addresses:
    """Where the same booth is found."""

    booth: Booth
    stripped: str  # by a proxy that takes its path away
    whole: str  # by a proxy that leaves it


@pytest.fixture(scope="module")
def addresses(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Addresses]:
    folder = tmp_path_factory.mktemp("booth")
    stripping, passing = free_port(), free_port()
    public = f"http://127.0.0.1:{stripping}{PATH}"
    with serving(
        folder / "served", weights(folder / "weights"), models=False, HOST_KEY=KEY, PUBLIC_URL=public
    ) as booth:
        port = int(booth.url.rstrip("/").rsplit(":", 1)[1])
        with proxy(stripping, PATH, port), proxy(passing, PATH, port, strips_path=False):
            yield Addresses(booth, f"{public}/", f"http://127.0.0.1:{passing}{PATH}/")


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    page = browser.new_page(viewport={"width": 1280, "height": 900}, locale="en-GB")
    failures: list[str] = []
    page.on("pageerror", lambda error: failures.append(str(error)))
    page.on("response", lambda answer: failures.append(answer.url) if answer.status in (403, 404) else None)
    yield page
    page.close()
    assert failures == []


@pytest.mark.parametrize("way", ["stripped", "whole", "its own"])
def test_booth_stage_and_phone_work_below_a_path(page: Page, addresses: Addresses, way: str) -> None:
    root = addresses.booth.url if way == "its own" else getattr(addresses, way)
    page.goto(root)
    page.get_by_role("button", name=WORDS.say("welcome.start")).click()
    expect(page.get_by_role("heading", name=WORDS.say("consent.title"))).to_be_visible(timeout=30_000)
    page.goto(f"{root}stage")
    expect(page.locator("#scene .url")).to_be_visible()
    with addresses.booth.store as store:
        code = store.room_state().code
    assert page.locator("#scene .url").inner_text() == f"{addresses.stripped.split('://')[1]}{code}"
    page.goto(f"{root}{code}")
    expect(page.get_by_role("heading", name=WORDS.say("phone.title"))).to_be_visible()
    page.goto(f"{root}verify")
    expect(page.get_by_role("heading").first).to_be_visible()


@pytest.mark.parametrize("way", ["stripped", "whole", "its own"])
def test_the_host_logs_in_moves_the_room_and_sees_its_pictures_below_a_path(
    page: Page, addresses: Addresses, way: str
) -> None:
    root = addresses.booth.url if way == "its own" else getattr(addresses, way)
    page.goto(f"{root}host")
    page.get_by_label(WORDS.say("host.key")).fill(KEY)
    page.get_by_role("button", name=WORDS.say("host.go")).click()
    expect(page.locator(".now img")).to_be_visible(timeout=30_000)
    page.wait_for_function("document.querySelector('.now img').naturalWidth > 0")
    state = page.locator(".state")
    before = state.inner_text()
    page.locator("#host-next").click()
    expect(state).not_to_have_text(before)
    page.goto(f"{root}host/wall")
    assert page.evaluate("document.styleSheets.length") >= 3
