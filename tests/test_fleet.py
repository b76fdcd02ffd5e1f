"""Portraits drawn by the machines of a cluster, a real one on this: in which order, and who is lost."""

import multiprocessing
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from bench.sleeper import MINI, STEPS, entries
from bench.sleeper import grey_request as grey
from errors import ChoiceError, NoFleet, OperatorError, OutOfMemory
from pages.health import health_route
from pages.warmup import Warmup
from pipelines.draw.fleet import Fleet, FleetState, fleet_of, open_generator
from pipelines.draw.generate import Generator, Progress, Rendering
from pipelines.draw.node import require_token
from services import Services
from settings import Settings, read_settings
from tests.drawing import difference, portraits
from tests.fleets import FULL, FullSleeper
from tests.test_booth import services as services  # the fixture
from tests.test_dial import host_of
from votes.store import Store
from words import read_words

pytestmark = pytest.mark.app

ROOT = Path(__file__).parent.parent
PATIENCE_S = 120  # on a busy machine, not a measurement
SLEEPY = MINI.model_copy(update={"name": "sleepy"})  # an application of its own on the cluster
needs_ray = pytest.mark.skipif(
    find_spec("ray") is None, reason="Ray is not installed: pip install -r requirements-cluster.txt"
)


def wait_until(is_so: Callable[[], object]) -> None:
    until = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < until, "it took too long"
        time.sleep(0.05)


@contextmanager
def machine(*arguments: str) -> Iterator["subprocess.Popen[bytes]"]:
    """One of a cluster, started as an operator would and ended as one would, unless it is gone already."""
    command = [sys.executable, "-m", "pipelines", "cluster", *arguments]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
                process.wait(PATIENCE_S)


@pytest.fixture(scope="module")
def head() -> Iterator[str]:
    """Address of a head that is not there yet. 127.0.0.2, for others join none at 127.0.0.1."""
    with socket.socket() as free:
        free.bind(("127.0.0.2", 0))
        port = free.getsockname()[1] % 3000 + 6000  # below those that Ray gives its workers
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))
        yield f"127.0.0.2:{port}"


@pytest.fixture(scope="module")
def node(head: str) -> Iterator["subprocess.Popen[bytes]"]:
    """The machine at that address."""
    host, _, port = head.partition(":")
    with machine("--bind", host, "--port", port) as process:
        yield process


@pytest.fixture(scope="module")
def diary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fleet") / "diary"


@pytest.fixture(scope="module")
def sleepers(node: Any, head: str, diary: Path) -> Iterator[Fleet]:
    """One replica on each machine, that draws grey."""
    fleet = Fleet(SLEEPY, "cpu", head, build=partial(FullSleeper, diary))
    wait_until(fleet._is_reachable)
    fleet.load()
    yield fleet
    fleet.close()


@pytest.fixture(scope="module")
def other(sleepers: Fleet, head: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A machine that joins later."""
    with machine("--join", head, "--bind", "127.0.0.3") as process:
        yield process


@pytest.fixture
def fleet(sleepers: Fleet, other: Any, diary: Path) -> Fleet:
    """The same with both at work, and an empty diary."""
    wait_until(lambda: sleepers.state.running == 2)
    diary.write_text("", encoding="utf-8")
    return sleepers


def draw_in_thread(fleet: Fleet, *seeds: int) -> tuple[threading.Thread, list[Rendering]]:
    drawn: list[Rendering] = []
    thread = threading.Thread(target=lambda: drawn.extend(portraits(fleet, grey(*seeds))))
    thread.start()
    return thread, drawn


@needs_ray
def test_a_machine_that_joins_later_draws_too(sleepers: Fleet, request: pytest.FixtureRequest) -> None:
    assert (sleepers.state.running, sleepers.state.wanted) == (1, 1)
    request.getfixturevalue("other")
    wait_until(lambda: (sleepers.state.running, sleepers.state.wanted) == (2, 2))
    assert sleepers.places == 2


@needs_ray
def test_progress_and_portraits_come_as_from_a_generator_here(fleet: Fleet) -> None:
    events = list(fleet.draw(grey(1, 2)))
    steps = [(event.first, event.step) for event in events if isinstance(event, Progress)]
    assert steps == [(index, step) for index in (0, 1) for step in range(1, STEPS + 1)]
    assert [(e.index, e.seed, e.image[0, 0, 0]) for e in events if isinstance(e, Rendering)] == [
        (0, 1, 1),
        (1, 2, 2),
    ]
    assert fleet.revisions() == {"sleep": "1"}


@needs_ray
def test_as_many_are_drawn_at_once_as_there_are_replicas(fleet: Fleet, diary: Path) -> None:
    assert fleet.places == 2
    (one, first), (other, second) = draw_in_thread(fleet, 1), draw_in_thread(fleet, 2)
    one.join(PATIENCE_S)
    other.join(PATIENCE_S)
    assert [drawn.seed for drawn in (*first, *second)] == [1, 2]
    did = [entry.did for entry in entries(diary)]
    assert did.count("begin") == 2
    assert did.index("end") > len(did) - 1 - did[::-1].index("begin")  # both began before one ended
    assert len({entry.process for entry in entries(diary)}) == 2


@needs_ray
def test_a_cancelled_drawing_ends_before_its_replica_begins_the_next(fleet: Fleet, diary: Path) -> None:
    with closing(fleet.draw(grey(1))) as events:  # type: ignore[type-var]
        for event in events:
            if isinstance(event, Progress) and event.step == 3:
                break
    threads = [draw_in_thread(fleet, seed)[0] for seed in (2, 3)]
    for thread in threads:
        thread.join(PATIENCE_S)
    (stopped,) = {entry.process for entry in entries(diary) if entry.seed == 1}
    own = [(entry.seed, entry.did) for entry in entries(diary) if entry.process == stopped]
    ended = own.index((1, "end"))
    assert ended < STEPS - 5  # of the steps that it had left, it did one; more where this machine was busy
    assert all(seed == 1 for seed, _ in own[:ended]) and all(seed != 1 for seed, _ in own[ended + 1 :])


@needs_ray
def test_its_people_read_how_it_is(fleet: Fleet) -> None:
    list(fleet.draw(grey(1)))
    assert fleet.state == FleetState(running=2, wanted=2, drawing=0, seconds=1.0)
    key, values = fleet.sentence
    assert read_words().say(key, **values) == (
        "2 of 2 machines draw for this one. The last portraits took 1 seconds, and 0 of its visitors are "
        "being drawn or wait."
    )


@needs_ray
def test_what_a_lost_replica_drew_is_drawn_again_elsewhere(fleet: Fleet, diary: Path) -> None:
    killed: list[int] = []
    drawn: list[Rendering] = []
    for event in fleet.draw(grey(5, 6, 7)):
        if isinstance(event, Progress) and (event.first, event.step) == (1, 4) and not killed:
            killed.append(entries(diary)[-1].process)
            os.kill(killed[0], signal.SIGKILL)
        if isinstance(event, Rendering):
            drawn.append(event)
    assert [(each.index, each.seed, each.image[0, 0, 0]) for each in drawn] == [
        (0, 5, 5),
        (1, 6, 6),
        (2, 7, 7),
    ]
    by = [(entry.seed, entry.process == killed[0]) for entry in entries(diary, "begin")]
    assert by == [(5, True), (6, True), (6, False), (7, False)]  # what was drawn is not drawn again


@needs_ray
def test_a_card_without_memory_answers_as_one_here_and_draws_the_next(fleet: Fleet) -> None:
    with pytest.raises(OutOfMemory) as caught:
        list(fleet.draw(grey(FULL)))
    assert caught.value.key == "making.memory"
    assert len(portraits(fleet, grey(1))) == 1


@needs_ray
def test_what_cannot_be_drawn_is_refused_here(fleet: Fleet, diary: Path) -> None:
    with pytest.raises(ValueError, match="plates"):
        fleet.draw(replace(grey(1), plates=()))
    with pytest.raises(ChoiceError):
        fleet.draw(replace(grey(1), start="noise"))
    assert entries(diary) == []


@needs_ray
def test_the_small_set_draws_there_what_it_draws_here(node: Any, head: str) -> None:
    there = Fleet(MINI, "cpu", head, replicas=1)
    try:
        there.load()
        here = Generator(MINI, "cpu")
        asked = grey(3, 4)
        pairs = zip(portraits(there, asked), portraits(here, asked), strict=True)
        assert [difference(one.image, other.image) <= 1 for one, other in pairs] == [True, True]
        assert there.revisions() == here.revisions()
    finally:
        there.close()


@needs_ray
def test_without_a_way_to_the_cluster_nobody_waits_and_it_is_taken_again_when_it_is_back(
    fleet: Fleet,
) -> None:
    (gateway,) = [child for child in multiprocessing.active_children() if child.name == "gateway"]
    with pytest.raises(NoFleet):
        for _ in fleet.draw(grey(1)):
            gateway.kill()
    wait_until(lambda: fleet.state.running == 0)
    assert (fleet.places, fleet.sentence[0]) == (1, "fleet.away")
    wait_until(lambda: fleet.state.running == 2)
    assert [drawn.seed for drawn in portraits(fleet, grey(8))] == [8]


@needs_ray
def test_a_machine_leaves_at_ctrl_c_and_is_not_counted(fleet: Fleet, other: Any) -> None:
    other.send_signal(signal.SIGINT)
    assert other.wait(PATIENCE_S) == 0
    wait_until(lambda: (fleet.state.running, fleet.state.wanted) == (1, 1))
    assert [drawn.seed for drawn in portraits(fleet, grey(4))] == [4]


@needs_ray
def test_without_a_head_the_booth_draws_alone_and_takes_the_cluster_again_when_it_is_back(
    sleepers: Fleet, node: Any, head: str
) -> None:
    node.send_signal(signal.SIGINT)
    assert node.wait(PATIENCE_S) == 0
    with pytest.raises(NoFleet):
        list(sleepers.draw(grey(1)))
    wait_until(lambda: sleepers.state.running == 0)
    host, _, port = head.partition(":")
    with machine("--bind", host, "--port", port):
        wait_until(lambda: sleepers.state.running == 1)
        assert [drawn.seed for drawn in portraits(sleepers, grey(9))] == [9]
    assert "ray" not in sys.modules  # of all this, nothing was imported here


# ---- without a cluster


def test_a_cluster_that_is_not_there_holds_nothing_up() -> None:
    fleet = Fleet(MINI, "cpu", "127.0.0.1:1")
    fleet.load()
    with pytest.raises(NoFleet):
        list(fleet.draw(grey(1)))
    fleet.close()
    warmup: Any = Warmup([], None)  # type: ignore[arg-type]
    with Store("sqlite://") as store:
        client = TestClient(Starlette(routes=[health_route(warmup, store, "mini", "1.0", fleet)]))
        found = client.get("/healthz").json()
    assert found["status"] == "ok"
    assert found["fleet"] == {"running": 0, "wanted": 0, "drawing": 0, "seconds": None}


def test_the_host_page_says_that_nobody_over_there_draws(services: Services) -> None:
    for generator, said in ((Fleet(MINI, "cpu", "127.0.0.1:1"), True), (services.generator, False)):
        does, on = host_of(replace(services, generator=generator))
        assert (read_words().say("fleet.away") in does.refresh()[on.fleet]) == said


def test_one_machine_imports_nothing_of_it() -> None:
    asked = "import sys, app, services, pipelines.__main__; print({'ray'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", asked], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


@pytest.mark.parametrize("address", ["auto", "10.0.0.1:6379", "head.example.org:1", "[fd00::1]:6379"])
def test_a_cluster_is_named_by_its_heads_address(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("FACE_VALUE_CLUSTER", address)
    assert read_settings().cluster == address


@pytest.mark.parametrize(
    "address", ["10.0.0.1", "ray://10.0.0.1:6379", "10.0.0.1:0", "10.0.0.1:65536", "a b:1"]
)
def test_what_is_no_address_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("FACE_VALUE_CLUSTER", address)
    with pytest.raises(OperatorError, match=r"^FACE_VALUE_CLUSTER = '.*'\. auto, or the address of"):
        read_settings()


def test_without_the_setting_this_machine_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACE_VALUE_CLUSTER", "")
    assert Settings().cluster is None
    assert type(open_generator(None, MINI, "cpu")) is Generator


@needs_ray
def test_a_cluster_elsewhere_is_entered_with_its_token_only(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("RAY_AUTH_TOKEN", raising=False)
    with pytest.raises(
        OperatorError, match=r"^FACE_VALUE_CLUSTER: the cluster's token is not on this machine"
    ):
        fleet_of("10.0.0.1:6379", MINI, "cpu")
    (tmp_path / ".ray").mkdir()
    (tmp_path / ".ray" / "auth_token").write_text("a token", encoding="utf-8")
    require_token("FACE_VALUE_CLUSTER")
