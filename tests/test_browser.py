"""The booth in a real browser with a fake camera, as visitors walk it.

FACE_VALUE_SCREENSHOTS names a folder for a picture of each screen.
"""

import contextlib
import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import axe_playwright_python
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, Playwright, Route, ViewportSize, expect

from booth.deck import read_deck
from pipelines.measure.likeness import MEASURE_KINDS
from settings import COUNTS
from tests import chromium
from tests.hostile import REFUSED, card, encoded
from tests.serving import ROOT, Booth, is_failure
from votes.schema import Kind
from words import read_words

pytestmark = pytest.mark.browser

WORDS = read_words()
LONGEST = WORDS.say(
    "dial.over_and_hold",
    n=10,
    m=30,
    noise=WORDS.say("dial.noise_more"),
    hold=WORDS.say("dial.hold_less"),
)
MAKING_MS = 180_000  # patience on a busy machine, not a measurement
SIZES = {"laptop": (1920, 1080), "kiosk": (1080, 1920), "phone": (390, 844)}
PLAIN = (1280, 720)  # where a test is not about sizes: large pictures are dear without a GPU
# A visit each: its sizes, its portraits.
HANDS = {"mouse": (("laptop",), 2), "finger": (("kiosk", "phone"), 4)}
RED, BLUE = (200, 30, 30), (30, 30, 200)  # to the left and the right of the sitter in the camera's picture
STILL = """() => document.getAnimations().every(
    (one) => one.playState !== "running" || one.effect.getComputedTiming().endTime === Infinity)"""
# What stands under the AI's sign on the ladder, each time that something changes: nothing, or which picture.
SIGNED = """() => {
  window.signed = [];
  new MutationObserver(() => requestAnimationFrame(() => {
    const large = document.querySelector(".screen.ladder .large");
    if (!large?.offsetHeight || !large.querySelector("img").getAttribute("src")) return;
    const [own, top] = large.querySelectorAll(".wipe img");
    const [, sign] = large.querySelectorAll("figcaption span");
    const [was, is] = [own, top].map((one) => one.getAttribute("src"));
    signed.push(!sign.offsetHeight && !top.offsetHeight ? "" : is === was || !is ? "the photograph" : is);
  })).observe(document.body, { subtree: true, childList: true, attributes: true });
}"""
AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")


# ---- what is needed


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the fake camera sees: a sitter between a red and a blue edge."""
    from skimage.data import astronaut

    scene = Image.new("RGB", (1280, 720), RED)
    scene.paste(BLUE, (640, 0, 1280, 720))
    scene.paste(Image.fromarray(astronaut()).crop((90, 0, 360, 270)).resize((720, 720)), (280, 0))
    return chromium.film(tmp_path_factory.mktemp("film"), scene)


@pytest.fixture(scope="module")
def browser(playwright: Playwright, film: Path) -> Iterator[Browser]:
    """With a camera that may be used."""
    browser = chromium.launch(playwright, film)
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def window(browser: Browser) -> Iterator[chromium.Window]:
    """For visitors one after the other who need nothing of their own."""
    with chromium.window(browser) as window:
        yield window


@pytest.fixture(scope="module")
def blind(playwright: Playwright) -> Iterator[Browser]:
    """Without a camera."""
    browser = chromium.launch(playwright)
    yield browser
    browser.close()


@contextlib.contextmanager
def visitor(browser: Browser, url: str, size: str = "laptop", **options: Any) -> Iterator[Page]:
    """A page of one's own, at the welcome, in a window of one's own; scripts must not fail."""
    options = {"viewport": as_viewport(size), "color_scheme": "dark"} | options
    with browser.new_context(**options) as context:
        page = context.new_page()
        with welcomed(page, url):
            yield page


@contextlib.contextmanager
def guest(window: chromium.Window, url: str, size: str = "") -> Iterator[Page]:
    """The same in a window that stays open."""
    with window.tab(SIZES.get(size, PLAIN)) as page, welcomed(page, url):
        yield page


@contextlib.contextmanager
def welcomed(page: Page, url: str) -> Iterator[None]:
    failures = list[str]()
    page.on("pageerror", lambda error: failures.append(str(error)))
    page.on("console", lambda said: failures.append(said.text) if is_failure(said) else None)
    page.goto(url)
    expect(button(page, "welcome.start")).to_be_visible(timeout=30_000)
    yield
    assert failures == []


def button(page: Page, key: str, **values: object) -> Locator:
    return page.get_by_role("button", name=WORDS.say(key, **values), exact=True)


def agree(page: Page) -> None:
    button(page, "welcome.start").click()
    page.locator(".ticks input[name=agreed]").check()
    button(page, "consent.go").click()
    expect(page.locator(".booth-camera")).to_be_visible()


def with_sample(page: Page, name: str = "astronaut") -> None:
    """To the looks, with a sample face."""
    agree(page)
    button(page, f"sample.{name}").click()
    button(page, "camera.use").click()
    expect(button(page, "look.go", n=4)).to_be_visible()


def making(page: Page, n: int = 4) -> Locator:
    """The button that makes so many: where a test is not about them, one is enough."""
    page.get_by_role("radio", name=str(n), exact=True).check()
    return button(page, "look.go_one") if n == 1 else button(page, "look.go", n=n)


def made(page: Page, n: int = 4) -> None:
    making(page, n).click()
    expect(button(page, "result.vote")).to_be_visible(timeout=MAKING_MS)


def status(page: Page, url: str) -> int:
    return page.request.get(url).status


# ---- the visit


@pytest.mark.parametrize("hand", list(HANDS))
def test_a_visit_from_welcome_to_goodbye(browser: Browser, booth: Booth, hand: str) -> None:
    sizes, n = HANDS[hand]
    with booth.store as store:
        before = len(store.guesses())
    with visitor(browser, booth.url, sizes[-1], has_touch=hand == "finger") as page:
        asked, said = list[str](), list[bytes]()
        page.on("request", lambda request: asked.append(request.url))
        page.on("response", lambda response: said.append(body_of(response)))
        tap = Locator.tap if hand == "finger" else Locator.click
        to_the_looks(page, sizes, tap)
        tap(making(page, n))
        expect(page.locator("[role=progressbar]")).to_be_visible(timeout=MAKING_MS)
        look_at_each(page, sizes, "making", calm=False)
        expect(button(page, "result.vote")).to_be_visible(timeout=MAKING_MS)
        look_at_each(page, sizes, "result", scrolls=("phone",))
        look_through(page, n, tap)
        if hand == "finger":  # by mouse it is watched where a room is shown it
            watch_it_forget(page, sizes, tap)
        portraits = page.locator(".portraits-part img").evaluate_all("all => all.map(one => one.src)")
        assert [status(page, url) for url in portraits] == [200] * (n + 2)
        said.clear()
        tap(button(page, "result.vote"))
        expect(page.get_by_alt_text(WORDS.say("vote.alt"))).to_be_visible()
        look_at_each(page, sizes, "vote")
        weigh_alike(button(page, "vote.photo"), button(page, "vote.ai"))
        assert untold(b"".join(said) + page.content().encode())
        tap(button(page, "vote.ai"))
        expect(page.locator(".truth")).to_be_visible()
        look_at_each(page, sizes, "truth")
        tap(button(page, "vote.next"))
        expect(page.get_by_text(WORDS.say("vote.nth", i=2, n=7))).to_be_visible()
        to_the_end(page, sizes, tap)
        assert [status(page, url) for url in portraits] == [404] * (n + 2)
        tap(button(page, "goodbye.done"))
        expect(button(page, "welcome.start")).to_be_visible()
    assert [url for url in asked if not url.startswith((booth.url, "data:", "blob:"))] == []
    with booth.store as store:
        assert len(store.guesses()) == before + 1


def look_through(page: Page, n: int, tap: Callable[[Locator], None]) -> None:
    """What it changed: the line by keyboard, another portrait with its own report, a program's answer."""
    line = page.get_by_role("slider", name=WORDS.say("result.wipe"))
    line.press("ArrowRight")
    expect(line).to_have_attribute("aria-valuetext", WORDS.say("result.wiped", p=51))
    photograph = page.locator(".screen.result .wipe img").first
    first = photograph.get_attribute("src") or ""
    page.locator(".strip input").nth(0).press("ArrowDown")
    expect(photograph).not_to_have_attribute("src", first)  # each in its own light and crop
    tap(button(page, "likeness.title"))
    reports = page.locator(".likeness")
    expect(reports).to_have_count(n)
    expect(reports.nth(1)).to_be_visible()
    expect(reports.nth(0)).to_be_hidden()
    expect(reports.nth(1).locator(".report > li")).to_have_count(3)
    tap(reports.nth(1).locator("summary"))
    expect(reports.nth(1).locator("tbody tr")).to_have_count(len(MEASURE_KINDS))
    page.keyboard.press("Escape")
    expect(reports.nth(1)).to_be_hidden()
    tap(button(page, "result.program"))
    tap(button(page, "result.ask"))
    expect(page.locator(".pane.program [role=status]")).to_contain_text(WORDS.say("result.machine_shown"))
    tap(page.locator(".pane.program .close"))


def watch_it_forget(page: Page, sizes: tuple[str, ...], tap: Callable[[Locator], None]) -> None:
    """The ladder of the portrait that is large, and back to it."""
    page.evaluate(SIGNED)
    tap(button(page, "ladder.link"))
    expect(page.get_by_role("link", name=WORDS.say("ladder.take"))).to_be_visible(timeout=MAKING_MS)
    signed = page.evaluate("signed")
    assert signed[0] == ""  # before the first step the photograph stands alone
    assert not any(one == "the photograph" for one in signed) and len(set(signed)) > 1
    expect(page.locator(".strip input")).to_have_count(6)
    page.locator(".strip input").nth(5).press("ArrowUp")
    look_at_each(page, sizes, "ladder", scrolls=("phone",))
    tap(button(page, "likeness.title"))
    steps = page.locator(".likeness")
    expect(steps.nth(4)).to_be_visible()
    expect(steps.nth(5)).to_be_hidden()
    tap(page.locator(".pane.changed .close"))
    tap(button(page, "ladder.back"))
    expect(page.locator(".strip input")).to_have_count(4)


def to_the_looks(page: Page, sizes: tuple[str, ...], tap: Callable[[Locator], None]) -> None:
    """Welcome, consent, one shot."""
    look_at_each(page, sizes, "welcome")
    tap(button(page, "welcome.start"))
    expect(page.locator(".ticks input").first).not_to_be_checked()
    look_at_each(page, sizes, "consent")
    tap(button(page, "consent.go"))
    expect(page.locator(".notice")).to_have_text(WORDS.say("consent.missing"))
    tap(page.locator(".ticks .tick").first)
    tap(button(page, "consent.go"))
    expect(page.locator(".booth-camera.live")).to_be_visible()
    look_at_each(page, sizes, "camera")
    for size in sizes:  # one countdown is too short for two looks
        if page.locator(".count").is_visible():
            tap(button(page, "making.stop"))
        page.set_viewport_size(as_viewport(size))
        tap(button(page, "camera.shutter"))
        expect(page.locator(".count b")).to_have_text("3")
        look_at(page, size, "countdown")
    expect(page.locator(".verdict")).to_contain_text(WORDS.say("camera.good"), timeout=20_000)
    tap(button(page, "camera.use"))
    expect(page.get_by_label("Studio grey")).to_be_checked()
    turn_the_dial(page, tap)
    look_at_each(page, sizes, "look")


def turn_the_dial(page: Page, tap: Callable[[Locator], None]) -> None:
    """A sentence says what each place does; it is turned by finger and by arrow keys, and back."""
    usual, told = page.get_by_label(WORDS.say("dial.usual"), exact=True), page.locator(".told p")
    expect(usual).to_be_checked()
    expect(page.locator(".dial label")).to_have_count(5)
    before = told.inner_text()
    assert before == over(5, "usual")
    tap(page.locator(".dial label").last)
    expect(told).to_have_text(over(12, "most"))
    size = "one => [one.offsetHeight, document.body.scrollWidth, document.documentElement.scrollHeight]"
    was = told.evaluate(size)
    told.evaluate("(one, longest) => { one.textContent = longest; }", LONGEST)
    assert told.evaluate(size) == was  # nor does what a set says that holds on to a face move anything
    for _ in range(2):
        page.locator(".dial :checked").press("ArrowLeft")
    expect(usual).to_be_checked()
    expect(told).to_have_text(before)


def over(steps: int, level: str) -> str:
    """What the dial says of the small set where it paints over the photo in so many steps."""
    noise, stays = WORDS.say(f"dial.noise_{level}"), WORDS.say(f"dial.stays_{level}")
    return WORDS.say("dial.over", noise=noise, stays=stays, n=steps, m=20)


def to_the_end(page: Page, sizes: tuple[str, ...], tap: Callable[[Locator], None]) -> None:
    """Stop guessing, delete everything."""
    tap(button(page, "vote.stop"))
    look_at_each(page, sizes, "goodbye")
    tap(button(page, "result.delete"))
    look_at_each(page, sizes, "delete")
    tap(button(page, "delete.yes"))
    expect(page.get_by_text(WORDS.say("delete.done"))).to_be_visible()


def body_of(response: Any) -> bytes:
    """What an answer said; a stream that is still open has said nothing yet."""
    if "event-stream" in response.headers.get("content-type", "") or response.status in (204, 304):
        return b""
    with contextlib.suppress(Exception):  # the page went on before it was read
        return bytes(response.body())
    return b""


def untold(said: bytes) -> bool:
    """No id, file name or word of the truth in what a browser got while a question is open."""
    cards = [one for group in read_deck(ROOT / "examples" / "deck").groups for one in group]
    secrets = (
        {one.item.id for one in cards} | {one.path.name for one in cards} | {"deck.toml", "Public domain"}
    )
    secrets |= {WORDS.say(f"vote.alt_{kind.value}") for kind in Kind} | {one.credit for one in cards}
    return not [secret for secret in secrets if secret.encode() in said]


def weigh_alike(one: Locator, other: Locator) -> None:
    first, second = one.bounding_box(), other.bounding_box()
    assert first and second
    assert first["width"] == pytest.approx(second["width"], abs=1)
    assert first["height"] == pytest.approx(second["height"], abs=1)
    weight = "one => [getComputedStyle(one).fontSize, getComputedStyle(one).fontWeight]"
    assert one.evaluate(weight) == other.evaluate(weight)


def look_at_each(
    page: Page, sizes: tuple[str, ...], name: str, calm: bool = True, scrolls: tuple[str, ...] = ()
) -> None:
    """In each size, beginning with that of now: what is tapped next is tapped in the other."""
    for size in sorted(sizes, key=lambda size: page.viewport_size != as_viewport(size)):
        page.set_viewport_size(as_viewport(size))
        look_at(page, size, name, calm, size in scrolls)


def as_viewport(size: str) -> ViewportSize:
    width, height = SIZES[size]
    return {"width": width, "height": height}


def look_at(page: Page, size: str, name: str, calm: bool = True, scrolls: bool = False) -> None:
    """A screen is whole, never scrolls sideways, and axe finds nothing serious."""
    if calm:
        page.wait_for_timeout(400)  # the cross-fade; on a busy machine it starts late
        page.wait_for_function(STILL)
    if folder := os.environ.get("FACE_VALUE_SCREENSHOTS"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=f"{folder}/{name}-{size}.jpg", type="jpeg", quality=85)
    wide, tall = page.evaluate(
        "[document.documentElement.scrollWidth, document.documentElement.scrollHeight]"
    )
    assert wide <= SIZES[size][0]
    assert scrolls or tall <= SIZES[size][1], f"{name} scrolls"
    if calm:
        assert page.locator("h1:visible").count() <= 1
        found = axe(page, "document, {resultTypes: ['violations']}")
        serious = [
            (one["id"], [node["html"][:120] for node in one["nodes"]])
            for one in found["violations"]
            if one["impact"] in ("serious", "critical")
        ]
        assert serious == [], name


def axe(page: Page, given: str = "") -> Any:
    """What axe finds; it is brought to a page once."""
    if page.evaluate("!window.axe"):
        page.evaluate(AXE)
    return page.evaluate(f"axe.run({given})")


def test_a_visit_by_keyboard_alone_in_which_stop_keeps_the_photo_and_the_choices(
    window: chromium.Window, booth: Booth
) -> None:
    with guest(window, booth.url) as page:

        def press(target: Locator, key: str = "Enter") -> None:
            expect(target).to_be_visible(timeout=MAKING_MS)
            for _ in range(40):
                if target.evaluate("one => one === document.activeElement"):
                    return page.keyboard.press(key)
                page.keyboard.press("Tab")
            pytest.fail("the Tab key does not get there")

        press(button(page, "welcome.start"))
        expect(page.locator(".screen.consent h1")).to_be_focused()
        press(page.locator(".ticks input").first, "Space")
        press(button(page, "consent.go"))
        expect(page.locator(".booth-camera.live")).to_be_visible()
        page.keyboard.press("Space")
        expect(page.locator(".count")).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.locator(".count")).to_be_hidden()
        press(button(page, "camera.shutter"))
        expect(page.locator(".verdict")).to_contain_text(WORDS.say("camera.good"), timeout=20_000)
        press(button(page, "camera.use"))
        press(page.get_by_label("Studio grey"), "ArrowRight")
        press(button(page, "look.go", n=4))
        press(button(page, "making.stop"))
        expect(page.locator(".notice", has_text=WORDS.say("making.stopped"))).to_be_visible()
        expect(page.get_by_label("Studio black")).to_be_checked()
        for n in reversed(COUNTS[1:]):
            press(page.get_by_role("radio", name=str(n), exact=True), "ArrowLeft")
        press(button(page, "look.go_one"))
        press(button(page, "result.vote"))
        press(button(page, "vote.photo"))
        expect(page.locator(".truth")).to_be_visible()
        press(button(page, "vote.next"))
        expect(page.locator(".screen.vote h1")).to_be_focused()  # the next question; it takes the focus
        expect(page.locator(".truth")).to_be_hidden()
        press(button(page, "vote.stop"))
        press(button(page, "goodbye.done"))
        expect(button(page, "welcome.start")).to_be_visible()


# ---- the welcome

ALONE = (".bar-y", ".grip", ".tag.r", "input", ".top")


@pytest.mark.parametrize("answers", [[202, 202, 200], [404]], ids=["late", "never"])
def test_the_welcome_shows_its_photograph_alone_until_the_portrait_is_there(
    blind: Browser, booth: Booth, answers: list[int]
) -> None:
    portrait, left = encoded(card(480, 600), "jpeg"), list(answers)

    def answer(route: Route) -> None:
        status = left.pop(0) if len(left) > 1 else left[0]
        route.fulfill(status=status, body=portrait if status == 200 else b"", content_type="image/jpeg")

    with blind.new_context(viewport={"width": 1920, "height": 1080}) as context:
        page, asked = context.new_page(), list[str]()
        page.on("request", lambda one: asked.append(one.url) if "welcome-portrait" in one.url else None)
        page.route("**/looks/welcome-portrait.jpg", answer)
        page.goto(booth.url)
        expect(page.locator(".welcome .tag.l")).to_be_visible(timeout=30_000)
        expect(page.get_by_alt_text(WORDS.say("vote.photo"), exact=True)).to_be_visible()
        for part in ALONE:
            expect(page.locator(f".welcome .wipe {part}")).to_be_hidden()
        look_at(page, "laptop", f"welcome-{'never' if 404 in answers else 'waits'}")
        if 404 in answers:
            page.wait_for_timeout(4_000)
            assert len(asked) == 1  # it will not come: nobody asks again
        else:
            expect(page.locator(".welcome .tag.r")).to_be_visible(timeout=15_000)
            expect(page.get_by_role("slider", name=WORDS.say("welcome.wipe"))).to_be_attached()
        for part in ALONE:
            expect(page.locator(f".welcome .wipe {part}")).to_be_visible(visible=404 not in answers)


# ---- the camera


def test_the_camera_is_released_when_the_photos_are_taken(window: chromium.Window, booth: Booth) -> None:
    watch = """const real = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    window.tracks = []; navigator.mediaDevices.getUserMedia = async (wish) => {
      const stream = await real(wish); window.tracks.push(...stream.getTracks()); return stream; }; 0"""
    with guest(window, booth.url) as page:
        page.evaluate(watch)
        agree(page)
        expect(page.locator(".booth-camera.live")).to_be_visible()
        assert page.evaluate("tracks.map(one => one.readyState)") == ["live"]
        button(page, "sample.hopper").click()
        button(page, "camera.use").click()
        expect(button(page, "look.go", n=4)).to_be_visible()
        assert page.evaluate("tracks.map(one => one.readyState)") == ["ended"]


def test_a_camera_that_cannot_be_had_is_told_and_the_upload_stays(
    window: chromium.Window, booth: Booth
) -> None:
    with guest(window, booth.url, "laptop") as page:
        fail = "async () => { throw new DOMException('', window.refusal); }"
        page.evaluate(f"navigator.mediaDevices.getUserMedia = {fail}; window.refusal = 'NotAllowedError'")
        agree(page)
        for name, key in (("NotAllowed", "denied"), ("NotFound", "none"), ("NotReadable", "busy")):
            page.evaluate("name => { window.refusal = name; }", f"{name}Error")
            page.evaluate("navigator.mediaDevices.dispatchEvent(new Event('devicechange')); 0")
            expect(page.locator(".trouble")).to_have_text(WORDS.say(f"camera.{key}"))
            look_at(page, "laptop", f"camera-{key}")
        button(page, "sample.hopper").click()
        button(page, "camera.use").click()
        expect(button(page, "look.go", n=4)).to_be_visible()


def test_plain_http_on_a_lan_address_says_so_and_takes_uploads(window: chromium.Window, booth: Booth) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing: it only asks for the way
            address = probe.getsockname()[0]
        except OSError:
            pytest.skip("this machine has no address but its own")
    if address.startswith("127."):
        pytest.skip("this machine has no address but its own")
    with guest(window, booth.url.replace("127.0.0.1", address)) as page:
        agree(page)
        expect(page.locator(".trouble")).to_have_text(WORDS.say("camera.insecure"))
        upload(page, encoded(np.asarray(sample_face()), "png"))
        expect(page.locator(".shots img")).to_have_count(1)


def sample_face() -> Image.Image:
    from skimage.data import astronaut

    return Image.fromarray(astronaut())


def upload(page: Page, data: bytes, name: str = "my-holiday.png") -> None:
    page.locator(".booth-camera input[type=file]").set_input_files(
        {"name": name, "mimeType": "image/png", "buffer": data}
    )


def test_a_bad_file_earns_its_sentence_beside_the_photos(window: chromium.Window, booth: Booth) -> None:
    bad = [REFUSED[name] for name in ("zip bomb", "png of 2.5 billion pixels", "png without pixels")]
    with guest(window, booth.url) as page:
        agree(page)
        for make_bytes, key in (*bad, (lambda: encoded(card(640, 800), "png"), "face.none")):
            upload(page, make_bytes())
            expect(page.locator(".verdict .notice")).to_have_text(WORDS.say(key, mp=50, mb=12))
            expect(page.locator(".shots img")).to_have_count(0)


# ---- more than one, and going away


def test_two_visitors_wait_for_each_other_and_see_only_their_own(browser: Browser, booth: Booth) -> None:
    with visitor(browser, booth.url, "phone") as one, visitor(browser, booth.url, "phone") as other:
        with_sample(one, "astronaut")
        with_sample(other, "hopper")
        for go in [making(page, 1) for page in (one, other)]:  # both have chosen before the first begins
            go.click()
        shown = []
        for page in (one, other):
            expect(button(page, "result.vote")).to_be_visible(timeout=MAKING_MS)
            shown.append(page.locator(".portraits-part img").evaluate_all("all => all.map(one => one.src)"))
        assert set(shown[0]).isdisjoint(shown[1])
        assert [status(one, url) for url in shown[0]] == [200] * 3
        assert [status(one, url) for url in shown[1]] == [404] * 3


def test_a_late_answer_does_not_undo_what_a_later_tap_did(window: chromium.Window, booth: Booth) -> None:
    with guest(window, booth.url) as page:
        chromium.on_a_bad_network(page)
        button(page, "welcome.start").click()
        page.locator(".ticks input[name=agreed]").check()
        chromium.slow_down(page, "gradio_api/run/", answered=1_500)
        button(page, "consent.go").click()
        button(page, "visit.start_over").click()
        expect(button(page, "welcome.start")).to_be_visible(timeout=15_000)
        page.wait_for_timeout(2_000)
        expect(button(page, "welcome.start")).to_be_visible()


def test_a_screen_that_nobody_touches_asks_and_then_clears_itself(browser: Browser, booth: Booth) -> None:
    with visitor(browser, booth.url) as page:  # in whose window a clock is set
        page.clock.install()
        page.reload()
        with_sample(page)
        page.wait_for_function("document.querySelector('.own-frames style')")  # nothing is on its way
        page.clock.fast_forward(91_000)
        page.clock.run_for(1_000)
        expect(page.locator("dialog.idle")).to_be_visible()
        button(page, "idle.yes").click()
        expect(page.locator("dialog.idle")).to_be_hidden()
        expect(button(page, "look.go", n=4)).to_be_visible()
        page.clock.fast_forward(111_000)
        page.clock.run_for(1_000)
        expect(button(page, "welcome.start")).to_be_visible()


def test_a_closed_tab_leaves_nothing_on_disk_or_in_the_log(window: chromium.Window, booth: Booth) -> None:
    with guest(window, booth.url) as page:
        agree(page)
        with page.expect_request(lambda request: request.url.endswith("/selfies")) as sent:
            upload(page, encoded(np.asarray(sample_face()), "png"))
        expect(page.locator(".shots img")).to_have_count(1)
        ticket = sent.value.headers["x-ticket"]
        assert "my-holiday" not in booth.log + page.content()
    assert gone(lambda: not booth.pictures)
    assert ticket not in booth.log
    assert str(booth.folder) not in booth.log


def gone(what: Callable[[], bool]) -> bool:
    """The server hears of a closed tab a moment later, and waits a little for a reload."""
    for _ in range(120):
        if what():
            return True
        time.sleep(0.5)
    return False
