"""What a room may be asked about: the operator's deck, then the sittings that sitter and host allow.

Each picture is known by the id of its item. It is read when it is shown, so a sitting that its sitter takes
back is gone everywhere at once. What tells how a picture was made comes only with its name asked for.
"""

import random
import secrets
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache

from pydantic import BaseModel, ConfigDict, ValidationError

from booth.album import Album, Offer, PictureId, SittingId
from booth.deck import Card, Deck
from pipelines.exhibit import EXHIBIT, PHONE, Pixels, exhibit, exhibits
from pipelines.ladder import RUNGS
from pipelines.selfie.photo import Photo, open_photo, read_photo
from votes.schema import Item, Kind

THUMBNAIL = (480, 600)  # width, height in px, of what waits for approval
KEPT = 64  # exhibits in memory; of the largest, half a megabyte each
FRAMES = ("photograph", "seen", "pose", "preview", "portrait")  # the stage tells a making in this order
STEPS = tuple(f"step-{i}" for i in range(1, len(RUNGS) + 1))  # and a ladder in this


@dataclass(frozen=True, eq=False)
class Exhibit:
    """One picture that a room may see. `pixels` reads it; `frames` are those of its making, by name."""

    item: Item
    credit: str
    facts: Mapping[str, object]  # look, model_set, seed, steps, seconds, prompt: as far as they are known
    pixels: Callable[[], Pixels]  # uint8 (H, W, 3) sRGB
    others: Sequence[Callable[[], Pixels]]  # with which it shares encoder, quality and length
    frames: Mapping[str, Callable[[], Photo]]
    sitting: SittingId | None = None
    is_misfire: bool = False  # for the wall of misfires only
    has_plate: bool = False  # of a deck: its photograph was put on a look's backdrop

    @property
    def has_ladder(self) -> bool:
        """Whether there are pictures of its sitter with ever less of them."""
        return all(name in self.frames for name in STEPS)

    @property
    def is_own(self) -> bool:
        """Whether it came from a sitting of this booth."""
        return self.sitting is not None


class Told(BaseModel):
    """What a sitting's permission carries: two items and their pictures, and how the portrait was made."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    items: dict[Kind, dict[str, str | bool | None]]
    exhibits: dict[Kind, str]
    frames: dict[str, str]
    facts: dict[str, str | int | float | None]
    changed: dict[str, str] = {}  # of a misfire: measures by name, and how much they changed


@dataclass(frozen=True, eq=False)
class Showing:
    """What a sitter may allow to be shown: a pair, and how its portrait was made. JPEG bytes throughout."""

    items: Mapping[Kind, Item]
    exhibits: Mapping[Kind, bytes]
    frames: Mapping[str, bytes]  # of the making, beside photograph and portrait
    facts: Mapping[str, str | int | float | None]


def offer(
    album: Album, sitting: SittingId, showing: Showing, own: Mapping[Kind, PictureId], code: str = ""
) -> tuple[str, tuple[PictureId, ...]]:
    """The sitter's leave to show a pair, `own` being its pictures as the sitter has them.

    `code` is one that the sitter has already. Returns the code that takes it back, and the pictures that were
    put into the album for it. Raises `KeyError` for a sitting that is over.
    """
    exhibits = {kind: album.put(sitting, jpeg) for kind, jpeg in showing.exhibits.items()}
    put = {name: album.put(sitting, jpeg) for name, jpeg in showing.frames.items()}
    told = Told(
        items={kind: asdict(item) for kind, item in showing.items.items()},
        exhibits=dict(exhibits),
        frames={"photograph": own[Kind.PHOTOGRAPH], **put, "portrait": own[Kind.GENERATED]},
        facts=dict(showing.facts),
    )
    copies = (*exhibits.values(), *put.values())
    permission = album.allow_show(sitting, (*own.values(), *copies), told.model_dump_json(), code)
    return permission.code, copies


def keep_misfire(
    album: Album, pictures: Mapping[Kind, bytes], showing: Showing, changed: Mapping[str, str], code: str
) -> tuple[SittingId, str]:
    """The sitter's leave to hang a portrait on the wall of misfires: a sitting of its own, and the code.

    `pictures` are marked JPEGs of photograph and portrait, `changed` its measures and their levels.
    """
    sitting = album.begin()
    own = {kind: album.put(sitting, jpeg) for kind, jpeg in pictures.items()}
    told = Told(
        items={kind: asdict(item) for kind, item in showing.items.items()},
        exhibits=dict(own),
        frames={},
        facts={},
        changed=dict(changed),
    )
    return sitting, album.allow_show(sitting, own.values(), told.model_dump_json(), code).code


@dataclass(frozen=True, eq=False)
class Misfire:
    """A portrait that a host approved for the wall, beside its photograph."""

    pictures: Mapping[Kind, str]  # ids of the album
    changed: Mapping[str, str]


class Programme:
    """Deck and sittings, as one list of exhibits. Safe to share between threads."""

    def __init__(self, deck: Deck, album: Album, rng: random.Random | None = None) -> None:
        self._deck = deck
        self._album = album
        self._rng = rng or secrets.SystemRandom()
        self._cards = {card.item.id: (card, group) for group in deck.groups for card in group}
        self._sittings: set[str] = set()  # items of sittings that were here
        self._rejected: set[SittingId] = set()
        self._jpeg = lru_cache(KEPT)(self._encoded)
        self._encoding = threading.Lock()

    def draw(self) -> tuple[str, ...]:
        """All that is approved: the deck in its order, then sittings; one of each pair by chance."""
        deck = [card.item.id for card in self._deck.one_of_each(self._rng)]
        approved = [one for one in self._album.offers() if one.approved]
        return (*deck, *(item for one in approved for item in self._one_of(one)))

    def approve(self, sitting: SittingId) -> tuple[str, ...]:
        """The host's word: which item of that sitting is shown, drawn by chance; none if it is gone."""
        self._album.approve(sitting)
        found = [one for one in self._album.offers() if one.sitting == sitting and one.approved]
        return tuple(item for one in found for item in self._one_of(one))

    def wall(self) -> tuple[Misfire, ...]:
        """All misfires that sitter and host allow, the latest first."""
        told = [_told(one) for one in reversed(self._album.offers()) if one.approved]
        return tuple(Misfire(one.exhibits, one.changed) for one in told if one and one.changed)

    def wall_photo(self, picture: str) -> Photo | None:
        """One picture of the wall; None for any other."""
        hung = any(picture in one.pictures.values() for one in self.wall())
        return self._read(picture) if hung and self._album.has(picture) else None

    def reject(self, sitting: SittingId) -> None:
        """The host's no: it is not shown, or not any more."""
        self._rejected.add(sitting)
        self._album.approve(sitting, False)

    def waiting(self) -> tuple[tuple[SittingId, Exhibit], ...]:
        """The portraits of sittings that a host has said nothing of yet."""
        offers = [
            one for one in self._album.offers() if not one.approved and one.sitting not in self._rejected
        ]
        exhibits = [(one.sitting, self._of_sitting(one, Kind.GENERATED)) for one in offers]
        return tuple((sitting, exhibit) for sitting, exhibit in exhibits if exhibit)

    def item(self, item_id: str) -> Item | None:
        """What is true of a picture; None when it is not here, or not any more."""
        found = self.exhibit(item_id)
        return found.item if found else None

    def is_withdrawn(self, item_id: str) -> bool:
        """Whether it was here and was taken back."""
        withdrawn = item_id in self._sittings and self.exhibit(item_id) is None
        if withdrawn:
            self._jpeg.cache_clear()
        return withdrawn

    def has_ladder(self, item_id: str) -> bool:
        """Whether there are pictures of its sitter with ever less of them."""
        found = self.exhibit(item_id)
        return found is not None and found.has_ladder

    def exhibit(self, item_id: str) -> Exhibit | None:
        """The picture of that item, if it may be shown now."""
        if known := self._cards.get(item_id):
            return self._of_deck(*known)
        for one in self._album.offers():
            if one.approved:
                for kind in Kind:
                    found = self._of_sitting(one, kind)
                    if found and found.item.id == item_id and not found.is_misfire:
                        self._sittings.add(item_id)
                        return found
        return None

    def jpeg(self, item_id: str, for_phone: bool = False) -> bytes | None:
        """Its bytes for stage or phone: both truths alike, no mark, no metadata. None when it is gone."""
        if not self.exhibit(item_id):
            return None
        with self._encoding:  # a hall asks for the same picture in one second: it is made once
            return self._jpeg(item_id, for_phone)

    def host_jpeg(self, item_id: str) -> bytes | None:
        """The same for a host, who also sees what waits for approval."""
        if found := self.jpeg(item_id, for_phone=True):
            return found
        waiting = next((one for _, one in self.waiting() if one.item.id == item_id), None)
        return exhibit(waiting.pixels(), THUMBNAIL) if waiting else None

    def frame(self, item_id: str, name: str) -> Photo | None:
        """One picture of its making; None where there is none of that name."""
        found = self.exhibit(item_id)
        read = found.frames.get(name) if found else None
        return read() if read else None

    # ---- inside

    def _encoded(self, item_id: str, for_phone: bool) -> bytes:
        found = self.exhibit(item_id)
        if found is None:
            raise KeyError(item_id)
        pictures = [read() for read in (found.pixels, *found.others)]
        return exhibits(pictures, PHONE if for_phone else EXHIBIT)[0]

    def _of_deck(self, card: Card, group: tuple[Card, ...]) -> Exhibit:
        names = {Kind.PHOTOGRAPH: "photograph", Kind.GENERATED: "portrait"}
        kept = ("look", "model_set", "seed", "steps", "seconds", "prompt")
        generated = [one for one in (card, *group) if one.item.truth == Kind.GENERATED]
        drawn = generated[0] if generated else card
        facts = {name: value for name in kept if (value := getattr(drawn.entry, name)) not in (None, "")}
        own_last = (*reversed(group), card)  # of several with one truth, the one that is asked about
        frames = {names[one.item.truth]: lambda one=one: self._deck.photo(one) for one in own_last}
        steps = zip(STEPS, drawn.ladder, strict=True) if drawn.ladder else ()
        frames |= {name: lambda path=path: open_photo(path) for name, path in (*drawn.making, *steps)}
        pixels, *others = (lambda one=one: self._deck.pixels(one) for one in (card, *self._deck.beside(card)))
        photographs = [one for one in own_last if one.item.truth == Kind.PHOTOGRAPH]
        has_plate = bool(photographs) and bool(photographs[-1].item.look)  # the one in `frames`
        return Exhibit(card.item, card.credit, facts, pixels, others, frames, has_plate=has_plate)

    def _of_sitting(self, one: Offer, kind: Kind) -> Exhibit | None:
        told = _told(one)
        if told is None:
            return None
        try:
            item = Item(**told.items[kind] | {"truth": kind})  # type: ignore[arg-type]
            picture = told.exhibits[kind]
        except (KeyError, TypeError):  # a note of another version
            return None
        if not self._album.has(picture):
            return None
        frames = {name: lambda picture=found: self._read(picture) for name, found in told.frames.items()}
        facts = {name: value for name, value in told.facts.items() if value is not None}
        pixels, *others = (
            lambda one=one: self._read(one).pixels
            for one in (picture, *(other for which, other in told.exhibits.items() if which != kind))
        )
        return Exhibit(item, "", facts, pixels, others, frames, one.sitting, bool(told.changed))

    def _one_of(self, one: Offer) -> tuple[str, ...]:
        """One of a pair, by chance."""
        both = [found for kind in Kind if (found := self._of_sitting(one, kind))]
        pair = [found.item.id for found in both if not found.is_misfire]
        return (self._rng.choice(pair),) if pair else ()

    def _read(self, picture: str) -> Photo:
        kept = self._album.get(picture)
        if kept is None:
            raise KeyError(picture)
        return read_photo(kept.jpeg)


def _told(one: Offer) -> Told | None:
    """What came with a permission; None for a note of another version."""
    try:
        return Told.model_validate_json(one.facts)
    except ValidationError:
        return None
