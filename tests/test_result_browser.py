"""The result in a real browser: the picture first, whatever else is offered; no words on other words."""

from collections.abc import Iterator
from itertools import combinations

import pytest
from playwright.sync_api import Browser, Page, expect

from pipelines.draw.model_set import read_model_sets
from pipelines.look import read_looks
from pipelines.measure.likeness import MEASURE_KINDS
from pipelines.order import Order
from pipelines.plate.framing import framing_matrix, transform_points
from pipelines.selfie.face import FaceFinder
from pipelines.selfie.samples import SAMPLES, sample
from tests.serving import Booth
from tests.test_browser import (
    MAKING_MS,
    SIZES,
    STILL,
    WORDS,
    as_viewport,
    button,
    look_at,
    made,
    visitor,
    with_sample,
)
from tests.text_boxes import misplaced

pytestmark = pytest.mark.browser

OFFERS = ("to-changed", "to-program", "to-stage", "to-tone", "to-wall", "ladder")
HEADLINES = [key for kind in MEASURE_KINDS for key in kind.keys]
LONGEST = max((WORDS.say(key, percent=100) for key in HEADLINES), key=len)
LOWER_LIP = 17  # of the face mesh
GRIP_FROM = 0.87  # share of the pair's height below which the grip stands
# Shows these offers and no others, a long sentence, and tells what stands where.
STAND = """([offers, sentence]) => {
  const screen = document.querySelector(".screen.result");
  screen.querySelector("h1").textContent = sentence;
  for (const button of screen.querySelectorAll(".offer")) {
    const name = [...button.classList].find((one) => one.startsWith("to-")) || "ladder";
    button.hidden = false;
    button.style.display = offers.includes(name) ? "" : "none";
  }
  const texts = [];
  const walker = document.createTreeWalker(screen, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode, parent = node.parentElement;
    if (!node.data.trim() || parent.closest(".pane, .hidden-text, template, legend, .strip")) continue;
    if (parent.getBoundingClientRect().width <= 1) continue; // only read out
    const range = document.createRange();
    range.selectNodeContents(node);
    const boxes = [...range.getClientRects()].filter((one) => one.width > 1 && one.height > 1);
    for (const box of boxes) texts.push([node.data.trim(), box.toJSON()]);
  }
  const box = (selector) => screen.querySelector(selector).getBoundingClientRect().toJSON();
  return { texts, hero: box(".large .wipe"), grip: box(".grip"), delete: box(".foot .quiet:last-of-type"),
    height: innerHeight, width: document.documentElement.scrollWidth };
}"""

# A window of another size is laid out within two frames.
LAID_OUT = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"


@pytest.fixture(scope="module")
def sat(browser: Browser, booth: Booth) -> Iterator[Page]:
    """A visitor whose portraits are drawn."""
    with visitor(browser, booth.url) as page:
        with_sample(page)
        made(page)
        yield page


@pytest.fixture
def result(sat: Page) -> Page:
    """Their result, as nobody has touched it."""
    sat.reload()
    expect(button(sat, "result.vote")).to_be_visible(timeout=30_000)
    return sat


def overlap(first: dict[str, float], second: dict[str, float]) -> bool:
    """By more than a pixel in both directions."""
    across = min(first["right"], second["right"]) - max(first["left"], second["left"])
    down = min(first["bottom"], second["bottom"]) - max(first["top"], second["top"])
    return across > 1 and down > 1


def check(page: Page, size: str, offers: tuple[str, ...]) -> None:
    found = page.evaluate(STAND, [offers, LONGEST])
    hero, height = found["hero"], found["height"]
    assert hero["height"] >= 0.5 * height - 1, (size, offers)
    assert hero["width"] / hero["height"] == pytest.approx(0.8, abs=0.01), (size, offers)
    assert found["grip"]["top"] >= hero["top"] + GRIP_FROM * hero["height"], (size, offers)
    assert found["width"] <= SIZES[size][0], (size, offers)
    texts = [(text, box) for text, box in found["texts"]]
    on_each_other = [(a, b) for (a, one), (b, other) in combinations(texts, 2) if overlap(one, other)]
    assert on_each_other == [], (size, offers)
    gone = found["delete"]
    assert gone["width"] > 20 and gone["left"] >= 0 and gone["right"] <= SIZES[size][0], (size, offers)
    assert size == "phone" or gone["bottom"] <= height, (
        size,
        offers,
    )  # a phone scrolls below its first screen
    assert gone["top"] < height, (size, offers)


def test_the_pair_is_half_of_the_screen_whatever_is_offered(result: Page) -> None:
    for size in SIZES:
        result.set_viewport_size(as_viewport(size))
        result.evaluate(LAID_OUT)
        for offers in [*combinations(OFFERS, 2), OFFERS]:
            check(result, size, offers)
        look_at(result, size, "result-all", scrolls=size == "phone")


def test_a_sheet_lies_over_the_screen_and_gives_the_focus_back(result: Page) -> None:
    result.set_viewport_size(as_viewport("phone"))
    for name, key in (("changed", "likeness.title"), ("take", "take.title"), ("stage", "show.title")):
        sheet, opener = result.locator(f".screen.result .pane.{name}"), button(result, key)
        expect(sheet).to_be_hidden()
        opener.click()
        expect(sheet.locator("h2")).to_be_focused()
        look_at(result, "phone", f"sheet-{name}", scrolls=True)
        result.keyboard.press("Escape")
        expect(sheet).to_be_hidden()
        expect(opener).to_be_focused()


def test_the_looks_show_the_visitors_own_plates(browser: Browser, booth: Booth) -> None:
    with visitor(browser, booth.url) as page:
        with_sample(page, "hopper")
        frames = page.locator(".look .frames .pic")
        expect(frames).to_have_count(len(read_looks()))
        page.wait_for_function(
            "document.querySelector('.look style')?.textContent.includes('pictures/')", timeout=60_000
        )
        grounds = frames.evaluate_all("all => all.map(one => getComputedStyle(one).backgroundImage)")
        assert len(set(grounds)) == len(grounds)
        for ground in grounds:
            address = ground.split('"')[1]
            assert "/pictures/" in address and page.request.get(address).status == 200


def test_no_mouth_stands_where_the_grip_is(finder: FaceFinder) -> None:
    model_set, size = read_model_sets()["mini"], (1080, 1350)
    for name in SAMPLES:
        face = finder.find(sample(name))
        for look in read_looks().values():
            for shot in Order(look, variations=4, seed=7).shots(model_set):
                matrix = framing_matrix(face, shot.framing, size)
                lip = transform_points(matrix, face.landmarks[[LOWER_LIP], :2])[0]
                assert lip[1] < GRIP_FROM * size[1], (name, look.name, shot.framing)


def fits(page: Page, screen: str) -> None:
    """At each size no word is cut or stands on another, and the main button is seen without scrolling."""
    go = page.locator(f".screen.{screen} :is(.go, .use)").locator("visible=true").first
    for size in SIZES:
        page.set_viewport_size(as_viewport(size))
        page.wait_for_function(STILL)
        assert misplaced(page) == [], (screen, size)
        box = go.bounding_box()
        assert box and box["y"] + box["height"] <= SIZES[size][1], (screen, size)


def test_no_german_is_cut_or_stands_on_other_words(browser: Browser, booth: Booth) -> None:
    with visitor(browser, booth.url) as page:
        page.get_by_label("Deutsch").check()
        expect(page.locator("html")).to_have_attribute("lang", "de")
        expect(page.locator(".welcome .go")).to_have_text(WORDS.say("welcome.start", "de"))
        fits(page, "welcome")
        page.locator(".welcome .go").click()
        expect(page.locator(".consent h1")).to_have_text(WORDS.say("consent.title", "de"))
        page.locator(".consent .go").click()
        expect(page.locator(".consent .notice")).to_have_text(WORDS.say("consent.missing", "de"))
        fits(page, "consent")
        page.locator(".ticks input[name=agreed]").check()
        page.locator(".consent .go").click()
        expect(page.locator(".trouble")).to_have_text(WORDS.say("camera.none", "de"))
        page.locator("[data-sample=astronaut]").click()
        expect(page.locator(".camera .use")).to_have_text(WORDS.say("camera.use", "de"))
        fits(page, "camera")
        page.locator(".camera .use").click()
        page.locator(".look input[name=count][value='1']").check()
        expect(page.locator(".look .go")).to_have_text(WORDS.say("look.go_one", "de"))
        fits(page, "look")
        page.locator(".look .go").click()
        expect(page.locator(".result .go").first).to_be_visible(timeout=MAKING_MS)
        longest = max((WORDS.say(key, "de", percent=100) for key in HEADLINES), key=len)
        page.locator(".result h1").evaluate("(title, said) => { title.textContent = said; }", longest)
        fits(page, "result")
        page.locator(".result .foot button").last.click()
        page.locator(".delete .go").click()
        page.locator(".goodbye .go").click()
        expect(page.locator(".welcome .go")).to_have_text(WORDS.say("welcome.start"))  # the next visitor's
        expect(page.locator("html")).to_have_attribute("lang", "en")


def test_a_reload_and_a_double_tap_change_no_answer(result: Page, booth: Booth) -> None:
    """The last here, for it leaves the result behind."""
    button(result, "result.vote").click()
    with booth.store as store:
        before = len(store.guesses())
    button(result, "vote.photo").dblclick()
    expect(result.locator(".truth")).to_be_visible()
    told = result.locator(".screen.vote h1").inner_text()
    result.reload()
    expect(result.locator(".screen.vote h1")).to_have_text(told)
    with booth.store as store:
        assert len(store.guesses()) == before + 1
