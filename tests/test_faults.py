"""What goes wrong in a hall: full disks, locked files, senders that never end. Others vote on meanwhile."""

import contextlib
import re
import resource
import socket
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from tests.postgres import cluster
from tests.serving import Booth, serving, weights
from votes.store import Store
from words import read_words

pytestmark = pytest.mark.app

WORDS = read_words()
KEY = "a key for the test"
HOST = {"Authorization": f"Bearer {KEY}"}
TEN_MB = 10 * 2**20
MANY = 150  # senders that hold a connection; a hall's own phones are kept by the browser's keep-alive


@pytest.fixture(scope="module")
def booth(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Booth]:
    folder = tmp_path_factory.mktemp("faults")
    with serving(folder / "served", weights(folder / "weights"), models=False, HOST_KEY=KEY) as booth:
        yield booth


@pytest.fixture
def opened(booth: Booth) -> str:
    """A round that takes answers."""
    with httpx.Client(base_url=booth.url, headers=HOST) as host:
        host.post("api/host/close")
        return str(host.post("api/host/open").json()["round"])


@contextlib.contextmanager
def phone(booth: Booth) -> Iterator[httpx.Client]:
    """A browser that was let in."""
    with booth.store as store:
        code = store.room_state().code
    with httpx.Client(base_url=booth.url, timeout=60) as one:
        assert one.get(code).status_code == 200
        yield one


def vote(one: httpx.Client, asked: str) -> httpx.Response:
    return one.post("api/guess", json={"round": asked, "answer": "generated"})


def votes(booth: Booth) -> int:
    with booth.store as store:
        return len(store.guesses())


def others_vote(booth: Booth, asked: str) -> None:
    """A phone that comes now is let in, and its answer is kept."""
    before = votes(booth)
    with phone(booth) as one:
        assert vote(one, asked).status_code == 200
    assert votes(booth) == before + 1


def connected(booth: Booth) -> socket.socket:
    url = urlsplit(booth.url)
    return socket.create_connection((url.hostname, url.port or 80), timeout=60)


@pytest.mark.parametrize("said_length", [True, False])
@pytest.mark.parametrize(
    ("path", "status"),
    [("api/guess", 422), ("host/key", 403), ("api/host/open", 200), ("host/gradio_api/queue/join", 401)],
)
def test_ten_megabytes_are_refused_in_a_sentence(
    booth: Booth, opened: str, path: str, status: int, said_length: bool
) -> None:
    body = bytes(TEN_MB)
    sent = body if said_length else iter([body[i : i + 65536] for i in range(0, TEN_MB, 65536)])
    headers = HOST if path.startswith("api/host") else {}
    with phone(booth) as one:
        said = one.post(path, content=sent, headers=headers)
        assert said.status_code == (413 if said_length else status)
        assert status == 200 or len(said.text) > 20
        assert "Traceback" not in said.text
    others_vote(booth, opened)


def test_slow_and_silent_connections_keep_nobody_waiting(booth: Booth, opened: str) -> None:
    with contextlib.ExitStack() as held:
        for i in range(MANY):
            sender = held.enter_context(connected(booth))
            if i % 3 == 1:  # says that a body comes, and sends none
                sender.sendall(b"POST /api/guess HTTP/1.1\r\nHost: x\r\nContent-Length: 60\r\n\r\n{")
            elif i % 3 == 2:  # asks for the stage's stream, and never reads it
                sender.sendall(b"GET /api/stage HTTP/1.1\r\nHost: x\r\n\r\n")
        others_vote(booth, opened)
    others_vote(booth, opened)


def test_an_endless_header_is_refused_and_votes_go_on(booth: Booth, opened: str) -> None:
    with phone(booth) as one, connected(booth) as endless:
        endless.sendall(b"GET / HTTP/1.1\r\nHost: booth\r\nCookie: ")
        with pytest.raises(OSError):
            for _ in range(256):
                endless.sendall(bytes(65536).replace(b"\0", b"x"))
        assert vote(one, opened).status_code == 200


def test_a_locked_database_is_said_and_an_answer_sent_again_is_kept(booth: Booth, opened: str) -> None:
    file = booth.folder / "data" / "votes.sqlite3"
    with phone(booth) as one:
        with contextlib.closing(sqlite3.connect(file)) as other:
            other.execute("BEGIN IMMEDIATE")
            said = vote(one, opened)
            assert (said.status_code, said.json()["error"]) == (503, WORDS.say("phone.unsaved"))
            assert one.get("api/round").json()["state"] == "open"  # what is known is still told
            other.rollback()
        assert vote(one, opened).status_code == 200
    others_vote(booth, opened)


def test_a_full_disk_is_said_and_nothing_that_was_kept_is_lost(booth: Booth, opened: str) -> None:
    others_vote(booth, opened)
    before, pid = votes(booth), booth.process.pid
    free = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    with phone(booth) as one:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (1, free[1]))  # no file grows any more
        try:
            said = vote(one, opened)
        finally:
            resource.prlimit(pid, resource.RLIMIT_FSIZE, free)
        assert (said.status_code, said.json()["error"]) == (503, WORDS.say("phone.unsaved"))
        assert votes(booth) == before
        assert vote(one, opened).status_code == 200
    assert votes(booth) == before + 1


def test_a_full_disk_is_told_to_the_monitor_in_a_sentence(booth: Booth) -> None:
    pid = booth.process.pid
    free = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    assert health(booth, 200)["database"] == "ok"
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (1, free[1]))
    try:
        said = health(booth, 503)
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, free)
    assert (said["status"], said["database"]) == ("failing", "failing")
    assert re.fullmatch(r"The database [^.]+[.]", said["reason"])
    assert health(booth, 200)["status"] == "ok"
    assert "Traceback" not in booth.log


def health(booth: Booth, status: int) -> dict[str, str]:
    """What is told as soon as it is told with that status: the last write may be a second old."""
    for _ in range(100):
        said = httpx.get(f"{booth.url}healthz", timeout=60)
        if said.status_code == status:
            return dict(said.json())
        time.sleep(0.1)
    pytest.fail(f"{said.status_code}: {said.text}")


def test_the_log_names_neither_voters_nor_pictures_nor_places(booth: Booth, opened: str) -> None:
    with phone(booth) as one:
        vote(one, opened)
        voter = one.cookies["face_value_voter"].split(".")[0]
    assert not re.search(rf"Traceback|{voter}|{KEY}|/data|[.]jpe?g", booth.log)


def test_an_app_that_nobody_visits_rests(booth: Booth) -> None:
    """Gradio by itself wakes some 600 times a second, all evening; this booth some 70 times."""
    before = wakings(booth)
    time.sleep(2)
    assert wakings(booth) - before < 2 * 200


def wakings(booth: Booth) -> int:
    """How often a thread of the app has gone to sleep so far."""
    tasks = Path(f"/proc/{booth.process.pid}/task").glob("*/status")
    said = re.findall(
        r"^voluntary_ctxt_switches:\s+(\d+)", "".join(one.read_text() for one in tasks), re.MULTILINE
    )
    return sum(map(int, said))


def test_two_apps_on_one_postgresql_are_one_room(tmp_path: Path) -> None:
    sets = weights(tmp_path / "weights")
    with cluster() as folder, contextlib.ExitStack() as apps:
        settings = {"HOST_KEY": KEY, "DATABASE": f"postgresql://postgres@/postgres?host={folder}"}
        urls = [
            apps.enter_context(serving(tmp_path / name, sets, models=False, **settings)).url
            for name in ("one", "two")
        ]
        left, right = (apps.enter_context(httpx.Client(base_url=url, timeout=60)) for url in urls)
        asked = left.post("api/host/open", headers=HOST).json()["round"]
        settled(right, "round", asked)
        with Store(settings["DATABASE"]) as store:
            code = store.room_state().code
        assert right.get(code).status_code == 200
        assert vote(right, asked).status_code == 200
        settled(left, "answers", 1)
        right.post("api/host/close", headers=HOST)
        settled(left, "state", "closed")
        assert left.get(code).status_code == 200
        assert vote(left, asked).status_code == 409


def settled(app: httpx.Client, key: str, value: object) -> None:
    """A moment later the app says so too."""
    for _ in range(100):
        if app.get("api/round").json()[key] == value:
            return
        time.sleep(0.1)
    pytest.fail(f"{key} never became {value}")
