"""`app.py` in a process of its own, for tests that look at it from outside."""

import contextlib
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import ConsoleMessage

from pipelines.draw.machine import WEIGHTS, is_here
from pipelines.draw.model_set import read_model_sets
from tests.hub import build_local
from votes.store import Store

ROOT = Path(__file__).parent.parent
SERVE = "import sys, app; from pathlib import Path; sys.exit(app.main(Path(sys.argv[1])))"
BARE = "from pages.warmup import Warmup; Warmup.start = lambda warmup: None; "
KEY = "a key for the test"  # of the host
STARTING_S = 120  # patience on a busy machine, not a measurement


@dataclass(frozen=True)
class Booth:
    """A running page, and where it may write."""

    url: str
    folder: Path
    process: "subprocess.Popen[bytes]"
    start: Callable[[], "subprocess.Popen[bytes]"]  # another process at the same place

    @property
    def store(self) -> Store:
        return Store(f"sqlite:///{self.folder}/data/votes.sqlite3")

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text(encoding="utf-8")

    @property
    def pictures(self) -> list[Path]:
        return [path for path in self.folder.rglob("*") if path.suffix in (".png", ".jpg", ".jpeg", ".webp")]


def weights(folder: Path) -> Path:
    """The bundled model where the checkout has it, else a tiny one of random weights."""
    return WEIGHTS if is_here(read_model_sets()["mini"]) else build_local(folder)


@contextlib.contextmanager
def serving(folder: Path, weights: Path, models: bool = True, **settings: str) -> Iterator[Booth]:
    """Until the block ends. Without `models` none is loaded; with them the block begins when all are."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (folder / "tmp").mkdir(parents=True)
    environment = os.environ | {
        "FACE_VALUE_DATA": str(folder / "data"),
        "FACE_VALUE_PORT": str(port),
        "FACE_VALUE_MODELS": "mini",
        "FACE_VALUE_DEVICE": "cpu",
        "TMPDIR": str(folder / "tmp"),
        "HF_HUB_OFFLINE": "1",
        **{f"FACE_VALUE_{name}": value for name, value in settings.items()},
    }

    def start() -> "subprocess.Popen[bytes]":
        with (folder / "log").open("a", encoding="utf-8") as log:
            return subprocess.Popen(
                [sys.executable, "-c", SERVE if models else BARE + SERVE, str(weights)],
                cwd=ROOT,
                env=environment,
                stdout=log,
                stderr=log,
            )

    process = start()
    try:
        wait_until(b'"ready"' if models else b'"ok"', f"http://127.0.0.1:{port}/healthz", process)
        yield Booth(f"http://127.0.0.1:{port}/", folder, process, start)
    finally:
        process.terminate()
        process.wait(30)


def wait_until(said: bytes, url: str, process: "subprocess.Popen[bytes]") -> None:
    for _ in range(STARTING_S * 2):
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=5) as answer:
            if said in answer.read():
                return
        if process.poll() is not None:
            break
        time.sleep(0.5)
    pytest.fail("the page did not become ready")


def is_failure(said: ConsoleMessage) -> bool:
    """Whatever a page was forbidden or could not load; a photo that was refused it tells by itself."""
    return said.type == "error" and not re.search("status of 422|net::ERR_FAILED", said.text)
