"""What the room's answers are made of: value types, and the tables that keep them.

A question is a `Round` about one `Item`; a `Guess` is one voter's answer to it. What is true of the
picture (truth, look, model set, start) stands once, in the item; a guess points to its round. Times
are UTC, seconds are seconds. No picture and no name is kept, only ids without meaning.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import NamedTuple, NewType, assert_never

import sqlalchemy as sql
from sqlalchemy.engine import Dialect

# Stored in every database and compared at start. Raise it with any change to the tables, and say in
# `votes/migrations/` how the new ones are made of those before.
VERSION = 6

MOVED_BY_LENGTH = 64
MONK_TONES = 10  # of the Monk Skin Tone scale, skintone.google

RoundId = NewType("RoundId", str)  # unguessable: it is shown to browsers
VoterId = NewType("VoterId", str)  # in the booth the visit, on a phone its cookie


class Kind(StrEnum):
    """The two truths, and so the two answers."""

    PHOTOGRAPH = "photograph"
    GENERATED = "generated"


class Knows(StrEnum):
    """How well a voter knows the person in the picture."""

    ME = "me"
    KNOWN = "known"
    STRANGER = "stranger"


class Source(StrEnum):
    """Where an answer came from. Those of different sources are never pooled."""

    BOOTH = "booth"  # alone at the booth: final
    PHONE = "phone"  # in the room: may be changed until the round closes
    HANDS = "hands"  # a show of hands, counted and typed by the host
    SYNTHETIC = "synthetic"  # a rehearsal; nobody's opinion
    SUSPECT = "suspect"  # phones that joined faster than a room does; counted apart, until the host decides

    @property
    def is_final(self) -> bool:
        """Whether a voter's first answer stands; else the last one does."""
        match self:
            case Source.BOOTH:
                return True
            case Source.PHONE | Source.HANDS | Source.SYNTHETIC | Source.SUSPECT:
                return False
            case unknown:
                assert_never(unknown)


class State(StrEnum):
    """How far a round is."""

    READY = "ready"
    OPEN = "open"
    CLOSED = "closed"
    REVEALED = "revealed"


@dataclass(frozen=True)
class Item:
    """One picture that may be asked about, and what is true of it.

    A photograph carries the model set and start of the portraits that it stands beside: it is their
    control, and answers about different sets are never pooled.
    """

    id: str
    truth: Kind
    look: str
    model_set: str
    start: str  # "noise" or "plate"
    expression: str | None = None
    rehearsal: bool = False


@dataclass(frozen=True)
class Round:
    """One question to one or many voters. The booth's are open for ever; the room's are opened and closed.

    `informed`: the sitter stood beside the picture. `seen`: the room saw the split or the truth, so nobody
    may answer any more. `again`: a round about the same picture had been seen before, so whoever answers is
    exposed.
    """

    id: RoundId
    item: Item
    at: datetime  # when it was opened
    room: bool = False  # asked of a room by a host, not of a visitor by the booth
    state: State = State.OPEN
    closes_at: datetime | None = None
    informed: bool = False
    asks_familiarity: bool = False
    seen: bool = False
    again: bool = False
    event: str = ""


@dataclass(frozen=True)
class Guess:
    """One voter's answer. Raises `ValueError` for a time without zone and for impossible seconds."""

    round: RoundId
    voter: VoterId
    answer: Kind
    exposed: bool  # this voter saw the picture being made
    seconds: float  # from showing the picture to the answer
    at: datetime
    them: bool | None = None  # is it really them? None: not asked, or cannot tell
    knows: Knows | None = None
    source: Source = Source.BOOTH

    def __post_init__(self) -> None:
        if self.at.tzinfo is None:
            raise ValueError(f"at = {self.at!r}. A time names its zone.")
        if not (math.isfinite(self.seconds) and self.seconds >= 0):
            raise ValueError(f"seconds = {self.seconds!r}. 0 or more.")


class Trial(NamedTuple):
    """A question with one answer to it, the unit of signal detection: what was shown, what was said."""

    round: Round
    guess: Guess


@dataclass(frozen=True)
class Drift:
    """What portraits changed of one sitter, with the skin tone that the sitter chose to tell. No picture.

    `measures`: by name the mean over the portraits, in the measure's unit; what was not measured is absent.
    Raises `ValueError` for a band that is none.
    """

    sitter: str  # an id of its own, so that no row can be joined to a guess
    band: int  # Monk skin tone, 1 the lightest, 10 the darkest
    look: str
    model_set: str
    rehearsal: bool
    measures: Mapping[str, float]
    event: str = ""

    def __post_init__(self) -> None:
        if not 1 <= self.band <= MONK_TONES:
            raise ValueError(f"band = {self.band}. 1 to {MONK_TONES}.")


@dataclass(frozen=True)
class Count:
    """How many gave each answer."""

    photograph: int = 0
    generated: int = 0

    @property
    def answers(self) -> int:
        """All of them."""
        return self.photograph + self.generated

    def of(self, kind: Kind) -> int:
        """How many gave that one."""
        match kind:
            case Kind.PHOTOGRAPH:
                return self.photograph
            case Kind.GENERATED:
                return self.generated
            case unknown:
                assert_never(unknown)


class _Utc(sql.types.TypeDecorator[datetime]):
    """ISO 8601 text in UTC: SQLite has no time type and would drop the zone."""

    impl = sql.String(32)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:
        return None if value is None else value.astimezone(UTC).isoformat()

    def process_result_value(self, value: str | None, dialect: Dialect) -> datetime | None:
        return None if value is None else datetime.fromisoformat(value)


def _enum(kind: type[StrEnum]) -> sql.Enum:
    """The type of a column that holds a member's value, as text."""
    return sql.Enum(
        kind,
        native_enum=False,
        length=16,
        values_callable=lambda members: [member.value for member in members],
    )


_KIND = _enum(Kind)
TABLES = sql.MetaData()

SCHEMA = sql.Table("schema", TABLES, sql.Column("version", sql.Integer, primary_key=True))

# What ids of voters are signed with, and the host's key where it was made here: the same for every process
# that shares the database. One row.
SECRETS = sql.Table(
    "secrets",
    TABLES,
    sql.Column("id", sql.Integer, primary_key=True),
    sql.Column("voters", sql.String(64), nullable=False),
    sql.Column("host", sql.String(64)),
)

# Phones that joined until then are of the room, however fast they came: the host's word. One row at most.
PARDONS = sql.Table("pardons", TABLES, sql.Column("until", _Utc, primary_key=True))

ITEMS = sql.Table(
    "items",
    TABLES,
    sql.Column("id", sql.String(64), primary_key=True),
    sql.Column("truth", _KIND, nullable=False),
    sql.Column("look", sql.String(64), nullable=False),
    sql.Column("model_set", sql.String(64), nullable=False),
    sql.Column("start", sql.String(16), nullable=False),
    sql.Column("expression", sql.String(64)),
    sql.Column("rehearsal", sql.Boolean, nullable=False),
)

ROUNDS = sql.Table(
    "rounds",
    TABLES,
    sql.Column("id", sql.String(64), primary_key=True),
    sql.Column("item", sql.ForeignKey("items.id"), nullable=False, index=True),
    # The item's id again where the booth asks: one round an item there. Empty, so never equal, in the room.
    sql.Column("asked_once", sql.String(64), unique=True),
    sql.Column("at", _Utc, nullable=False),
    sql.Column("room", sql.Boolean, nullable=False),
    sql.Column("state", _enum(State), nullable=False),
    sql.Column("closes_at", _Utc),
    sql.Column("informed", sql.Boolean, nullable=False),
    sql.Column("asks_familiarity", sql.Boolean, nullable=False),
    sql.Column("seen", sql.Boolean, nullable=False),
    sql.Column("again", sql.Boolean, nullable=False),
    sql.Column("event", sql.String(200), nullable=False),
)

GUESSES = sql.Table(
    "guesses",
    TABLES,
    # One guess per round and voter: the key that makes double taps, reloads and replays harmless.
    sql.Column("round", sql.ForeignKey("rounds.id"), primary_key=True),
    sql.Column("voter", sql.String(64), primary_key=True),
    sql.Column("answer", _KIND, nullable=False),
    sql.Column("exposed", sql.Boolean, nullable=False),
    sql.Column("seconds", sql.Float, nullable=False),
    sql.Column("at", _Utc, nullable=False),
    sql.Column("them", sql.Boolean),
    sql.Column("knows", _enum(Knows)),
    sql.Column("source", _enum(Source), nullable=False),
)

# One row a sitter who told their skin tone; another choice takes its place, "Delete mine" removes it.
DRIFTS = sql.Table(
    "drifts",
    TABLES,
    sql.Column("sitter", sql.String(64), primary_key=True),
    sql.Column("band", sql.Integer, nullable=False),
    sql.Column("look", sql.String(64), nullable=False),
    sql.Column("model_set", sql.String(64), nullable=False),
    sql.Column("rehearsal", sql.Boolean, nullable=False),
    sql.Column("measures", sql.JSON, nullable=False),
    sql.Column("event", sql.String(200), nullable=False),
)

# Where the room is, for every process that shares the database: one row. `version` counts its changes, so
# that of two commands at once the later one starts from where the first one came to.
ROOM = sql.Table(
    "room",
    TABLES,
    sql.Column("id", sql.Integer, primary_key=True),
    sql.Column("version", sql.Integer, nullable=False),
    sql.Column("programme", sql.JSON, nullable=False),
    sql.Column("place", sql.Integer, nullable=False),
    sql.Column("scene", sql.String(16), nullable=False),
    sql.Column("round", sql.String(64)),
    sql.Column("left", sql.JSON),  # the bookmark: place, scene and round that the room was at before
    sql.Column("blank", sql.Boolean, nullable=False),
    sql.Column("rehearsing", sql.Boolean, nullable=False),
    sql.Column("informed", sql.Boolean, nullable=False),
    sql.Column("asks_familiarity", sql.Boolean, nullable=False),
    sql.Column("seconds", sql.Integer, nullable=False),
    sql.Column("start", sql.String(16), nullable=False),
    sql.Column("code", sql.String(16), nullable=False),
    sql.Column("event", sql.String(200), nullable=False),
    sql.Column(
        "moved_by", sql.String(MOVED_BY_LENGTH), nullable=False
    ),  # who did the last step, as far as they said
)

# The sittings of booths that keep their pictures where all of them find them. `version` counts changes, as
# the room's does. One that is over stays until its pictures are deleted.
SITTINGS = sql.Table(
    "sittings",
    TABLES,
    sql.Column("id", sql.String(64), primary_key=True),
    sql.Column("version", sql.Integer, nullable=False),
    sql.Column("booth", sql.String(64), nullable=False),  # whose visitor it is; empty after the visit
    sql.Column("deadline", _Utc, nullable=False),
    sql.Column("until", _Utc),  # when the permission to show it ends; empty: there is none
    sql.Column("code", sql.String(16), nullable=False),  # what takes it back
    sql.Column("approved", sql.Boolean, nullable=False),
    sql.Column("rejected", sql.Boolean, nullable=False),
    sql.Column("facts", sql.Text, nullable=False),
    sql.Column("names", sql.JSON, nullable=False),  # pictures that others may ask for: id, file name
    sql.Column("shown", sql.JSON, nullable=False),  # those of them that a room may see
)

# What one process at a time does, and until when it may: who dies with it holds nobody up for long.
LEASES = sql.Table(
    "leases",
    TABLES,
    sql.Column("name", sql.String(16), primary_key=True),
    sql.Column("until", _Utc, nullable=False),
)
