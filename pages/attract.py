"""What the welcome of a kiosk shows while nobody touches it: `GET /attract`, its scenes, and their pictures.

Each time anew, in an order of chance: a photograph that becomes its portrait, a ladder, and a question with
its answer. So nothing is shown that anybody here is still to be asked about. The deck is asked of every
visitor, and is never shown; two sitters that nobody is asked about come with the booth. Of a sitting that its
sitter and the host allow, everybody may know once the room has been told.
"""

import random
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from booth.catalogue import STEPS, Catalogue, Exhibit
from booth.deck import Card, read_deck
from pages.charts import KIND_KEYS
from pages.guards.error_boundary import refusal
from pages.markup import render
from pipelines.exhibit import EXHIBIT, exhibit
from services import Services
from votes.schema import Kind
from words import Say

PAGE = "/attract"
DECK = Path(__file__).parent.parent / "examples" / "attract"
NO_STORE = {"Cache-Control": "no-store"}
FRAMES = {Kind.PHOTOGRAPH: "photograph", Kind.GENERATED: "portrait"}
# ms that each part of a scene stays, none measured, chosen by looking: a wipe moves in its second one, as
# slowly as the welcome's; of a ladder's step people find what changed; of a question they make up their mind.
WIPE_MS = (2500, 8200, 4000)
LADDER_MS = (3000, *[2200] * (len(STEPS) - 1), 4000)
QUESTION_MS = (7000, 5000)


@dataclass(frozen=True)
class Pair:
    """One sitter, of whom everybody may know both truths."""

    items: Mapping[Kind, str]
    who: str  # the words `attract.<who>` say

    @property
    def portrait(self) -> str:
        """Its item, which knows its frames and its ladder."""
        return self.items[Kind.GENERATED]


def attract_routes(services: Services) -> list[Route]:
    """Both; none but on a kiosk that shows something."""
    settings = services.settings
    return Attract(services).routes() if settings.is_kiosk and settings.attract_seconds else []


class Attract:
    """The handlers of the routes."""

    def __init__(self, services: Services) -> None:
        """Raises `PresetError` where the pictures that come with the booth are not those of their list."""
        self._services = services
        self._album = services.album
        deck = read_deck(DECK)
        self._catalogue = Catalogue(deck, services.album)  # of its own: the room's has the deck in it
        self._shipped = tuple(_shipped(group) for group in deck.groups)
        self._names: dict[
            tuple[str, str], str
        ] = {}  # portrait's item and frame -> under which name it is shown
        self._rng = random.Random()

    def routes(self) -> list[Route]:
        """The scenes as they are now, and one of their pictures."""
        return [Route(PAGE, self._scenes), Route(f"{PAGE}/{{name}}.jpg", self._picture)]

    def _scenes(self, request: Request) -> Response:
        """Their HTML in the language that is asked for, and how long each part of them stays."""
        asked, words = request.query_params.get("lang", ""), self._services.words
        say = self._services.speaker(asked if asked in words.offered else words.language)
        pairs = [*self._told_sittings(), *self._rng.sample(self._shipped, len(self._shipped))]
        climbing = next(pair for pair in pairs if self._catalogue.has_ladder(pair.portrait))
        asking = next(pair for pair in pairs if pair not in (pairs[0], climbing))  # shown just before
        scenes = [self._wipe(say, pairs[0]), self._ladder(say, climbing), self._question(say, asking)]
        return JSONResponse([scene for scene in scenes if scene], headers=NO_STORE)

    def _picture(self, request: Request) -> Response:
        """One picture, as long as it may be shown."""
        asked = request.path_params["name"]
        item, frame = next((key for key, name in [*self._names.items()] if name == asked), ("", ""))
        may_show = any(pair.portrait == item for pair in (*self._shipped, *self._told_sittings()))
        photo = self._catalogue.frame(item, frame) if may_show else None
        if photo is None:
            return refusal(self._services.words.say("picture.gone"), 404)
        return Response(exhibit(photo.pixels, EXHIBIT), media_type="image/jpeg", headers=NO_STORE)

    # ---- the scenes

    def _wipe(self, say: Say, pair: Pair) -> dict[str, object]:
        frames = [self._address(pair, FRAMES[kind]) for kind in Kind]
        return self._scene("wipe", WIPE_MS, say=say, pair=pair, frames=frames)

    def _ladder(self, say: Say, pair: Pair) -> dict[str, object] | None:
        """None where it was taken back this moment."""
        found: Exhibit | None = self._catalogue.exhibit(pair.portrait)
        if found is None:
            return None
        frames = [self._address(pair, name) for name in (FRAMES[Kind.PHOTOGRAPH], *STEPS)]
        return self._scene("ladder", LADDER_MS, say=say, pair=pair, frames=frames, left=found.left)

    def _question(self, say: Say, pair: Pair) -> dict[str, object]:
        truth = self._rng.choice([*Kind])
        frame = self._address(pair, FRAMES[truth])
        return self._scene(
            "question", QUESTION_MS, say=say, pair=pair, frame=frame, truth=truth, answers=KIND_KEYS
        )

    def _scene(self, name: str, beats: Sequence[int], **given: object) -> dict[str, object]:
        return {"name": name, "html": render(f"attract/{name}.html", **given), "beats": beats}

    def _address(self, pair: Pair, frame: str) -> str:
        name = self._names.setdefault((pair.portrait, frame), secrets.token_urlsafe(12))
        return f"{PAGE.lstrip('/')}/{name}.jpg"

    # ---- who may be shown

    def _told_sittings(self) -> list[Pair]:
        """Sitters of this booth about whom the room has been told, in an order of chance."""
        approved = [offer.sitting for offer in self._album.offers() if offer.approved]
        pairs = [
            Pair(items, "visitor") for one in approved if len(items := self._catalogue.items_of(one)) == 2
        ]
        try:
            return self._rng.sample(told := [pair for pair in pairs if self._is_told(pair)], len(told))
        except SQLAlchemyError:  # nobody knows now what the room was told
            return []

    def _is_told(self, pair: Pair) -> bool:
        """Whether the room knows about one of the two, and is to be asked about neither."""
        room, items = self._services.board.room.snapshot().room, pair.items.values()
        is_asked = any(room.is_still_to_tell(item) for item in items)
        return not is_asked and any(self._services.store.was_revealed(item) for item in items)


def _shipped(group: Sequence[Card]) -> Pair:
    """A sitter of `DECK`, whose pairs are named after them first."""
    return Pair({card.item.truth: card.item.id for card in group}, group[0].entry.pair.split()[0])
