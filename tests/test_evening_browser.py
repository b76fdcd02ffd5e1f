"""An evening on phones and stage: the timer, counts in words, a picture that its sitter takes back."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from booth.catalogue import Pair, offer
from pipelines.exhibit import PHONE, exhibits
from tests.forwarder import Forwarder
from tests.hostile import card
from tests.served_room import HOST, ServedRoom
from tests.served_room import served as served  # the fixtures
from tests.served_room import way as way
from votes.rounds import Scene
from votes.schema import Guess, Item, Kind, Source, VoterId
from words import read_words

pytestmark = pytest.mark.browser

WORDS = read_words()
HOUR_MS = 3_600_000
OFF = """(() => {{
  const Right = Date, off = {};
  window.Date = class extends Right {{
    constructor(...told) {{ super(...(told.length ? told : [Right.now() + off])); }}
    static now() {{ return Right.now() + off; }}
  }};
}})()"""


@pytest.fixture
def opened(browser: Browser) -> Iterator["Opener"]:
    opener = Opener(browser)
    yield opener
    for page in opener.pages:
        page.context.close()


class Opener:
    """Opens pages, each in a browser profile of its own, whose clock may be wrong by so many ms."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self.pages = list[Page]()

    def __call__(self, address: str, off_ms: int = 0, **options: object) -> Page:
        page = self._browser.new_context(locale="en-US", **options).new_page()  # type: ignore[arg-type]
        page.add_init_script(OFF.format(off_ms))
        page.goto(address)
        self.pages.append(page)
        return page


def seconds_on(timer: Locator) -> int:
    """What it says is left."""
    expect(timer).to_be_visible()
    (seconds,) = re.findall(r"\d+", str(timer.text_content()))
    return int(seconds)


def is_right(timer: Locator, served: ServedRoom) -> bool:
    """Whether it says what is left by the server's clock; a second may pass while it is read."""
    round_ = served.room.snapshot().round
    assert round_ and round_.closes_at
    left = (round_.closes_at - datetime.now(UTC)).total_seconds()
    return abs(seconds_on(timer) - left) < 2


def test_stage_and_phones_tell_the_seconds_by_the_servers_clock_whatever_theirs_says(
    opened: Opener, served: ServedRoom
) -> None:
    served.room.change(seconds=60)
    served.open()
    pages = [opened(f"{served.url}{served.code}", -HOUR_MS), opened(f"{served.url}stage", HOUR_MS)]
    for page in pages:
        assert is_right(page.locator(".timer"), served)
        page.reload()
        assert is_right(page.locator(".timer"), served)
    for page in pages:
        drawn = page.locator(".timer i").evaluate(
            "(bar) => bar.getBoundingClientRect().width / bar.clientWidth"
        )
        assert abs(drawn - seconds_on(page.locator(".timer")) / 60) < 0.05
    served.room.close()
    for page in pages:
        expect(page.locator(".timer")).to_have_count(0)  # closed: nothing is left to count
    served.room.back()
    for page in pages:
        assert is_right(page.locator(".timer"), served)
    served.room.change(seconds=0)
    served.room.replay()
    for page in pages:
        expect(page.locator(".timer")).to_be_hidden()


def test_without_a_network_the_stage_counts_to_the_end_and_no_further(
    opened: Opener, served: ServedRoom, way: Forwarder
) -> None:
    served.room.change(seconds=3)
    still = opened(f"{served.url}stage", reduced_motion="reduce")
    stage = opened(f"http://127.0.0.1:{way.port}/stage", HOUR_MS)
    served.open()
    assert is_right(stage.locator(".timer"), served)
    expect(still.locator(".timer b")).to_be_visible()
    expect(still.locator(".timer i")).to_be_hidden()  # a number is no motion
    way.silence()
    told = set[int]()
    while min(told, default=1) > 0 and stage.locator(".timer").is_visible():
        told |= {int(one) for one in re.findall(r"-?\d+", str(stage.locator(".timer").text_content()))}
    assert min(told) == 1
    assert not seconds_are_left(served)


def seconds_are_left(served: ServedRoom) -> bool:
    """By the server's clock, but for half of a second."""
    round_ = served.room.snapshot().round
    assert round_ and round_.closes_at
    return (round_.closes_at - datetime.now(UTC)).total_seconds() > 0.5


def test_phones_are_told_the_rooms_counts_with_the_truth(opened: Opener, served: ServedRoom) -> None:
    served.open()
    asked = served.room.snapshot().round
    assert asked
    for i, source in enumerate([Source.PHONE] * 4 + [Source.SYNTHETIC] * 2):
        kind = Kind.PHOTOGRAPH if i % 4 else Kind.GENERATED
        at, voter = datetime.now(UTC), VoterId(f"phone {i}")
        served.store.record(Guess(asked.id, voter, kind, False, 1.0, at, source=source))
    phone = opened(f"{served.url}{served.code}")
    expect(phone.locator("[data-answer=generated]")).to_be_visible()
    while served.room.snapshot().room.scene != Scene.TRUTH:
        served.room.next()
    expect(phone.locator("#r")).to_have_text("3 said photograph, 1 said AI.")
    served.room.change(rehearsing=True)
    expect(phone.locator("#r")).to_be_hidden()  # nobody gave those answers


def test_a_picture_that_its_sitter_takes_back_leaves_every_screen_with_a_sentence_and_the_room_goes_on(
    opened: Opener, served: ServedRoom
) -> None:
    said = WORDS.say("phone.withdrawn")
    phone, stage = opened(f"{served.url}{served.code}"), opened(f"{served.url}stage")
    item, code = offered(served)
    served.room.go_to(item)
    served.open()
    expect(phone.locator("[data-answer=generated]")).to_be_visible()
    phone.locator("[data-answer=generated]").click()
    expect(phone.locator("#s")).to_contain_text("You said")
    while served.room.snapshot().room.scene != Scene.TRUTH:
        served.room.next()
    for page in (phone, stage):
        expect(page.locator("img").first).to_be_visible()
    pictures = [page.locator("img").first.evaluate("(image) => image.src") for page in (phone, stage)]
    pictures.append(f"{served.url}api/host/picture/{item}.jpg")
    assert phone.request.get(pictures[-1], headers=HOST).ok
    assert served.album.withdraw(code)
    for page in (phone, stage):
        expect(page.locator("h1")).to_have_text(said)
        expect(page.locator("img")).to_have_count(0)
    for picture in pictures:
        assert phone.request.get(picture, headers=HOST).status == 404
        assert not phone.evaluate(CACHED, picture) and not stage.evaluate(CACHED, picture)
    assert phone.request.post(f"{served.url}api/host/next", headers=HOST).ok
    expect(phone.locator("h1")).to_have_text(WORDS.say("phone.title"))
    expect(stage.locator(".waiting")).to_be_visible()
    assert len(served.store.guesses()) == 1  # what was answered stays, about a picture that nobody has


CACHED = """(address) => fetch(address, { cache: "only-if-cached", mode: "same-origin" })
  .then(({ ok }) => ok, () => false)"""


def offered(served: ServedRoom) -> tuple[str, str]:
    """A sitter's pair that the host approved, in the programme before its end: the item, and the code."""
    album, catalogue, room = served.album, served.board.catalogue, served.room
    sitting, items = (
        album.begin(),
        {kind: Item(f"the {kind}", kind, "grey", "mini", "plate") for kind in Kind},
    )
    jpegs = dict(zip(Kind, exhibits([card(480, 600), card(480, 600)[::-1]], PHONE), strict=True))
    own = {kind: album.put(sitting, jpeg) for kind, jpeg in jpegs.items()}
    code, _ = offer(album, sitting, Pair(items, jpegs, {}, {}), own)
    (item,) = catalogue.approve(sitting)
    room.change(programme=(item, *room.snapshot().room.programme))
    return item, code
