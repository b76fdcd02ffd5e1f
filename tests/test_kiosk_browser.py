"""A kiosk in a real browser with a fake camera: its visitor, and its operator.

FACE_VALUE_SCREENSHOTS names a folder for a picture of the operator's page.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Playwright, Route, expect

from booth.records import WITHDRAWAL_LETTERS
from tests import chromium
from tests.serving import Booth, is_failure, serving, weights
from tests.test_browser import SIZES, agree, button
from tests.test_browser import film as film  # the fixture
from words import read_words

pytestmark = pytest.mark.browser

WORDS = read_words()
PIN = "00112233"


@pytest.fixture(scope="module")
def booth(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Booth]:
    folder, given = tmp_path_factory.mktemp("kiosk"), {"MODE": "kiosk", "OPERATOR_PIN": PIN}
    given |= {"ATTRACT_SECONDS": "1"}
    with serving(folder / "served", weights(folder / "weights"), models=False, **given) as booth:
        yield booth


@pytest.fixture(scope="module")
def browser(playwright: Playwright, film: Path) -> Iterator[Browser]:
    browser = chromium.launch(playwright, film)
    yield browser
    browser.close()


@pytest.fixture
def page(browser: Browser, booth: Booth) -> Iterator[Page]:
    width, height = SIZES["kiosk"]
    failures = list[str]()
    with browser.new_context(viewport={"width": width, "height": height}, has_touch=True) as context:
        page = context.new_page()
        page.on("pageerror", lambda error: failures.append(str(error)))
        page.on("console", lambda said: failures.append(said.text) if is_failure(said) else None)
        page.goto(booth.url)
        expect(button(page, "welcome.start")).to_be_visible(timeout=30_000)
        page.wait_for_function("document.documentElement.classList.contains('kiosk')")  # its script is here
        yield page
    assert [failure for failure in failures if "401" not in failure] == []  # the pad: nobody is in yet


def is_stopped(page: Page, kind: str, name: str, given: str = "{}") -> bool:
    """Whether the page keeps the browser from what it would do at that event."""
    event = f"new {kind}('{name}', {{ bubbles: true, cancelable: true, ...{given} }})"
    return not page.evaluate(f"document.querySelector('.fv.page').dispatchEvent({event})")


def test_a_visitor_of_a_kiosk_has_the_camera_and_nothing_beside_the_page(page: Page) -> None:
    assert is_stopped(page, "MouseEvent", "contextmenu")
    assert is_stopped(page, "DragEvent", "drop")
    assert is_stopped(page, "ClipboardEvent", "paste")
    assert is_stopped(page, "WheelEvent", "wheel", "{ ctrlKey: true }")
    assert not is_stopped(page, "WheelEvent", "wheel")  # it may be scrolled
    for key in ("{ key: '+', ctrlKey: true }", "{ key: 'p', ctrlKey: true }", "{ key: 'F5' }"):
        assert is_stopped(page, "KeyboardEvent", "keydown", key), key
    assert not is_stopped(page, "KeyboardEvent", "keydown", "{ key: 'Tab' }")
    assert page.evaluate("getComputedStyle(document.body).userSelect") == "none"
    agree(page)
    expect(page.locator(".booth-camera.live")).to_be_visible()
    assert page.locator("input[type=file]").count() == 0
    with page.expect_response("**/selfies") as sent:
        button(page, "camera.shutter").tap()
    assert sent.value.status == 200, sent.value.text()  # what a canvas writes is let in
    look_at(page, "kiosk-camera")


def test_five_taps_in_the_corner_and_the_pin_open_the_operators_page(page: Page) -> None:
    for _ in range(4):
        page.touchscreen.tap(20, 20)
    page.touchscreen.tap(500, 1000)  # elsewhere: from the beginning
    page.touchscreen.tap(20, 20)
    assert not page.url.endswith("operator")
    for _ in range(4):
        page.touchscreen.tap(20, 20)
    page.wait_for_url("**/operator")
    look_at(page, "operator-pin")
    for digit in (*PIN, "9"):  # one too many is not taken
        page.locator(f"[data-digit='{digit}']").tap()
    button(page, "operator.open").tap()
    expect(page.get_by_role("heading", name=WORDS.say("operator.tonight"))).to_be_visible()
    button(page, "operator.camera_open").tap()
    expect(page.locator(".said")).not_to_be_empty(timeout=30_000)  # of a frame that was judged
    assert page.locator("video.mirrored").count() == 1
    page.get_by_label(WORDS.say("operator.mirror")).uncheck()
    assert page.locator("video.mirrored").count() == 0
    page.locator("summary").tap()
    look_at(page, "operator-menu")
    small = "e => e.offsetHeight && e.getBoundingClientRect().height < 44"
    taps = page.locator("button, select, summary, label")
    assert [tap.inner_text() for tap in taps.all() if tap.evaluate(small)] == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    button(page, "operator.end_now").tap()
    expect(page.get_by_text(WORDS.say("operator.done_wiped"))).to_be_visible()
    button(page, "operator.back").tap()
    expect(button(page, "welcome.start")).to_be_visible(timeout=30_000)
    page.goto(f"{page.url}operator")
    expect(page.locator("[name=pin]")).to_be_visible()


@pytest.mark.parametrize("size", ["kiosk", "laptop"])
def test_a_code_is_tapped_on_keys_of_the_page_or_typed(page: Page, size: str) -> None:
    width, height = SIZES[size]
    page.set_viewport_size({"width": width, "height": height})
    button(page, "withdraw.link").tap()
    field = page.get_by_role("textbox", name=WORDS.say("withdraw.code"))
    keys = page.get_by_role("group", name=WORDS.say("withdraw.code")).get_by_role("button")
    assert (field.get_attribute("inputmode"), keys.count()) == ("none", len(WITHDRAWAL_LETTERS) + 1)
    for letter in "AB2":
        keys.get_by_text(letter, exact=True).tap()
    expect(field).to_have_value("AB2")
    expect(page.locator(".code-keys [role=status]")).to_have_text("A B 2")
    button(page, "withdraw.erase").tap()
    look_at(page, f"withdraw-{size}")
    small = "keys => keys.filter(key => Math.min(key.offsetWidth, key.offsetHeight) < 44).length"
    assert keys.evaluate_all(small) == 0
    assert page.evaluate("document.documentElement.scrollHeight <= innerHeight")
    field.focus()
    page.keyboard.type("i-cdefghkm")  # a code has no I, no sign and eight letters
    expect(field).to_have_value("ABCDEFGH")
    page.keyboard.press("Enter")
    expect(page.locator(".withdraw .notice")).to_have_text(WORDS.say("withdraw.unknown"))
    look_at(page, f"withdraw-unknown-{size}")
    button(page, "withdraw.back").tap()
    button(page, "withdraw.link").tap()
    expect(field).to_have_value("")  # what somebody typed is nobody else's


def test_while_nobody_is_there_it_shows_what_happens_here_until_a_touch(page: Page) -> None:
    def lose(route: Route) -> None:
        scenes = route.fetch().json()
        scenes[0]["html"] = scenes[0]["html"].replace("attract/", "attract/gone-", 1)
        route.fulfill(json=scenes)

    page.route("**/attract?*", lose)
    page.route("**/attract/gone-*", lambda route: route.abort())
    page.keyboard.press("Shift")  # one that has begun already ends
    scene = page.locator(".attract .scene")
    page.evaluate("document.querySelector('.wipe').classList.remove('alone')")  # as with both its pictures
    expect(scene).to_have_class(re.compile("climbing"), timeout=15_000)  # the wipe has lost a picture
    look_at(page, "kiosk-attract")
    for x in (500, 506, 500):
        page.mouse.move(x, 700)  # somebody leans on the table
    expect(scene).to_be_visible()
    page.touchscreen.tap(200, 500)
    assert scene.count() == 0
    expect(page.get_by_role("heading", name=WORDS.say("welcome.title"))).to_be_visible()
    assert page.locator(".wipe input").input_value() == "50"  # nothing below it was touched
    expect(scene).to_be_visible(timeout=15_000)
    button(page, "welcome.start").tap()
    assert page.locator(".attract").count() == 0
    expect(page.get_by_role("heading", name=WORDS.say("consent.title"))).to_be_visible()


def test_whoever_asks_for_less_motion_sees_none(page: Page) -> None:
    expect(page.locator(".attract .scene")).to_be_visible(timeout=15_000)
    page.emulate_media(reduced_motion="reduce")
    expect(page.locator(".attract")).to_have_count(0)
    page.wait_for_timeout(3000)  # longer than it takes to begin
    assert page.locator(".attract").count() == 0


def look_at(page: Page, name: str) -> None:
    if folder := os.environ.get("FACE_VALUE_SCREENSHOTS"):
        page.screenshot(path=f"{folder}/{name}.png", full_page=True)
