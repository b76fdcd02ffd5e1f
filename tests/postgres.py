"""A real PostgreSQL for tests, as benches start it; where none is installed such a test is skipped."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from bench import postgres
from bench.postgres import Server, ask, cut_off, make_read_only, promote, tool

__all__ = [
    "Server",
    "ask",
    "cluster",
    "cut_off",
    "make_read_only",
    "promote",
    "running_pair",
    "running_server",
]

FAST = "fsync=off"  # no test cuts the power


def _require() -> None:
    if not tool("initdb"):
        pytest.skip("PostgreSQL is not installed here (Debian: apt-get install postgresql)")


@contextmanager
def running_server(*options: str) -> Iterator[Server]:
    """A new cluster, until the block ends."""
    _require()
    with postgres.running_server(FAST, *options) as server:
        yield server


@contextmanager
def running_pair() -> Iterator[tuple[Server, Server]]:
    """A primary, and a copy that has every commit before the primary answers it."""
    _require()
    with postgres.running_pair(FAST) as both:
        yield both


@contextmanager
def cluster() -> Iterator[str]:
    """The folder of a new cluster's socket, until the block ends."""
    with running_server() as server:
        yield server.folder
