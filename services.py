"""What a page works with: the services that `app.py` built, and their words."""

from dataclasses import dataclass

from booth.album import Album
from booth.deck import Deck
from booth.line import Line
from booth.visit import Visits
from pages.board import Board
from pages.guards.errors_shown import ErrorsShown
from pages.guards.host_key import HostKey
from pages.look_pictures import LookPictures
from pages.warmup import Warmup
from pipelines.draw.generate import Generator
from pipelines.draw.model_set import ModelSet, Start
from pipelines.look import Expression, Look
from pipelines.marks.signing import Signer
from pipelines.measure.recognition import Recognizer
from pipelines.plate.studio import Studio
from pipelines.selfie.face import FaceFinder
from votes.store import Store
from words import Words


@dataclass(frozen=True, eq=False)
class Services:
    """Built once at start, handed to the page."""

    words: Words
    hosted: bool  # visitors sit elsewhere: "this server", not "this machine"
    looks: dict[str, Look]
    pictures: LookPictures
    expressions: dict[str, Expression]
    why: str  # which model set runs, and why it was chosen
    finder: FaceFinder
    studio: Studio
    generator: Generator
    signer: Signer
    fallback: Generator | None  # draws where a lent GPU's quota is spent
    store: Store
    album: Album
    deck: Deck
    visits: Visits
    line: Line
    errors_shown: ErrorsShown
    recognizer: Recognizer
    warmup: Warmup
    board: Board
    host_key: HostKey
    retention_minutes: int
    show_hours: int
    signs_in: bool = False  # visitors may, to hear what they have left of a lent GPU

    def say(self, key: str, /, **values: object) -> str:
        """A sentence; where the visitor sits elsewhere, the one that says so."""
        elsewhere = f"{key}_hosted"
        if self.hosted and elsewhere in self.words.tables["en"]:
            key = elsewhere
        return self.words.say(key, **values)

    def start_of(self, model_set: ModelSet) -> Start:
        """What that set's portraits start from now: as the host says where the set can, else its own."""
        asked = self.board.room.now().setting.start
        return next((start for start in model_set.starts if start == asked), model_set.start)
