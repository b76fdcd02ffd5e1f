"""A Generator whose portraits are drawn on other machines, by the replicas of a cluster.

Drawing alone happens there: finish and report are made here, from this booth's own plates. A replica that is
lost in mid-drawing is nobody's error: one seed is one portrait, so those that are missing are drawn again
elsewhere. `NoFleet` where no replica is left; a Generator of this machine can still draw then.
Ray is imported in a process of its own only; see `gateway`.
"""

import logging
import multiprocessing
import socket
import threading
import time
from collections.abc import Callable, Iterator
from collections.abc import Generator as Yields
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing.connection import Client, Connection
from urllib.parse import urlsplit

from errors import FaceValueError, NoFleet
from pipelines.draw.drawer import DrawRequest
from pipelines.draw.gateway import HERE, Lost, Report, Wanted, run
from pipelines.draw.generate import DrawEvent, Generator, Progress, Rendering
from pipelines.draw.model_set import ModelSet
from pipelines.draw.node import require_ray, require_token

MOST_TRIES = 3  # a request that three replicas died of is not given to a fourth
LOOK_S = 0.2  # how soon it is seen that nobody draws any more
REACHABLE_S = 1.0  # that a head may take to answer, in the same room
RETRY_S = 2.0  # between looks for a cluster that is not there
START_S = 120.0  # for a gateway's first report: Ray and a cluster of its own took 10 to 20 s on two cores
SILENCE_S = (
    10.0  # that it may keep afterwards; it reports twice a second, and Ray itself waits 5 s for a head
)
LOAD_S = 600.0  # for the first replica, which may read a large set from a slow disk
END_S = 10.0  # for a gateway to end by itself, and a cluster of its own with it

log = logging.getLogger(__name__)
AWAY = Report()


class _Lost(Exception):
    """Who drew is gone."""


@dataclass(frozen=True)
class FleetState:
    """What people who run the event read of a fleet."""

    running: int  # replicas that draw
    wanted: int  # replicas that should
    drawing: int  # requests of this booth that are drawn, or wait
    seconds: float | None  # that the last request's portraits took; None before one was drawn


def fleet_of(address: str, model_set: ModelSet, device: str) -> "Fleet":
    """The fleet of that cluster. Raises `OperatorError` where this machine cannot speak to one."""
    require_ray("FACE_VALUE_CLUSTER")
    if address != HERE:
        require_token("FACE_VALUE_CLUSTER")
    return Fleet(model_set, device, address)


def open_generator(cluster: str | None, model_set: ModelSet, device: str) -> Generator:
    """What draws by the setting of that name: the fleet of a cluster, or this machine. As `fleet_of`."""
    return fleet_of(cluster, model_set, device) if cluster else Generator(model_set, device)


class Fleet(Generator):
    """Draws like any `Generator`, as many requests at once as there are replicas."""

    def __init__(
        self,
        model_set: ModelSet,
        device: str = "auto",
        address: str = HERE,
        replicas: int | None = None,
        build: Callable[[], Generator] | None = None,
    ) -> None:
        """`replicas`: None for one on each card of the cluster, or on each machine for a set that needs none.

        `build` makes the Generator of a replica, on its own machine.
        """
        super().__init__(model_set, device)
        self._wanted = Wanted(
            name=f"face-value-{model_set.name}",
            build=build or partial(Generator, model_set, device),
            address=address,
            has_card=not model_set.runs_anywhere and device in ("auto", "cuda"),
            replicas=replicas,
        )
        self._report = AWAY
        self._found: dict[str, str] = {}
        self._drawing: set[object] = set()  # one of each request; adding and taking away is atomic
        self._seconds: float | None = None
        self._is_answered = threading.Event()  # it is known whether there is a fleet
        self._is_over = threading.Event()
        self._watcher: threading.Thread | None = None

    @property
    def places(self) -> int:
        """How many requests are drawn at once: with none over there, this machine draws one."""
        return max(1, self._report.running)

    @property
    def state(self) -> FleetState:
        """How it is now."""
        return FleetState(self._report.running, self._report.wanted, len(self._drawing), self._seconds)

    @property
    def sentence(self) -> tuple[str, dict[str, int]]:
        """The same as a key of the words and its values, for people who run the event."""
        state = self.state
        if not state.running:
            return "fleet.away", {}
        machines = {"running": state.running, "wanted": state.wanted}
        if state.seconds is None:
            return "fleet.draws", machines
        return "fleet.measured", machines | {"s": max(1, round(state.seconds)), "n": state.drawing}

    def load(self) -> None:
        """Connect, and wait for the first replica. A cluster that is not there is no failure: `draw` says so.

        Raises what `Generator.load` raised over there.
        """
        if self._watcher is None:
            self._is_over.clear()
            self._watcher = threading.Thread(target=self._watch, name="fleet", daemon=True)
            self._watcher.start()
        if not self._is_answered.wait(LOAD_S) or not self._report.running:
            log.warning("No machine of the fleet draws yet; this one does meanwhile, with the small model.")
        if isinstance(self._report.found, FaceValueError):
            raise self._report.found

    def unload(self) -> None:
        """Leave the cluster; `load` looks for it anew. Replicas elsewhere stay, for other booths."""
        self._is_over.set()
        if self._watcher:
            self._watcher.join()
        self._watcher = None
        self._is_answered.clear()

    close = unload

    def warm(self) -> None:
        """Nothing to do: a replica is warm before it is counted."""

    def revisions(self) -> dict[str, str]:
        """Of the weights on the machines that draw, as far as one of them ever said."""
        return self._found

    def draw(self, request: DrawRequest) -> Iterator[DrawEvent]:
        """As `Generator.draw`; raises `NoFleet` when nobody over there can draw."""
        self._course_of(request)
        return self._events(request)

    def _events(self, request: DrawRequest) -> Iterator[DrawEvent]:
        done, seconds, own = 0, 0.0, object()
        self._drawing.add(own)
        try:
            for _ in range(MOST_TRIES):
                with suppress(_Lost), closing(self._ask(request.after(done))) as events:
                    first = done
                    for event in events:
                        if isinstance(event, Rendering):
                            done, seconds = done + 1, seconds + event.seconds
                        yield _placed(event, first)
                    self._seconds = seconds
                    return
                log.warning("A machine of the fleet was lost while it drew.")
        finally:
            self._drawing.discard(own)
        raise NoFleet

    def _ask(self, request: DrawRequest) -> Yields[DrawEvent, None, None]:
        """One try. Closing it closes the connection, which cancels the drawing over there."""
        if not self._report.running:
            raise NoFleet
        try:
            with Client(self._report.door) as line:
                line.send(request)
                while (event := self._hear(line)) is not None:
                    if isinstance(event, Exception):
                        raise event
                    yield event
        except (OSError, EOFError) as error:  # the gateway is gone, and with it who drew
            raise _Lost from error

    def _hear(self, line: Connection) -> DrawEvent | Exception | None:
        """What comes next. Raises `NoFleet` where nothing will, `_Lost` where who drew is gone."""
        while not line.poll(LOOK_S):
            if not self._report.running:
                raise NoFleet
        heard = line.recv()
        if isinstance(heard, Lost):
            raise _Lost
        return heard  # type: ignore[no-any-return]

    # ---- in a thread of its own

    def _watch(self) -> None:
        """Keep a gateway, again and again where it or the cluster ends."""
        while not self._is_over.is_set():
            if self._is_reachable():
                self._follow()
            self._report = AWAY
            self._is_answered.set()
            self._is_over.wait(RETRY_S)

    def _is_reachable(self) -> bool:
        """Whether somebody answers at the cluster's address; one that is started here needs no look."""
        if self._wanted.address == HERE:
            return True
        found = urlsplit(f"//{self._wanted.address}")
        with suppress(OSError), socket.create_connection((found.hostname, found.port), REACHABLE_S):
            return True
        return False

    def _follow(self) -> None:
        """Start a gateway and believe what it reports, until it falls silent or is not needed any more."""
        spawn = multiprocessing.get_context("spawn")  # a fork would copy threads' locks, and the networks
        ours, theirs = spawn.Pipe()
        gateway = spawn.Process(target=run, args=(theirs, self._wanted), name="gateway", daemon=True)
        gateway.start()
        theirs.close()
        until = time.monotonic() + START_S
        with ours, suppress(EOFError, OSError):
            while not self._is_over.is_set() and time.monotonic() < until:
                if ours.poll(LOOK_S):
                    self._believe(ours.recv())
                    until = time.monotonic() + SILENCE_S
        if self._wanted.address == HERE:
            gateway.join(END_S)  # it ends its cluster
        gateway.kill()
        gateway.join()

    def _believe(self, report: Report) -> None:
        self._report = report
        if isinstance(report.found, dict):
            self._found = report.found
        if report.found is not None:
            self._is_answered.set()


def _placed(event: DrawEvent, first: int) -> DrawEvent:
    """The same where its portraits are counted among all of a request, of which that many came before."""
    if isinstance(event, Progress):
        return replace(event, first=event.first + first)
    return replace(event, index=event.index + first)
