"""The app with a booth that is never empty: portraits are drawn in it while the file `draw` lies in its data.

    python -m bench.busy_booth

Started by `bench.votes`, which has no core to spare for the browser of a visitor. The file `drawn` gets a
line for each sitting, with the seconds that it took.
"""

import sys
import threading
import time
from pathlib import Path

import app
from bench.sitting import selfie
from pipelines.order import Order
from pipelines.sitting import sit
from services import Services, build_services
from settings import read_settings
from words import read_words

DRAW, DRAWN = "draw", "drawn"


def draw(services: Services, folder: Path) -> None:
    """One sitting after the other, on the booth's own services."""
    photo = selfie()
    while True:
        if services.warmup.state != "ready" or not (folder / DRAW).exists():
            time.sleep(0.05)
            continue
        began = time.monotonic()
        for _ in sit(
            [photo], Order(services.looks["grey"]), services.finder, services.studio, services.generator
        ):
            pass
        with (folder / DRAWN).open("a", encoding="ascii") as file:
            file.write(f"{time.monotonic() - began:.2f}\n")


def main() -> None:
    """Serve until killed."""
    sys.setswitchinterval(app.SWITCH_S)
    settings = read_settings()
    services = build_services(settings, read_words())
    threading.Thread(target=draw, args=(services, settings.data), daemon=True).start()
    app.serve(settings, services)


if __name__ == "__main__":
    main()
