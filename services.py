"""What a page works with: every service, built once from the settings, and their words."""

import gc
import logging
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import TypeVar

from booth.album import Album
from booth.catalogue import Catalogue
from booth.deck import Deck, read_deck
from booth.line import Line
from booth.open_album import open_album
from booth.paper import PaperPrinter
from booth.take_home import TakeHome
from booth.visits import Visits
from commission.record import choose_commissioned
from errors import OperatorError
from pages.board import Board
from pages.guards.error_boundary import ErrorBoundary
from pages.guards.host_auth import HostAuth, ensure_host_key
from pages.guards.operator_auth import OperatorAuth, ensure_pin
from pages.guards.voters import Voters
from pages.logo import Logo, read_logo
from pages.look_pictures import LookPictures
from pages.warmup import Warmup
from pipelines.draw.fleet import Fleet, fleet_of
from pipelines.draw.generate import Generator
from pipelines.draw.machine import WEIGHTS
from pipelines.draw.model_set import ModelSet, Start, read_model_sets
from pipelines.draw.pose_map import mesh_detector
from pipelines.draw.zero_gpu import ZeroGpuGenerator, zero_gpu
from pipelines.lettering import unwritable
from pipelines.look import Expression, Look, read_expressions, read_looks
from pipelines.marks.signing import Signer
from pipelines.measure.recognition import Recognizer
from pipelines.plate.studio import Studio
from pipelines.selfie.face import FaceFinder
from pipelines.selfie.hints import FrameJudge
from settings import Settings
from votes.room import Room
from votes.store import Store
from words import FALLBACK, Say, Words

LOG = logging.getLogger("face_value")
DECK = Path(__file__).parent / "examples" / "deck"
BUNDLED = "mini"  # the set that is always here
T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Services:
    """Built once at start, handed to the page."""

    words: Words
    looks: dict[str, Look]
    pictures: LookPictures
    expressions: dict[str, Expression]
    why: str  # which model set runs, and why it was chosen
    finder: FaceFinder
    studio: Studio
    generator: Generator
    signer: Signer
    fallback: Generator | None  # draws where a lent GPU's quota is spent, and where no fleet is reached
    store: Store
    album: Album
    deck: Deck
    visits: Visits
    line: Line
    error_boundary: ErrorBoundary
    recognizer: Recognizer
    warmup: Warmup
    board: Board
    host_auth: HostAuth
    voters: Voters
    frame_judge: FrameJudge | None = None  # gives hints before the shot; None where none are given
    signs_in: bool = False  # visitors may, to hear what they have left of a lent GPU
    settings: Settings = field(default_factory=Settings)
    logo: Logo | None = None  # of whoever invites
    operator_auth: OperatorAuth | None = None  # of a kiosk's operator page
    take_home: TakeHome = field(default_factory=TakeHome)
    paper: PaperPrinter | None = None  # where sheets of paper are printed

    def say(self, key: str, /, **values: object) -> str:
        """A sentence in the booth's own language; where the visitor sits elsewhere, the one that says so.

        A kiosk has sentences of its own too: it has no keyboard and takes no files. So has a booth whose
        pictures lie where others find them.
        """
        return self.speaker("")(key, **values)

    def speaker(self, language: str) -> Say:
        """The same in a visitor's language."""
        settings = self.settings
        of_this_machine = {"_shared": settings.pictures is not None, "_kiosk": settings.is_kiosk}
        endings = (
            ["_hosted"] if settings.is_hosted else [end for end, holds in of_this_machine.items() if holds]
        )

        def say(key: str, /, **values: object) -> str:
            special = (f"{key}{ending}" for ending in endings)
            found = next((each for each in special if each in self.words.tables[FALLBACK]), key)
            return self.words.say(found, language, **values)

        return say

    @property
    def fleet(self) -> Fleet | None:
        """Other machines that draw, where there are any."""
        return self.generator if isinstance(self.generator, Fleet) else None

    @cached_property
    def model_titles(self) -> dict[str, str]:
        """What people call each model set, by its name."""
        return {name: self.words.say(f"model_sets.{name}") for name in read_model_sets()}

    @cached_property
    def look_titles(self) -> dict[str, str]:
        """What people call each look, also those that are not offered tonight, by its name."""
        return {name: self.words.say(f"looks.{name}") for name in read_looks()}

    def start_of(self, model_set: ModelSet) -> Start:
        """What that set's portraits start from now: as the host says where the set can, else its own."""
        asked = self.board.room.snapshot().room.start
        return next((start for start in model_set.starts if start == asked), model_set.start)


def build_services(settings: Settings, words: Words, weights: Path | None = None) -> Services:
    """Every service of the page; nothing heavy is loaded yet. `weights` holds the bundled sets.

    Raises `OperatorError`.
    """
    require_folder(settings.data)
    warn_of_letters(settings)
    deck = read_deck(settings.deck or DECK)
    store = Store(settings.database_url)
    album = open_album(settings, store)
    catalogue = Catalogue(deck, album)
    board = Board(announce(Room(store, catalogue), settings), catalogue, settings)
    generator, fallback, why = build_generators(settings, words, weights, lambda: int(board.has_phones))
    finder, studio, error_boundary = FaceFinder(), Studio(), ErrorBoundary(words)
    looks = offered(read_looks(), settings.looks)
    line = Line(machines=lambda: generator.places)
    pictures = LookPictures(looks, finder, studio, fallback or generator, line)  # which borrows no GPU
    signer = Signer(settings.data, settings.signing_certificate, settings.signing_key)
    frame_judge = FrameJudge() if settings.gives_hints else None
    return Services(
        words=words,
        looks=looks,
        pictures=pictures,
        expressions=offered(read_expressions(), settings.expressions),
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
        line=line,
        recognizer=Recognizer(settings.recognition == "on"),
        error_boundary=error_boundary,
        warmup=Warmup(
            [signer.load, pictures.draw, generator.load, mesh_detector, generator.warm],
            error_boundary,
            [*([frame_judge.warm] if frame_judge else []), pictures.draw_welcome, freeze_loaded],
        ),
        board=board,
        host_auth=build_host_auth(settings, store.share_host_key),
        voters=Voters(
            store.voters_secret(), settings.new_voters, settings.is_hosted, board.room.pardoned_until
        ),
        frame_judge=frame_judge,
        signs_in=settings.signs_in and fallback is not None,
        settings=settings,
        operator_auth=build_operator_auth(settings) if settings.is_kiosk else None,
        logo=read_logo(settings.logo, settings.spell("logo")) if settings.logo else None,
        take_home=take_home(settings, board),
        paper=PaperPrinter(settings.printer) if settings.printer and not settings.is_hosted else None,
    )


def take_home(settings: Settings, board: Board) -> TakeHome:
    """How pictures leave the booth."""
    return TakeHome(
        has_files=not settings.is_kiosk,
        has_links=settings.take_home == "on" and not settings.is_hosted and not board.is_only_here,
        wifi_name=settings.wifi_name or "",
        wifi_password=settings.wifi_password or "",
    )


def offered(presets: dict[str, T], names: tuple[str, ...] | None) -> dict[str, T]:
    """Those of an event, in its order; all where it names none."""
    return presets if names is None else {name: presets[name] for name in names}


def warn_of_letters(settings: Settings) -> None:
    """Name what of an event no sheet of paper can have, as our typefaces lack its letters."""
    for key, value in (("name", settings.name), ("date", settings.date)):
        if settings.printer and value and (letters := unwritable(value)):
            LOG.warning(
                "%s = %r. On paper it is left out: our typefaces have no %s.",
                settings.spell(key),
                value,
                letters,
            )


def announce(room: Room, settings: Settings) -> Room:
    """The same room with the event's name and timer, at each start; its host may change them."""
    given = {"event": settings.name, "seconds": settings.timer}
    if fields := {name: value for name, value in given.items() if value is not None}:
        room.change(**fields)
    return room


def require_folder(folder: Path) -> None:
    """The data folder is there, for its owner alone, and takes files. Raises `OperatorError`."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except (OSError, ValueError) as error:
        why = (error.strerror if isinstance(error, OSError) else None) or "No disk takes that name"
        raise OperatorError(f"FACE_VALUE_DATA: nothing can be kept in this folder. {why}.") from error


def build_host_auth(settings: Settings, share: Callable[[str], str]) -> HostAuth:
    """Opens for the host's key, which is shown once where it is new. Raises `OperatorError`."""
    key, is_new = ensure_host_key(settings, share)
    if is_new:
        sys.stderr.write(f"The key of the host page, shown this once and kept in host.key: {key}\n")
    return HostAuth(key, settings.is_hosted)


def build_operator_auth(settings: Settings) -> OperatorAuth:
    """Opens for the PIN, which is shown once where it is new. Raises `OperatorError`."""
    pin, is_new = ensure_pin(settings)
    if is_new:
        sys.stderr.write(f"The PIN of the operator's page, shown this once and kept in operator.pin: {pin}\n")
    return OperatorAuth(pin)


def freeze_loaded() -> None:
    """What is loaded now stays: Python need not look through it for garbage any more.

    A look through all of it takes 0.4 s, in which nobody in the room is answered.
    """
    gc.collect()
    gc.freeze()


def build_generators(
    settings: Settings, words: Words, weights: Path | None, spared: Callable[[], int]
) -> tuple[Generator, Generator | None, str]:
    """What draws; what draws instead where others' GPUs cannot, the bundled set, without one; why that set.

    `spared` is how many cores the room needs now: with all of them drawing, a vote takes three times as long.
    """
    lend = zero_gpu()  # before a set is chosen, which asks torch about a GPU
    sets, weights = read_model_sets(), weights or WEIGHTS
    where = settings.data, settings.device
    model_set, why = choose_commissioned(sets, settings.models, *where, words.say, weights)
    build_small = partial(Generator, sets[BUNDLED], "cpu", weights=weights, spared=spared)
    if lend is None and settings.cluster:
        return fleet_of(settings.cluster, model_set, settings.device), build_small(), why
    if lend is None:
        return Generator(model_set, settings.device, weights=weights, spared=spared), None, why
    small = build_small()
    borrowed = ZeroGpuGenerator(
        model_set, settings.device, weights=weights, lend=lend
    )  # ZeroGPU stops without one
    if model_set.name == BUNDLED:  # it draws in seconds anywhere: nobody's quota is spent on it
        LOG.warning("This Space lends a GPU, but only the small set is here, which draws without it.")
        return small, None, why
    borrowed.load()  # here, in the main thread and before launch: ZeroGPU packs what is on the card then
    return borrowed, small, why
