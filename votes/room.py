"""The room: one stage, one host, many phones. Commands move it, everybody reads the same snapshot.

What it knows lies in the database, so that a restart, a second screen or a second process finds it where it
was. Safe to share between threads.
"""

import random
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Protocol

from errors import VisitorError
from votes.findings import Finding, finding
from votes.rounds import SPLIT_KNOWN, Scene, Setting, backward, forward
from votes.schema import Count, Guess, Item, Kind, Round, RoundId, Source, VoterId
from votes.store import Store

FRESH_S = 0.25  # how old a snapshot may be; a thousand phones that ask do not reach the database
TRIES = 20  # whoever moves the room at the same time moves it once each
CODE_LETTERS, CODE_LENGTH = "abcdefghjkmnpqrstuvwxyz23456789", 3  # no 0 and o, no 1, i and l
REHEARSAL_VOTERS = 60
REHEARSAL_S = 6.0  # within which they answer
RIGHT_IN_REHEARSAL = 0.55


class Programme(Protocol):
    """The pictures that a room may be asked about, by the id of their item."""

    def draw(self) -> tuple[str, ...]:
        """All in an order, one of each pair."""

    def item(self, item_id: str) -> Item | None:
        """What is true of a picture; None when it is not here, or not any more."""

    def is_withdrawn(self, item_id: str) -> bool:
        """Whether it was here and was taken back."""

    def has_ladder(self, item_id: str) -> bool:
        """Whether there are pictures of its sitter with ever less of them."""


@dataclass(frozen=True)
class Snapshot:
    """Where the room was a moment ago. `count` is the split of `source`, sealed until its time."""

    setting: Setting
    asked: Round | None
    count: Count
    source: Source
    taken: float = 0.0  # monotonic s

    @property
    def answers(self) -> int:
        """How many there are."""
        return self.count.answers


class Room:
    """Moves the room of a store through its programme."""

    def __init__(
        self,
        store: Store,
        programme: Programme,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        spawn: Callable[[Callable[[], object]], object] | None = None,
    ) -> None:
        """`spawn` starts work that goes on meanwhile: a thread, unless a test says otherwise."""
        self._store = store
        self._programme = programme
        self._clock = clock
        self._spawn = spawn or _in_a_thread
        self._lock = threading.Lock()
        self.kept: Snapshot | None = None  # the latest one, however old
        self._found: tuple[object, Finding] | None = None
        if not store.setting().programme:
            self.draw()
        if not store.setting().code:
            self.new_code()

    # ---- reading

    def now(self) -> Snapshot:
        """Where the room is, at most a quarter of a second old."""
        kept = self.kept
        if kept and time.monotonic() - kept.taken < FRESH_S:
            return kept
        with self._lock:  # one asks for all
            kept = self.kept
            if not kept or time.monotonic() - kept.taken >= FRESH_S:
                kept = self._look()
            return kept

    def so_far(self, shown: Snapshot) -> Finding:
        """How often this room was right, over the rounds that may be put together with the one shown.

        Same model set, start, source and manner of asking; nobody who had seen a making, or the answer.
        """
        if shown.asked is None:
            return Finding(0, 0, None, None)
        key = (shown.asked.id, shown.source, shown.answers)
        if self._found and self._found[0] == key:
            return self._found[1]
        alike = [
            (asked, guess)
            for asked, guess in self._store.answered()
            if guess.source == shown.source and not guess.exposed and _poolable(asked, shown.asked)
        ]
        self._found = (key, finding(alike))
        return self._found[1]

    def them(self, shown: Snapshot) -> tuple[int, int]:
        """How the second question was answered, "Is it really them?": yes and no."""
        return self._store.count_them(shown.asked.id) if shown.asked else (0, 0)

    def skipped(self, now: Setting) -> frozenset[Scene]:
        """The scenes that there are no pictures for."""
        has_ladder = now.item is not None and self._programme.has_ladder(now.item)
        return frozenset() if has_ladder else frozenset({Scene.LADDER})

    # ---- what a clicker does

    def next(self) -> Snapshot:
        """One step on."""
        return self._move(lambda now, _: self._onward(now))

    def back(self) -> Snapshot:
        """One step undone. Raises `VisitorError` where that would ask a room that has seen the answer."""
        return self._move(lambda now, asked: backward(now, asked, self.skipped(now)))

    def open(self) -> Snapshot:
        """Open the round; after a reveal, that about the next picture. Nothing happens where one is open."""

        def step(now: Setting, asked: Round | None) -> Setting:
            if now.scene == Scene.OPEN:
                return now
            if now.scene == Scene.CLOSED:
                return backward(now, asked)
            before = now if now.scene == Scene.READY else self._onward(now.at(Scene.ROOM))
            return before.at(Scene.OPEN) if before.scene == Scene.READY else before

        return self._move(step)

    def close(self) -> Snapshot:
        """No more answers. Nothing happens where none are taken."""
        return self._move(lambda now, _: now.at(Scene.CLOSED) if now.scene == Scene.OPEN else now)

    def reveal(self) -> Snapshot:
        """One step of the reveal: split, truth, how it was made, a ladder if there is one, the room so far.

        An open round is closed.
        """

        def step(now: Setting, _: Round | None) -> Setting:
            if now.scene == Scene.READY:
                raise VisitorError("host.unasked")
            if now.scene == Scene.OPEN:
                return now.at(Scene.SPLIT)
            return forward(now, self.skipped(now)) if now.scene != Scene.ROOM else now

        return self._move(step)

    def blank(self) -> Snapshot:
        """Nothing on the stage, or all of it again."""
        return self._move(lambda now, _: replace(now, blank=not now.blank))

    def replay(self) -> Snapshot:
        """The same picture in a new round. Who answers after a reveal counts as exposed."""

        def step(now: Setting, asked: Round | None) -> Setting:
            if asked is None:
                raise VisitorError("host.unasked")
            return now.to_picture(now.place).at(Scene.OPEN)

        return self._move(step)

    # ---- what a host sets

    def change(self, **fields: object) -> Snapshot:
        """Event, timer, and what the next rounds ask."""
        return self._move(lambda now, _: replace(now, **fields))  # type: ignore[arg-type]

    def new_code(self) -> Snapshot:
        """Another code of the room: phones that have the old one must look at the big screen."""
        code = "".join(secrets.choice(CODE_LETTERS) for _ in range(CODE_LENGTH))
        return self.change(code=code)

    def draw(self) -> Snapshot:
        """A new order of the programme, from its beginning; of each pair one is drawn by chance."""
        drawn = self._programme.draw()
        return self._move(lambda now, _: replace(now.to_picture(0), programme=drawn, left=None))

    def add(self, items: Sequence[str]) -> Snapshot:
        """Pictures that were approved come last."""
        return self._move(lambda now, _: replace(now, programme=(*now.programme, *items)))

    def go_to(self, item: str) -> Snapshot:
        """To a picture of the programme, before its question. Raises `VisitorError` for none of them."""

        def step(now: Setting, _: Round | None) -> Setting:
            if item not in now.programme or self._programme.item(item) is None:
                raise VisitorError("host.gone")
            return now.to_picture(now.programme.index(item))

        return self._move(step)

    def hands(self, count: Count) -> Snapshot:
        """A show of hands for the round on the stage. Raises `VisitorError` where none was asked."""
        asked = self.now().asked
        if asked is None:
            raise VisitorError("host.unasked")
        self._store.hands(asked, count)
        return self._refreshed()

    def rehearse(self, wait: Callable[[float], object] = time.sleep) -> None:
        """Voters that do not exist answer the round on the stage, one after the other; they are tagged so.

        While the room rehearses, that begins by itself with each round that is opened.
        """
        dice = random.Random()
        for _ in range(REHEARSAL_VOTERS):
            shown = self.now()
            asked = shown.asked
            if asked is None or not shown.setting.rehearsing:
                return
            truth, false = asked.item.truth, _other(asked.item.truth)
            said = truth if dice.random() < RIGHT_IN_REHEARSAL else false
            voter = VoterId(f"synthetic {secrets.token_hex(8)}")
            try:
                now = self._clock()
                self._store.record(
                    Guess(asked.id, voter, said, asked.again, 1.0, now, source=Source.SYNTHETIC)
                )
            except VisitorError:  # closed meanwhile
                return
            wait(REHEARSAL_S / REHEARSAL_VOTERS)

    def forget_rehearsal(self) -> Snapshot:
        """Every synthetic answer goes, and those of the room are shown again."""
        self._store.forget_synthetic()
        return self.change(rehearsing=False)

    # ---- inside

    def _onward(self, now: Setting) -> Setting:
        """One step on, past pictures that are not here."""
        after = forward(now, self.skipped(now))
        while after.place != now.place and self._missing(after) and not after.is_last:
            after = after.to_picture(after.place + 1)
        return after

    def _missing(self, now: Setting) -> bool:
        return now.item is None or self._programme.item(now.item) is None

    def _move(self, step: Callable[[Setting, Round | None], Setting]) -> Snapshot:
        """Do a step from where the room is; where somebody else was faster, from where they left it."""
        for _ in range(TRIES):
            before = self._store.setting()
            asked = self._store.find(before.round) if before.round else None
            after = step(before, asked)
            if after == before or self._enter(before, after, asked):
                if after.rehearsing and after.scene == Scene.OPEN != before.scene:
                    self._spawn(self.rehearse)
                return self._refreshed()
        raise VisitorError("host.busy")

    def _enter(self, before: Setting, after: Setting, asked: Round | None) -> bool:
        """Write it down, with what it means for the round."""
        now = self._clock()
        closes_at = now + timedelta(seconds=after.seconds) if after.seconds else None
        if after.scene == Scene.OPEN and (after.round is None or asked is None):
            opened = self._new_round(after, now, closes_at)
            return self._store.move(before, replace(after, round=opened.id), opened)
        fields: dict[str, object] = {"state": after.state}
        if after.scene == Scene.OPEN != before.scene:
            fields |= {"closes_at": closes_at}
        if after.scene in SPLIT_KNOWN:
            fields |= {"seen": True}
        return self._store.move(before, after, None, **fields)

    def _new_round(self, after: Setting, now: datetime, closes_at: datetime | None) -> Round:
        item = self._programme.item(after.item) if after.item else None
        if item is None:
            raise VisitorError("host.gone")
        return Round(
            RoundId(secrets.token_urlsafe(16)),
            item,
            now,
            room=True,
            closes_at=closes_at,
            informed=after.informed,
            asks_familiarity=after.asks_familiarity,
            again=self._store.was_seen(item.id),
            event=after.event,
        )

    def _refreshed(self) -> Snapshot:
        with self._lock:
            return self._look()

    def _look(self) -> Snapshot:
        """Read the room; a round whose time is over is closed, a picture that was taken back is left."""
        setting = self._store.setting()
        if setting.item and self._programme.is_withdrawn(setting.item):
            self._store.move(setting, setting.without(setting.item))
            setting = self._store.setting()
        asked = self._store.find(setting.round) if setting.round else None
        if asked and setting.scene == Scene.OPEN and asked.closes_at and self._clock() >= asked.closes_at:
            self._enter(setting, setting.at(Scene.CLOSED), asked)
            setting = self._store.setting()
        count, source = self._shown(setting, asked)
        self.kept = Snapshot(setting, asked, count, source, time.monotonic())
        return self.kept

    def _shown(self, setting: Setting, asked: Round | None) -> tuple[Count, Source]:
        """Which answers the stage shows: a rehearsal's, else phones, else raised hands. Never a mix."""
        if asked is None:
            return Count(), Source.PHONE
        if setting.rehearsing:
            return self._store.count(asked.id, asked.again, Source.SYNTHETIC), Source.SYNTHETIC
        count = self._store.count(asked.id, asked.again, Source.PHONE)
        if not count.answers:
            hands = self._store.count(asked.id, asked.again, Source.HANDS)
            if hands.answers:
                return hands, Source.HANDS
        return count, Source.PHONE


def _in_a_thread(work: Callable[[], object]) -> None:
    threading.Thread(target=work, name="rehearsal", daemon=True).start()


def _other(kind: Kind) -> Kind:
    return Kind.PHOTOGRAPH if kind == Kind.GENERATED else Kind.GENERATED


def _poolable(one: Round, other: Round) -> bool:
    """Whether their answers may be put together."""
    same_set = (one.item.model_set, one.item.start, one.item.rehearsal) == (
        other.item.model_set,
        other.item.start,
        other.item.rehearsal,
    )
    return same_set and (one.room, one.informed, one.event) == (other.room, other.informed, other.event)
