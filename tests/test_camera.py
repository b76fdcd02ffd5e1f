"""The camera alone, on a small page in a real browser: what a visitor sees, and the file that leaves it.

FACE_VALUE_SCREENSHOTS names a folder for pictures of the screen at three sizes.
"""

import contextlib
import io
import json
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, Playwright, Route, expect
from starlette.middleware import Middleware
from starlette.responses import JSONResponse
from starlette.routing import Route as Served

from app import let_wait
from booth.album import Album
from booth.line import Line
from booth.visit import ScreenName, Visit
from booth.visits import Visits
from pages.booth.hints import Hints
from pages.booth.pictures import picture_routes
from pages.booth.uploads import Intake
from pages.components.camera import camera
from pages.guards.error_boundary import ErrorBoundary
from pages.guards.gate import COOKIE, Gate
from pages.theme import booth_head, style_routes, theme
from pipelines.selfie.face import FaceFinder
from pipelines.selfie.hints import FrameJudge
from pipelines.selfie.photo import MAX_BYTES
from pipelines.selfie.samples import SAMPLES, sample
from pipelines.sitting import MOST_SELFIES
from tests import chromium
from tests.hostile import card, encoded
from tests.serving import is_failure
from words import read_words

pytestmark = pytest.mark.browser

WORDS = read_words()
SIZES = {"laptop": (1920, 1080), "kiosk": (1080, 1920), "phone": (390, 844)}
PLAIN = (1280, 720)  # where a test is not about sizes: a large picture of a camera is dear without a GPU
SCENE = (1280, 720)  # width, height in px of what the lens sees
RED, BLUE, GREEN = (200, 30, 30), (30, 30, 200), (30, 200, 30)  # left and right of the sitter; far outside

# ---- what is needed


@dataclass(frozen=True)
class Harness:
    """The page: the camera, and "Leave" and "Back" to hide and show its screen."""

    url: str
    visits: Visits
    folders: tuple[Path, ...]  # where this process could leave a file

    def visit(self, page: Page) -> Visit:
        (cookie,) = [one["value"] for one in page.context.cookies() if one["name"] == COOKIE]
        return self.visits.of(cookie, None)


@pytest.fixture(scope="module")
def harness(tmp_path_factory: pytest.TempPathFactory, finder: FaceFinder) -> Iterator[Harness]:
    folders = sittings, temporary = tmp_path_factory.mktemp("sittings"), tmp_path_factory.mktemp("temporary")
    album = Album(sittings, 30, 12)
    visits = Visits(album, 30)
    intake = Intake(visits, finder, ErrorBoundary(WORDS), WORDS)
    page, judge = blocks(visits), FrameJudge()
    judge.warm()
    hints = Hints(visits, judge, Line(), ErrorBoundary(WORDS), WORDS)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    let_wait(page)
    page.launch(
        server_name="0.0.0.0",
        server_port=port,
        prevent_thread_lock=True,
        quiet=True,
        head=booth_head(read_words()),
        theme=theme(),
        ssr_mode=False,
        app_kwargs={
            "routes": [
                *intake.routes(),
                *hints.routes(),
                *picture_routes(album, visits, WORDS),
                *style_routes(),
                Served(
                    "/api/round", lambda _: JSONResponse({})
                ),  # the page looks whether its machine is there
            ],
            "middleware": [Middleware(Gate, False, None, "Refused.")],
        },
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tempfile.tempdir", str(temporary))
        patch.setenv("GRADIO_TEMP_DIR", str(temporary / "gradio"))
        yield Harness(f"http://127.0.0.1:{port}/", visits, folders)
    page.close(verbose=False)
    judge.close()


def blocks(visits: Visits) -> gr.Blocks:
    """Each browser is a visitor who agreed."""

    def show(request: gr.Request) -> Any:
        visit = visits.of(request.cookies[COOKIE], None)
        visit.consent(True)
        visit.go(ScreenName.CAMERA)
        shots = [{"id": one.picture, "url": f"pictures/{one.picture}"} for one in visit.selfies]
        value = json.dumps({"ticket": visit.ticket, "shots": shots, "limit": MAX_BYTES})
        return {column: gr.Column(visible=True), lens: value}

    def hide() -> Any:
        return {column: gr.Column(visible=False)}

    names = [(name, WORDS.say(f"sample.{name}")) for name in SAMPLES]
    with gr.Blocks(analytics_enabled=False, fill_width=True) as page, gr.Column(elem_classes=["fv", "page"]):
        with gr.Column(visible=False, elem_classes=["screen", "camera"]) as column:
            lens = camera(WORDS.say, names, MOST_SELFIES, hints=True)
        leave, back = gr.Button("Leave"), gr.Button("Back")
        page.load(show, None, [column, lens], queue=False)
        back.click(show, None, [column, lens], queue=False)
        leave.click(hide, None, [column], queue=False)
        lens.done(hide, None, [column], queue=False)
    return page


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sitter between red and blue, and green where no preview reaches."""
    scene = Image.new("RGB", SCENE, RED)
    scene.paste(BLUE, (640, 0, *SCENE))
    scene.paste(GREEN, (0, 0, 200, 720))
    scene.paste(GREEN, (1080, 0, *SCENE))
    sitter = Image.fromarray(sample("astronaut").pixels).crop((90, 0, 360, 270))
    scene.paste(sitter.resize((460, 460)), (410, 130))
    return chromium.film(tmp_path_factory.mktemp("film"), scene)


@pytest.fixture(scope="module")
def browser(playwright: Playwright, film: Path) -> Iterator[chromium.Window]:
    """With a camera that may be used."""
    browser = chromium.launch(playwright, film)
    with chromium.window(browser) as window:
        yield window
    browser.close()


WATCHED = """
if (navigator.mediaDevices) {
  const real = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  window.tracks = []; window.wishes = [];
  navigator.mediaDevices.getUserMedia = async (wish) => {
    window.wishes.push(wish);
    if (window.refusal) throw new DOMException("", window.refusal);
    if (window.asking) await window.asking;
    const stream = await real(wish);
    window.tracks.push(...stream.getTracks());
    return stream;
  };
}
"""


@contextlib.contextmanager
def visitor(
    browser: chromium.Window, url: str, size: str = "", script: str = "", **media: Any
) -> Iterator[Page]:
    """A page of one's own; scripts must not fail."""
    with browser.tab(SIZES.get(size, PLAIN), **media) as page:
        failures = list[str]()
        page.on("pageerror", lambda error: failures.append(str(error)))
        page.on("console", lambda said: failures.append(said.text) if is_failure(said) else None)
        page.add_init_script(WATCHED + script)
        page.goto(url)
        expect(page.locator(".booth-camera")).to_be_visible(timeout=30_000)
        yield page
        assert failures == []


@contextlib.contextmanager
def live(browser: chromium.Window, harness: Harness, size: str = "", **given: Any) -> Iterator[Page]:
    with visitor(browser, harness.url, size, **given) as page:
        expect(page.locator(".booth-camera.live")).to_be_visible()
        page.wait_for_function("document.querySelector('video').videoWidth > 0")
        yield page


def button(page: Page, key: str, **values: object) -> Locator:
    return page.get_by_role("button", name=WORDS.say(key, **values), exact=True)


def verdict(page: Page) -> Locator:
    return page.locator(".verdict[role=status]")


# The countdown runs five times as fast: it has tests of its own, and elsewhere it is only waited for.
SOON = """() => { const real = window.setTimeout; window.setTimeout =
    (does, ms, ...given) => real(does, ms === 1000 ? 200 : ms, ...given); }"""


def shoot(page: Page, count: int = 1) -> None:
    page.evaluate(SOON)
    button(page, "camera.shutter").click()
    expect(page.locator(".shots img")).to_have_count(count, timeout=20_000)


def tracks(page: Page) -> list[str]:
    return list(page.evaluate("tracks.map(one => one.readyState)"))


def upload(page: Page, *files: bytes) -> None:
    given = [{"name": f"{i}.png", "mimeType": "image/png", "buffer": data} for i, data in enumerate(files)]
    page.locator(".booth-camera input[type=file]").set_input_files(given)  # type: ignore[arg-type]


def face() -> bytes:
    return encoded(sample("astronaut").pixels, "png")


def no_face() -> bytes:
    return encoded(card(640, 800), "png")


def is_red(pixel: Any) -> bool:
    return bool(pixel[0] > pixel[2] + 40)


def is_blue(pixel: Any) -> bool:
    return bool(pixel[2] > pixel[0] + 40)


def look_at(page: Page, name: str) -> None:
    if folder := os.environ.get("FACE_VALUE_SCREENSHOTS"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.wait_for_timeout(400)  # the cross-fade
        page.screenshot(path=f"{folder}/camera-{name}.png")


# ---- the file


def test_the_file_is_what_the_visitor_saw_and_left_stays_left_though_the_preview_is_mirrored(
    browser: chromium.Window, harness: Harness
) -> None:
    with live(browser, harness) as page:
        for count, (size, (across, down)) in enumerate(SIZES.items(), 1):
            page.set_viewport_size({"width": across, "height": down})
            look_at(page, size)
            preview = page.locator("video").screenshot()
            button(page, "camera.shutter").click()
            expect(page.locator(".count b")).to_have_text("1")
            seen = page.locator("video").evaluate("one => one.clientWidth / one.clientHeight")
            expect(page.locator(".shots img")).to_have_count(count, timeout=20_000)
            look_at(page, f"{size}-taken")
            file = harness.visit(page).selfies[-1].face.photo.pixels.astype(int)
            height, width, _ = file.shape
            assert width / height == pytest.approx(seen, rel=0.005), size
            assert max(width / SCENE[0], height / SCENE[1]) > 0.99, size  # nor is a pixel of it lost
            assert not (file[..., 1] > file[..., (0, 2)].max(axis=-1) + 60).any(), size  # who stands outside
            shown = np.asarray(Image.open(io.BytesIO(preview)).convert("RGB")).astype(int)
            for pixels, left, right in ((file, is_red, is_blue), (shown, is_blue, is_red)):
                middle = pixels.shape[0] // 3
                assert left(pixels[middle, 3]), size
                assert right(pixels[middle, -4]), size


# ---- the countdown


def test_the_numbers_run_down_aloud_and_the_words_lead_the_eye_to_the_lens(
    browser: chromium.Window, harness: Harness
) -> None:
    told = """new MutationObserver(() => { const said = document.querySelector(".aloud")?.textContent;
    if (said && window.aloud?.at(-1) !== said) (window.aloud ??= []).push(said); })
    .observe(document, { childList: true, subtree: true, characterData: true });"""
    with live(browser, harness, script=told) as page:
        page.keyboard.press("Space")
        expect(page.locator(".hint")).to_have_text(WORDS.say("camera.count"))
        expect(verdict(page)).to_have_text(WORDS.say("camera.calm"))
        expect(page.locator(".count b")).to_have_text("2")
        look_at(page, "laptop-countdown")
        expect(page.locator(".aloud")).to_have_attribute("aria-live", "assertive")
        expect(page.locator(".shots img")).to_have_count(1, timeout=20_000)
        assert page.evaluate("window.aloud") == ["3", "2", "1"]
        expect(page.locator(".hint")).to_have_text(WORDS.say("camera.hint"))


LISTENING = """window.heard = [];
for (const [kind, name] of [[OscillatorNode, "tick"], [AudioBufferSourceNode, "click"]]) {
  const real = kind.prototype.start;
  kind.prototype.start = function (...given) { heard.push(name); return real.apply(this, given); };
}"""


def test_a_countdown_is_heard_only_where_sounds_are_on(browser: chromium.Window, harness: Harness) -> None:
    with live(browser, harness, script=LISTENING) as page:
        shoot(page)
        assert page.evaluate("heard") == []
        page.add_script_tag(url="style/sounds.js")  # what the head of such a booth names
        assert page.evaluate("heard") == []
        shoot(page, 2)
        assert page.evaluate("heard") == ["tick", "tick", "click", "click"]  # the last second is still


def test_a_countdown_can_be_stopped_and_nothing_is_taken(browser: chromium.Window, harness: Harness) -> None:
    with live(browser, harness) as page:
        ways = (
            lambda: page.keyboard.press("Escape"),
            lambda: button(page, "making.stop").click(),
            lambda: hide(page),
        )
        for stop in ways:
            button(page, "camera.shutter").click()
            expect(page.locator(".count")).to_be_visible()
            stop()
            expect(page.locator(".count")).to_be_hidden()
            page.wait_for_timeout(3500)  # longer than it would have run
            assert harness.visit(page).selfies == ()
            expect(verdict(page)).to_be_empty()


def test_a_key_held_too_long_does_not_stop_what_it_began(browser: chromium.Window, harness: Harness) -> None:
    with live(browser, harness) as page:
        button(page, "camera.shutter").focus()
        for _ in range(3):
            page.keyboard.down("Enter")  # from the second on they are repeats
        expect(page.locator(".count")).to_be_visible()
        page.keyboard.up("Enter")
        expect(page.locator(".shots img")).to_have_count(1, timeout=20_000)


@pytest.mark.parametrize(("motion", "flashes"), [("no-preference", 1), ("reduce", 0)])
def test_the_picture_is_white_once_at_the_shot_unless_motion_is_not_wanted(
    browser: chromium.Window, harness: Harness, motion: str, flashes: int
) -> None:
    with live(browser, harness, reduced_motion=motion) as page:
        page.evaluate("""() => {
            const box = document.querySelector(".booth-camera");
            let white = false;
            window.flashes = 0;
            new MutationObserver(() => {
                if (white === box.classList.contains("flash")) return;
                white = !white;
                window.flashes += white;
            }).observe(box, { attributeFilter: ["class"] });
        }""")
        shoot(page)
        assert page.evaluate("window.flashes") == flashes
        expect(page.locator(".booth-camera")).not_to_contain_class("flash")


# ---- hints before the shot


def test_two_people_and_the_dark_are_told_before_the_shot_and_no_frame_stays(
    playwright: Playwright, harness: Harness, tmp_path: Path
) -> None:
    two = Image.new("RGB", SCENE, (120, 126, 132))
    for name, part, left in (("astronaut", (90, 0, 360, 300), 310), ("hopper", (0, 32, 511, 600), 640)):
        two.paste(Image.fromarray(sample(name).pixels).crop(part).resize((330, 367)), (left, 200))
    one = two.copy()
    one.paste((120, 126, 132), (640, 200, 970, 567))  # the other has left: two are told before the dark
    film = chromium.film(tmp_path, two, one.point(lambda value: value // 10), seconds=4)
    browser = chromium.launch(playwright, film)
    before = files(harness)
    with (
        contextlib.closing(browser),
        chromium.window(browser) as window,
        live(window, harness, "laptop") as page,
    ):
        for key in ("many", "dark"):
            expect(page.locator(".advice")).to_have_text(WORDS.say(f"camera.hint_{key}"), timeout=10_000)
            look_at(page, f"laptop-{key}")
            expect(page.locator(".hint")).to_be_hidden()  # one sentence at a time
            expect(button(page, "camera.shutter")).to_be_enabled()
        assert files(harness) == before


def files(harness: Harness) -> set[Path]:
    return {path for folder in harness.folders for path in folder.rglob("*") if path.is_file()}


TOLD = """() => {
    const real = window.setTimeout, chip = document.querySelector(".advice");
    window.setTimeout = (does, ms, ...given) => real(does, ms === 500 ? 50 : ms, ...given);
    window.told = [];
    new MutationObserver(() => {
        if (told.at(-1) !== chip.textContent) told.push(chip.textContent);
    }).observe(chip, { childList: true, subtree: true, characterData: true });
}"""


def test_a_hint_needs_two_frames_to_come_and_two_to_go_and_nothing_is_sent_while_it_counts(
    browser: chromium.Window, harness: Harness
) -> None:
    answers = ["many", "", "far", "many", "", "many", "many", "", "many", "", "", *["none"] * 10]
    sent = list[str]()

    def answer(route: Route) -> None:
        sent.append(route.request.url)
        route.fulfill(json={"hint": answers[min(len(sent), len(answers)) - 1]})

    with live(browser, harness) as page:
        page.route("**/hints", answer)
        page.evaluate(TOLD)
        none, many = (WORDS.say(f"camera.hint_{key}") for key in ("none", "many"))
        expect(page.locator(".advice")).to_have_text(none, timeout=20_000)
        assert len(sent) >= len(answers)
        assert page.evaluate("told") == [many, "", none]
        button(page, "camera.shutter").click()
        expect(page.locator(".advice")).to_be_empty()
        page.wait_for_timeout(200)  # whatever was on its way
        at_the_count = len(sent)
        page.wait_for_timeout(1000)
        expect(page.locator(".count")).to_be_visible()
        assert len(sent) == at_the_count


# ---- the lens


def hide(page: Page, hidden: bool = True) -> None:
    """The tab goes behind another one, as far as its scripts can tell."""
    page.evaluate(
        """hidden => { Object.defineProperty(document, "hidden", { get: () => hidden, configurable: true });
        document.dispatchEvent(new Event("visibilitychange")); }""",
        hidden,
    )


def test_the_lens_opens_by_itself_on_the_visitors_side_and_fine_enough(
    browser: chromium.Window, harness: Harness
) -> None:
    for size, wanted in (("laptop", [1920, 1080]), ("phone", [1080, 1920])):
        with live(browser, harness, size) as page:
            (wish,) = page.evaluate("wishes")
            assert (wish["audio"], wish["video"]["facingMode"]) == (False, "user")
            assert [wish["video"][side]["ideal"] for side in ("width", "height")] == wanted


def test_the_lens_is_released_when_the_screen_is_left_and_opens_when_it_returns(
    browser: chromium.Window, harness: Harness
) -> None:
    with live(browser, harness) as page:
        assert tracks(page) == ["live"]
        page.get_by_role("button", name="Leave").click()
        page.wait_for_function("tracks.every(one => one.readyState === 'ended')")
        page.get_by_role("button", name="Back").click()
        expect(page.locator(".booth-camera.live")).to_be_visible()
        assert tracks(page) == ["ended", "live"]


def test_the_lens_is_released_while_the_tab_is_hidden(browser: chromium.Window, harness: Harness) -> None:
    with live(browser, harness) as page:
        hide(page)
        assert tracks(page) == ["ended"]
        hide(page, False)
        expect(page.locator(".booth-camera.live")).to_be_visible()
        assert tracks(page) == ["ended", "live"]


def test_the_lens_is_released_after_use_it_and_the_shot_stays(
    browser: chromium.Window, harness: Harness
) -> None:
    with live(browser, harness) as page:
        expect(button(page, "camera.use")).to_be_hidden()
        shoot(page)
        page.evaluate("navigator.mediaDevices.getUserMedia = () => { throw Error('opened again'); }; 0")
        button(page, "camera.use").click()
        expect(page.locator(".booth-camera")).to_be_hidden()
        page.wait_for_function("tracks.every(one => one.readyState === 'ended')")
        page.get_by_role("button", name="Back").click()
        expect(page.locator(".shots img")).to_have_count(1)
        assert len(harness.visit(page).selfies) == 1


def test_a_permission_that_comes_after_the_visitor_left_lights_no_lens(
    browser: chromium.Window, harness: Harness
) -> None:
    script = "window.asking = new Promise((resolve) => { window.allow = resolve; });"
    with visitor(browser, harness.url, script=script) as page:
        expect(page.locator(".trouble")).to_have_text(WORDS.say("camera.asking"))
        look_at(page, "laptop-asking")
        page.get_by_role("button", name="Leave").click()
        expect(page.locator(".booth-camera")).to_be_hidden()
        page.evaluate("allow()")
        page.wait_for_function("tracks.length && tracks.every(one => one.readyState === 'ended')")


TROUBLES = [  # two after one another have different sentences
    ("NotAllowedError", "denied"),
    ("NotFoundError", "none"),
    ("NotReadableError", "busy"),
    ("OverconstrainedError", "none"),
]


def test_without_a_lens_a_sentence_says_why_and_upload_and_samples_are_the_way(
    browser: chromium.Window, harness: Harness
) -> None:
    with visitor(browser, harness.url, script="window.refusal = 'NotAllowedError';") as page:
        for name, key in TROUBLES:
            page.evaluate("name => { window.refusal = name; }", name)
            page.evaluate("navigator.mediaDevices.dispatchEvent(new Event('devicechange')); 0")
            expect(page.locator(".trouble[role=alert]")).to_have_text(WORDS.say(f"camera.{key}"))
            expect(button(page, "camera.shutter")).to_be_hidden()
            look_at(page, f"laptop-{key}")
        upload(page, face())
        expect(page.locator(".shots img")).to_have_count(1)
        button(page, "sample.hopper").click()
        expect(page.locator(".shots img")).to_have_count(2)
        expect(button(page, "camera.use_many", n=2)).to_be_enabled()


def test_a_busy_lens_is_tried_again_by_tap_or_key(browser: chromium.Window, harness: Harness) -> None:
    with visitor(browser, harness.url, script="window.refusal = 'NotReadableError';") as page:
        sentence = button(page, "camera.busy")
        for how in ("tap", "Enter", "Space"):
            expect(sentence).to_be_visible()
            page.evaluate("window.refusal = ''")
            if how == "tap":
                sentence.click()
            else:
                sentence.focus()
                page.keyboard.press(how)
            expect(page.locator(".booth-camera.live")).to_be_visible()
            expect(page.locator(".trouble")).to_be_hidden()
            expect(page.locator(".count")).to_be_hidden()  # the same key is the shutter elsewhere
            lose_lens(page, "NotReadableError")


def lose_lens(page: Page, why: str) -> None:
    """It is gone, and cannot be had again for that reason."""
    page.evaluate(
        """why => { window.refusal = why;
        tracks.at(-1).stop(); tracks.at(-1).dispatchEvent(new Event("ended")); }""",
        why,
    )


def test_an_unplugged_lens_is_told_and_a_new_one_found(browser: chromium.Window, harness: Harness) -> None:
    with live(browser, harness) as page:
        lose_lens(page, "NotFoundError")
        expect(page.locator(".trouble")).to_have_text(WORDS.say("camera.none"))
        page.evaluate("window.refusal = ''; navigator.mediaDevices.dispatchEvent(new Event('devicechange'))")
        expect(page.locator(".booth-camera.live")).to_be_visible()


def test_a_browser_without_cameras_says_secure_pages_only(browser: chromium.Window, harness: Harness) -> None:
    gone = "Object.defineProperty(navigator, 'mediaDevices', { value: undefined });"
    with visitor(browser, harness.url, "phone", script=gone) as page:
        expect(page.locator(".trouble")).to_have_text(WORDS.say("camera.insecure"))
        look_at(page, "phone-insecure")


def test_plain_http_on_the_local_network_says_so_and_takes_uploads(
    browser: chromium.Window, harness: Harness
) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        with contextlib.suppress(OSError):
            probe.connect(("192.0.2.1", 9))  # sends nothing: it only asks for the way
        address = probe.getsockname()[0]
    if address.startswith(("127.", "0.")):
        pytest.skip("this machine has no address but its own")
    with visitor(browser, harness.url.replace("127.0.0.1", address)) as page:
        assert not page.evaluate("isSecureContext")
        expect(page.locator(".trouble")).to_have_text(WORDS.say("camera.insecure"))
        upload(page, face())
        expect(page.locator(".shots img")).to_have_count(1)


# ---- what was taken


def test_four_shots_fill_the_frames_and_the_shutter_says_so(
    browser: chromium.Window, harness: Harness
) -> None:
    with live(browser, harness) as page:
        shutter = button(page, "camera.shutter")
        for i in range(1, MOST_SELFIES):
            button(page, "sample.astronaut").click()
            expect(page.get_by_alt_text(WORDS.say("camera.selfie", i=i))).to_be_visible()
            expect(verdict(page)).to_contain_text(WORDS.say("camera.more"))
        shutter.focus()
        shoot(page, MOST_SELFIES)
        expect(verdict(page)).to_contain_text(WORDS.say("camera.full"))
        expect(shutter).to_be_disabled()
        expect(shutter).to_have_attribute("title", WORDS.say("camera.full"))
        expect(button(page, "camera.use_many", n=4)).to_be_focused()  # a disabled button would lose the keys
        button(page, "sample.hopper").click()
        expect(page.locator(".verdict .notice")).to_have_text(WORDS.say("camera.full"))
        assert len(harness.visit(page).selfies) == MOST_SELFIES


def test_a_plain_wall_is_advised_in_place_of_more_shots(browser: chromium.Window, harness: Harness) -> None:
    with live(browser, harness, "phone") as page:
        upload(page, encoded(sample("hopper").pixels, "png"))  # before a flag
        expect(verdict(page)).to_contain_text(WORDS.say("camera.wall"))
        expect(verdict(page)).not_to_contain_text(WORDS.say("camera.more"))
        expect(button(page, "camera.use")).to_be_enabled()
        look_at(page, "phone-wall")


def test_a_shot_can_be_taken_again_and_its_file_is_gone(browser: chromium.Window, harness: Harness) -> None:
    with live(browser, harness) as page:
        button(page, "sample.hopper").click()
        expect(page.locator(".shots img")).to_have_count(1)
        button(page, "sample.astronaut").click()
        expect(page.locator(".shots img")).to_have_count(2)
        url = page.locator(".shots img").first.get_attribute("src")
        assert page.request.get(harness.url + str(url)).status == 200
        remove = button(page, "camera.remove", i=1)
        box = remove.bounding_box()
        assert box and min(box["width"], box["height"]) >= 48
        remove.click()
        expect(page.locator(".shots img")).to_have_count(1)
        expect(button(page, "camera.shutter")).to_be_focused()
        assert page.request.get(harness.url + str(url)).status == 404
        (left,) = harness.visit(page).selfies
        assert np.array_equal(left.face.photo.pixels, sample("astronaut").pixels)
        shoot(page, 2)


def test_a_refused_photo_earns_its_sentence_and_is_not_kept(
    browser: chromium.Window, harness: Harness
) -> None:
    with live(browser, harness) as page:
        expect(verdict(page)).to_be_visible()  # a region that appears with its words is not read out
        upload(page, no_face())
        expect(page.locator(".verdict .notice")).to_have_text(WORDS.say("face.none"))
        look_at(page, "laptop-refused")
        expect(button(page, "camera.use")).to_be_hidden()
        assert harness.visit(page).selfies == ()
        shoot(page)  # and again, better
        expect(verdict(page)).to_contain_text(WORDS.say("camera.good"))


def test_of_several_files_each_refused_one_is_told_by_its_number(
    browser: chromium.Window, harness: Harness
) -> None:
    with live(browser, harness) as page:
        upload(page, no_face(), face(), b"no photo", face())
        told = [WORDS.say("face.none"), WORDS.say("file.type")]
        prefixes = [WORDS.say("camera.nth", i=i) for i in (1, 3)]
        sentences = [f"{prefix} {sentence}" for prefix, sentence in zip(prefixes, told, strict=True)]
        expect(page.locator(".verdict .notice")).to_have_text(sentences)
        expect(page.locator(".shots img")).to_have_count(2)


def test_a_file_that_is_too_large_is_cut_before_it_is_sent(
    browser: chromium.Window, harness: Harness, tmp_path: Path
) -> None:
    file = tmp_path / "large.jpg"
    file.write_bytes(b"\xff\xd8\xff" + bytes(MAX_BYTES + 2**20))
    with live(browser, harness) as page:
        with page.expect_response(lambda answer: answer.url.endswith("/selfies")) as answer:
            page.locator(".booth-camera input[type=file]").set_input_files(file)
        assert answer.value.request.all_headers()["content-length"] == str(MAX_BYTES + 1)
        expect(page.locator(".verdict .notice")).to_have_text(WORDS.say("file.big", mb=MAX_BYTES // 2**20))


def test_while_a_photo_is_on_its_way_it_says_so_and_waits_with_use_it(
    browser: chromium.Window, harness: Harness
) -> None:
    with live(browser, harness) as page:
        button(page, "sample.hopper").click()
        expect(button(page, "camera.use")).to_be_enabled()
        held = list[Route]()
        page.route("**/selfies", lambda route: held.append(route))
        upload(page, face())
        expect(verdict(page)).to_have_text(WORDS.say("camera.sending"))
        expect(button(page, "camera.use")).to_be_disabled()
        held[0].continue_()
        expect(button(page, "camera.use_many", n=2)).to_be_enabled()


def test_a_lost_connection_is_told_and_the_next_try_works(browser: chromium.Window, harness: Harness) -> None:
    with live(browser, harness) as page:
        page.route("**/selfies/**", lambda route: route.abort())
        button(page, "sample.hopper").click()
        expect(page.locator(".verdict .notice")).to_have_text(WORDS.say("camera.lost"))
        page.unroute("**/selfies/**")
        button(page, "sample.hopper").click()
        expect(page.locator(".shots img")).to_have_count(1)


def test_an_answer_for_the_visitor_before_is_not_shown_to_the_next(
    browser: chromium.Window, harness: Harness
) -> None:
    with live(browser, harness) as page:
        held = list[Route]()
        page.route("**/selfies/**", lambda route: held.append(route))
        button(page, "sample.hopper").click()
        expect(verdict(page)).to_have_text(WORDS.say("camera.sending"))
        harness.visits.end(harness.visit(page))
        page.get_by_role("button", name="Back").click()  # the screen stays, its value is the next visitor's
        page.wait_for_timeout(1000)
        held[0].fulfill(json={"id": "old", "url": "pictures/old", "verdict": "Theirs."})
        expect(verdict(page)).not_to_contain_text(WORDS.say("camera.sending"))
        expect(page.locator(".shots img")).to_have_count(0)


def test_everything_can_be_reached_by_tab(browser: chromium.Window, harness: Harness) -> None:
    with live(browser, harness) as page:
        button(page, "sample.hopper").click()
        expect(page.locator(".shots img")).to_have_count(1)
        page.locator("h1").focus()
        reached = list[str]()
        for _ in range(6):
            page.keyboard.press("Tab")
            reached.append(
                page.evaluate("document.activeElement.ariaLabel || document.activeElement.innerText")
            )
            assert page.evaluate("document.activeElement.matches(':focus-visible')")
    assert reached == [
        WORDS.say("camera.remove", i=1),
        "",  # the file input, which its label names
        WORDS.say("camera.shutter"),
        WORDS.say("camera.use"),
        *(WORDS.say(f"sample.{name}") for name in SAMPLES),
    ]


TWO_LENSES = """
navigator.mediaDevices.enumerateDevices = async () =>
  ["front", "back"].map((deviceId) => ({ kind: "videoinput", deviceId }));
"""


def test_of_several_cameras_the_next_one_is_a_tap_away_and_kept(
    browser: chromium.Window, harness: Harness
) -> None:
    with live(browser, harness) as page:
        expect(button(page, "camera.other")).to_be_hidden()
    with live(browser, harness, script=TWO_LENSES) as page:
        button(page, "camera.other").click()
        expect(page.locator(".booth-camera.live")).to_be_visible()
        assert page.evaluate("localStorage.getItem('face value camera')") == "front"
        page.evaluate("localStorage.clear()")
