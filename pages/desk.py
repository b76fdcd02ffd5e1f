"""What a page works with: the services that `app.py` built, and their words."""

from dataclasses import dataclass

from pages.look_pictures import LookPictures
from pages.telling import Teller
from pages.visits import Visits
from pages.warmup import Warmup
from pipelines.face import FaceFinder
from pipelines.generate import Generator
from pipelines.look import Expression, Look
from pipelines.studio import Studio
from votes.store import Store
from words import Words


@dataclass(frozen=True, eq=False)
class Desk:
    """Built once at start, handed to the page."""

    words: Words
    looks: dict[str, Look]
    pictures: LookPictures
    expressions: dict[str, Expression]
    why: str  # which model set runs, and why it was chosen
    finder: FaceFinder
    studio: Studio
    generator: Generator
    store: Store
    visits: Visits
    teller: Teller
    warmup: Warmup
