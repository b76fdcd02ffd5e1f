"""A headless Chromium for the tests that drive one."""

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page, Playwright

FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")
FPS = 5  # of the fake camera: each of its frames is drawn anew, mirrored and shaded, without a GPU
FAKE = ("--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream")


def launch(playwright: Playwright, film: Path | None = None) -> Browser:
    """With a camera that shows a film and may be used, or without one; skips where there is no Chromium."""
    chromium = shutil.which("chromium")  # the system's where there is one, else Playwright's own
    if not chromium and not Path(playwright.chromium.executable_path).exists():
        pytest.skip("no Chromium: install Debian's, or run: playwright install chromium")
    camera = [*FAKE, f"--use-file-for-fake-video-capture={film}"] if film else []
    return playwright.chromium.launch(executable_path=chromium, args=[*FLAGS, *camera])


@dataclass(frozen=True)
class Window:
    """One that stays open: a new one for each visitor costs as much again as their page."""

    context: BrowserContext

    @contextlib.contextmanager
    def tab(self, size: tuple[int, int], **media: Any) -> Iterator[Page]:
        """A visitor's of that width and height, whom nobody here has seen before."""
        self.context.clear_cookies()
        page = self.context.new_page()
        page.set_viewport_size({"width": size[0], "height": size[1]})
        if media:
            page.emulate_media(color_scheme="dark", **media)
        try:
            yield page
        finally:
            page.close()


@contextlib.contextmanager
def window(browser: Browser) -> Iterator[Window]:
    """Of a browser, for visitors one after the other; its first tab stays empty."""
    with browser.new_context(color_scheme="dark") as context:
        context.new_page()
        yield Window(context)


def film(folder: Path, *scenes: Image.Image, seconds: int = 1) -> Path:
    """Each scene for so long, again and again, for the fake camera; not compressed, so nothing is decoded."""
    width, height = scenes[0].size
    path = folder / "film.y4m"
    with path.open("wb") as film:
        film.write(f"YUV4MPEG2 W{width} H{height} F{FPS}:1 Ip A1:1 C420jpeg\n".encode())
        for scene in scenes:
            frame = cv2.cvtColor(np.asarray(scene), cv2.COLOR_RGB2YUV_I420).tobytes()
            film.write((b"FRAME\n" + frame) * FPS * seconds)
    return path


SLOW = """(() => {
  const ask = window.fetch, pause = (ms) => new Promise((done) => setTimeout(done, ms));
  window.slow = [];
  window.fetch = async (address, options) => {
    const late = slow.find(({ part }) => String(address).includes(part));
    if (!late) return ask(address, options);
    slow.splice(slow.indexOf(late), 1);
    await pause(late.sent);
    const reply = await ask(address, options);
    await pause(late.answered);
    return reply;
  };
})()"""


def on_a_bad_network(page: Page) -> None:
    """Reload the page, so that `slow_down` works on it."""
    page.add_init_script(SLOW)
    page.reload()


def slow_down(page: Page, part: str, sent: int = 0, answered: int = 0) -> None:
    """The page's next request whose address has that part is late by that many ms, or its answer is."""
    page.evaluate("late => slow.push(late)", {"part": part, "sent": sent, "answered": answered})
