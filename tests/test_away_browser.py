"""The booth's machine hangs, then is killed, under an open page: the page says so and comes back by itself.

FACE_VALUE_SCREENSHOTS names a folder for a picture of what is said.
"""

import os
import signal
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.serving import Booth, serving, weights
from tests.test_browser import agree, as_viewport, button
from words import read_words

pytestmark = pytest.mark.browser

WORDS = read_words()
BACK_MS = 60_000  # patience on a busy machine, not a measurement
# What every screen showed since it was opened, of Gradio's own messages: none that anybody could see.
SEEN = """
window.seen = [];
setInterval(() => {
  for (const one of document.querySelectorAll(".toast-wrap *")) {
    if (one.checkVisibility()) seen.push(one.textContent);
  }
}, 20);
"""
# Nobody waits for five seconds in a test: what is late is late after one.
IMPATIENT = """
let ask;
Object.defineProperty(window, "askWithin", {
  get: () => ask,
  set: (within) => { ask = (ms, ...given) => within(Math.min(ms, 1000), ...given); },
});
"""


def at(browser: Browser, booth: Booth, screen: str) -> Page:
    """A page of another visitor, who is there."""
    page = browser.new_context(viewport=as_viewport("kiosk"), color_scheme="dark").new_page()
    page.add_init_script(SEEN + IMPATIENT)
    page.goto(booth.url)
    expect(button(page, "welcome.start")).to_be_visible(timeout=BACK_MS)
    if screen == "camera":
        agree(page)
    return page


def test_a_page_whose_machine_hangs_or_is_gone_says_so_and_comes_back_by_itself(
    browser: Browser, tmp_path: Path
) -> None:
    with serving(tmp_path / "served", weights(tmp_path / "weights"), models=False) as booth:
        pages = {screen: at(browser, booth, screen) for screen in ("welcome", "camera")}
        booth.process.send_signal(signal.SIGSTOP)
        for screen, page in pages.items():
            expect(page.locator("dialog.away")).to_be_visible(timeout=15_000)
            picture(page, f"hangs-{screen}")
        booth.process.send_signal(signal.SIGCONT)
        for page in pages.values():
            expect(page.locator("dialog.away")).to_be_hidden(timeout=15_000)
        expect(pages["camera"].locator(".booth-camera")).to_be_visible()  # where the visitor was
        button(pages["camera"], "visit.start_over").click()
        agree(pages["camera"])  # and it works
        booth.process.kill()
        booth.process.wait()
        button(pages["welcome"], "welcome.start").click()  # before the page has noticed
        for screen, page in pages.items():
            expect(page.locator("dialog.away")).to_have_text(WORDS.say("away.silent"), timeout=15_000)
            expect(page.locator("dialog.away")).to_be_visible()
            picture(page, f"away-{screen}")
            assert page.evaluate("seen") == []
            page.keyboard.press("Escape")
            expect(page.locator("dialog.away")).to_be_visible()
        again = booth.start()
        try:
            for screen, page in pages.items():
                expect(page.locator("dialog.away")).to_be_hidden(timeout=BACK_MS)
                expect(button(page, "welcome.start")).to_be_visible(timeout=BACK_MS)
                notice = page.locator(".screen.welcome .notice")
                if screen == "welcome":
                    expect(notice).to_have_count(0)
                else:
                    expect(notice).to_have_text(WORDS.say("visit.over"), timeout=BACK_MS)
                picture(page, f"back-{screen}")
                assert page.evaluate("seen") == []
                agree(page)  # and the page works
        finally:
            again.terminate()
            again.wait(30)


def picture(page: Page, name: str) -> None:
    if folder := os.environ.get("FACE_VALUE_SCREENSHOTS"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=f"{folder}/{name}.png")
