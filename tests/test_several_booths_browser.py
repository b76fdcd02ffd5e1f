"""Two booths, a stage and phones, one PostgreSQL and one store of pictures: one booth is killed.

The sitter's portraits are drawn elsewhere: a third booth offers two pictures. FACE_VALUE_SCREENSHOTS names a
folder for a picture of the stage before and after.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from booth.album import Album
from booth.catalogue import Catalogue, Pair, offer
from booth.deck import Deck
from booth.open_album import open_album
from booth.records import SittingId
from pipelines.arrays import Pixels
from pipelines.exhibit import EXHIBIT, exhibits
from pipelines.selfie.photo import Photo
from settings import Settings
from tests.object_store import KEYS, make_bucket, versions
from tests.object_store import port as port  # the fixture
from tests.postgres import cluster
from tests.serving import Booth, serving, weights
from tests.test_room_browser import picture
from votes.room import Room
from votes.schema import Item, Kind
from votes.store import Store
from words import read_words

pytestmark = pytest.mark.browser

BUCKET = "an-evening"
KEY = "a key for the test"
HOST = {"Authorization": f"Bearer {KEY}"}
ITEMS = {kind: Item(f"the-{kind}", kind, "grey", "mini", "plate") for kind in Kind}
SOON_MS = 10_000  # what a busy machine needs, not what is promised


@dataclass(frozen=True)
class Evening:
    """Both booths, what they share, and whose pictures are on the stage."""

    one: Booth
    other: Booth
    room: Room
    album: Album  # the third booth's, as its catalogue
    catalogue: Catalogue
    sitting: SittingId
    code: str  # takes the pictures back

    def ask(self, booth: Booth, command: str) -> dict[str, str]:
        """The host's command to either booth."""
        done = httpx.post(f"{booth.url}api/host/{command}", headers=HOST, timeout=30)
        assert done.status_code == 200, done.text
        return dict(done.json())


@pytest.fixture
def evening(
    tmp_path: Path, port: int, astronaut: Photo, hopper: Photo, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Evening]:
    make_bucket(port, BUCKET)
    for key, value in {**KEYS, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"}.items():
        monkeypatch.setenv(key, value)
    sets = weights(tmp_path / "weights")
    with cluster() as folder, ExitStack() as stack:
        pictures = f"s3://{BUCKET}/evening"
        url = f"postgresql://postgres@/postgres?host={folder}"
        shared = {"HOST_KEY": KEY, "DATABASE": url, "PICTURES": pictures}
        store = stack.enter_context(Store(url))
        third = open_album(Settings(data=tmp_path / "third", pictures=pictures), store)
        catalogue = Catalogue(Deck((), (864, 1080)), third)
        sitting, code = offered(third, [astronaut.pixels, hopper.pixels])
        apps = [serving(tmp_path / name, sets, models=False, **shared) for name in ("one", "other")]
        with ThreadPoolExecutor(2) as pool:  # both start at once
            one, other = pool.map(stack.enter_context, apps)
        yield Evening(one, other, Room(store, catalogue), third, catalogue, sitting, code)


def offered(album: Album, faces: list[Pixels]) -> tuple[SittingId, str]:
    """A sitter's leave to show two pictures, and the code that takes them back."""
    sitting = album.begin()
    jpegs = dict(zip(Kind, exhibits([face[:500, 50:450] for face in faces], EXHIBIT), strict=True))
    own = {kind: album.put(sitting, jpeg) for kind, jpeg in jpegs.items()}
    code, _ = offer(album, sitting, Pair(ITEMS, jpegs, {}, {}), own)
    return sitting, code


def is_shown(page: Page, selector: str) -> None:
    """The picture is there, whole."""
    shown = page.locator(selector).first
    expect(shown).to_be_visible(timeout=SOON_MS)
    page.wait_for_function("image => image.complete && image.naturalWidth > 0", arg=shown.element_handle())


def say_ai(phone: Page) -> None:
    choice = phone.locator("[data-answer=generated]")
    expect(choice).to_be_visible(timeout=SOON_MS)
    choice.click()
    expect(choice).to_have_attribute("aria-pressed", "true")


def test_one_booth_is_killed_in_mid_round_and_the_room_goes_on(
    evening: Evening, browser: Browser, port: int
) -> None:
    one, other = evening.one, evening.other
    (item,) = evening.catalogue.approve(evening.sitting)
    evening.room.add([item])
    evening.room.go_to(item)
    code = evening.room.snapshot().room.code
    stage, *phones = (browser.new_page() for _ in range(3))
    stage.goto(f"{other.url}stage")
    asked = evening.ask(one, "open")["round"]
    is_shown(stage, "main img")
    picture(stage, "several-open")
    for phone, booth in zip(phones, (one, other), strict=True):
        phone.goto(f"{booth.url}{code}")
        say_ai(phone)
    expect(stage.locator(".count")).to_have_text("2", timeout=SOON_MS)
    one.process.kill()
    one.process.wait()
    phones[0].context.clear_cookies()  # a third phone, at the booth that is left
    phones[0].goto(f"{other.url}{code}")
    say_ai(phones[0])
    expect(stage.locator(".count")).to_have_text("3", timeout=SOON_MS)
    assert evening.ask(other, "close")["round"] == asked
    evening.ask(other, "reveal")
    expect(stage.locator(".chart")).to_be_visible(timeout=SOON_MS)
    picture(stage, "several-split")
    assert evening.album.withdraw(evening.code)
    expect(stage.locator("h1")).to_have_text(read_words().say("phone.withdrawn"), timeout=SOON_MS)
    assert versions(port, BUCKET) == []
    for page in (stage, *phones):
        page.close()
