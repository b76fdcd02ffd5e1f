"""The Hub's protocol, as far as a download needs it, on this machine."""

import contextlib
import hashlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs


@dataclass
class FakeHub:
    """What the Hub's protocol serves from a cache folder, and how it misbehaves."""

    cache: Path
    endpoint: str = ""
    sent: list[tuple[str, str]] = field(default_factory=list)  # (repo, file), in order
    fail_after: int | None = None  # files that are sent before every answer is an error
    gone: str = ""  # a file that it does not know
    weight: int = 0  # bytes that each file pretends to have more than it has

    def file(self, repo: str, revision: str, name: str) -> Path | None:
        path = self.cache / f"models--{repo.replace('/', '--')}" / "snapshots" / revision / name
        return path if path.is_file() and name != self.gone else None


@contextlib.contextmanager
def serve(cache: Path) -> Iterator[FakeHub]:
    """Serve a cache folder over HTTP on this machine, as the Hub would."""
    hub = FakeHub(cache)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            """Quietly."""

        def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def do_POST(self) -> None:
            """`/api/models/<owner>/<name>/paths-info/<revision>`: sizes of the files asked for."""
            _, _, _, owner, name, _, revision = self.path.split("/")
            form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            found = [(path, hub.file(f"{owner}/{name}", revision, path)) for path in form["paths"]]
            told = [
                {"type": "file", "path": path, "size": file.stat().st_size + hub.weight, "oid": path}
                for path, file in found
                if file
            ]
            self.answer(200, json.dumps(told).encode(), Content_Type="application/json")

        def do_HEAD(self) -> None:
            """`/<owner>/<name>/resolve/<revision>/<file>`: commit, tag and size."""
            _, owner, name, _, revision, *path = self.path.split("/")
            file = hub.file(f"{owner}/{name}", revision, "/".join(path))
            if file is None:
                return self.answer(404)
            body = file.read_bytes()
            tag = hashlib.sha256(body).hexdigest()
            return self.answer(200, body, ETag=f'"{tag}"', X_Repo_Commit=revision)

        def do_GET(self) -> None:
            if hub.fail_after is not None and len(hub.sent) >= hub.fail_after:
                return self.answer(500)
            _, owner, name, _, _, *path = self.path.split("/")
            hub.sent.append((f"{owner}/{name}", "/".join(path)))
            return self.do_HEAD()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.endpoint = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
