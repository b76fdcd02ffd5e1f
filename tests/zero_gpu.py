"""A Space with ZeroGPU on this machine: the real `spaces` package, and a stand-in for who lends it cards.

The package replaces what torch says of GPUs, so whatever needs it runs in a process of its own:
`python -m tests.zero_gpu TASK WEIGHTS` does a task below and tells what it found as JSON in its last line.
Without a GPU a lent process cannot begin with CUDA: two functions of the package are left out there.
"""

import contextlib
import importlib.abc
import json
import multiprocessing
import os
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np

from errors import (
    ChoiceError,
    Damaged,
    FaceValueError,
    NoFleet,
    NoGpu,
    NotDownloaded,
    OperatorError,
    OutOfMemory,
    PhotoError,
    PresetError,
    QuotaSpent,
    StorageAway,
    VisitorError,
)
from pipelines.draw.drawer import DrawRequest
from pipelines.draw.generate import Generator, Progress, Rendering
from pipelines.draw.model_set import ModelSet, read_model_sets
from pipelines.draw.zero_gpu import ZeroGpuGenerator, zero_gpu
from settings import version

ROOT = Path(__file__).parent.parent
PATIENCE_S = 300  # on a busy machine, not a measurement
CARD = {"idle": False, "nvidiaIndex": 0, "nvidiaUUID": "GPU-none", "allowToken": "a"}
TOKEN = "e30.e30.e30"  # a signed-in visitor's, as Gradio's page hands it on: three times {} in base64
# One of each kind that there is; a test compares them with the classes themselves.
OURS: tuple[FaceValueError, ...] = (
    FaceValueError("one"),
    VisitorError("visit.over"),
    PhotoError("face.small", wanted=90, found=40),
    OutOfMemory(),
    NoGpu(),
    NoFleet(),
    QuotaSpent(),
    StorageAway(),
    OperatorError("A sentence."),
    PresetError("grey.toml: light.fill = 1.4."),
    ChoiceError("There is no such look."),
    NotDownloaded("owner/name", "mini"),
    Damaged("owner/name", "model.safetensors", "mini", is_local=False),
)


@dataclass(frozen=True)
class Answer:
    """What the lender says to one wish for a card."""

    status: int = 200
    body: object = field(default_factory=lambda: CARD)
    headers: tuple[tuple[str, str], ...] = (("content-type", "application/json"),)
    token: str = ""  # of the visitor who asks


STREAM = (("content-type", "text/event-stream"),)
FAILED = "event: failed\n\n"
QUOTA = {"left": 3, "wait": 600}
REFUSALS: dict[str, tuple[Answer, type[Exception]]] = {
    "seconds spent": (Answer(429, QUOTA, token=TOKEN), QuotaSpent),
    "runs spent": (Answer(429, {"left": 0, "wait": 0}, token=TOKEN), QuotaSpent),
    "the Space's own share spent": (Answer(429, QUOTA), QuotaSpent),
    "credits spent": (
        Answer(429, QUOTA, (*Answer().headers, ("x-approve-result", "pending-overquota-exceeded")), TOKEN),
        QuotaSpent,
    ),
    "longer than allowed": (Answer(429, {"left": 3, "wait": -1}, token=TOKEN), NoGpu),
    "none free": (Answer(503, {}), NoGpu),
    "an old page": (Answer(401, {}), NoGpu),
    "waited, not signed in": (Answer(200, FAILED, STREAM), NoGpu),
    "waited, signed in": (Answer(200, FAILED, STREAM, TOKEN), NoGpu),
    "out of order": (Answer(500, {}), RuntimeError),
}


class Lender(ThreadingHTTPServer):
    """Answers the package as ZeroGPU does: a card for whoever asks, or what `answers` says, in turn."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Window)
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.answers: list[Answer] = []


class Window(BaseHTTPRequestHandler):
    """One request to it."""

    def do_POST(self) -> None:
        address = urlsplit(self.path)
        lender: Any = self.server
        lender.asked.append((address.path, {name: one for name, (one,) in parse_qs(address.query).items()}))
        wish = address.path == "/schedule"
        answer = lender.answers.pop(0) if wish and lender.answers else Answer()
        body = answer.body if isinstance(answer.body, str) else json.dumps(answer.body)
        self.send_response(answer.status)
        for name, value in answer.headers:
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None:
        pass


@dataclass(frozen=True)
class Space:
    """Where it runs."""

    folder: Path
    lender: Lender
    environment: dict[str, str]
    code: Path  # where the product lies

    def told(self, task: str, *words: str) -> dict[str, Any]:
        """What a task found, in a process of its own."""
        done = subprocess.run(
            [sys.executable, "-m", "tests.zero_gpu", task, *words],
            cwd=self.code,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return found


@contextlib.contextmanager
def space(folder: Path, hub: Path, code: Path = ROOT) -> Iterator[Space]:
    """Its settings, and its lender as long as the block runs."""
    lender = Lender()
    threading.Thread(target=lender.serve_forever, daemon=True).start()
    (folder / "cgroup").write_text("0::/space\n", encoding="utf-8")
    (folder / "home").mkdir()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    own = {
        "SPACES_ZERO_GPU": "true",
        "SPACES_ZERO_DEVICE_API_URL": f"http://127.0.0.1:{lender.server_port}",
        "SPACE_ID": "somebody/face-value",
        "SYSTEM": "spaces",
        "OAUTH_CLIENT_ID": "an-id",  # as where the head has hf_oauth
        "OAUTH_CLIENT_SECRET": "a-secret",
        "OAUTH_SCOPES": "openid profile read-billing",
        "OPENID_PROVIDER_URL": "https://hub.invalid",
        "ZEROGPU_OFFLOAD_DIR": str(folder / "packed"),
        "ZEROGPU_MMAP_AUTOPRUNE_PATTERN": "*.safetensors",
        "ZEROGPU_PROC_SELF_CGROUP_PATH": str(folder / "cgroup"),
        "HOME": str(folder / "home"),
        "HF_HUB_CACHE": str(hub),
        "HF_HUB_OFFLINE": "1",
        "FACE_VALUE_DATA": str(folder / "data"),
        "FACE_VALUE_PORT": str(port),
        "PYTHONPATH": str(ROOT),  # for the tests; whatever lies in `code` comes before it
        "PYTHONDONTWRITEBYTECODE": "" if code == ROOT else "1",
    }
    try:
        yield Space(folder, lender, {**os.environ, **own}, code)
    finally:
        lender.shutdown()
        lender.server_close()


# ---- in the other process


class Order(importlib.abc.MetaPathFinder):
    """Notes which of some modules is imported first."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self.names, self.seen = names, []  # type: tuple[str, ...], list[str]

    def find_spec(self, name: str, *_: object) -> None:
        if name in self.names and name not in self.seen:
            self.seen.append(name)


def request(model_set: ModelSet, seeds: tuple[int, ...] = (3, 4)) -> DrawRequest:
    """Two grey portraits."""
    width, height = model_set.canvas
    grey = np.full((height, width, 3), 128, np.uint8)
    n = len(seeds)
    return DrawRequest("a portrait", "", (np.zeros_like(grey),) * n, (), (grey,) * n, seeds, 0.5, 1.0)


def start(weights: Path) -> dict[str, Any]:
    """Serve as a Space does; look at the page once everything is loaded, then stop."""
    order = Order(("spaces", "torch"))
    sys.meta_path.insert(0, order)
    import gradio

    import app

    desks: list[Any] = []
    pages: list[gradio.Blocks] = []
    found: dict[str, Any] = {}
    serve, mount = app.serve, app.mount

    def look(page: gradio.Blocks) -> None:
        services = desks[0]
        services.warmup.join()
        found["welcome"] = status_of(f"{page.local_url}looks/welcome-portrait.jpg")
        found["signs_in"] = page.expects_oauth
        found["state"] = services.warmup.state
        found["sets"] = [one.model_set.name for one in (services.generator, services.fallback) if one]
        found["queues"] = [one._queue.max_size for one in (page, *pages)]
        found["revisions"] = services.generator.revisions()
        found["lent"] = outcome(services.generator)
        found["small"] = outcome(services.fallback or services.generator)

    app.serve = lambda settings, services: (desks.append(services), serve(settings, services))[1]
    app.mount = lambda host, *where: (pages.append(host), mount(host, *where))[1]
    app.wait_for_end = look
    return {"exit": app.main(weights), "order": order.seen, **found, **of_the_folder()}


def of_the_folder() -> dict[str, Any]:
    """What it says of itself, and which modules of ours were found elsewhere."""
    ours = {path.name.removesuffix(".py") for path in ROOT.iterdir()} - {"tests"}
    files = {name: getattr(module, "__file__", None) for name, module in [*sys.modules.items()]}
    strays = [
        name
        for name, file in files.items()
        if file and name.partition(".")[0] in ours and not Path(file).is_relative_to(Path.cwd())
    ]
    return {"version": version(), "bundled": [*Generator(mini()).revisions()], "strays": strays}


def status_of(address: str) -> int:
    try:
        with urllib.request.urlopen(address, timeout=90) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def outcome(generator: Generator) -> list[str]:
    """What a drawing gives: a name for each portrait, or what was raised."""
    try:
        events = list(generator.draw(request(generator.model_set)))
    except Exception as error:  # noqa: BLE001 - whatever it is, the test hears of it
        return [type(error).__name__, str(getattr(error, "title", "")), str(getattr(error, "message", error))]
    return [type(one).__name__ for one in events if isinstance(one, Rendering)]


def late() -> str:
    """What the package says to whoever asks torch first, on this machine too: a fork, for ours asks later."""
    import torch

    there, here = os.pipe()
    if not os.fork():
        torch.cuda.is_available()
        try:
            said = str(zero_gpu())
        except Exception as error:  # noqa: BLE001 - whatever it is, the test hears of it
            said = str(error)
        os.write(here, said.encode())
        os._exit(0)
    os.close(here)
    with os.fdopen(there, encoding="utf-8") as told:
        return told.read()


def lend(weights: Path) -> dict[str, Any]:
    """Everything that a lent card may come to; a processor stands for it, as it begins without CUDA."""
    import torch

    found: dict[str, Any] = {"late": late()}
    from spaces.zero import torch as there

    given = zero_gpu()
    there.init, there.move = (lambda _: None), (lambda **_: None)
    found |= {"refused": refused(weights, given), "crossed": crossed(weights, given), **drawn(weights, given)}
    there.move = raising(torch.OutOfMemoryError("1 GiB"))  # of what is packed
    return {**found, "full": outcome(borrowed(weights, given))}


def refused(weights: Path, given: Any) -> dict[str, list[str]]:
    """Each refusal of a card, as the package words it."""
    from gradio.context import LocalContext

    drawer, found = borrowed(weights, given), {}
    for name, (answer, _) in REFUSALS.items():
        headers = SimpleNamespace(get={"x-ip-token": answer.token or None}.get)
        LocalContext.request.set(SimpleNamespace(headers=headers))  # type: ignore[arg-type]
        found[name] = outcome(drawer)
    LocalContext.request.set(None)
    return found


def crossed(weights: Path, given: Any) -> dict[str, Any]:
    """Everything of ours that drawing may raise over there, as it arrives here; then a foreign failure."""
    found: dict[str, Any] = {}
    for error in OURS:
        try:
            list(borrowed(weights, given, raising(error)).draw(request(mini())))
        except FaceValueError as arrived:
            found[type(error).__name__] = same(arrived, error)
    found["foreign"] = outcome(borrowed(weights, given, raising(ZeroDivisionError("a secret"))))
    return found


def same(one: FaceValueError, other: FaceValueError) -> bool:
    """Whether people would read the same."""
    return (type(one), str(one), vars(one)) == (type(other), str(other), vars(other))


def drawn(weights: Path, given: Any) -> dict[str, Any]:
    """What is drawn over there against what is drawn here; then a drawing that is stopped."""
    lent = borrowed(weights, given)
    lent.load()
    asked = request(mini())
    here = Generator(mini(), "cpu", weights=weights)
    pictures = [
        [one.image for one in drawer.draw(asked) if isinstance(one, Rendering)] for drawer in (lent, here)
    ]
    apart = [int(np.abs(a.astype(int) - b).max()) for a, b in zip(*pictures, strict=True)]
    stopped = lent.draw(asked)
    first = isinstance(next(iter(stopped)), Progress)
    stopped.close()  # type: ignore[attr-defined]
    return {"apart": apart, "first": first, "again": outcome(lent)}


def raising(error: Exception) -> Callable[..., Any]:
    def fail(*_: object, **__: object) -> Any:
        raise error

    return fail


def mini() -> ModelSet:
    return read_model_sets()["mini"]


def borrowed(weights: Path, lend: Any, loader: Callable[..., Any] | None = None) -> ZeroGpuGenerator:
    """The small set on the processor, as a lent one draws it."""
    named = {"loader": loader} if loader else {}
    return ZeroGpuGenerator(mini(), "cpu", weights=weights, lend=lend, **named)


TASKS = {task.__name__: task for task in (start, lend)}

if __name__ == "__main__":
    outcome_of_task = TASKS[sys.argv[1]](Path(sys.argv[2]))
    sys.stdout.write(f"\n{json.dumps(outcome_of_task)}\n")
    sys.stdout.flush()
    for holder in multiprocessing.active_children():  # of a card; whoever reads our output would wait for it
        holder.kill()
    os._exit(0)
