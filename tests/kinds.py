"""Kinds of tests by what they need, told from their fixtures, and a guard that holds them to it.

`make quick` runs the rest: no browser, no other Python process, no network that draws or looks for faces.
"""

import re
import sys
from collections.abc import Collection
from pathlib import Path

import pytest
from xdist.scheduler import LoadFileScheduling

KINDS = {
    "browser": "drives a real browser",
    "app": "starts app.py or other Python in a process of its own",
    "draws": "runs networks: torch's, or MediaPipe's on a photograph",
}
# A test that can have one of these does what the fixture is for.
BY_FIXTURE = {
    **dict.fromkeys(("browser", "blind", "playwright"), "browser"),
    **dict.fromkeys(("booth", "bare", "full", "lent", "run"), "app"),
    **dict.fromkeys(("hub", "weights", "places", "mini", "runs"), "draws"),
}
# Nothing is drawn and no face looked for without a sitter: pages hold these two and may leave them alone.
LOOKING, SITTERS = frozenset({"finder", "studio"}), frozenset({"astronaut", "hopper", "portraits"})
# A module that says so of itself need not be imported to be left out: torch alone takes seconds to import.
SAID = re.compile(rf"^pytestmark = .*\bmark\.({'|'.join(KINDS)})\b", re.MULTILINE)
HEAVY = frozenset({"torch", "diffusers", "transformers", "mediapipe", "controlnet_aux", "dlib", "playwright"})
STARTED = ("python", "node", "chromium")  # node drives the browser

# Files that visit one app, one after the other on one worker.
TOGETHER = ("test_room_browser.py", "test_browser.py", "test_result_browser.py", "test_verify_browser.py")
# Two workers end together where the longest files begin first; the rest follow by name.
LONGEST = (
    *TOGETHER,
    "test_camera.py",
    "test_generate.py",
    "test_fleet.py",
    "test_space.py",
    "test_booth.py",
    "test_command_line.py",
    "test_commission.py",
    "test_dial.py",
    "test_climbing.py",
    "test_ladder.py",
    "test_sitting.py",
    "test_face.py",
    "test_studio.py",
    "test_faults.py",
    "test_start.py",
    "test_several_booths_browser.py",
)


def kinds_by(fixtures: Collection[str]) -> set[str]:
    """The kinds of a test that has these fixtures, its fixtures' own included."""
    found = {BY_FIXTURE[name] for name in fixtures if name in BY_FIXTURE}
    if LOOKING.intersection(fixtures) and SITTERS.intersection(fixtures):
        found.add("draws")
    return found


def says_its_kind(path: Path) -> bool:
    return path.suffix == ".py" and bool(SAID.search(path.read_text(encoding="utf-8")))


def order_of(file: str) -> int:
    return LONGEST.index(file) if file in LONGEST else len(LONGEST)


class ByApp(LoadFileScheduling):
    """Hands a worker whole files; those that share an app all at once."""

    def _split_scope(self, nodeid: str) -> str:
        file = str(super()._split_scope(nodeid))
        return "an app" if Path(file).name in TOGETHER else file


class Guard:
    """Fails a test that does what its kind does not: Python tells of each start and each import."""

    def __init__(self, quick: bool) -> None:
        self.quick = quick
        self.running: pytest.Item | None = None
        sys.addaudithook(self._hear)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> "object":
        self.running = item
        try:
            return (yield)
        finally:
            self.running = None

    def _hear(self, event: str, given: tuple[object, ...]) -> None:
        if event == "subprocess.Popen":
            self._heard_start(given[0])
        elif event == "import" and self.quick and str(given[0]).partition(".")[0] in HEAVY:
            pytest.fail(f"A quick test imports no {given[0]}: mark it draws, or browser.")

    def _heard_start(self, program: object) -> None:
        name = Path(program.decode() if isinstance(program, bytes) else str(program)).name
        if not self.running or not name.startswith(STARTED):
            return
        if not any(self.running.get_closest_marker(kind) for kind in KINDS):
            pytest.fail(f"{self.running.nodeid} starts {name}: mark it app.")
