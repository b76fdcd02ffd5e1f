"""A real S3-compatible store for tests: moto's server, in a process and an environment of its own."""

import os
import secrets
import socket
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from booth import storage as storages
from tests.forwarder import Forwarder, forwarding

PYTHON = Path(__file__).parents[1] / ".venv" / "moto" / "bin" / "python"
KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}  # moto believes anybody
STARTING_S = 60
FOR_EVER_S = 20.0
SHORT_S = 0.5  # for an answer; the product waits longer


@contextmanager
def object_store() -> Iterator[int]:
    """Its port, until the block ends. Skips where its client or moto is not installed (`make install`)."""
    pytest.importorskip("minio", reason="requirements-storage.txt is not installed here")
    if not PYTHON.exists():
        pytest.skip("moto is not installed here (.venv/moto, which `make install` makes)")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    process = subprocess.Popen(
        [PYTHON, "-m", "moto.server", "-p", str(port)],
        env=os.environ | KEYS,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        late = time.monotonic() + STARTING_S
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/moto-api/", timeout=5).close()
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > late:
                    pytest.fail("moto's server did not start")
                time.sleep(0.1)
        yield port
    finally:
        process.terminate()
        process.wait(30)


def client(port: int) -> Any:
    """Whoever looks at the store from outside."""
    from minio import Minio

    return Minio(f"127.0.0.1:{port}", "test", "test", secure=False, region="us-east-1")


def make_bucket(port: int, name: str) -> None:
    """One that keeps every version."""
    from minio.versioningconfig import ENABLED, VersioningConfig

    owner = client(port)
    owner.make_bucket(name)
    owner.set_bucket_versioning(name, VersioningConfig(ENABLED))


def versions(port: int, bucket: str) -> list[str]:
    """The names of all that is there, in every version, and of every mark of a deletion."""
    found = client(port).list_objects(bucket, recursive=True, include_version=True)
    return sorted(str(each.object_name) for each in found)


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with object_store() as port:
        yield port


@dataclass(frozen=True)
class Bucket:
    """A new one, and a way to it that may be cut."""

    name: str
    port: int
    way: Forwarder

    @property
    def url(self) -> str:
        return f"s3://{self.name}/an/evening"

    @property
    def versions(self) -> list[str]:
        return versions(self.port, self.name)


@pytest.fixture
def bucket(port: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    name = f"booths-{secrets.token_hex(4)}"
    make_bucket(port, name)
    with forwarding(("127.0.0.1", port)) as way:
        ending = threading.Timer(FOR_EVER_S, way.close)  # a wait for ever is a failure
        ending.start()
        for key, value in KEYS.items():
            monkeypatch.setenv(key, value)
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{way.port}")
        monkeypatch.setattr(storages, "READ_S", SHORT_S)
        yield Bucket(name, port, way)
        ending.cancel()
