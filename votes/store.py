"""Where the answers are kept: SQLite in WAL mode by default.

A call that writes returns after the commit has reached the disk, so what was acknowledged survives
a crash of this program and of the machine. No call waits for ever: where the database is away, each raises
`SQLAlchemyError` within seconds. Safe to share between threads.
"""

import asyncio
import secrets
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, assert_never

import sqlalchemy as sql
from sqlalchemy.exc import ArgumentError, IntegrityError, NoSuchModuleError, SQLAlchemyError

from errors import OperatorError, VisitorError
from votes.changes import Listener, announce
from votes.database import ANSWER_S, DatabaseAway, open_engine
from votes.group_commit import GroupCommit
from votes.migrate import migrate
from votes.rounds import RoomState, room_of, room_row
from votes.schema import (
    DRIFTS,
    GUESSES,
    ITEMS,
    LEASES,
    PARDONS,
    ROOM,
    ROUNDS,
    SCHEMA,
    SECRETS,
    TABLES,
    VERSION,
    Count,
    Drift,
    Guess,
    Item,
    Kind,
    Round,
    RoundId,
    Source,
    State,
    Trial,
    VoterId,
)
from votes.sittings import SittingTable

LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
# What lets one program at a time look whether the tables are there; the number is any of our own.
START_LOCKS = {"sqlite": "BEGIN IMMEDIATE", "postgresql": "SELECT pg_advisory_xact_lock(18006)"}


class Store:
    """Rounds and guesses in the database that `url` names (SQLAlchemy's form; `sqlite://` is memory).

    One that an earlier version of this program made is moved to this version, with a copy beside it. Raises
    `OperatorError` when it cannot be opened or was made by a later one.
    """

    def __init__(self, url: str) -> None:
        try:
            self._engine = open_engine(url)
        except (ArgumentError, NoSuchModuleError, ImportError) as error:
            raise OperatorError(
                "FACE_VALUE_DATABASE is no SQLAlchemy URL of SQLite or PostgreSQL that works here, "
                "like sqlite:///votes.sqlite3."
            ) from error
        self._guesses = GroupCommit(self._engine)
        self._listener = Listener(self._engine)
        self.sittings = SittingTable(self._engine)
        self.listen = self._listener.call  # `Listener.call`
        is_file, database = self._engine.name == "sqlite", self._engine.url.database
        self._name = Path(database or "memory").name if is_file else "FACE_VALUE_DATABASE"
        try:
            self._prepare()
        except SQLAlchemyError as error:
            raise OperatorError(
                f"{self._name}: this database cannot be opened or is not one of ours."
            ) from error

    def round_of(self, item: Item) -> Round:
        """The round that asks about `item`: opened by whoever asks first, then the same for everyone.

        Raises `ValueError` when another item has that id.
        """
        opened = _new_round(item)
        with suppress(IntegrityError):  # somebody else is first, just now
            with self._engine.begin() as connection:
                self._ensure_item(connection, item)
                if found := self._booth_round(connection, item):
                    return found
                connection.execute(ROUNDS.insert().values(**_round_row(opened), asked_once=item.id))
            return opened
        with self._engine.connect() as connection:
            self._ensure_item(connection, item)
            if found := self._booth_round(connection, item):
                return found
        raise VisitorError("vote.gone")

    def was_seen(self, item_id: str) -> bool:
        """Whether a room was ever shown what is true of that item, or how it answered."""
        query = sql.select(ROUNDS.c.id).where(ROUNDS.c.item == item_id, ROUNDS.c.seen).limit(1)
        with self._engine.connect() as connection:
            return connection.scalar(query) is not None

    def was_revealed(self, item_id: str) -> bool:
        """Whether a room was ever told what is true of that item."""
        told = ROUNDS.c.room, ROUNDS.c.state == State.REVEALED
        with self._engine.connect() as connection:
            return (
                connection.scalar(sql.select(ROUNDS.c.id).where(ROUNDS.c.item == item_id, *told)) is not None
            )

    def _ensure_item(self, connection: sql.Connection, item: Item) -> None:
        """The item is in its table afterwards."""
        known = connection.execute(ITEMS.select().where(ITEMS.c.id == item.id)).mappings().one_or_none()
        if known is None:
            connection.execute(ITEMS.insert().values(**asdict(item)))
        elif Item(**known) != item:
            raise ValueError("One id, two items.")

    def _booth_round(self, connection: sql.Connection, item: Item) -> Round | None:
        query = ROUNDS.select().where(ROUNDS.c.asked_once == item.id)
        row = connection.execute(query).mappings().one_or_none()
        return _round(dict(row), item) if row else None

    def find(self, round_id: RoundId) -> Round:
        """The round of that id. Raises `VisitorError` when there is none."""
        found = self._rounds(ROUNDS.c.id == round_id)
        if not found:
            raise VisitorError("vote.gone")
        return found[0]

    def room_rounds(self, item_id: str) -> list[Round]:
        """The rounds in which a room was asked about that item."""
        return self._rounds(ROUNDS.c.item == item_id, ROUNDS.c.room)

    def _rounds(self, *which: sql.ColumnElement[bool]) -> list[Round]:
        """The rounds that meet all of `which`, each with its item."""
        item_columns = [column.label(f"item_{column.name}") for column in ITEMS.columns]
        query = sql.select(ROUNDS, *item_columns).join_from(ROUNDS, ITEMS).where(*which)
        with self._engine.connect() as connection:
            rows = [dict(row) for row in connection.execute(query).mappings()]
        return [
            _round(row, Item(**{column.name: row.pop(f"item_{column.name}") for column in ITEMS.columns}))
            for row in rows
        ]

    def record(self, guess: Guess) -> Guess:
        """Keep `guess`, and answer with the one that stands: in the booth the first, in the room the last.

        Returns after the commit. Raises `VisitorError` when there is no such round, or when it is closed, and
        `SQLAlchemyError` where the database is away: then `guess` may be handed in again.
        """
        waiting = self._guesses.insert(guess)
        try:
            return guess if waiting.result(ANSWER_S) else self._standing_guess(guess)
        except TimeoutError as error:
            waiting.cancel()
            raise DatabaseAway from error

    async def record_async(self, guess: Guess) -> Guess:
        """`record` for an event loop, which waits without a thread."""
        try:
            is_kept = await asyncio.wait_for(asyncio.wrap_future(self._guesses.insert(guess)), ANSWER_S)
        except TimeoutError as error:
            raise DatabaseAway from error
        return guess if is_kept else await asyncio.to_thread(self._standing_guess, guess)

    def _standing_guess(self, guess: Guess) -> Guess:
        """What that voter had answered before. Raises `VisitorError` where the round takes no answer."""
        round_ = self.find(guess.round)
        if not guess.source.is_final:
            raise VisitorError(_refusal(round_.state))
        query = GUESSES.select().where(GUESSES.c.round == guess.round, GUESSES.c.voter == guess.voter)
        with self._engine.connect() as connection:
            return _guess(connection.execute(query).mappings().one())

    def record_hands(self, round_: Round, count: Count) -> None:
        """A show of hands, as the host counted it: it takes the place of an earlier one."""
        seconds, now, round_id = 0.0, datetime.now(UTC), round_.id
        answers = [Kind.PHOTOGRAPH] * count.photograph + [Kind.GENERATED] * count.generated
        hands = [
            Guess(round_id, VoterId(f"{round_id} {i}"), kind, round_.again, seconds, now, source=Source.HANDS)
            for i, kind in enumerate(answers, 1)
        ]
        with self._engine.begin() as connection:
            announce(connection)
            connection.execute(_delete_from(Source.HANDS).where(GUESSES.c.round == round_id))
            if hands:
                connection.execute(GUESSES.insert(), [asdict(hand) for hand in hands])

    def forget(self, source: Source) -> int:
        """Every answer of that source goes, as after a rehearsal; how many they were."""
        with self._engine.begin() as connection:
            announce(connection)
            return connection.execute(_delete_from(source)).rowcount

    def count_guesses(self, source: Source | None = None) -> int:
        """How many answers there are to whatever round; with `source` those that came from there."""
        query = sql.select(sql.func.count()).select_from(GUESSES)
        if source is not None:
            query = query.where(GUESSES.c.source == source)
        with self._engine.connect() as connection:
            return connection.scalar(query) or 0

    def accept_suspects(self) -> int:
        """Phones that joined faster than a room does are of the room; how many answers they had given."""
        accepted = GUESSES.update().where(GUESSES.c.source == Source.SUSPECT).values(source=Source.PHONE)
        with self._engine.begin() as connection:
            connection.execute(PARDONS.delete())
            connection.execute(PARDONS.insert().values(until=datetime.now(UTC)))
            announce(connection)
            return connection.execute(accepted).rowcount

    def pardoned_until(self) -> datetime | None:
        """When that was done last, in whatever process; whoever joined until then is of the room."""
        with self._engine.connect() as connection:
            until: datetime | None = connection.scalar(sql.select(sql.func.max(PARDONS.c.until)))
            return until

    def count(self, round_id: RoundId, exposed: bool | None = None, source: Source | None = None) -> Count:
        """The answers to a round; `exposed` keeps only those who did (or did not) see the making."""
        query = sql.select(GUESSES.c.answer, sql.func.count()).where(GUESSES.c.round == round_id)
        if exposed is not None:
            query = query.where(GUESSES.c.exposed == exposed)
        if source is not None:
            query = query.where(GUESSES.c.source == source)
        with self._engine.connect() as connection:
            found = {answer: n for answer, n in connection.execute(query.group_by(GUESSES.c.answer))}
        return Count(found.get(Kind.PHOTOGRAPH, 0), found.get(Kind.GENERATED, 0))

    def count_identity(self, round_id: RoundId) -> tuple[int, int]:
        """How many phones said "yes, it is really them", and how many no."""
        query = sql.select(GUESSES.c.them, sql.func.count()).where(
            GUESSES.c.round == round_id, GUESSES.c.source == Source.PHONE, GUESSES.c.them.is_not(None)
        )
        with self._engine.connect() as connection:
            found = {bool(is_them): n for is_them, n in connection.execute(query.group_by(GUESSES.c.them))}
        return found.get(True, 0), found.get(False, 0)

    def guesses(self) -> tuple[Guess, ...]:
        """Every guess, oldest first."""
        with self._engine.connect() as connection:
            rows = connection.execute(GUESSES.select().order_by(GUESSES.c.at)).mappings().all()
        return tuple(_guess(row) for row in rows)

    def trials(self) -> tuple[Trial, ...]:
        """Every guess with the round that it answers, oldest first."""
        guesses = self.guesses()  # first: rounds that are opened meanwhile are none of theirs
        rounds = {round_.id: round_ for round_ in self._rounds()}
        return tuple(Trial(rounds[guess.round], guess) for guess in guesses)

    def room_state(self) -> RoomState:
        """Where the room is now; every process that shares the database reads the same."""
        with self._engine.connect() as connection:
            row = connection.execute(ROOM.select()).mappings().one()
        return room_of(dict(row))

    def move(
        self, before: RoomState, after: RoomState, opened: Round | None = None, **of_round: object
    ) -> bool:
        """Put `after` in the place of `before`; False where somebody else moved the room meanwhile.

        In the same transaction a round is `opened`, or the one that the room stays at gets `of_round`: its
        state, that it was seen, when it closes. One that the room leaves is closed; it stays revealed where
        its truth is on the stage. Raises `ValueError` when another item has its item's id.
        """
        values = room_row(after) | {"version": before.version + 1}
        unmoved = ROOM.c.version == before.version
        with suppress(IntegrityError), self._engine.begin() as connection:
            if not connection.execute(ROOM.update().where(unmoved).values(**values)).rowcount:
                return False
            announce(connection)
            if opened:
                self._ensure_item(connection, opened.item)
                connection.execute(ROUNDS.insert().values(**_round_row(opened)))
            if before.round_id and before.round_id != after.round_id:  # nobody answers it any more
                left = State.REVEALED if before.scene.is_truth_known else State.CLOSED
                self._update_round(connection, before.round_id, state=left)
            elif after.round_id and of_round:
                self._update_round(connection, after.round_id, **of_round)
            return True
        return False  # its item was put there just now

    def _update_round(self, connection: sql.Connection, round_id: RoundId, **fields: object) -> None:
        connection.execute(ROUNDS.update().where(ROUNDS.c.id == round_id).values(**fields))

    def voters_secret(self) -> bytes:
        """What ids of voters are signed with: made at the first start, then the same for every process."""
        with self._engine.connect() as connection:
            return str(connection.scalar(sql.select(SECRETS.c.voters))).encode()

    def share_host_key(self, key: str) -> str:
        """The host's key of all processes on PostgreSQL: `key`, unless another was first. `key` on SQLite."""
        if self._engine.name == "sqlite":
            return key
        with self._engine.begin() as connection:
            connection.execute(SECRETS.update().where(SECRETS.c.host.is_(None)).values(host=key))
            return str(connection.scalar(sql.select(SECRETS.c.host)))

    def is_healthy(self) -> bool:
        """Whether the database keeps what is written now: a row is, with the value that it has."""
        try:
            with self._engine.begin() as connection:
                written = SCHEMA.update().where(SCHEMA.c.version == VERSION).values(version=VERSION)
                return connection.execute(written).rowcount == 1
        except SQLAlchemyError:
            return False

    def keep_drift(self, drift: Drift) -> None:
        """What was changed of a sitter; what was kept of the same one before goes."""
        with self._engine.begin() as connection:
            connection.execute(DRIFTS.delete().where(DRIFTS.c.sitter == drift.sitter))
            connection.execute(DRIFTS.insert().values(**asdict(drift)))

    def forget_drift(self, sitter: str) -> None:
        """It goes with "Delete mine"."""
        with self._engine.begin() as connection:
            connection.execute(DRIFTS.delete().where(DRIFTS.c.sitter == sitter))

    def drifts(self) -> list[Drift]:
        """All of them, in no order that tells who came when."""
        with self._engine.connect() as connection:
            return [
                Drift(**row)
                for row in connection.execute(DRIFTS.select().order_by(DRIFTS.c.sitter)).mappings()
            ]

    def forget_all(self) -> None:
        """Every answer goes, and what was kept of sitters who told a skin tone; the questions stay."""
        with self._engine.begin() as connection:
            announce(connection)
            for table in (GUESSES, DRIFTS):
                connection.execute(table.delete())

    def close(self) -> None:
        """Write what was handed in and close every connection; the store is not used afterwards."""
        self._listener.close()
        self._guesses.close()
        self._engine.dispose()

    def __enter__(self) -> "Store":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _prepare(self) -> None:
        """Make the tables in an empty database, move those of an earlier version; refuse a foreign one."""
        with self._engine.begin() as connection:
            connection.exec_driver_sql(START_LOCKS[connection.dialect.name])  # another may be starting too
            if not sql.inspect(connection).get_table_names():
                TABLES.create_all(connection)
                connection.execute(SCHEMA.insert().values(version=VERSION))
                connection.execute(ROOM.insert().values(id=1, **room_row(RoomState())))
                connection.execute(LEASES.insert().values(name="sweep", until=LONG_AGO))
            migrate(connection, self._name)
            if connection.scalar(sql.select(SECRETS.c.id)) is None:
                connection.execute(SECRETS.insert().values(id=1, voters=secrets.token_urlsafe(32)))


def _new_round(item: Item) -> Round:
    return Round(RoundId(secrets.token_urlsafe(16)), item, datetime.now(UTC))


def _round_row(round_: Round) -> dict[str, object]:
    """The columns of a round."""
    return vars(round_) | {"item": round_.item.id}


def _round(row: dict[str, Any], item: Item) -> Round:
    row.pop("asked_once")
    return Round(**{**row, "id": RoundId(row["id"]), "item": item})


def _refusal(state: State) -> str:
    """Why a room's answer is not taken: a key of the words."""
    match state:
        case State.READY:
            return "phone.soon"
        case State.OPEN | State.CLOSED | State.REVEALED:  # open: its time was over
            return "phone.late"
        case unknown:
            assert_never(unknown)


def _delete_from(source: Source) -> sql.Delete:
    return GUESSES.delete().where(GUESSES.c.source == source)


def _guess(row: Any) -> Guess:
    return Guess(**{**row, "round": RoundId(row["round"]), "voter": VoterId(row["voter"])})
