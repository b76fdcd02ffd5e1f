"""An evening at a kiosk, in a real browser: `python -m bench.evening`. What is left of it, and what it took.

Visitors come one after the other. Most make a portrait and leave; some fetch it with a phone, print it,
delete it, or walk away, so that the screen clears itself. In the middle the camera is unplugged, later the
program is killed and started again, as by systemd. Then the printer is slow and its queue full, and the
operator ends the day from the menu. At the end it is stopped, and what it left is listed.
"""

import argparse
import io
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, Playwright, ViewportSize, sync_playwright

from pipelines.selfie.samples import sample
from words import Words, read_words

ROOT = Path(__file__).parent.parent
SCREEN: ViewportSize = {"width": 1080, "height": 1920}
IDLE_S, LEAVE_S = 15, 5
PATIENCE_MS = 300_000
PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".pdf")
FLAGS = ("--no-sandbox", "--disable-gpu")
CAMERA = ("--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream")
WAYS = ("leaves", "phone", "walks away", "deletes", "prints", "leaves")  # of visitors, in turn
SAID = ".pane.take [role=status], .pane.take .notice"  # where the take-home sheet tells of the printer
PIN = "27182818"  # of the operator's menu
ANSWER_MS = 5_000  # a printer with a full queue is told by then
QUEUED = 3  # visitors at the slow printer: two jobs may wait (`booth.paper.MOST_WAITING`)


@dataclass
class Evening:
    """The program, where it writes, and what was counted."""

    folder: Path
    port: int
    printer: str = ""
    program: "subprocess.Popen[bytes] | None" = None
    counts: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    memory: list[int] = field(default_factory=list)  # MB after each visit

    @property
    def url(self) -> str:
        """Of the booth."""
        return f"http://127.0.0.1:{self.port}/"

    def start(self) -> None:
        """Until it says that it can draw."""
        settings = {
            **{
                "DATA": str(self.folder / "data"),
                "PORT": str(self.port),
                "BIND": "0.0.0.0",
                "MODELS": "mini",
            },
            **{
                "MODE": "kiosk",
                "VARIATIONS": "1",
                "IDLE_SECONDS": str(IDLE_S),
                "LEAVE_SECONDS": str(LEAVE_S),
            },
            "PRINTER": self.printer,
            "OPERATOR_PIN": PIN,
        }
        ours = {f"FACE_VALUE_{name}": value for name, value in settings.items()}
        environment = os.environ | ours | {"TMPDIR": str(self.folder / "tmp")}
        with (self.folder / "log").open("ab") as log:
            self.program = subprocess.Popen(
                [sys.executable, "app.py"], cwd=ROOT, env=environment, stdout=log, stderr=log
            )
        while True:
            with suppress(OSError), urllib.request.urlopen(f"{self.url}healthz", timeout=5) as answer:
                if b'"models":"ready"' in answer.read().replace(b" ", b""):
                    return
            time.sleep(0.5)

    def stop(self, how: signal.Signals) -> None:
        """As an operator or a crash does."""
        if self.program:
            self.program.send_signal(how)
            self.program.wait()

    def measure(self) -> None:
        """Memory that is the program's now."""
        status = Path(f"/proc/{self.program.pid if self.program else 0}/status").read_text(encoding="ascii")
        found = re.search(r"VmRSS:\s+(\d+)", status)
        self.memory.append(int(found[1]) // 1024 if found else 0)

    def left(self) -> list[str]:
        """Pictures anywhere below its folder, and whatever else is not the votes, the keys or the log."""
        files = [path.relative_to(self.folder) for path in self.folder.rglob("*") if path.is_file()]
        return sorted(
            str(path)
            for path in files
            if path.suffix in PICTURES or "sittings" in path.parts or "tmp" in path.parts
        )


class Kiosk:
    """One browser at the booth, and the words that are on its buttons."""

    def __init__(self, evening: Evening, words: Words, page: Page) -> None:
        self._evening = evening
        self._words = words
        self._page = page

    def button(self, key: str) -> Locator:
        """The one that says that."""
        return self._page.get_by_role("button", name=self._words.say(key), exact=True)

    def make(self) -> None:
        """From the welcome to a portrait."""
        self.button("welcome.start").click(timeout=PATIENCE_MS)
        self._page.locator(".screen.consent label").first.click(timeout=PATIENCE_MS)
        self.button("consent.go").click()
        self.button("camera.shutter").click(timeout=PATIENCE_MS)
        self.button("camera.use").click(timeout=PATIENCE_MS)
        self._page.locator(".screen.look .go").last.click(timeout=PATIENCE_MS)
        self.button("result.vote").wait_for(timeout=PATIENCE_MS)

    def visit(self, way: str) -> None:
        """A whole visit; it ends at the welcome."""
        self.make()
        if way == "walks away":
            self.button("welcome.start").wait_for(timeout=PATIENCE_MS)
            return
        if way in ("phone", "prints", "queues"):
            self.button("take.title").click()
            {"phone": self.fetch, "prints": self.print, "queues": self.queue}[way]()
            self._page.keyboard.press("Escape")
        if way == "deletes":
            self.button("result.delete").first.click()
            self.button("delete.yes").click()
        else:
            self.button("result.vote").click()
            self.button("vote.stop").click(timeout=PATIENCE_MS)
        self.button("goodbye.done").click(timeout=PATIENCE_MS)
        self.button("welcome.start").wait_for(timeout=PATIENCE_MS)

    def fetch(self) -> None:
        """With a phone: read the code from the screen, save everything."""
        self.button("take.to_phone").click()
        code = self._page.locator(".codes svg").last
        code.wait_for()
        picture = np.asarray(Image.open(io.BytesIO(code.screenshot())).convert("RGB"))
        link, *_ = cv2.QRCodeDetector().detectAndDecode(picture)
        with urllib.request.urlopen(f"{link}/all.zip", timeout=60) as answer:
            self._evening.counts["files fetched, MB"] += round(len(answer.read()) / 1e6, 1)

    def print(self) -> None:
        """On paper, where there is a printer; what it says is counted."""
        if not self._evening.printer:
            return
        self.button("paper.print").click()
        self._hear(self._page.locator(SAID).filter(has_not_text=self._words.say("paper.printing")))

    def queue(self) -> None:
        """The same, but nobody waits until it is out."""
        self.button("paper.print").click()
        self._page.locator(SAID).filter(has_text=self._words.say("paper.printing")).first.wait_for()
        self._page.wait_for_timeout(ANSWER_MS)
        self._hear(self._page.locator(SAID))

    def _hear(self, said: Locator) -> None:
        said = said.filter(has_text=re.compile(r"\w"))
        said.first.wait_for(timeout=PATIENCE_MS)
        self._evening.counts[f"printer: {said.last.inner_text().strip()}"] += 1

    def end_day(self) -> None:
        """As the operator does: the PIN, the button, yes; the votes go too."""
        self._page.goto(f"{self._evening.url}operator")
        for digit in PIN:
            self._page.locator(f"[data-digit='{digit}']").click()
        self.button("operator.open").click()
        self._page.locator("summary").click()
        self._page.locator("[action$=wipe] [name=votes]").check()
        self.button("operator.end_now").click()
        self._page.get_by_text(self._words.say("operator.done_wiped")).wait_for(timeout=PATIENCE_MS)


@contextmanager
def standing(playwright: Playwright, evening: Evening, words: Words, film: Path | None) -> Iterator[Kiosk]:
    """A kiosk's browser, with a camera that shows a face or without one."""
    camera = [*CAMERA, f"--use-file-for-fake-video-capture={film}"] if film else []
    browser: Browser = playwright.chromium.launch(executable_path=chromium(), args=[*FLAGS, *camera])
    try:
        page = browser.new_page(viewport=SCREEN)
        page.goto(evening.url)
        yield Kiosk(evening, words, page)
    finally:
        browser.close()


def chromium() -> str | None:
    """Debian's, or Playwright's own."""
    found = Path("/usr/bin/chromium")
    return str(found) if found.exists() else None


def film_face(folder: Path) -> Path:
    """What the camera sees: a sitter in the middle of a grey room; Chromium reads Motion JPEG."""
    room = Image.new("RGB", (1280, 720), (128, 132, 136))
    face = Image.fromarray(sample("astronaut").pixels)
    face.thumbnail((720, 720))
    room.paste(face, ((1280 - face.width) // 2, 720 - face.height))
    frame = io.BytesIO()
    room.save(frame, "JPEG", quality=92)
    film = folder / "face.mjpeg"
    film.write_bytes(frame.getvalue() * 30)
    return film


def run(evening: Evening, visits: int, film: Path) -> None:
    """All of it."""
    words = read_words()
    evening.start()
    with sync_playwright() as playwright:
        first, second = visits // 3, 2 * visits // 3
        for begin, end in ((0, first), (first, second), (second, visits)):
            with standing(playwright, evening, words, film) as kiosk:
                for number in range(begin, end):
                    way = WAYS[number % len(WAYS)]
                    kiosk.visit(way)
                    evening.counts[f"visits: {way}"] += 1
                    evening.measure()
                    sys.stderr.write(f"{number + 1} of {visits}: {way}, {evening.memory[-1]} MB\n")
            if end == first:
                with standing(playwright, evening, words, None) as blind:  # its camera was unplugged
                    blind.button("welcome.start").click(timeout=PATIENCE_MS)
                    blind._page.locator(".screen.consent label").first.click()
                    blind.button("consent.go").click()
                    blind._page.get_by_text(words.say("camera.fault")).wait_for(timeout=PATIENCE_MS)
                    evening.counts["camera dead: said so"] += 1
            if end == second:
                evening.stop(signal.SIGKILL)
                evening.start()
                evening.counts["killed and started again"] += 1
                evening.counts["pictures left after the kill"] += len(evening.left())


def close_down(evening: Evening, film: Path, slow_printer: str) -> None:
    """A printer that is slow until its queue is full, where there is one; then the end of the day."""
    words = read_words()
    if slow_printer:
        evening.stop(signal.SIGTERM)
        evening.printer = slow_printer
        evening.start()
    with sync_playwright() as playwright, standing(playwright, evening, words, film) as kiosk:
        for number in range(QUEUED if slow_printer else 0):
            kiosk.visit("queues")
            sys.stderr.write(f"{number + 1} of {QUEUED} at the slow printer\n")
        kiosk.end_day()
    evening.counts["pictures left after the end of the day"] = len(evening.left())


def main() -> int:
    """0; or 1 where something was left on the disk."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--visits", type=int, default=60)
    parser.add_argument("--printer", default="", help="name in CUPS; without one nothing is printed")
    parser.add_argument("--slow-printer", default="", help="one that takes minutes a sheet, for a full queue")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        (Path(folder) / "evening" / "tmp").mkdir(parents=True)
        evening = Evening(Path(folder) / "evening", port, options.printer)
        began = time.monotonic()
        try:
            film = film_face(Path(folder))
            run(evening, options.visits, film)
            close_down(evening, film, options.slow_printer)
        finally:
            evening.stop(signal.SIGTERM)
        report(evening, time.monotonic() - began)
        return 1 if evening.left() else 0


def report(evening: Evening, seconds: float) -> None:
    """As a table."""
    rows = [
        ("minutes", f"{seconds / 60:.1f}"),
        *((name, f"{n:g}") for name, n in sorted(evening.counts.items())),
    ]
    per_start = 2 * len(evening.memory) // 3  # the program was started anew there
    rows.append(("memory after 3 visits, MB", f"{evening.memory[min(2, len(evening.memory) - 1)]}"))
    rows.append(("memory before the kill, MB", f"{evening.memory[per_start - 1]}"))
    rows.append(("left on the disk at the end", ", ".join(evening.left()) or "nothing"))
    for name, value in rows:
        sys.stdout.write(f"| {name} | {value} |\n")


if __name__ == "__main__":
    sys.exit(main())
