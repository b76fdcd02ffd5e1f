"""Start-up only: settings, services, the page, its routes, launch. Models load behind the open page."""

import errno
import logging
import os
import signal
import socket
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from errors import OperatorError
from settings import Settings, read_settings, version
from words import Words, read_words

if TYPE_CHECKING:
    from fastapi import FastAPI
    from gradio import Blocks
    from starlette.middleware import Middleware
    from starlette.routing import BaseRoute

    from services import Services

# The app itself never goes online but for a Space's quota, yet Gradio asks its own address at the start: no
# proxy may stand between.
for _name in () if "SPACE_ID" in os.environ else ("http_proxy", "https_proxy", "all_proxy"):
    os.environ.pop(_name, None)
    os.environ.pop(_name.upper(), None)
# Before gradio is imported, which reads it then. Pages import gradio, so functions import pages.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
SWITCH_S = 0.001  # how long a thread that computes in Python keeps others waiting; Python's own is 0.005
# How often Gradio looks for a tap. It would a thousand times a second, and a hundred times for progress that
# our pages never tell: 3 % of a core from morning to night, measured on a 2-core server with nobody there.
TAP_S, PROGRESS_S = 0.02, 0.1
LOG = logging.getLogger("face_value")
NO_DOCS = {"openapi_url": None, "docs_url": None, "redoc_url": None}
PAGE_ALONE: dict[str, Any] = {  # of both pages: nothing of Gradio's around them
    "show_error": False,
    "run_history": False,
    "footer_links": [],
    "enable_monitoring": False,
    "pwa": False,
    "ssr_mode": False,
    "mcp_server": False,
    "max_file_size": "12mb",  # of Gradio's own routes; ours for photos counts for itself
}


def main(weights: Path | None = None) -> int:
    """Serve until interrupted. 0; or 2 with one sentence on stderr when an operator has to act.

    `weights` is where the bundled model sets lie, for tests.
    """
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    LOG.setLevel(logging.INFO)
    sys.setswitchinterval(SWITCH_S)
    os.umask(0o077)  # votes, pictures and keys are their owner's alone
    try:
        require_opencv()
        from services import build_services

        settings = read_settings()
        words = read_words().speaking(settings.language, settings.languages)
        serve(settings, build_services(settings, words, weights))
    except OperatorError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except KeyboardInterrupt:
        pass
    return 0


def require_opencv() -> None:
    """Raises `OperatorError` when OpenCV's own libraries are missing from the system."""
    try:
        import cv2  # noqa: F401
    except ImportError as error:
        raise OperatorError(
            f"OpenCV cannot start: {error}. On Debian: apt-get install libgl1 libglib2.0-0, "
            "or: pip install --force-reinstall --no-deps opencv-contrib-python-headless==4.11.0.86"
        ) from error


def serve(settings: Settings, services: "Services") -> None:
    """Open the port, then load the models; returns when interrupted. Raises `OperatorError`."""
    from pages.booth.page import booth_page
    from pages.guards.connections import bound_connections

    require_address(settings)
    os.environ["FORWARDED_ALLOW_IPS"] = settings.proxies  # uvicorn reads it, whom Gradio starts
    page = booth_page(services)
    let_wait(page)
    try:
        page.launch(**launch_arguments(services, settings, page), prevent_thread_lock=True)
        bound_connections(page.server.config)
        LOG.info("Face Value is at %s, the stage at %sstage", page.local_url, page.local_url)
        services.warmup.start()
        services.visits.watch()
        wait_for_end(page)
    except OSError as error:
        raise OperatorError(f"FACE_VALUE_PORT = {settings.port}: this port cannot be opened.") from error
    finally:
        services.visits.close()  # first: pictures of open visits are gone whatever takes its time now
        services.album.close()
        page.close(verbose=False)
        services.pictures.close()
        services.warmup.close()
        services.generator.close()
        services.studio.close()
        services.finder.close()
        if services.frame_judge:
            services.frame_judge.close()
        if services.paper:
            services.paper.close()
        services.store.close()


def require_address(settings: Settings) -> None:
    """Raises `OperatorError` where that address and port cannot be listened on, naming which it is."""
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(
            settings.address, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            if os.name == "posix":  # as the server will: the last run's connections may linger
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(place)
    except (OSError, UnicodeError) as error:
        if isinstance(error, OSError) and error.errno in (errno.EADDRINUSE, errno.EACCES):
            told = (
                f"FACE_VALUE_PORT = {settings.port}: this port cannot be opened. Another program may hold it."
            )
        else:
            told = f"FACE_VALUE_BIND = {settings.bind!r}: this machine has no such address."
        raise OperatorError(told) from error


def wait_for_end(page: "Blocks") -> None:
    """Return at Ctrl-C, `systemctl stop` or a closed terminal; another one does not cut the end short."""
    endings = [signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]
    for ending in endings:
        signal.signal(ending, signal.default_int_handler)
    with suppress(KeyboardInterrupt):
        while page.is_running:
            time.sleep(0.1)
    for ending in endings:
        signal.signal(ending, signal.SIG_IGN)


def launch_arguments(services: "Services", settings: Settings, page: "Blocks") -> dict[str, Any]:
    """What `launch` of Gradio gets: no analytics, history, docs, footer; our routes and style sheets."""
    from booth.visits import MOST_VISITS
    from pages.host.login import PAGE
    from pages.host.page import host_page
    from pages.theme import booth_head, theme

    host = host_page(services)
    mounted = mount(host, PAGE, settings.base_path, services.words)
    return {
        "server_name": settings.address,
        "server_port": settings.port,
        "root_path": settings.base_path or None,
        "app_kwargs": {
            "routes": [*plain_routes(services), *mounted.router.routes],  # looked through in this order
            "middleware": middleware(services, settings, {"": page, PAGE: host}),
            "lifespan": mounted.router.lifespan_context,
            **NO_DOCS,
            "telemetry": {"tracing": False, "metrics": False, "logs": False},
        },
        "max_threads": MOST_VISITS,  # whoever waits for the machine holds one
        "theme": theme(),
        "head": booth_head(services.words, services.settings),
        "quiet": True,
        "share": False,
        "allowed_paths": [],
        "state_session_capacity": MOST_VISITS,
        **PAGE_ALONE,
    }


def plain_routes(services: "Services") -> "list[BaseRoute]":
    """Everything that is no page of Gradio's."""
    from pages.attract import attract_routes
    from pages.booth.hints import hint_routes
    from pages.booth.pictures import picture_routes
    from pages.booth.uploads import Intake
    from pages.health import health_route
    from pages.host.routes import Commands
    from pages.host.wall import wall_routes
    from pages.logo import logo_route
    from pages.operator.routes import operator_routes
    from pages.phone.routes import Phones
    from pages.stage.routes import Stage
    from pages.take.routes import TakeHomePages
    from pages.theme import style_routes
    from pages.verify.routes import Checks

    is_kiosk = services.settings.is_kiosk
    intake = Intake(services.visits, services.finder, services.error_boundary, services.words, is_kiosk)
    return [
        *operator_routes(services),
        logo_route(services.logo, services.words),  # a name of four letters, as codes of the room are
        *Phones(services).routes(),
        *Stage(services).routes(),
        *Commands(services).routes(),
        *wall_routes(services.board.catalogue, services.words),
        *intake.routes(),
        *hint_routes(services),
        *attract_routes(services),
        *TakeHomePages(services).routes(),
        *picture_routes(services.album, services.visits, services.words),
        *Checks(services.signer, services.words, services.error_boundary).routes(),
        *style_routes(services.settings.accent == "on"),
        services.pictures.route(),
        health_route(
            services.warmup, services.store, services.generator.model_set.name, version(), services.fleet
        ),
    ]


def middleware(services: "Services", settings: Settings, pages: "dict[str, Blocks]") -> "list[Middleware]":
    """What every request passes, outermost first."""
    from starlette.middleware import Middleware

    from pages.guards.addresses import BoothHere, OwnNames
    from pages.guards.events import EventFilter
    from pages.guards.gate import BasePath, Gate
    from pages.host.login import RequireHost

    refused, host_auth = services.say("visit.refused"), services.host_auth
    names = (settings.public_url, lambda: services.board.base_url, refused)
    return [
        *([] if settings.is_hosted else [Middleware(OwnNames, *names)]),
        Middleware(Gate, settings.is_hosted, settings.public_url, refused, services.signs_in),
        *([Middleware(BoothHere, host_auth, refused)] if settings.is_booth_local else []),
        Middleware(RequireHost, host_auth, services.words),
        Middleware(EventFilter, pages, services.error_boundary, refused),
        Middleware(BasePath, settings.base_path),
    ]


def mount(host: "Blocks", path: str, base_path: str, words: Words) -> "FastAPI":
    """A second page of Gradio's in the same process: its route, and what starts and ends with it."""
    import gradio
    from fastapi import FastAPI

    from pages.theme import host_head, theme

    let_wait(host)
    helper = FastAPI(openapi_url=None)
    gradio.mount_gradio_app(
        helper,
        host,
        path,
        root_path=f"{base_path}{path}" if base_path else None,
        theme=theme(),
        head=host_head(words),
        app_kwargs={**NO_DOCS},
        **PAGE_ALONE,
    )
    return helper


def let_wait(page: "Blocks") -> None:
    """A page's events wait in line, as many as there may be visits, for a server that rests between them."""
    from booth.visits import MOST_VISITS

    page.queue(max_size=MOST_VISITS)  # on ZeroGPU Gradio would let one event wait and refuse the next
    page._queue.sleep_when_free, page._queue.progress_update_sleep_when_free = TAP_S, PROGRESS_S


if __name__ == "__main__":
    sys.exit(main())
