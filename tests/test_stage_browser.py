"""The stage's pictures on a projector: as large as it allows, whole, and sharp.

FACE_VALUE_SCREENSHOTS names a folder for a picture of each scene.
"""

import os
import random
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from tests.decks import ONE, TWO
from tests.hostile import card
from tests.served_room import HOST, ServedRoom, served_room

pytestmark = pytest.mark.browser

SCREENS = ((1920, 1080), (1280, 720))
LOOK = 'look = "grey"\nmodel_set = "mini"\nstart = "plate"\n'
DRAWN = (
    'seed = 7\nsteps = 3\nseconds = 4.2\nprompt = "studio headshot, seamless grey backdrop, soft key light"\n'
)
LONG = ", ".join(["a calm expression and soft light from the left"] * 6)
CREDIT = 'credit = "Me"'
CREDITED = f'credit = "{" ".join(["Photograph: somebody whose name is long, public domain."] * 5)}"'
LADDER = f"ladder = {[f'{i}.jpg' for i in range(1, 7)]}\n"
# By what the making has beside photograph and portrait: the least share of the screen that pictures cover.
MAKINGS = {
    "two frames": ("", 0.40),
    "three frames": ('preview = "3.jpg"\n', 0.36),
    "four frames": ('seen = "1.jpg"\npose = "2.jpg"\n', 0.42),
    "five frames": ('seen = "1.jpg"\npose = "2.jpg"\npreview = "3.jpg"\n', 0.34),
    "five frames and long words": ('seen = "1.jpg"\npose = "2.jpg"\npreview = "3.jpg"\n', 0.18),
}
LADDER_COVERS = 0.5
LOADED = "[...document.querySelectorAll('.pic img')].every((one) => one.complete && one.naturalWidth)"
BOXES = """() => {
  const boxes = (one) => // a line each where the words run on
    [...one.getClientRects()].map(({ left, top, right, bottom }) => [left, top, right, bottom]);
  const pictures = [...document.querySelectorAll(".stage .pic img")];
  return {
    pictures: pictures.flatMap(boxes),
    words: [...document.querySelectorAll(".stage :is(h1, h2, p, dt, dd)")].flatMap(boxes),
    blurred: pictures.filter((one) => one.naturalWidth < one.clientWidth).length,
    cut: pictures.filter((one) => Math.abs(one.clientWidth / one.clientHeight - 0.8) > 0.01).length,
  };
}"""


def deck(folder: Path) -> Path:
    """A pair for each making, the pictures of full size; the first has a ladder too."""
    folder.mkdir()
    for i in range(1, 7):
        Image.fromarray(card(1080, 1350)).save(folder / f"{i}.jpg")
    items, rng = "", random.Random(1)
    for i, (name, (making, _)) in enumerate(MAKINGS.items()):
        for kind, item in (("p", ONE), ("g", TWO)):
            file = f"{kind}{i}.jpg"
            Image.fromarray(card(1080, 1350)).rotate(rng.random()).save(folder / file)
            item = item.replace("a.jpg", file).replace("b.jpg", file) + f'pair = "{i}"\n{LOOK}'
            if kind == "g":
                item += DRAWN + making + ("" if i else LADDER)
            if "long" in name:
                item = item.replace(CREDIT, CREDITED).replace("studio headshot", LONG)
            items += f"[[item]]\n{item}"
    (folder / "deck.toml").write_text(items, encoding="utf-8")
    return folder


def test_every_making_and_the_ladder_fill_the_screen_whole_and_sharp(
    browser: Browser, tmp_path: Path
) -> None:
    with (
        served_room(f"sqlite:///{tmp_path}/votes.sqlite3", tmp_path, deck(tmp_path / "deck")) as room,
        browser.new_context(viewport={"width": 1920, "height": 1080}) as context,
    ):
        page = context.new_page()
        page.goto(f"{room.url}stage")
        for name, (making, least) in MAKINGS.items():
            expect(page.locator(".stage.waiting")).to_be_visible()
            moved(page, room, 5)  # open, closed, split, truth, made
            expect(page.locator(".stage.made .strip figure")).to_have_count(2 + making.count("="))
            fills(page, name, least)
            if not making:
                moved(page, room, 1)
                expect(page.locator(".stage.ladder figure")).to_have_count(7)
                fills(page, "ladder", LADDER_COVERS)
            moved(page, room, 2)  # the room so far, and the next picture


def moved(page: Page, room: ServedRoom, steps: int) -> None:
    for _ in range(steps):
        assert page.request.post(f"{room.url}api/host/next", headers=HOST).ok


def fills(page: Page, name: str, least: float) -> None:
    for width, height in SCREENS:
        page.set_viewport_size({"width": width, "height": height})
        page.wait_for_function(LOADED)
        if folder := os.environ.get("FACE_VALUE_SCREENSHOTS"):
            Path(folder).mkdir(parents=True, exist_ok=True)
            page.screenshot(path=f"{folder}/stage-{name.replace(' ', '-')}-{width}.png")
        told = page.evaluate(BOXES)
        assert (told["cut"], told["blurred"]) == (0, 0), name
        for left, top, right, bottom in (*told["pictures"], *told["words"]):
            assert left >= -1 and top >= -1 and right <= width + 1 and bottom <= height + 1, name
        for i, one in enumerate(boxes := [*told["pictures"], *told["words"]]):
            assert not [other for other in boxes[i + 1 :] if overlap(one, other)], name
        covered = sum((right - left) * (bottom - top) for left, top, right, bottom in told["pictures"])
        assert covered / (width * height) >= least, f"{name}: {covered / (width * height):.2f}"
    page.set_viewport_size({"width": SCREENS[0][0], "height": SCREENS[0][1]})


def overlap(one: list[float], other: list[float]) -> bool:
    """By more than a line's leading, on both axes."""
    across = min(one[2], other[2]) - max(one[0], other[0])
    down = min(one[3], other[3]) - max(one[1], other[1])
    return across > 2 and down > 8
