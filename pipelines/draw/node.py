"""A machine as a part of a cluster: `python -m pipelines cluster`, and the token that its machines share.

Ray runs whatever is pickled for it. So its ports are for machines that know the token, it listens beyond this
machine only where it is told an address, and none of it may be reached from the internet.
"""

import json
import os
import secrets
import signal
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import typer

from errors import OperatorError

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {
    "RAY_AUTH_MODE": "token",
    "RAY_USAGE_STATS_ENABLED": "0",  # nothing is told to Ray's makers
    # A machine that leaves does so at once: what it was drawing is drawn again elsewhere.
    "RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S": "0",
}
# Ray binds to 127.0.0.1 where it believes to be on a machine that it does not build clusters of.
LOOPBACK = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
TOKEN = Path(".ray") / "auth_token"  # in the home folder: where Ray looks for it
GIVEN = ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH")  # instead of that file
QUIET = "--disable-usage-stats"
SYSTEM = {"automatic_object_spilling_enabled": False}  # no picture is moved to a disk
QUIET_HEAD = ("--include-dashboard=false", f"--system-config={json.dumps(SYSTEM)}")


def cluster_environment(address: str) -> dict[str, str]:
    """What Ray reads from the environment, for a machine that is known by that address."""
    is_alone = address.rpartition(":")[0] in ("127.0.0.1", "localhost", "[::1]", "")
    return ENVIRONMENT | (LOOPBACK if is_alone else {})


def require_ray(asked_by: str) -> None:
    """Raises `OperatorError` where Ray, which is no part of a usual installation, is not installed."""
    if find_spec("ray") is None:
        raise OperatorError(
            f"{asked_by} needs Ray: pip install -r requirements-cluster.txt -c constraints.txt"
        )


def require_token(asked_by: str) -> None:
    """Raises `OperatorError` where this machine does not have the token of a cluster."""
    if not any(name in os.environ for name in GIVEN) and not (Path.home() / TOKEN).is_file():
        raise OperatorError(
            f"{asked_by}: the cluster's token is not on this machine. Copy ~/{TOKEN} from the machine that "
            "started the cluster."
        )


def ensure_token() -> bool:
    """Make the token where there is none; whether it was made."""
    place = Path.home() / TOKEN
    if any(name in os.environ for name in GIVEN) or place.is_file():
        return False
    place.parent.mkdir(mode=0o700, exist_ok=True)
    place.touch(mode=0o600)
    place.write_text(secrets.token_hex(32), encoding="utf-8")
    return True


def run_node(
    join: Annotated[str | None, typer.Option(help="Address of the cluster's head, host:port")] = None,
    bind: Annotated[str | None, typer.Option(help="This machine's own private address")] = None,
    port: Annotated[
        int, typer.Option(min=1024, max=65534, help="Of a head; it takes the next one too")
    ] = 6379,
) -> int:
    """Let this machine draw for booths, until Ctrl-C: as the head of a cluster, or with --join as one more.

    Without --bind a head is for this machine alone; one more is known by the address that reaches the head.
    """
    require_ray("This")
    if join:
        require_token("--join")
        head, where = join, [f"--address={join}"]
    else:
        bind = bind or "127.0.0.1"
        # Ray opens a second port for programs outside of the cluster, with the same token
        ports = [f"--port={port}", f"--ray-client-server-port={port + 1}"]
        head, where = f"{bind}:{port}", ["--head", *ports, *QUIET_HEAD]
        if ensure_token():
            typer.echo(f"The cluster's token was made: copy ~/{TOKEN} to each of its machines.")
    known = [f"--node-ip-address={bind}"] if bind else []
    environment = os.environ | cluster_environment(head) | {"PYTHONPATH": str(ROOT)}
    environment.setdefault("OMP_NUM_THREADS", str(os.cpu_count()))  # Ray would leave a drawing one core
    node = subprocess.Popen(
        [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", QUIET, *known, *where],
        env=environment,
        stdout=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C is ours to hear: Ray's own parts would each end as they like
    )
    typer.echo(f"This machine draws for booths with FACE_VALUE_CLUSTER={head}. Ctrl-C ends it.")
    return _wait(node)


def _wait(node: "subprocess.Popen[bytes]") -> int:
    """Until it ends, or this does; 0 where it was told to."""

    def end(*_: Any) -> None:
        node.terminate()
        ended.append(0)

    ended: list[int] = []
    for ending in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ending, end)
    code = node.wait()
    return 0 if ended else code
