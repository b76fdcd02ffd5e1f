"""Pictures with known truth, from a folder: the one place that turns what a picture is into an `Item`.

`deck.toml` lists them. A deck is put there by its operator, and thereby approved. Everything that is shown
of it goes through the same `exhibit`, with the detail of its smallest picture.
"""

import hashlib
import random
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
    field_validator,
)
from pydantic_core import PydanticCustomError

from errors import PhotoError, PresetError
from pipelines.arrays import Pixels
from pipelines.exhibit import EXHIBIT, crop_to_fit, exhibits
from pipelines.ladder import RUNGS
from pipelines.selfie.photo import Photo, open_photo
from presets import parse_table, read_table
from votes.schema import Item, Kind
from words import read_words

DECK_FILE = "deck.toml"
SHAPE = (4, 5)  # width, height
MAKING = ("seen", "pose", "preview")  # pictures of a making, by the keys that name their files
WIDEST = EXHIBIT[0]  # px; more is not shown
NARROWEST = 128  # px; below it nobody can judge a face
# In the deck's folder: no other folder's, no hidden file.
FileName = Annotated[str, StringConstraints(pattern=r"^[^./\\\x00-\x1f][^/\\\x00-\x1f]*$", max_length=120)]
MOST_TOLD = 5  # files of one complaint


class Entry(BaseModel):
    """One picture, as `deck.toml` describes it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    file: Annotated[FileName, Field(description="A plain file name in the deck's folder")]
    truth: Annotated[Kind, Field(description="photograph or generated")]
    credit: Annotated[str, Field(min_length=1, description="Shown after the answer")]
    licence: Annotated[str, Field(min_length=1, description="On what terms it may be shown")]
    pair: Annotated[str, Field(description="Same name: same sitter, and a visitor sees only one of them")] = (
        ""
    )
    look: Annotated[str, Field(max_length=64, description="Name of the look that it has")] = ""
    model_set: Annotated[str, Field(max_length=64, description="What drew it, or the portrait beside it")] = (
        ""
    )
    start: Annotated[str, Field(pattern="^(|noise|plate)$")] = ""
    rehearsal: Annotated[bool, Field(description="True: answers are never pooled with others")] = False
    seed: Annotated[
        int | None, Field(description="Of the drawing; told after the truth, as what follows")
    ] = None
    steps: Annotated[int | None, Field(ge=1, description="How many were executed")] = None
    seconds: Annotated[float | None, Field(ge=0, description="How long the drawing took")] = None
    prompt: Annotated[str, Field(description="The words that the model was given")] = ""
    ladder: Annotated[
        tuple[FileName, ...],
        Field(description="Its sitter at each of the six steps of the ladder; or absent"),
    ] = ()

    seen: Annotated[FileName | None, Field(description="What the machine saw in the photograph")] = None
    pose: Annotated[FileName | None, Field(description="The pose map that it drew after")] = None
    preview: Annotated[FileName | None, Field(description="The picture when it was half drawn")] = None

    @field_validator(*MAKING)
    @classmethod
    def _refuse_making(cls, name: str | None, info: ValidationInfo) -> str | None:
        if name and info.data.get("truth") == Kind.PHOTOGRAPH:
            raise PydanticCustomError("rule", "Pictures of a making belong to a generated picture")
        return name

    @field_validator("ladder")
    @classmethod
    def _check_ladder(cls, ladder: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if ladder and info.data.get("truth") == Kind.PHOTOGRAPH:
            raise PydanticCustomError("rule", "A ladder belongs to a generated picture")
        if ladder and len(ladder) != len(RUNGS):
            raise PydanticCustomError("rule", "A ladder has {n} pictures", {"n": len(RUNGS)})
        return ladder


class _DeckFile(BaseModel):
    model_config = ConfigDict(extra="forbid")

    item: Annotated[list[Entry], Field(min_length=1, max_length=2000)]


@dataclass(frozen=True)
class Card:
    """One picture of a deck that may be asked about."""

    item: Item
    credit: str
    path: Path
    entry: Entry
    ladder: tuple[Path, ...] = ()  # the same sitter with ever less of them
    making: tuple[tuple[str, Path], ...] = ()  # of `MAKING`, those that there are


@dataclass(frozen=True)
class Deck:
    """All of them; cards of one pair stand in one group."""

    groups: tuple[tuple[Card, ...], ...]
    size: tuple[int, int]  # whose detail every exhibit has, width and height in px

    def sample_cards(self, rng: random.Random) -> tuple[Card, ...]:
        """One card of each group, in the order of the list."""
        return tuple(rng.choice(group) for group in self.groups)

    def shuffle_cards(self, rng: random.Random) -> tuple[Card, ...]:
        """One card of each group, in an order of chance."""
        cards = list(self.sample_cards(rng))
        rng.shuffle(cards)
        return tuple(cards)

    def jpeg(self, card: Card) -> bytes:
        """The exhibit. Raises `PhotoError` when the file has changed since start-up."""
        return exhibits([self.pixels(shown) for shown in (card, *self.partners(card))], EXHIBIT)[0]

    def partners(self, card: Card) -> tuple[Card, ...]:
        """The other pictures of its pair."""
        group = next((group for group in self.groups if card in group), ())
        return tuple(other for other in group if other is not card)

    def pixels(self, card: Card) -> Pixels:
        """The picture at the size of the smallest one, so that no size tells a truth; raises the same."""
        return crop_to_fit(self.photo(card).pixels, self.size)

    def photo(self, card: Card) -> Photo:
        """The file, decoded. Raises `PhotoError` when it has changed since start-up."""
        return open_photo(card.path)


def read_deck(folder: Path) -> Deck:
    """The deck of a folder, every picture opened as it will be when it is shown.

    Raises `PresetError` naming item, key, value and rule, file by file.
    """
    entries, listed = _entries(folder), _listed(folder)
    named = {
        f"{DECK_FILE}: item.{place}.{key} = {name!r}": listed(name)
        for place, entry in enumerate(entries)
        for key, name in _pictures(entry)
    }
    widths = _crop_widths(named)
    groups: dict[str, list[Card]] = defaultdict(list)
    for place, entry in enumerate(entries):
        path, ladder = listed(entry.file), tuple(listed(name) for name in entry.ladder)
        making = tuple((key, listed(name)) for key in MAKING if (name := getattr(entry, key)))
        card = Card(_item(entry, path), entry.credit, path, entry, ladder, making)
        groups[entry.pair or f"alone {place}"].append(card)
    ids = [card.item.id for group in groups.values() for card in group]
    if len(set(ids)) < len(ids):
        raise PresetError(f"{DECK_FILE}: one picture is listed twice with the same truth.")
    width = min(WIDEST, *(widths[card.path] for group in groups.values() for card in group))
    return Deck(tuple(tuple(group) for group in groups.values()), (width, width * SHAPE[1] // SHAPE[0]))


def _entries(folder: Path) -> list[Entry]:
    try:
        is_there = (folder / DECK_FILE).is_file()
    except OSError:  # a name that no disk takes
        is_there = False
    if not is_there:
        raise PresetError(f"FACE_VALUE_DECK = {folder.name}: this folder holds no {DECK_FILE}.")
    return parse_table(read_table(folder / DECK_FILE), _DeckFile, DECK_FILE).item


def _pictures(entry: Entry) -> list[tuple[str, str]]:
    """Every file that an entry names, with the key that names it."""
    making = [(key, name) for key in MAKING if (name := getattr(entry, key))]
    return [("file", entry.file), *(("ladder", name) for name in entry.ladder), *making]


def _listed(folder: Path) -> Callable[[str], Path]:
    """Finds a file by its name in the list, whichever way its letters are composed, small or capital.

    macOS writes an e with its accent as two characters, Windows does not tell A from a.
    """

    def same(name: str) -> str:
        return unicodedata.normalize("NFC", name).casefold()

    there = {same(path.name): path for path in sorted(folder.iterdir())}

    def find(name: str) -> Path:
        exact = folder / name
        return exact if exact.exists() else there.get(same(name), exact)

    return find


def _crop_widths(named: Mapping[str, Path]) -> dict[Path, int]:
    """Widths of the largest 4:5 crops in px, by path; `named` says where each is listed.

    Raises `PresetError` telling of each that cannot be shown.
    """
    places = {path: where for where, path in named.items()}
    with ThreadPoolExecutor() as pool:
        found = dict(zip(places, pool.map(_crop_width, places), strict=True))
    wrong = [f"{places[path]}. {rule}" for path, rule in found.items() if isinstance(rule, str)]
    if wrong:
        more = f" And {len(wrong) - MOST_TOLD} more." if len(wrong) > MOST_TOLD else ""
        raise PresetError(" ".join(wrong[:MOST_TOLD]) + more)
    return {path: width for path, width in found.items() if isinstance(width, int)}


def _crop_width(path: Path) -> int | str:
    """The width, or why that picture cannot be shown."""
    if path.is_symlink():
        return "A deck's pictures lie in its own folder."
    try:
        height, width = open_photo(path).pixels.shape[:2]
    except PhotoError as error:
        return read_words().sentence(error)
    crop_width = min(width, height * SHAPE[0] // SHAPE[1])
    if crop_width < NARROWEST:
        return f"It is {width} x {height} px; a face needs {NARROWEST} px in width."
    return crop_width


def _item(entry: Entry, path: Path) -> Item:
    """The same picture with the same truth is the same item, wherever it lies."""
    digest = hashlib.sha256(path.read_bytes() + entry.truth.value.encode()).hexdigest()[:24]
    return Item(digest, entry.truth, entry.look, entry.model_set, entry.start, None, entry.rehearsal)
