"""Is this machine ready for tonight? One finding a question, each with what to do where it is not.

What a system does not tell is said to be unknown, never to be fine. Nothing is changed, and nobody outside
this machine is asked.
"""

import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from errors import OperatorError
from pipelines.draw.machine import is_here
from pipelines.draw.model_set import read_model_sets
from pipelines.marks.certificates import known_chain
from pipelines.printer import Printer
from settings import LOOPBACK_NAMES, Settings

Ask = Callable[..., str]  # a command's words -> what it says on stdout; empty where it does not

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# A full sitting with its ladder takes about 10 MB in the data folder, and 200 visits may be open at once
# (`booth.visits`); as much again for the votes, the log and whatever else writes.
LEAST_FREE_GB = 4.0
GNOME_SESSION = ("gsettings", "get", "org.gnome.desktop.session")
GNOME_POWER = ("gsettings", "get", "org.gnome.settings-daemon.plugins.power")
PATIENCE_S = 3.0  # with a command of the system


@dataclass(frozen=True)
class Finding:
    """`tonight.<key>` of the words has the sentence; `is_ready` is None for what the system does not tell."""

    key: str
    is_ready: bool | None
    values: Mapping[str, object] = field(default_factory=dict)


def ask(*command: str) -> str:
    """What a command of the system says; empty where there is none, or where it fails or hangs."""
    if not shutil.which(command[0]):
        return ""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError):
        return ""
    return done.stdout if done.returncode == 0 else ""


def look_around(settings: Settings, ask: Ask = ask) -> Iterator[Finding]:
    """Everything, in the order in which it is put right."""
    yield probe_camera(settings)
    yield probe_browser()
    yield probe_network(settings)
    yield probe_disk(settings.data)
    yield probe_memory()
    yield probe_clock(ask)
    yield probe_certificate(settings)
    yield probe_sets(settings)
    if settings.printer:
        yield probe_printer(settings.printer)
    yield probe_power(ask)


def probe_camera(settings: Settings, devices: Path = Path("/dev")) -> Finding:
    """Browsers give a camera to https and to this machine only; Linux lists those that are plugged in."""
    address = settings.public_url or f"http://{settings.bind}:{settings.port}"
    is_safe = address.startswith("https://") or settings.bind in LOOPBACK_NAMES or settings.is_kiosk
    if not is_safe:
        return Finding("camera_refused", False, {"address": address})
    if sys.platform == "linux" and not any(devices.glob("video*")):
        return Finding("camera_none", False)
    return Finding("camera", True if sys.platform == "linux" else None)


def probe_browser(find: Callable[[str], str | None] = shutil.which) -> Finding:
    """A kiosk needs Chromium, whose policies can be set."""
    name = next((name for name in BROWSERS if find(name)), "")
    return Finding("browser", True, {"name": name}) if name else Finding("browser_none", False)


def probe_network(settings: Settings, own_address: Callable[[], str] | None = None) -> Finding:
    """Under which address phones find the room."""
    if settings.public_url:
        return Finding("network", True, {"address": settings.public_url})
    if settings.bind in LOOPBACK_NAMES:
        return Finding("network_here", False)
    address = (own_address or find_own_address)() if settings.bind in ("0.0.0.0", "::") else settings.bind
    if address in LOOPBACK_NAMES:
        return Finding("network_none", False)
    return Finding("network", True, {"address": f"http://{address}:{settings.port}"})


def find_own_address() -> str:
    """The address of this machine in its own network; the loopback one where it is in none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as way:
        try:
            way.connect(("192.0.2.1", 9))  # an address for documentation, RFC 5737; no packet is sent
            return str(way.getsockname()[0])
        except OSError:
            return LOOPBACK_NAMES[0]


def probe_disk(folder: Path) -> Finding:
    """Room for the pictures of an evening, where they are kept."""
    place = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    free = shutil.disk_usage(place).free / 1e9
    return Finding(
        "disk" if free >= LEAST_FREE_GB else "disk_full", free >= LEAST_FREE_GB, {"gb": f"{free:.0f}"}
    )


def probe_memory(meminfo: Path = Path("/proc/meminfo")) -> Finding:
    """How much memory is free, as Linux counts it. What a model set needs, its own line says."""
    try:
        found = dict(re.findall(r"^(MemTotal|MemAvailable):\s+(\d+) kB$", meminfo.read_text(), re.MULTILINE))
        free, whole = (int(found[name]) * 1024 / 1e9 for name in ("MemAvailable", "MemTotal"))
    except (OSError, KeyError):
        return Finding("memory_unknown", None)
    return Finding("memory", True, {"free": f"{free:.0f}", "all": f"{whole:.0f}"})


def probe_clock(ask: Ask) -> Finding:
    """Whether the network sets it: signatures and the times until which pictures stay depend on it."""
    said = re.search(r"^NTPSynchronized=(\w+)$", ask("timedatectl", "show"), re.MULTILINE)
    if not said:
        return Finding("clock_unknown", None)
    return Finding("clock", True) if said[1] == "yes" else Finding("clock_unset", False)


def probe_certificate(settings: Settings, now: datetime | None = None) -> Finding:
    """Until when what is taken home can be signed."""
    from cryptography.x509 import load_pem_x509_certificates

    try:
        chain = known_chain(settings.data, settings.signing_certificate)
    except OperatorError as error:
        return Finding("certificate_wrong", False, {"why": str(error)})
    if chain is None:
        return Finding("certificate_none", True)
    signer, now = load_pem_x509_certificates(chain.sent.encode())[0], now or datetime.now(UTC)
    until = {"date": f"{signer.not_valid_after_utc:%Y-%m-%d}"}
    if not signer.not_valid_before_utc <= now <= signer.not_valid_after_utc:
        return Finding("certificate_over", False, until)
    return Finding("certificate", True, until)


def probe_sets(settings: Settings, cache: Path | None = None) -> Finding:
    """Whether the model set that is asked for is whole on this machine."""
    sets = read_model_sets()
    wanted = sets if settings.models == "auto" else {settings.models: sets.get(settings.models)}
    here = [name for name, model_set in wanted.items() if model_set and is_here(model_set, cache)]
    if here:
        return Finding("sets", True, {"names": ", ".join(here)})
    return Finding("sets_none", False, {"name": "mini" if settings.models == "auto" else settings.models})


def probe_printer(name: str, server: str = "") -> Finding:
    """Whether it could print now, and what keeps it from that, as the booth would find."""
    try:
        trouble = Printer(name, server).trouble()
    except OperatorError as error:
        return Finding("printer_wrong", False, {"why": str(error)})
    return Finding(f"printer_{trouble}" if trouble else "printer", not trouble, {"name": name})


def probe_power(ask: Ask, desktop: str | None = None) -> Finding:
    """Whether the screen goes dark or the machine to sleep by itself, as far as GNOME or X11 tell.

    GNOME's settings are there without GNOME too, and say nothing then.
    """
    is_gnome = "GNOME" in (os.environ.get("XDG_CURRENT_DESKTOP", "") if desktop is None else desktop)
    blank = re.search(r"uint32 (\d+)", ask(*GNOME_SESSION, "idle-delay") if is_gnome else "")
    saver = re.search(r"timeout:\s+(\d+)", ask("xset", "q"))
    sleep = ask(*GNOME_POWER, "sleep-inactive-ac-type").strip() if is_gnome else ""
    seconds = [int(found[1]) for found in (blank, saver) if found]
    if soonest := min(filter(None, seconds), default=0):
        return Finding("power_blank", False, {"m": max(1, round(soonest / 60))})
    if sleep and sleep != "'nothing'":
        return Finding("power_sleep", False)
    return Finding("power", True) if seconds else Finding("power_unknown", None)
