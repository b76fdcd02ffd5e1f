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
    from pages.desk import Desk
    from pages.door import Door
    from pipelines.generate import Generator
    from pipelines.signing import Signer
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
        serve(settings, build_desk(settings, read_words(), weights))
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


def serve(settings: Settings, desk: "Desk") -> None:
    """Open the port, then load the models; returns when interrupted. Raises `OperatorError`."""
    from booth.visit import MOST_VISITS
    from pages.booth import booth_page

    page = booth_page(desk)
    page.queue(max_size=MOST_VISITS)  # on ZeroGPU Gradio would let one event wait and refuse the next
    try:
        page.launch(**launch_arguments(desk, settings, page), prevent_thread_lock=True)
        LOG.info("Face Value is at %s, the stage at %sstage", page.local_url, page.local_url)
        desk.warmup.start()
        desk.visits.watch()
        page.block_thread()
    except OSError as error:
        raise OperatorError(f"FACE_VALUE_PORT = {settings.port}: this port cannot be opened.") from error
    finally:
        desk.visits.close()
        desk.studio.close()
        desk.finder.close()
        desk.store.close()


def build_desk(settings: Settings, words: Words, weights: Path | None = None) -> "Desk":
    """Every service of the page; nothing heavy is loaded yet. `weights` holds the bundled sets.

    Raises `OperatorError`.
    """
    from booth.album import Album
    from booth.deck import read_deck
    from booth.line import Line
    from booth.visit import Visits
    from pages.desk import Desk
    from pages.look_pictures import LookPictures
    from pages.telling import Teller
    from pages.warmup import Warmup
    from pipelines.face import FaceFinder
    from pipelines.look import read_expressions, read_looks
    from pipelines.pose import mesh_detector
    from pipelines.recognition import Recognizer
    from pipelines.studio import Studio
    from votes.store import Store

    album = Album(settings.data / "sittings", settings.retention_minutes, settings.show_hours)
    deck = read_deck(settings.deck or ROOT / "examples" / "deck")
    store = Store(settings.database_url)
    board = board_of(settings, store, deck, album)
    generator, fallback, why = generators(settings, weights, lambda: int(board.is_asked))
    finder, studio, looks, teller = FaceFinder(), Studio(), read_looks(), Teller(words)
    pictures = LookPictures(looks, finder, studio, fallback or generator)  # which borrows no GPU
    signer = signer_of(settings)
    return Desk(
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
        teller=teller,
        warmup=Warmup(
            [signer.load, pictures.draw, generator.load, mesh_detector, generator.warm],
            teller,
            [pictures.draw_welcome, settle],
        ),
        board=board,
        door=door_of(settings),
        retention_minutes=settings.retention_minutes,
        show_hours=settings.show_hours,
        signs_in=settings.signs_in and fallback is not None,
    )


def board_of(settings: Settings, store: "Store", deck: "Deck", album: "Album") -> "Board":
    """What the room is asked about, and where it is."""
    from booth.programme import Programme
    from pages.board import Board
    from votes.room import Room

    programme = Programme(deck, album)
    return Board(Room(store, programme), programme, settings)


def signer_of(settings: Settings) -> "Signer":
    """Signs pictures for this booth. Raises `OperatorError` for an operator's key that will not do."""
    from pipelines.signing import Signer

    return Signer(settings.data, settings.signing_certificate, settings.signing_key)


def door_of(settings: Settings) -> "Door":
    """Opens for the host's key, which is shown once where it is new. Raises `OperatorError`."""
    from pages.door import Door, host_key

    key, is_new = host_key(settings)
    if is_new:
        sys.stderr.write(f"The key of the host page, shown this once and kept in host.key: {key}\n")
    return Door(key, settings.hosted)


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
    from pipelines.borrowed import Borrowed, zero_gpu
    from pipelines.generate import Generator
    from pipelines.machine import WEIGHTS
    from pipelines.model_set import read_model_sets

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


def launch_arguments(desk: "Desk", settings: Settings, page: "Blocks") -> dict[str, Any]:
    """What `launch` of Gradio gets: no analytics, history, docs, footer; our routes and style sheets."""
    from booth.visit import MOST_VISITS
    from pages.host import host_page
    from pages.host.login import PAGE
    from pages.theme import HEAD, theme

    host = host_page(desk)
    mounted = mount(host, PAGE)
    return {
        "server_name": settings.address,
        "server_port": settings.port,
        "app_kwargs": {
            "routes": [*plain_routes(desk), *mounted.router.routes],  # looked through in this order
            "middleware": middleware(desk, settings, {"": page, PAGE: host}),
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


def plain_routes(desk: "Desk") -> "list[BaseRoute]":
    """Everything that is no page of Gradio's."""
    from pages.host.commands import Commands
    from pages.host.wall import wall_routes
    from pages.intake import Intake
    from pages.phone import Phones
    from pages.pictures import picture_routes
    from pages.stage import Stage
    from pages.theme import style_routes
    from pages.verify import Checks
    from pages.warmup import health_route

    return [
        *Phones(desk).routes(),
        *Stage(desk).routes(),
        *Commands(desk).routes(),
        *wall_routes(desk.board.programme, desk.words),
        *Intake(desk.visits, desk.finder, desk.teller, desk.words).routes(),
        *picture_routes(desk.album, desk.visits, desk.words),
        *Checks(desk.signer, desk.words, desk.teller).routes(),
        *style_routes(),
        desk.pictures.route(),
        health_route(desk.warmup, desk.store, desk.generator.model_set.name, version()),
    ]


def middleware(desk: "Desk", settings: Settings, pages: "dict[str, Blocks]") -> "list[Middleware]":
    """What every request passes, outermost first."""
    from starlette.middleware import Middleware

    from pages.events import Events
    from pages.gate import Gate
    from pages.host.login import Doorkeeper

    refused = desk.say("visit.refused")
    return [
        Middleware(Gate, settings.hosted, settings.public_url, refused, desk.signs_in),
        Middleware(Doorkeeper, desk.door, desk.words),
        Middleware(Events, pages, desk.teller, refused),
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
