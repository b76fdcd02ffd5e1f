"""The room in real browsers: a sitter allows, a host approves, phones vote, the stage reveals by keys.

FACE_VALUE_SCREENSHOTS names a folder for a picture of each scene.
"""

import csv
import io
import os
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests import chromium
from tests.serving import KEY, Booth, is_failure
from tests.test_browser import axe, button, look_at, made, visitor, with_sample
from tests.test_phones import SEALED
from words import read_words

pytestmark = pytest.mark.browser

WORDS = read_words()
PHONES = {
    "phone": (390, 844, "light", "en-US"),
    "small": (320, 568, "light", "de-DE"),
    "dark": (390, 844, "dark", "fr-FR"),
}
SCENES = {
    "closed": "h1",
    "split": ".chart",
    "truth": "h1.truth",
    "made": ".strip",
    "ladder": ".ladder",
    "room": ".studies",
}


class Watched:
    """A page whose failures are kept, and everything that it was told."""

    def __init__(self, browser: Browser, width: int, height: int, scheme: str, locale: str) -> None:
        options: Any = {"color_scheme": scheme, "locale": locale}
        self.context = browser.new_context(viewport={"width": width, "height": height}, **options)
        self.page = self.context.new_page()
        self.failures = list[str]()
        self.said = list[str]()
        self.page.on("pageerror", lambda error: self.failures.append(str(error)))
        self.page.on("console", lambda one: self.failures.append(one.text) if is_failure(one) else None)
        self.page.on("response", self._heard)

    def _heard(self, response: Any) -> None:
        if "json" in response.headers.get("content-type", ""):
            self.said.append(response.text())


def picture(page: Page, name: str) -> None:
    if folder := os.environ.get("FACE_VALUE_SCREENSHOTS"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=str(Path(folder) / f"{name}.png"), full_page=name.startswith("host"))


def accessible(page: Page) -> None:
    found = axe(page, "{runOnly: ['wcag2a', 'wcag2aa', 'best-practice']}")
    assert [(one["id"], one["nodes"][0]["html"]) for one in found["violations"]] == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def logged_in(browser: Browser, url: str) -> Watched:
    host = Watched(browser, 1920, 1080, "light", "en-US")
    host.page.goto(f"{url}host")
    picture(host.page, "host-login")
    host.page.get_by_label(WORDS.say("host.key")).fill(KEY)
    host.page.get_by_role("button", name=WORDS.say("host.go")).click()
    expect(host.page.locator(".states")).to_be_visible(timeout=30_000)
    host.failures.clear()  # the 401 before the key
    return host


def test_a_room_from_the_sitters_leave_to_the_export(browser: Browser, booth: Booth) -> None:
    with visitor(browser, booth.url) as sitter:
        with_sample(sitter)
        made(sitter, 1)
        button(sitter, "ladder.link").click()
        expect(sitter.locator(".ladder .to-stage")).to_be_visible(timeout=120_000)
        look_at(sitter, "laptop", "ladder")
        sitter.locator(".ladder .to-stage").click()
        sitter.locator(".ladder .pane.stage .ticks input").check()
        expect(sitter.get_by_text(re.compile("Your code: "))).to_be_visible()
        host = logged_in(browser, booth.url)
        approve(host.page)
        stage = on_stage(host, booth.url)
        phones = {name: Watched(browser, *which) for name, which in PHONES.items()}
        join(phones, booth.url + str(stage.locator(".url").text_content()).rsplit("/", 1)[1])
        stage.keyboard.press("ArrowRight")
        vote(phones)
        expect(stage.locator(".count")).to_have_text("3")
        accessible(stage)
        accessible(host.page)
        picture(stage, "stage-open")
        picture(host.page, "host-open")
        blank(stage)
        for scene in SCENES:
            reveal(stage, scene, phones)
        stage.reload()
        expect(stage.locator(".studies")).to_be_visible()
        for pictures in (7, 5):
            stage.keyboard.press("ArrowLeft")
            expect(stage.locator(".strip figure")).to_have_count(pictures)
        export_is_right(host.page)
        button(sitter, "ladder.back").click()
        expect(button(sitter, "show.allowed")).to_be_visible()
        button(sitter, "result.delete").click()
        button(sitter, "delete.yes").click()
        # gone from the stage at once, and the host hears that it was the last one
        expect(stage.locator("h1")).to_have_text(WORDS.say("phone.withdrawn"), timeout=10_000)
        expect(button(host.page, "host.no_next")).to_be_disabled(timeout=10_000)
        picture(host.page, "host-withdrawn")
        button(host.page, "host.order").click()  # for whoever comes next
        expect(stage.locator(".url")).to_be_visible(timeout=10_000)
    for one in (*phones.values(), host):
        assert one.failures == []
        one.context.close()


def approve(host: Page) -> None:
    """The portrait that waits comes last in the deck; the stage goes there."""
    expect(host.locator(".sheet li")).to_have_count(6)
    expect(button(host, "host.show")).to_be_visible(timeout=10_000)
    picture(host, "host-approve")
    button(host, "host.show").click()
    expect(host.locator(".sheet li")).to_have_count(7)
    host.locator(".sheet li button").last.click()
    expect(host.get_by_text("picture 7 of 7")).to_be_visible()


def on_stage(host: Watched, url: str) -> Page:
    """The projector's page, in the host's own browser."""
    stage = host.context.new_page()
    stage.goto(f"{url}stage")
    expect(stage.locator(".url")).to_be_visible()
    picture(stage, "stage-ready")
    return stage


def join(phones: dict[str, Watched], link: str) -> None:
    for name, one in phones.items():
        one.page.goto(link)
        expect(one.page.locator("h1")).to_be_visible()
        accessible(one.page)
        picture(one.page, f"phone-{name}-ready")


def vote(phones: dict[str, Watched]) -> None:
    """All say AI; one has said photograph before."""
    for name, one in phones.items():
        for answer in (["photograph"] if name == "dark" else []) + ["generated"]:
            choice = one.page.locator(f"[data-answer={answer}]")
            expect(choice).to_be_visible(timeout=10_000)
            choice.click()
            expect(choice).to_have_attribute("aria-pressed", "true")
        accessible(one.page)
        picture(one.page, f"phone-{name}-open")
        fits_twice_as_large(one.page)


def fits_twice_as_large(phone: Page) -> None:
    """With text at 200 % nothing is cut off, and every word can be scrolled to."""
    phone.evaluate("document.documentElement.style.fontSize = '200%'")
    cut = phone.evaluate(  # the pencil's ring reaches out by some pixels on purpose
        "[...document.querySelectorAll('button, h1, p')]"
        ".filter((one) => one.scrollWidth > one.clientWidth + 16"
        " || one.getBoundingClientRect().right > innerWidth + 1).map((one) => one.textContent)"
    )
    picture(phone, f"phone-{phone.viewport_size['width']}-large")
    assert cut == []
    phone.evaluate("document.documentElement.style.fontSize = ''")


def blank(stage: Page) -> None:
    """Nothing on the screen, and all of it again."""
    for hidden in (True, False):
        stage.keyboard.press("b")
        expect(stage.locator("main")).to_be_visible(visible=not hidden)


def reveal(stage: Page, scene: str, phones: dict[str, Watched]) -> None:
    """One step by key; up to the truth no phone has been told anything."""
    if scene == "truth":
        told = "".join("".join(one.said) for one in phones.values())
        assert told and not [word for word in SEALED if f'"{word.strip(chr(34))}":' in told]
    stage.keyboard.press("PageDown")
    expect(stage.locator(SCENES[scene]).first).to_be_visible()
    stage.wait_for_timeout(900)  # pencil and bars are drawn
    accessible(stage)
    picture(stage, f"stage-{scene}")
    for name, one in phones.items() if scene in ("closed", "truth") else ():
        shown = one.page.locator(".b h1" if scene == "closed" else "main > .t")
        expect(shown).to_be_visible(timeout=10_000)
        accessible(one.page)
        picture(one.page, f"phone-{name}-{scene}")


def export_is_right(host: Page) -> None:
    """What the three phones said, one row each."""
    with host.expect_download() as taken:
        host.get_by_role("link", name="guesses.csv").click()
    rows = list(csv.DictReader(io.StringIO(Path(taken.value.path()).read_text(encoding="utf-8-sig"))))
    rows = [row for row in rows if row["source"] == "phone"]  # visitors of the booth have answered too
    assert [row["answer"] for row in rows] == ["generated"] * 3
    assert len({row["voter"] for row in rows}) == 3
    assert {row["right"] for row in rows} == {str(rows[0]["truth"] == "generated").lower()}


def test_a_phone_without_network_keeps_the_tap_and_sends_it_once(browser: Browser, booth: Booth) -> None:
    host = logged_in(browser, booth.url)
    host.page.request.post(f"{booth.url}api/host/open")
    one = Watched(browser, 390, 844, "light", "en-US")
    told = host.page.locator(".qr").first.get_attribute("aria-label") or ""
    one.page.goto(booth.url + told.rsplit("/", 1)[1])
    expect(one.page.locator("[data-answer=photograph]")).to_be_visible(timeout=10_000)
    with booth.store as store:
        before = len(store.guesses())
    one.context.set_offline(True)
    one.page.locator("[data-answer=photograph]").click()
    expect(one.page.get_by_role("status")).to_have_text(WORDS.say("phone.offline"))
    one.context.set_offline(False)
    expect(one.page.get_by_role("status")).to_have_text(
        WORDS.say("phone.said", x=WORDS.say("phone.said_photograph")), timeout=15_000
    )
    one.page.reload()
    expect(one.page.locator("[data-answer=photograph]")).to_have_attribute("aria-pressed", "true")
    with booth.store as store:
        assert len(store.guesses()) == before + 1
    for page in (one, host):
        page.context.close()


def test_a_clickers_keys_are_obeyed_in_their_order(browser: Browser, booth: Booth) -> None:
    host = logged_in(browser, booth.url)
    stage = on_stage(host, booth.url)
    chromium.on_a_bad_network(stage)
    expect(stage.locator(".url")).to_be_visible()
    stage.keyboard.press("b")
    expect(stage.locator("main")).to_be_hidden()
    chromium.slow_down(stage, "api/host/blank", sent=1_000)
    stage.keyboard.press("b")
    stage.keyboard.press("PageDown")  # shows what was blank: the key before it must not blank that again
    expect(stage.locator(".count")).to_be_visible(timeout=10_000)
    stage.wait_for_timeout(1_500)
    expect(stage.locator("main")).to_be_visible()
    host.page.request.post(f"{booth.url}api/host/back")
    assert host.failures == []
    host.context.close()


def test_a_clickers_keys_work_on_the_hosts_page_but_not_where_somebody_types(
    browser: Browser, booth: Booth
) -> None:
    host = logged_in(browser, booth.url)
    for command in ("open", "close"):
        host.page.request.post(f"{booth.url}api/host/{command}")
    here = host.page.locator(".states [aria-current]")
    expect(here).to_have_text("Closed", timeout=10_000)
    event = host.page.get_by_label(WORDS.say("host.event"))
    event.focus()
    host.page.keyboard.press("ArrowRight")
    host.page.keyboard.press("b")
    expect(event).to_have_value("b")
    event.fill("")
    event.blur()
    expect(here).to_have_text("Closed")
    host.page.keyboard.press("ArrowRight")
    expect(here).to_have_text("Split", timeout=10_000)
    host.page.keyboard.press("PageUp")
    expect(here).to_have_text("Closed", timeout=10_000)
    assert host.failures == []
    host.context.close()
