"""What is read for all: how often, by a clock of the test's own."""

from types import SimpleNamespace

import pytest

from votes.latest import FRESH_S, Latest


class Clock:
    """Stands still but for what reads take, and what a test lets pass."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("votes.latest.time", SimpleNamespace(monotonic=clock.monotonic))
    return clock


def reads_within(clock: Clock, seconds: float, takes_s: float) -> int:
    """How often it is read while somebody asks every 10 ms."""
    reads = 0

    def read() -> int:
        nonlocal reads
        reads += 1
        clock.now += takes_s
        return reads

    latest = Latest(read)
    until = clock.now + seconds
    while clock.now < until:
        latest.get()
        clock.now += 0.01
    return reads


def test_what_is_read_in_no_time_is_read_four_times_a_second(clock: Clock) -> None:
    assert reads_within(clock, 10.0, 0.002) == pytest.approx(10.0 / FRESH_S, rel=0.1)


def test_what_takes_long_to_read_is_read_once_a_second(clock: Clock) -> None:
    assert reads_within(clock, 10.0, 0.2) == pytest.approx(10, abs=1)


def test_what_takes_long_to_read_is_read_at_once_when_it_changed(clock: Clock) -> None:
    reads = list[float]()

    def read() -> int:
        reads.append(clock.now)
        clock.now += 0.2
        return len(reads)

    latest = Latest(read)
    clock.now += 0.01
    assert latest.get() == 1
    latest.expire()
    assert latest.get() == 2
