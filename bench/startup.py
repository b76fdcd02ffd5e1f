"""How long until the page can be used: `python -m bench.startup`.

`python app.py` to a welcome screen that answers, against a bare `import gradio`, each in a fresh process, in
turns. Models load behind the open page and are not waited for. Goal: at most 1.5 times.
"""

import argparse
import os
import platform
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import suppress
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parent.parent
GOAL = 1.5
PATIENCE_S = 120


def bare() -> float:
    """Seconds of a process that imports gradio and ends."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import gradio"], check=True, cwd=ROOT)
    return time.perf_counter() - began


def usable() -> float:
    """Seconds until the page and its description are answered."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        given = {"FACE_VALUE_DATA": folder, "FACE_VALUE_PORT": str(port), "FACE_VALUE_MODELS": "mini"}
        began = time.perf_counter()
        app = subprocess.Popen(
            [sys.executable, "app.py"], cwd=ROOT, env=os.environ | given, stderr=subprocess.DEVNULL
        )
        try:
            for address in ("", "config"):
                answered(f"http://127.0.0.1:{port}/{address}", began)
            return time.perf_counter() - began
        finally:
            app.terminate()
            app.wait(30)


def answered(url: str, began: float) -> None:
    """Return when the address answers with 200."""
    while time.perf_counter() - began < PATIENCE_S:
        with suppress(OSError), urllib.request.urlopen(url, timeout=5) as answer:
            if answer.status == 200:
                return
        time.sleep(0.02)
    raise SystemExit("the page did not open")


def main() -> None:
    """Print the two medians and their ratio."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--rounds", type=int, default=5)
    rounds = options.parse_args().rounds
    bare()  # files into the cache
    pairs = [(bare(), usable()) for _ in range(rounds)]
    gradio, page = (median(pair[i] for pair in pairs) for i in (0, 1))
    ratios = sorted(after / before for before, after in pairs)
    print(
        f"import gradio {gradio:.2f} s, app.py to usable page {page:.2f} s "
        f"({platform.processor() or platform.machine()}, {os.cpu_count()} cores, load "
        f"{os.getloadavg()[0]:.1f}, median of {rounds}): {page / gradio:.2f}x, rounds "
        f"{ratios[0]:.2f} to {ratios[-1]:.2f}; goal {GOAL}x"
    )


if __name__ == "__main__":
    main()
