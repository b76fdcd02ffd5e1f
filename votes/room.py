"""The room: one stage, one host, many phones. Commands move it, everybody reads the same snapshot.

What it knows lies in the database, so that a restart, a second screen or a second process finds it where it
was. Safe to share between threads.
"""

import logging
import random
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Protocol, assert_never

from sqlalchemy.exc import SQLAlchemyError

from errors import VisitorError
from votes.answers import count_room
from votes.findings import Finding, finding
from votes.latest import Latest
from votes.rounds import SCENES, RoomState, Scene, step_back, step_forward
from votes.schema import Count, Guess, Item, Kind, Round, RoundId, Source, VoterId
from votes.store import Store

LOG = logging.getLogger("face_value")
TRIES = 20  # whoever moves the room at the same time moves it once each
ROOM_CODE_LETTERS, ROOM_CODE_LENGTH = "abcdefghjkmnpqrstuvwxyz23456789", 4  # no 0 and o, no 1, i and l
REHEARSAL_VOTERS = 60
REHEARSAL_S = 6.0  # within which they answer
RIGHT_IN_REHEARSAL = 0.55


class Pictures(Protocol):
    """The pictures that a room may be asked about, by the id of their item."""

    def draw_programme(self) -> tuple[str, ...]:
        """Their items in an order; of each pair one, by chance."""

    def renew_programme(self, programme: Sequence[str]) -> tuple[str, ...]:
        """The same programme with what is here now."""

    def item(self, item_id: str) -> Item | None:
        """What is true of a picture; None when it is not here, or not any more."""

    def is_withdrawn(self, item_id: str) -> bool:
        """Whether it was here and is not any more."""

    def was_taken_back(self, item_id: str) -> bool:
        """Of one that is withdrawn: whether by its sitter."""

    def has_ladder(self, item_id: str) -> bool:
        """Whether there are pictures of its sitter with ever less of them."""


@dataclass(frozen=True)
class Snapshot:
    """Where the room was a moment ago. `count` is the split of `source`, sealed until its time."""

    room: RoomState
    round: Round | None
    count: Count
    source: Source
    pardoned_until: datetime | None = None  # phones that joined until then are of the room

    @property
    def answers(self) -> int:
        """How many there are."""
        return self.count.answers


class Room:
    """Moves the room of a store through its programme."""

    def __init__(
        self,
        store: Store,
        pictures: Pictures,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        spawn: Callable[[Callable[[], object]], object] | None = None,
    ) -> None:
        """`spawn` starts work that goes on meanwhile: a thread, unless a test says otherwise."""
        self._store = store
        self._pictures = pictures
        self._clock = clock
        self._spawn = spawn or _start_thread
        self._voting = threading.Lock()  # a made-up voter votes in a rehearsal, or it has ended
        self.latest = Latest(self._read)
        store.listen(self.latest.expire)
        self._pooled: tuple[object, Finding] | None = None
        programme = store.room_state().programme
        renewed = pictures.renew_programme(programme)
        if programme and renewed != programme:  # another deck than last time, or pictures that went
            LOG.info("The room has other pictures than last time.")
        if renewed != programme:
            self._move(lambda room, _: room.with_programme(renewed))
        if not store.room_state().code:
            self.renew_code()

    # ---- reading

    @property
    def now(self) -> datetime:
        """The time here, by which rounds close."""
        return self._clock()

    def snapshot(self) -> Snapshot:
        """Where the room is, at most a quarter of a second old; where the database is away, as known last."""
        return self.latest.get()

    def pardoned_until(self) -> datetime | None:
        """Phones that joined until then are of the room, as it was known last; None: nobody was pardoned."""
        return self.latest.value.pardoned_until

    def pooled_finding(self, shown: Snapshot) -> Finding:
        """How often this room was right, over the rounds that may be put together with the one shown.

        Same model set, start, source and manner of asking; nobody who had seen a making, or the answer.
        """
        if shown.round is None:
            return Finding(0, 0, None, None)
        key = (shown.round.id, shown.source, shown.answers)
        if self._pooled and self._pooled[0] == key:
            return self._pooled[1]
        trials = [
            trial
            for trial in self._store.trials()
            if trial.guess.source == shown.source
            and not trial.guess.exposed
            and _may_be_pooled(trial.round, shown.round)
        ]
        self._pooled = (key, finding(trials))
        return self._pooled[1]

    def identity_answers(self, shown: Snapshot) -> tuple[int, int]:
        """How the second question was answered, "Is it really them?": how often yes, how often no."""
        return self._store.count_identity(shown.round.id) if shown.round else (0, 0)

    def skipped_scenes(self, room: RoomState) -> frozenset[Scene]:
        """The scenes that there are no pictures for."""
        has_ladder = room.item is not None and self._pictures.has_ladder(room.item)
        return frozenset(scene for scene in Scene if scene.needs_ladder and not has_ladder)

    # ---- what a clicker does. `seen` is where whoever presses saw the room, `by` who that is. Of two who
    # press at once one moves it: the other's was for a scene that is over. Empty: wherever it is.

    def next(self, seen: str = "", by: str = "") -> Snapshot:
        """One step on."""
        return self._move(lambda room, _: self._step_on(room), seen, by)

    def back(self, seen: str = "", by: str = "") -> Snapshot:
        """One step undone. Raises `VisitorError` where that would ask a room that has seen the answer."""
        return self._move(lambda room, round_: step_back(room, round_, self.skipped_scenes(room)), seen, by)

    def open(self) -> Snapshot:
        """Open the round; after a reveal, that about the next picture. Nothing happens where one is open."""

        def step(room: RoomState, round_: Round | None) -> RoomState:
            if room.scene == Scene.OPEN:
                return room
            if room.scene == Scene.CLOSED:
                return step_back(room, round_)
            if room.round_id:
                room = self._step_on(room.with_scene(SCENES[-1]))
            before = step_forward(room) if room.scene == Scene.WITHDRAWN else room
            return before.with_scene(Scene.OPEN) if before.scene == Scene.READY else before

        return self._move(step)

    def close(self) -> Snapshot:
        """No more answers. Nothing happens where none are taken."""
        return self._move(lambda room, _: room.with_scene(Scene.CLOSED) if room.scene == Scene.OPEN else room)

    def reveal(self) -> Snapshot:
        """One step of the reveal; it closes an open round, and nothing happens after the last scene.

        Raises `VisitorError` where nothing was asked.
        """

        def step(room: RoomState, _: Round | None) -> RoomState:
            if room.round_id is None:
                raise VisitorError("host.unasked")
            if room.scene == Scene.OPEN:
                return room.with_scene(Scene.SPLIT)
            return room if room.scene.is_last else step_forward(room, self.skipped_scenes(room))

        return self._move(step)

    def blank(self, seen: str = "", by: str = "") -> Snapshot:
        """Nothing on the stage, or all of it again."""
        return self._move(lambda room, _: replace(room, blank=not room.blank), seen, by)

    def replay(self, seen: str = "", by: str = "") -> Snapshot:
        """The same picture in a new round. Who answers after a reveal counts as exposed."""

        def step(room: RoomState, round_: Round | None) -> RoomState:
            if round_ is None:
                raise VisitorError("host.unasked")
            return room.with_picture(room.place).with_scene(Scene.OPEN)

        return self._move(step, seen, by)

    # ---- what a host sets

    def change(self, **fields: object) -> Snapshot:
        """Event, timer, and what the next rounds ask."""
        return self._move(lambda room, _: replace(room, **fields))  # type: ignore[arg-type]

    def renew_code(self) -> Snapshot:
        """Another code of the room: phones that have the old one must look at the big screen."""
        code = "".join(secrets.choice(ROOM_CODE_LETTERS) for _ in range(ROOM_CODE_LENGTH))
        return self.change(code=code)

    def draw_programme(self) -> Snapshot:
        """A new order of the programme, from its beginning; of each pair one is drawn by chance."""
        programme = self._pictures.draw_programme()
        return self._move(lambda room, _: replace(room.with_picture(0), programme=programme, bookmark=None))

    def add(self, items: Sequence[str]) -> Snapshot:
        """Pictures that were approved come last."""
        return self._move(lambda room, _: replace(room, programme=(*room.programme, *items)))

    def go_to(self, item: str) -> Snapshot:
        """To a picture of the programme, before its question. Raises `VisitorError` for none of them."""

        def step(room: RoomState, _: Round | None) -> RoomState:
            if item not in room.programme or self._pictures.item(item) is None:
                raise VisitorError("host.gone")
            return room.with_picture(room.programme.index(item))

        return self._move(step)

    def record_hands(self, count: Count) -> Snapshot:
        """A show of hands for the round on the stage. Raises `VisitorError` where nothing was asked."""
        round_ = self.snapshot().round
        if round_ is None:
            raise VisitorError("host.unasked")
        self._store.record_hands(round_, count)
        return self.latest.renew()

    def rehearse(self, opened: RoundId | None = None, wait: Callable[[float], object] = time.sleep) -> None:
        """Voters that do not exist answer that round, one after the other; they are tagged so.

        Without one, the round on the stage; they stop when the stage is at another. While the room rehearses,
        that begins by itself with each round that is opened.
        """
        dice = random.Random()
        for _ in range(REHEARSAL_VOTERS):
            with self._voting:
                shown = self.snapshot()
                round_ = shown.round
                if round_ is None or not shown.room.rehearsing or round_.id != (opened or round_.id):
                    return
                opened = round_.id
                try:
                    self._store.record(self._made_up_guess(round_, dice))
                except VisitorError:  # closed meanwhile
                    return
                except SQLAlchemyError:  # nobody misses the answer of somebody who does not exist
                    pass
            wait(REHEARSAL_S / REHEARSAL_VOTERS)

    def forget_rehearsal(self) -> Snapshot:
        """Every synthetic answer goes, and those of the room are shown again."""
        shown = self.change(rehearsing=False)  # first, so that no voter comes after those that go
        with self._voting:
            self._store.forget(Source.SYNTHETIC)
        return shown

    def forget_suspects(self) -> Snapshot:
        """Answers of phones that joined faster than a room does: they go."""
        self._store.forget(Source.SUSPECT)
        return self.latest.renew()

    def accept_suspects(self) -> Snapshot:
        """Those answers count as every phone's, and what their phones answer from now on."""
        self._store.accept_suspects()
        return self.latest.renew()

    # ---- inside

    def _made_up_guess(self, round_: Round, dice: random.Random) -> Guess:
        """The answer of a voter that does not exist."""
        truth = round_.item.truth
        answer = truth if dice.random() < RIGHT_IN_REHEARSAL else _other(truth)
        voter = VoterId(f"synthetic {secrets.token_hex(8)}")
        return Guess(round_.id, voter, answer, round_.again, 1.0, self._clock(), source=Source.SYNTHETIC)

    def _step_on(self, room: RoomState) -> RoomState:
        """One step on, past pictures that are not here."""
        after = step_forward(room, self.skipped_scenes(room))
        while after.place != room.place and self._is_missing(after) and not after.is_last:
            after = after.with_picture(after.place + 1)
        return after

    def _is_missing(self, room: RoomState) -> bool:
        return room.item is None or self._pictures.item(room.item) is None

    def _move(
        self, step: Callable[[RoomState, Round | None], RoomState], seen: str = "", by: str = ""
    ) -> Snapshot:
        """Do a step from where the room is; where somebody else was faster, from where it is then.

        A step from a position that was `seen` is done from there, or where only the same one moved it since.
        """
        for _ in range(TRIES):
            before = self._store.room_state()
            if seen and seen != before.position and not (by and by == before.moved_by):
                return self.latest.renew()
            round_ = self._store.find(before.round_id) if before.round_id else None
            after = step(before, round_)
            entered = after if after == before else self._enter(before, after.with_mover(by), round_)
            if entered:
                shown = self.latest.renew()  # first: whoever is started now reads it
                was_open = before.scene == Scene.OPEN and before.round_id == entered.round_id
                if entered.rehearsing and entered.scene == Scene.OPEN and not was_open:
                    self._spawn(partial(self.rehearse, entered.round_id))
                return shown
        raise VisitorError("host.busy")

    def _enter(self, before: RoomState, after: RoomState, round_: Round | None) -> RoomState | None:
        """Write it down, with what it means for the round, which may be new. None: somebody was faster."""
        now = self._clock()
        closes_at = now + timedelta(seconds=after.seconds) if after.seconds else None
        if after.scene == Scene.OPEN and (after.round_id is None or round_ is None):
            opened = self._new_round(after, now, closes_at)
            after = replace(after, round_id=opened.id)
            return after if self._store.move(before, after, opened) else None
        fields: dict[str, object] = {"state": after.round_state}
        if after.scene == Scene.OPEN != before.scene:
            fields |= {"closes_at": closes_at}
        if after.scene.is_split_known:
            fields |= {"seen": True}
        return after if self._store.move(before, after, None, **fields) else None

    def _new_round(self, room: RoomState, now: datetime, closes_at: datetime | None) -> Round:
        item = self._pictures.item(room.item) if room.item else None
        if item is None:
            raise VisitorError("host.gone")
        return Round(
            RoundId(secrets.token_urlsafe(16)),
            item,
            now,
            room=True,
            closes_at=closes_at,
            informed=room.informed,
            asks_familiarity=room.asks_familiarity,
            again=self._store.was_seen(item.id),
            event=room.event,
        )

    def _read(self) -> Snapshot:
        """Read the room; a round whose time is over is closed, a picture that was taken back goes."""
        room = self._store.room_state()
        while room.item and self._pictures.is_withdrawn(room.item):
            tells = self._pictures.was_taken_back(room.item)
            self._store.move(room, room.without_item(room.item, tells).with_mover())
            room = self._store.room_state()
        round_ = self._store.find(room.round_id) if room.round_id else None
        if round_ and room.scene == Scene.OPEN and round_.closes_at and self._clock() >= round_.closes_at:
            self._enter(room, room.with_scene(Scene.CLOSED).with_mover(), round_)
            room = self._store.room_state()
        count, source = self._count(room, round_)
        return Snapshot(room, round_, count, source, self._store.pardoned_until())

    def _count(self, room: RoomState, round_: Round | None) -> tuple[Count, Source]:
        """Which answers the stage shows: a rehearsal's, or the room's own. Never a mix."""
        if round_ is None:
            return Count(), Source.PHONE
        if room.rehearsing:
            return self._store.count(round_.id, round_.again, Source.SYNTHETIC), Source.SYNTHETIC
        return count_room(self._store, round_)


def _start_thread(work: Callable[[], object]) -> None:
    threading.Thread(target=work, name="rehearsal", daemon=True).start()


def _other(kind: Kind) -> Kind:
    match kind:
        case Kind.PHOTOGRAPH:
            return Kind.GENERATED
        case Kind.GENERATED:
            return Kind.PHOTOGRAPH
        case unknown:
            assert_never(unknown)


def _may_be_pooled(round_: Round, other: Round) -> bool:
    """Whether their answers may be put together."""
    return _condition(round_) == _condition(other)


def _condition(round_: Round) -> tuple[object, ...]:
    """What has to be the same where answers are put together."""
    item = round_.item
    return item.model_set, item.start, item.rehearsal, round_.room, round_.informed, round_.event
