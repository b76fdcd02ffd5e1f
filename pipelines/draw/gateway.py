"""A fleet's way to its cluster: a process of its own, and the only module that imports Ray.

Ray ends any process of a cluster about a minute after its head was lost (measured: exit code 1), and it sets
signal handlers, logging and threads of its own. So the booth holds a pipe to this process, and opens a
connection for each drawing: a request goes in, events come out, `None` ends them; closing it cancels.

The networks are loaded by replicas of one Serve application, named after what it draws: booths that ask for
the same share it, and it outlives them.
"""

import logging
import os
import secrets
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, Listener
from typing import Any

from errors import FaceValueError
from pipelines.draw.generate import Generator
from pipelines.draw.node import SYSTEM, cluster_environment
from pipelines.draw.replica import Replica

log = logging.getLogger(__name__)
MOST = 64  # replicas: those without a card, or a machine, wait for one that joins
LOOK_S = 0.5  # how often the cluster is asked who draws
# Serve's own router asks two replicas by chance and then waits, longer each time: of eight, the free one was
# missed three times in four. This one asks each in turn (bench.fleet, 8 replicas: efficiency .83 -> .97).
ROUTER = {
    "request_router_class": "ray.serve.experimental.round_robin_router.RoundRobinRouter",
    "initial_backoff_s": 0.02,
    "max_backoff_s": 0.1,  # between looks while all of them draw, for another booth's visitors
}
HERE = "auto"  # instead of an address: a cluster that begins and ends with this process


@dataclass(frozen=True)
class Wanted:
    """What is to be drawn with, and where."""

    name: str  # of the application
    build: Callable[[], Generator]  # called on the machine that draws
    address: str  # host:port of the cluster's head, or `HERE`
    has_card: bool  # whether each replica holds a card
    replicas: int | None = None  # None: one for each card, or machine, also for those that join later


@dataclass(frozen=True)
class Report:
    """How the cluster is."""

    door: Any = None  # where to connect to for a drawing
    running: int = 0  # replicas that draw
    wanted: int = 0  # replicas that should
    found: dict[str, str] | FaceValueError | None = None  # what the weights are over there, once one runs


class Lost:
    """Sent instead of the end: who drew is gone, or nobody is there."""


def run(pipe: Connection, wanted: Wanted) -> None:
    """Report what the cluster is and serve drawings, until the pipe's other end is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the booth's to hear
    with suppress(BrokenPipeError), Listener() as door, cluster(wanted) as (ray, serve):
        handle = deploy(serve, wanted)
        threading.Thread(target=attend, args=(door, handle), daemon=True).start()
        weights = Weights(handle)
        while not pipe.poll(LOOK_S):
            running, places = count_running(serve, wanted.name), count_places(ray, wanted)
            pipe.send(Report(door.address, running, places, weights.find() if running else weights.found))
    os._exit(0)  # not waiting for threads that wait for a cluster that may be gone


@contextmanager
def cluster(wanted: Wanted) -> Iterator[tuple[Any, Any]]:
    """Ray and its Serve, as a part of that cluster for the block."""
    where: dict[str, Any] = {"address": wanted.address}
    if wanted.address == HERE:
        os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)
        where = {"address": "local", "include_dashboard": False, "_system_config": SYSTEM}
    os.environ.update(cluster_environment(wanted.address))
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // (wanted.replicas or 1))))
    import ray
    from ray import serve

    for name in ("ray", "ray.serve"):
        logging.getLogger(name).setLevel(logging.ERROR)
    ray.init(**where, log_to_driver=False, logging_level=logging.ERROR, namespace="face-value")
    try:
        yield ray, serve
    finally:
        ray.shutdown()


class Weights:
    """Asks a replica once what its weights are, and waits for nobody."""

    def __init__(self, handle: Any) -> None:
        self._handle = handle
        self._answer: Any = None
        self.found: dict[str, str] | FaceValueError | None = None

    def find(self) -> dict[str, str] | FaceValueError | None:
        """What is known by now."""
        if self.found is None:
            self._answer = self._answer or self._handle.revisions.remote()
            try:
                self.found = self._answer.result(timeout_s=LOOK_S)
            except TimeoutError:
                pass  # it draws
            except Exception as error:  # noqa: BLE001 - Ray's many: who was asked is gone, and another will know
                log.warning("A replica did not say what its weights are: %s", type(error).__name__)
                self._answer = None
        return self.found


def count_places(ray: Any, wanted: Wanted) -> int:
    """How many replicas the cluster has room for now."""
    if wanted.replicas:
        return wanted.replicas
    if wanted.has_card:
        return int(ray.cluster_resources().get("GPU", 0))
    return sum(node["Alive"] for node in ray.nodes())


def deploy(serve: Any, wanted: Wanted) -> Any:
    """The handle of the application; one that is there is taken."""
    count = wanted.replicas or MOST
    logs = {"log_level": "ERROR", "enable_access_log": False}
    serve.start(proxy_location="Disabled", logging_config=logs)
    if count_wanted(serve, wanted.name) != count:
        deployment = serve.deployment(
            Replica,
            name="replica",
            num_replicas=count,
            # without a card two would share their machine's cores
            max_replicas_per_node=None if wanted.has_card or wanted.replicas else 1,
            ray_actor_options={"num_cpus": 0, "num_gpus": int(wanted.has_card)},
            max_ongoing_requests=1,
            request_router_config=serve.config.RequestRouterConfig(**ROUTER),
            logging_config=logs,
        )
        target = serve.RunTarget(deployment.bind(wanted.build), name=wanted.name, route_prefix=None)
        serve.run_many([target], wait_for_applications_running=False)
    return serve.get_deployment_handle("replica", app_name=wanted.name)


def count_wanted(serve: Any, name: str) -> int:
    """How many replicas the application was given; 0 where there is none, or where it failed."""
    app = serve.status().applications.get(name)
    if app is None or app.status in ("DEPLOY_FAILED", "DELETING"):
        return 0
    return sum(sum(each.replica_states.values()) for each in app.deployments.values())


def count_running(serve: Any, name: str) -> int:
    """How many of them can draw now."""
    app = serve.status().applications.get(name)
    return sum(each.replica_states.get("RUNNING", 0) for each in app.deployments.values()) if app else 0


def attend(door: Listener, handle: Any) -> None:
    """Open to whoever connects, each in a thread of its own."""
    while True:
        with suppress(OSError, EOFError):
            line = door.accept()
            threading.Thread(target=draw_for, args=(line, handle), daemon=True).start()


def draw_for(line: Connection, handle: Any) -> None:
    """One drawing: events go out as they come; it is cancelled once the other end is closed."""
    with line, suppress(EOFError, OSError):
        response = handle.options(stream=True).draw.remote(line.recv())
        sender = threading.Thread(target=pass_on, args=(response, line), daemon=True)
        sender.start()
        try:
            line.recv()  # nothing more comes: this ends when it is closed
        finally:
            response.cancel()
            sender.join()


def pass_on(response: Any, line: Connection) -> None:
    """Send what a replica sends, then how it ended."""
    from ray.exceptions import RayError, RayTaskError
    from ray.serve.exceptions import RayServeException

    with suppress(OSError):  # nobody listens any more
        try:
            for event in response:
                line.send(event)
            line.send(None)
        except RayTaskError as error:  # a fault of ours over there, which drawing again would not mend
            line.send(RuntimeError(f"{type(error.cause).__name__} on a machine of the fleet"))
        except (RayError, RayServeException):
            line.send(Lost())
