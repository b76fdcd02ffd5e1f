"""A CUPS of the tests' own: its daemon on a port, Debian's PDF printer, and printers that fail."""

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

DAEMON, ADMIN = "/usr/sbin/cupsd", "/usr/sbin/lpadmin"
PROGRAMS, CONFIGURATION = Path("/usr/lib/cups"), Path("/etc/cups")
PDF_PRINTER = PROGRAMS / "backend" / "cups-pdf"
PPD = Path("/usr/share/ppd/cups-pdf/CUPS-PDF_opt.ppd")
STARTING_S = 30

# What CUPS starts for each sheet. Exit 4 stops the printer.
DRIVER = """#!/bin/sh
[ $# -eq 0 ] && exit 0
{does}
"""
NO_PAPER = "echo 'STATE: +media-empty-error' >&2; exit 4"
SLOW = "sleep 60"
FILES = """ServerRoot {root}
RequestRoot {root}/spool
TempDir {root}/tmp
CacheDir {root}/cache
StateDir {root}/state
ServerBin {root}/bin
DataDir /usr/share/cups
AccessLog {root}/access_log
ErrorLog {root}/error_log
PageLog {root}/page_log
SystemGroup root
"""
DAEMON_SAYS = """Listen 127.0.0.1:{port}
Browsing No
LogLevel warn
<Location />
  Order allow,deny
  Allow localhost
</Location>
<Policy default>
  <Limit All>
    Order deny,allow
    Allow localhost
  </Limit>
</Policy>
"""


@dataclass(frozen=True)
class Cups:
    """A running daemon, and what it has printed."""

    port: int
    folder: Path

    @property
    def server(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def printed(self) -> list[Path]:
        return sorted((self.folder / "printed").rglob("*.pdf"))

    @property
    def spooled(self) -> list[Path]:
        """Documents that it keeps."""
        return [path for path in (self.folder / "spool").iterdir() if path.name.startswith("d")]

    def add(self, name: str, device: str) -> None:
        run(ADMIN, "-h", self.server, "-p", name, "-E", "-v", device, "-P", str(PPD))

    def add_driver(self, name: str, does: str) -> None:
        """A printer whose driver does that."""
        path = self.folder / "bin" / "backend" / name
        path.write_text(DRIVER.format(does=does), encoding="utf-8")
        path.chmod(0o700)
        self.add(name, f"{name}:/")


def run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, timeout=60)


def require_cups() -> None:
    """Skips where CUPS or its PDF printer is not installed, or may not be started."""
    pytest.importorskip("cups", reason="no pycups: apt-get install libcups2-dev gcc, then make install")
    if not (Path(DAEMON).exists() and PDF_PRINTER.exists() and PPD.exists()):
        pytest.skip("no CUPS with a PDF printer: apt-get install cups printer-driver-cups-pdf")
    if os.geteuid():
        pytest.skip("its PDF printer has to be started by root")


@contextlib.contextmanager
def serving_cups() -> Iterator[Cups]:
    """A daemon with the printer `pdf`, until the block ends; its filters run as another user."""
    with tempfile.TemporaryDirectory(prefix="cups-") as folder:
        Path(folder).chmod(0o755)
        with _serving(Path(folder)) as cups:
            yield cups


@contextlib.contextmanager
def _serving(folder: Path) -> Iterator[Cups]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    for name in ("spool", "spool/tmp", "tmp", "cache", "state", "printed", "bin/backend", "ppd"):
        (folder / name).mkdir(parents=True)
    (folder / "tmp").chmod(0o1777)
    for path in PROGRAMS.iterdir():
        if path.name != "backend":
            (folder / "bin" / path.name).symlink_to(path)
    shutil.copy(PDF_PRINTER, folder / "bin" / "backend" / "cups-pdf")
    (folder / "bin" / "backend" / "cups-pdf").chmod(0o700)
    (folder / "files.conf").write_text(FILES.format(root=folder), encoding="utf-8")
    (folder / "cupsd.conf").write_text(DAEMON_SAYS.format(port=port), encoding="utf-8")
    ours = CONFIGURATION / f"cups-pdf-{port}.conf"  # it looks for the settings of a printer there only
    ours.write_text(
        f"Out {folder}/printed\nAnonDirName {folder}/printed\nLog {folder}/tmp\n", encoding="utf-8"
    )
    command = [DAEMON, "-f", "-c", str(folder / "cupsd.conf"), "-s", str(folder / "files.conf")]
    daemon = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(port, daemon)
        cups = Cups(port, folder)
        cups.add("pdf", f"cups-pdf:/{port}")
        yield cups
    finally:
        daemon.terminate()
        daemon.wait(30)
        ours.unlink()


def wait_for(port: int, daemon: "subprocess.Popen[bytes]") -> None:
    for _ in range(STARTING_S * 10):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        if daemon.poll() is not None:
            break
        time.sleep(0.1)
    pytest.fail("CUPS did not start")
