"""A real nginx for tests, that shows a booth below a path of its own."""

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

PATIENCE_S = 20
SERVER = """
daemon off;
pid {folder}/pid;
error_log {folder}/error.log;
events {{}}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  client_max_body_size 13m;
  server {{
    listen 127.0.0.1:{port};
    location {path}/ {{
      proxy_pass http://127.0.0.1:{booth}{rest};
      proxy_http_version 1.1;
      proxy_buffering off;
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $remote_addr;
      proxy_set_header X-Forwarded-Proto $scheme;
    }}
  }}
}}
"""


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def proxy(port: int, path: str, booth: int, strips_path: bool = True) -> Iterator[None]:
    """Until the block ends, what lies at `booth` is shown at `port` below `path`. Skips without nginx."""
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if not program:
        pytest.skip("nginx is not installed here (Debian: apt-get install nginx-light)")
    with tempfile.TemporaryDirectory(prefix="fv-nginx-") as folder:
        rest = "/" if strips_path else ""
        config = Path(folder) / "nginx.conf"
        config.write_text(SERVER.format(folder=folder, port=port, path=path, booth=booth, rest=rest))
        server = subprocess.Popen([program, "-p", folder, "-c", str(config)], stderr=subprocess.DEVNULL)
        try:
            began = time.monotonic()
            while time.monotonic() - began < PATIENCE_S:
                with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                    break
                time.sleep(0.05)
            yield
        finally:
            server.terminate()
            server.wait(30)
