"""A network that falls silent and keeps every connection: phones and stage say so, and come back.

The seconds stand in what `pytest -rP` tells; what is asserted leaves room for a busy machine.
"""

import logging
import time

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.forwarder import Forwarder
from tests.served_room import ServedRoom
from tests.served_room import served as served  # the fixtures
from tests.served_room import way as way
from words import read_words

pytestmark = pytest.mark.browser

LOG = logging.getLogger(__name__)
WORDS = read_words()
SAID_S, BACK_S = 5.0, 15.0
BUSY_S = 5.0  # what a machine with other work adds
# What tablets lack whose browser is of 2018: Chrome 61, Safari 12.
OLD = """
delete window.AbortController; delete window.AbortSignal; delete window.structuredClone;
for (const name of ["replaceChildren", "replaceWith"]) delete Element.prototype[name];
for (const name of ["at", "flat", "flatMap"]) delete Array.prototype[name];
for (const name of ["at", "replaceAll", "matchAll"]) delete String.prototype[name];
for (const name of ["any", "allSettled"]) delete Promise[name];
delete Promise.prototype.finally; delete Object.fromEntries; delete HTMLImageElement.prototype.decode;
"""


def opened(browser: Browser, way: Forwarder, path: str, script: str = "") -> Page:
    page = browser.new_context(locale="en-US").new_page()
    page.add_init_script(script)
    page.goto(f"http://127.0.0.1:{way.port}/{path}")
    return page


def test_phones_and_stage_say_that_there_is_no_network_and_come_back_by_themselves(
    browser: Browser, served: ServedRoom, way: Forwarder
) -> None:
    served.open()
    phones = {"phone": opened(browser, way, served.code), "old phone": opened(browser, way, served.code, OLD)}
    stage = opened(browser, way, "stage", OLD)
    shown = {name: phone.get_by_role("status") for name, phone in phones.items()}
    for phone in phones.values():
        expect(phone.locator("[data-answer=generated]")).to_be_visible()
    expect(stage.locator(".count")).to_have_text("0")
    way.silence()
    began = time.monotonic()
    lost = {name: WORDS.say("phone.offline") for name in phones} | {"stage": WORDS.say("stage.offline")}
    shown["stage"] = stage.locator("#keys")
    watch(shown, lost, began, "NO NETWORK, said after", SAID_S)
    for phone in phones.values():
        phone.locator("[data-answer=generated]").click()
    way.backend = "127.0.0.1", served.port  # of new connections; the old ones stay silent for ever
    began = time.monotonic()
    said = WORDS.say("phone.said", x=WORDS.say("phone.said_generated"))
    watch(shown, {name: said for name in phones} | {"stage": ""}, began, "BACK after", BACK_S)
    expect(stage.locator(".count")).to_have_text("2")
    assert len({guess.voter for guess in served.store.guesses()}) == len(served.store.guesses()) == 2
    for page in (*phones.values(), stage):
        page.context.close()


def watch(shown: dict[str, object], texts: dict[str, str], began: float, what: str, most: float) -> None:
    """Each page tells its text, and when."""
    waiting = set(texts)
    while waiting:
        for name in sorted(waiting):
            if shown[name].text_content() == texts[name]:  # type: ignore[attr-defined]
                took = time.monotonic() - began
                LOG.warning("%s: %s %.2f s", name, what, took)
                assert took < most + BUSY_S
                waiting.remove(name)
        assert time.monotonic() - began < most + BUSY_S, f"{what}: {waiting}"
        time.sleep(0.05)


def test_a_browser_that_is_too_old_for_the_phone_page_is_told_so(
    browser: Browser, served: ServedRoom, way: Forwarder
) -> None:
    lacking = opened(browser, way, served.code, "delete Object.entries")
    expect(lacking.get_by_role("status")).to_have_text(WORDS.say("phone.old"))
    lacking.route("**/vote", unreadable)
    lacking.goto(f"http://127.0.0.1:{way.port}/vote")
    expect(lacking.get_by_role("status")).to_have_text(WORDS.say("phone.old"))
    lacking.context.close()


def unreadable(route: Route) -> None:
    """The page with a script whose language the browser does not know."""
    answer = route.fetch()
    route.fulfill(response=answer, body=answer.text().replace("(() => {", "(() ==> {"))
