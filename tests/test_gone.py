"""What is left on the disk of an open visit when the booth ends, however it ends."""

import json
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.serving import ROOT, Booth, serving, weights
from words import read_words

pytestmark = pytest.mark.app

WORDS = read_words()
TICKS = json.dumps({"agreed": True, "minor": False})


def take_a_selfie(visitor: httpx.Client) -> None:
    """Consent as the page sends it, then a sample face."""
    config = visitor.get("config").json()
    labels = {part["id"]: part["props"].get("value") for part in config["components"]}
    agree = next(
        index
        for index, event in enumerate(config["dependencies"])
        if any(labels.get(target[0]) == WORDS.say("consent.go") for target in event["targets"])
    )
    event = {"data": [TICKS], "fn_index": agree, "session_hash": "visitor"}
    answer = visitor.post("gradio_api/run/predict", json=event)
    ticket = re.search(r"ticket[^A-Za-z0-9_-]+([A-Za-z0-9_-]{32})", answer.text)
    assert ticket, answer.text[:2000]
    taken = visitor.post("selfies/sample/astronaut", headers={"X-Ticket": ticket[1]})
    assert taken.status_code == 200, taken.text


def left(booth: Booth) -> list[Path]:
    return [path for path in booth.folder.rglob("*") if path.is_file() and "sittings" in path.parts]


@pytest.mark.parametrize("ending", ["SIGTERM", "SIGKILL"])
def test_pictures_of_open_visits_are_gone_with_the_booth(tmp_path: Path, ending: str) -> None:
    with serving(tmp_path / "served", weights(tmp_path / "weights"), models=False) as booth:
        with httpx.Client(base_url=booth.url, timeout=60) as visitor:
            assert visitor.get("").headers["cache-control"] == "no-store"
            take_a_selfie(visitor)
            assert left(booth)
            ours = [path for path in (booth.folder / "data").rglob("*") if path.stat().st_mode & 0o077]
            assert ours == []  # its owner's alone
            if ending != "SIGKILL":
                booth.process.send_signal(getattr(signal, ending))
                assert booth.process.wait(60) == 0
            else:
                refused = sweep(booth)
                assert (refused.returncode, refused.stderr.count("\n")) == (2, 1) and left(booth)
                booth.process.kill()
                booth.process.wait(60)
                assert left(booth)
                assert sweep(booth).returncode == 0
        assert left(booth) == []
        assert booth.pictures == []
        assert "Traceback" not in booth.log


def sweep(booth: Booth) -> "subprocess.CompletedProcess[str]":
    environment: dict[str, Any] = {
        "FACE_VALUE_DATA": str(booth.folder / "data"),
        "FACE_VALUE_PORT": booth.url.rstrip("/").rsplit(":", 1)[1],
    }
    return subprocess.run(
        [sys.executable, "-m", "booth", "sweep"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
