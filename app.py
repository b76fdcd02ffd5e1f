"""Start-up only: settings, services, the page, its routes, launch. Models load behind the open page."""

import gc
import logging
import os
import sys
from collections.abc import Callable
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

    from booth.album import Album
    from booth.deck import Deck
    from pages.board import Board
    from pages.guards.host_key import HostKey
    from pipelines.draw.generate import Generator
    from pipelines.marks.signing import Signer
    from services import Services
    from votes.store import Store

# Before gradio is imported, which reads it then. Pages import gradio, so functions import pages.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
SWITCH_S = 0.001  # how long a thread that computes in Python keeps others waiting; Python's own is 0.005
LOG = logging.getLogger("face_value")
ROOT = Path(__file__).parent
BUNDLED = "mini"  # the set that is always here
MAX_UPLOAD = "12mb"  # of Gradio's own routes; ours for photos counts for itself


def main(weights: Path | None = None) -> int:
    """Serve until interrupted. 0; or 2 with one sentence on stderr when an operator has to act.

    `weights` is where the bundled model sets lie, for tests.
    """
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    LOG.setLevel(logging.INFO)
    sys.setswitchinterval(SWITCH_S)
    try:
        require_opencv()
        settings = read_settings()
        serve(settings, build_services(settings, read_words(), weights))
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
    from booth.visit import MOST_VISITS
    from pages.booth.page import booth_page

    page = booth_page(services)
    page.queue(max_size=MOST_VISITS)  # on ZeroGPU Gradio would let one event wait and refuse the next
    try:
        page.launch(**launch_arguments(services, settings, page), prevent_thread_lock=True)
        LOG.info("Face Value is at %s, the stage at %sstage", page.local_url, page.local_url)
        services.warmup.start()
        services.visits.watch()
        page.block_thread()
    except OSError as error:
        raise OperatorError(f"FACE_VALUE_PORT = {settings.port}: this port cannot be opened.") from error
    finally:
        services.visits.close()
        services.studio.close()
        services.finder.close()
        services.store.close()


def build_services(settings: Settings, words: Words, weights: Path | None = None) -> "Services":
    """Every service of the page; nothing heavy is loaded yet. `weights` holds the bundled sets.

    Raises `OperatorError`.
    """
    from booth.album import Album
    from booth.deck import read_deck
    from booth.line import Line
    from booth.visit import Visits
    from pages.guards.errors_shown import ErrorsShown
    from pages.look_pictures import LookPictures
    from pages.warmup import Warmup
    from pipelines.draw.pose_map import mesh_detector
    from pipelines.look import read_expressions, read_looks
    from pipelines.measure.recognition import Recognizer
    from pipelines.plate.studio import Studio
    from pipelines.selfie.face import FaceFinder
    from services import Services
    from votes.store import Store

    album = Album(settings.data / "sittings", settings.retention_minutes, settings.show_hours)
    deck = read_deck(settings.deck or ROOT / "examples" / "deck")
    store = Store(settings.database_url)
    board = board_of(settings, store, deck, album)
    generator, fallback, why = generators(settings, weights, lambda: int(board.is_asked))
    finder, studio, looks, errors_shown = FaceFinder(), Studio(), read_looks(), ErrorsShown(words)
    pictures = LookPictures(looks, finder, studio, fallback or generator)  # which borrows no GPU
    signer = signer_of(settings)
    return Services(
        words=words,
        hosted=settings.hosted,
        looks=looks,
        pictures=pictures,
        expressions=read_expressions(),
        why=why,
        finder=finder,
        studio=studio,
        generator=generator,
        signer=signer,
        fallback=fallback,
        store=store,
        album=album,
        deck=deck,
        visits=Visits(album, settings.retention_minutes),
        line=Line(),
        recognizer=Recognizer(settings.recognition == "on"),
        errors_shown=errors_shown,
        warmup=Warmup(
            [signer.load, pictures.draw, generator.load, mesh_detector, generator.warm],
            errors_shown,
            [pictures.draw_welcome, settle],
        ),
        board=board,
        host_key=host_key_of(settings),
        retention_minutes=settings.retention_minutes,
        show_hours=settings.show_hours,
        signs_in=settings.signs_in and fallback is not None,
    )


def board_of(settings: Settings, store: "Store", deck: "Deck", album: "Album") -> "Board":
    """What the room is asked about, and where it is."""
    from booth.catalogue import Programme
    from pages.board import Board
    from votes.room import Room

    programme = Programme(deck, album)
    return Board(Room(store, programme), programme, settings)


def signer_of(settings: Settings) -> "Signer":
    """Signs pictures for this booth. Raises `OperatorError` for an operator's key that will not do."""
    from pipelines.marks.signing import Signer

    return Signer(settings.data, settings.signing_certificate, settings.signing_key)


def host_key_of(settings: Settings) -> "HostKey":
    """Opens for the host's key, which is shown once where it is new. Raises `OperatorError`."""
    from pages.guards.host_key import HostKey, host_key

    key, is_new = host_key(settings)
    if is_new:
        sys.stderr.write(f"The key of the host page, shown this once and kept in host.key: {key}\n")
    return HostKey(key, settings.hosted)


def settle() -> None:
    """What is loaded now stays: Python need not look through it for garbage any more.

    A look through all of it takes 0.4 s, in which nobody in the room is answered.
    """
    gc.collect()
    gc.freeze()


def generators(
    settings: Settings, weights: Path | None, spared: Callable[[], int]
) -> "tuple[Generator, Generator | None, str]":
    """What draws; what draws instead where no GPU is lent, the bundled set, without one; why that set.

    `spared` is how many cores the room needs now: with all of them drawing, a vote takes three times as long.
    """
    from commission.record import choose_commissioned
    from pipelines.draw.generate import Generator
    from pipelines.draw.machine import WEIGHTS
    from pipelines.draw.model_set import read_model_sets
    from pipelines.draw.zero_gpu import Borrowed, zero_gpu

    lend = zero_gpu()  # before a set is chosen, which asks torch about a GPU
    sets, weights = read_model_sets(), weights or WEIGHTS
    where = settings.data, settings.device
    model_set, why = choose_commissioned(sets, settings.models, *where, read_words().say, weights)
    if lend is None:
        return Generator(model_set, settings.device, weights=weights, spared=spared), None, why
    small = Generator(sets[BUNDLED], "cpu", weights=weights, spared=spared)
    borrowed = Borrowed(model_set, settings.device, weights=weights, lend=lend)  # ZeroGPU stops without one
    if model_set.name == BUNDLED:  # it draws in seconds anywhere: nobody's quota is spent on it
        LOG.warning("This Space lends a GPU, but only the small set is here, which draws without it.")
        return small, None, why
    borrowed.load()  # here, in the main thread and before launch: ZeroGPU packs what is on the card then
    return borrowed, small, why


def launch_arguments(services: "Services", settings: Settings, page: "Blocks") -> dict[str, Any]:
    """What `launch` of Gradio gets: no analytics, history, docs, footer; our routes and style sheets."""
    from booth.visit import MOST_VISITS
    from pages.host.login import PAGE
    from pages.host.page import host_page
    from pages.theme import HEAD, theme

    host = host_page(services)
    mounted = mount(host, PAGE)
    return {
        "server_name": settings.address,
        "server_port": settings.port,
        "app_kwargs": {
            "routes": [*plain_routes(services), *mounted.router.routes],  # looked through in this order
            "middleware": middleware(services, settings, {"": page, PAGE: host}),
            "lifespan": mounted.router.lifespan_context,
            "openapi_url": None,
            "docs_url": None,
            "redoc_url": None,
            "telemetry": {"tracing": False, "metrics": False, "logs": False},
        },
        "max_threads": MOST_VISITS,  # whoever waits for the machine holds one
        "theme": theme(),
        "head": HEAD,
        "quiet": True,
        "share": False,
        "show_error": False,
        "run_history": False,
        "footer_links": [],
        "enable_monitoring": False,
        "pwa": False,
        "ssr_mode": False,
        "mcp_server": False,
        "max_file_size": MAX_UPLOAD,
        "allowed_paths": [],
        "state_session_capacity": MOST_VISITS,
    }


def plain_routes(services: "Services") -> "list[BaseRoute]":
    """Everything that is no page of Gradio's."""
    from pages.booth.pictures import picture_routes
    from pages.booth.uploads import Intake
    from pages.host.routes import Commands
    from pages.host.wall import wall_routes
    from pages.phone.routes import Phones
    from pages.stage.routes import Stage
    from pages.theme import style_routes
    from pages.verify.routes import Checks
    from pages.warmup import health_route

    return [
        *Phones(services).routes(),
        *Stage(services).routes(),
        *Commands(services).routes(),
        *wall_routes(services.board.programme, services.words),
        *Intake(services.visits, services.finder, services.errors_shown, services.words).routes(),
        *picture_routes(services.album, services.visits, services.words),
        *Checks(services.signer, services.words, services.errors_shown).routes(),
        *style_routes(),
        services.pictures.route(),
        health_route(services.warmup, services.store, services.generator.model_set.name, version()),
    ]


def middleware(services: "Services", settings: Settings, pages: "dict[str, Blocks]") -> "list[Middleware]":
    """What every request passes, outermost first."""
    from starlette.middleware import Middleware

    from pages.guards.events import Events
    from pages.guards.gate import Gate
    from pages.host.login import HostsOnly

    refused = services.say("visit.refused")
    return [
        Middleware(Gate, settings.hosted, settings.public_url, refused, services.signs_in),
        Middleware(HostsOnly, services.host_key, services.words),
        Middleware(Events, pages, services.errors_shown, refused),
    ]


def mount(host: "Blocks", path: str) -> "FastAPI":
    """A second page of Gradio's in the same process: its route, and what starts and ends with it."""
    import gradio
    from fastapi import FastAPI

    from booth.visit import MOST_VISITS
    from pages.theme import HOST_HEAD, theme

    host.queue(max_size=MOST_VISITS)  # as in `serve`
    helper = FastAPI(openapi_url=None)
    gradio.mount_gradio_app(
        helper,
        host,
        path,
        theme=theme(),
        head=HOST_HEAD,
        footer_links=[],
        run_history=False,
        show_error=False,
        enable_monitoring=False,
        pwa=False,
        ssr_mode=False,
        mcp_server=False,
        max_file_size=MAX_UPLOAD,
        app_kwargs={"openapi_url": None, "docs_url": None, "redoc_url": None},
    )
    return helper


if __name__ == "__main__":
    sys.exit(main())
