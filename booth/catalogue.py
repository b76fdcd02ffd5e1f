"""What a room may be asked about: the operator's deck, then the sittings that sitter and host allow.

Each picture is known by the id of its item. It is read when it is shown, so a sitting that its sitter takes
back is gone everywhere at once. What tells how a picture was made comes only with its name asked for.
"""

import random
import secrets
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import lru_cache, partial

from pydantic import BaseModel, ConfigDict, ValidationError

from booth.album import Album, Offer
from booth.deck import Card, Deck
from booth.records import PictureId, SittingId
from errors import PhotoError, StorageAway
from pipelines.arrays import Pixels
from pipelines.exhibit import EXHIBIT, PHONE, exhibit, exhibits
from pipelines.ladder import RUNGS
from pipelines.selfie.photo import Photo, open_photo, read_photo
from votes.schema import Item, Kind

THUMBNAIL = (480, 600)  # width, height in px, of what waits for approval
CACHED_EXHIBITS = 64  # in memory; of the largest, half a megabyte each
FRAMES = ("photograph", "seen", "pose", "preview", "portrait")  # the stage tells a making in this order
STEPS = tuple(f"step-{i}" for i in range(1, len(RUNGS) + 1))  # and a ladder in this


@dataclass(frozen=True, eq=False)
class Exhibit:
    """One picture that a room may see. `pixels` reads it; `frames` are those of its making, by name."""

    item: Item
    credit: str
    facts: Mapping[str, object]  # look, model_set, seed, steps, seconds, prompt: as far as they are known
    pixels: Callable[[], Pixels]  # uint8 (H, W, 3) sRGB
    partners: Sequence[Callable[[], Pixels]]  # of its pair, with which it shares encoder, quality and length
    frames: Mapping[str, Callable[[], Photo]]
    sitting: SittingId | None = None
    is_misfire: bool = False  # for the wall of misfires only
    has_plate: bool = False  # of a deck: its photograph was put on a look's backdrop

    @property
    def has_ladder(self) -> bool:
        """Whether there are pictures of its sitter with ever less of them."""
        return all(name in self.frames for name in STEPS)

    @property
    def left(self) -> tuple[str, ...]:
        """How much of the photograph each step of its ladder was given, in per cent."""
        usual = [str(round(100 * (1 - strength))) for strength in RUNGS]
        return tuple(str(self.facts.get("left", "")).split() or usual)

    @property
    def is_from_sitting(self) -> bool:
        """Whether it came from a sitting of this booth."""
        return self.sitting is not None


class ShowRecord(BaseModel):
    """What the album keeps with a permission, as JSON: items, their pictures, how the portrait was made."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    items: dict[Kind, dict[str, str | bool | None]]
    exhibits: dict[Kind, str]
    frames: dict[str, str]
    facts: dict[str, str | int | float | None]
    changed: dict[str, str] = {}  # of a misfire: measures by name, and how much they changed


@dataclass(frozen=True, eq=False)
class Pair:
    """Photograph and portrait of a sitter, as a room may see them, and how the portrait was made; JPEGs."""

    items: Mapping[Kind, Item]
    exhibits: Mapping[Kind, bytes]
    frames: Mapping[str, bytes]  # of the making, beside photograph and portrait
    facts: Mapping[str, str | int | float | None]


def offer(
    album: Album, sitting: SittingId, pair: Pair, own: Mapping[Kind, PictureId], code: str = ""
) -> tuple[str, tuple[PictureId, ...]]:
    """The sitter's leave to show a pair, `own` being its pictures as the sitter has them.

    `code` is one that the sitter has already. Returns the code that takes it back, and the pictures that were
    put into the album for it. Raises `KeyError` for a sitting that is over.
    """
    exhibits = {kind: album.put(sitting, jpeg) for kind, jpeg in pair.exhibits.items()}
    put = {name: album.put(sitting, jpeg) for name, jpeg in pair.frames.items()}
    record = ShowRecord(
        items={kind: asdict(item) for kind, item in pair.items.items()},
        exhibits=dict(exhibits),
        frames={"photograph": own[Kind.PHOTOGRAPH], **put, "portrait": own[Kind.GENERATED]},
        facts=dict(pair.facts),
    )
    copies = (*exhibits.values(), *put.values())
    permission = album.allow_show(sitting, (*own.values(), *copies), record.model_dump_json(), code)
    return permission.code, copies


def keep_misfire(
    album: Album, pictures: Mapping[Kind, bytes], pair: Pair, changed: Mapping[str, str], code: str
) -> tuple[SittingId, str]:
    """The sitter's leave to hang a portrait on the wall of misfires: a sitting of its own, and the code.

    `pictures` are marked JPEGs of photograph and portrait, `changed` its measures and their levels.
    """
    sitting = album.begin()
    own = {kind: album.put(sitting, jpeg) for kind, jpeg in pictures.items()}
    record = ShowRecord(
        items={kind: asdict(item) for kind, item in pair.items.items()},
        exhibits=dict(own),
        frames={},
        facts={},
        changed=dict(changed),
    )
    return sitting, album.allow_show(sitting, own.values(), record.model_dump_json(), code).code


@dataclass(frozen=True, eq=False)
class Misfire:
    """A portrait that a host approved for the wall, beside its photograph."""

    pictures: Mapping[Kind, str]  # ids of the album
    changed: Mapping[str, str]


class Catalogue:
    """Deck and sittings, as one list of exhibits. Safe to share between threads."""

    def __init__(self, deck: Deck, album: Album, rng: random.Random | None = None) -> None:
        self._deck = deck
        self._album = album
        self._rng = rng or secrets.SystemRandom()
        self._cards = {card.item.id: (card, group) for group in deck.groups for card in group}
        self._shown_items: dict[str, datetime] = {}  # of sittings, and until when they may be shown
        self._broken: dict[str, str] = {}  # cards of the deck that cannot be read any more: item, file
        self._jpeg = lru_cache(CACHED_EXHIBITS)(self._encode)
        self._encoding = threading.Lock()

    def draw_programme(self) -> tuple[str, ...]:
        """All that is approved: the deck in its order, then sittings; one of each pair by chance."""
        deck = [card.item.id for card in self._deck.sample_cards(self._rng)]
        approved = [offer for offer in self._album.offers() if offer.approved]
        return (*deck, *(item for offer in approved for item in self._sample_item(offer)))

    def renew_programme(self, programme: Sequence[str]) -> tuple[str, ...]:
        """The same for the pictures that are here now: what is gone goes, what is new comes last.

        Of another deck, all of it in its order.
        """
        remaining = tuple(item for item in programme if self.exhibit(item))
        known = set(remaining) & set(self._cards)
        if not known and self._cards:
            return self.draw_programme()
        new = [group for group in self._deck.groups if not any(card.item.id in known for card in group)]
        return (*remaining, *(self._rng.choice(group).item.id for group in new))

    def approve(self, sitting: SittingId) -> tuple[str, ...]:
        """The host's word: which item of that sitting is shown, drawn by chance; none if it is gone."""
        self._album.approve(sitting)
        offers = [offer for offer in self._album.offers() if offer.sitting == sitting and offer.approved]
        return tuple(item for offer in offers for item in self._sample_item(offer))

    def wall(self) -> tuple[Misfire, ...]:
        """All misfires that sitter and host allow, the latest first."""
        records = [_read_record(offer) for offer in reversed(self._album.offers()) if offer.approved]
        return tuple(
            Misfire(record.exhibits, record.changed) for record in records if record and record.changed
        )

    def wall_photo(self, picture: str) -> Photo | None:
        """One picture of the wall; None for any other."""
        is_hung = any(picture in misfire.pictures.values() for misfire in self.wall())
        return self._read(picture) if is_hung and self._album.has(picture) else None

    def reject(self, sitting: SittingId) -> None:
        """The host's no: it is not shown, or not any more."""
        self._album.reject(sitting)

    def waiting(self) -> tuple[tuple[SittingId, Exhibit], ...]:
        """The portraits of sittings that a host has said nothing of yet."""
        offers = [offer for offer in self._album.offers() if not offer.approved and not offer.rejected]
        portraits = [(offer.sitting, self._sitting_exhibit(offer, Kind.GENERATED)) for offer in offers]
        return tuple((sitting, portrait) for sitting, portrait in portraits if portrait)

    def items_of(self, sitting: SittingId) -> dict[Kind, str]:
        """Photograph and portrait that its sitter allows a room to be asked about, by id; else none."""
        offers = [offer for offer in self._album.offers() if offer.sitting == sitting]
        shown = [found for offer in offers for kind in Kind if (found := self._sitting_exhibit(offer, kind))]
        return {found.item.truth: found.item.id for found in shown if not found.is_misfire}

    def item(self, item_id: str) -> Item | None:
        """What is true of a picture; None when it is not here, or not any more."""
        found = self.exhibit(item_id)
        return found.item if found else None

    def is_withdrawn(self, item_id: str) -> bool:
        """Whether it was here and was taken back, or cannot be read any more."""
        is_gone = self.exhibit(item_id) is None  # first: it notes what is here
        withdrawn = is_gone and (item_id in self._shown_items or item_id in self._broken)
        if withdrawn:
            self._jpeg.cache_clear()
        return withdrawn

    def was_taken_back(self, item_id: str) -> bool:
        """Of one that is withdrawn: whether its sitter said so, and not the clock or a broken disk."""
        until = self._shown_items.get(item_id)
        return until is not None and not self._album.is_past(until)

    def broken(self) -> tuple[str, ...]:
        """Files of the deck that could be read at the start and cannot any more; they are skipped."""
        return tuple(self._broken.values())

    def has_ladder(self, item_id: str) -> bool:
        """Whether there are pictures of its sitter with ever less of them."""
        found = self.exhibit(item_id)
        return found is not None and found.has_ladder

    def exhibit(self, item_id: str) -> Exhibit | None:
        """The picture of that item, if it may be shown now."""
        if item_id in self._broken:
            return None
        if card_and_group := self._cards.get(item_id):
            return self._deck_exhibit(*card_and_group)
        for offer in self._album.offers():
            if offer.approved:
                for kind in Kind:
                    found = self._sitting_exhibit(offer, kind)
                    if found and found.item.id == item_id and not found.is_misfire:
                        self._shown_items[item_id] = offer.until
                        return found
        return None

    def jpeg(self, item_id: str, for_phone: bool = False) -> bytes | None:
        """Its bytes for stage or phone: both truths alike, no mark, no metadata. None when it is gone."""
        if not self.exhibit(item_id):
            return None
        with self._encoding:  # a hall asks for the same picture in one second: it is made once
            try:
                return self._jpeg(item_id, for_phone)
            except (PhotoError, KeyError):  # changed on the disk since the start, or gone this moment
                if card_and_group := self._cards.get(item_id):
                    self._broken[item_id] = card_and_group[0].path.name
                return None
            except StorageAway:  # not gone: it is asked for again
                return None

    def host_jpeg(self, item_id: str) -> bytes | None:
        """The same for a host, who also sees what waits for approval."""
        if found := self.jpeg(item_id, for_phone=True):
            return found
        waiting = next((portrait for _, portrait in self.waiting() if portrait.item.id == item_id), None)
        return exhibit(waiting.pixels(), THUMBNAIL) if waiting else None

    def frame(self, item_id: str, name: str) -> Photo | None:
        """One picture of its making; None where there is none of that name."""
        found = self.exhibit(item_id)
        read = found.frames.get(name) if found else None
        try:
            return read() if read else None
        except (PhotoError, KeyError, StorageAway):
            return None

    # ---- inside

    def _encode(self, item_id: str, for_phone: bool) -> bytes:
        found = self.exhibit(item_id)
        if found is None:
            raise KeyError(item_id)
        pictures = [read() for read in (found.pixels, *found.partners)]
        return exhibits(pictures, PHONE if for_phone else EXHIBIT)[0]

    def _deck_exhibit(self, card: Card, group: tuple[Card, ...]) -> Exhibit:
        """A card as an exhibit, with the making of the portrait in its group."""
        names = {Kind.PHOTOGRAPH: "photograph", Kind.GENERATED: "portrait"}
        own_last = (*reversed(group), card)  # of several with one truth, the one that is asked about
        frames = {names[other.item.truth]: partial(self._deck.photo, other) for other in own_last}
        portrait = next((other for other in (card, *group) if other.item.truth == Kind.GENERATED), card)
        steps = zip(STEPS, portrait.ladder, strict=True) if portrait.ladder else ()
        frames |= {name: partial(open_photo, path) for name, path in (*portrait.making, *steps)}
        keys = ("look", "model_set", "seed", "steps", "seconds", "prompt")
        facts = {key: value for key in keys if (value := getattr(portrait.entry, key)) not in (None, "")}
        photographs = [other for other in own_last if other.item.truth == Kind.PHOTOGRAPH]
        return Exhibit(
            card.item,
            card.credit,
            facts,
            partial(self._deck.pixels, card),
            [partial(self._deck.pixels, partner) for partner in self._deck.partners(card)],
            frames,
            has_plate=bool(photographs) and bool(photographs[-1].item.look),  # the one in `frames`
        )

    def _sitting_exhibit(self, offer: Offer, kind: Kind) -> Exhibit | None:
        """One picture of a sitting's pair; None when it is gone or was noted by another version."""
        record = _read_record(offer)
        if record is None:
            return None
        try:
            item = Item(**record.items[kind] | {"truth": kind})  # type: ignore[arg-type]
            picture = record.exhibits[kind]
        except (KeyError, TypeError):  # a record of another version
            return None
        if not self._album.has(picture):
            return None
        return Exhibit(
            item,
            "",
            {name: value for name, value in record.facts.items() if value is not None},
            partial(self._pixels, picture),
            [partial(self._pixels, other) for which, other in record.exhibits.items() if which != kind],
            {name: partial(self._read, frame) for name, frame in record.frames.items()},
            offer.sitting,
            is_misfire=bool(record.changed),
        )

    def _sample_item(self, offer: Offer) -> tuple[str, ...]:
        """One item of a pair, by chance; none of a misfire."""
        exhibits = [found for kind in Kind if (found := self._sitting_exhibit(offer, kind))]
        items = [exhibit.item.id for exhibit in exhibits if not exhibit.is_misfire]
        return (self._rng.choice(items),) if items else ()

    def _pixels(self, picture: str) -> Pixels:
        return self._read(picture).pixels

    def _read(self, picture: str) -> Photo:
        stored = self._album.get(picture)
        if stored is None:
            raise KeyError(picture)
        return read_photo(stored.jpeg)


def _read_record(offer: Offer) -> ShowRecord | None:
    """What came with a permission; None for a record of another version."""
    try:
        return ShowRecord.model_validate_json(offer.facts)
    except ValidationError:
        return None
