"""How far the room is, step by step, and who may see what when. Pure: nothing here reads a clock or a disk.

The stage goes through scenes; phones know only the state of the round that a scene stands for. One step on
or back is one call, so a clicker with two keys is enough.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from errors import VisitorError
from votes.schema import Count, Kind, Round, RoundId, State
from votes.tally import FEWEST_ANSWERS, wilson


class Scene(StrEnum):
    """What the stage shows, in this order for each picture."""

    READY = "ready"
    OPEN = "open"
    CLOSED = "closed"
    SPLIT = "split"
    TRUTH = "truth"
    MADE = "made"
    LADDER = "ladder"  # of a picture that has one
    ROOM = "room"


SCENES = tuple(Scene)
# What a scene is to a phone. The split is still no truth, so the round counts as closed until that.
STATES: Mapping[Scene, State] = {
    Scene.READY: State.READY,
    Scene.OPEN: State.OPEN,
    Scene.CLOSED: State.CLOSED,
    Scene.SPLIT: State.CLOSED,
    Scene.TRUTH: State.REVEALED,
    Scene.MADE: State.REVEALED,
    Scene.LADDER: State.REVEALED,
    Scene.ROOM: State.REVEALED,
}
SPLIT_KNOWN = frozenset(SCENES[SCENES.index(Scene.SPLIT) :])
TRUTH_KNOWN = frozenset(SCENES[SCENES.index(Scene.TRUTH) :])


@dataclass(frozen=True)
class Setting:
    """Where the room is, and what the host has set. `programme` names the items in their order."""

    programme: tuple[str, ...] = ()
    place: int = 0  # in the programme
    scene: Scene = Scene.READY
    round: RoundId | None = None
    left: tuple[int, Scene, RoundId] | None = None  # place, scene and round before this picture, to come back
    blank: bool = False
    rehearsing: bool = False
    informed: bool = False  # the sitter of the next rounds stands on the stage
    asks_familiarity: bool = False
    seconds: int = 0  # until a round closes by itself; 0: when the host closes it
    start: str = ""  # what portraits are drawn from, "noise" or "plate"; empty: the model set's own
    code: str = ""  # of the room, on the big screen: who types it is here
    event: str = ""
    version: int = 0

    @property
    def state(self) -> State:
        """Of the round, as phones are told."""
        return STATES[self.scene]

    @property
    def item(self) -> str | None:
        """Which item it is about; None where the programme is empty."""
        return self.programme[self.place] if self.place < len(self.programme) else None

    @property
    def is_last(self) -> bool:
        """Whether no picture follows."""
        return self.place + 1 >= len(self.programme)

    def at(self, scene: Scene) -> "Setting":
        """The same picture at another scene; whatever moves is seen again."""
        return replace(self, scene=scene, blank=False)

    def to_picture(self, place: int) -> "Setting":
        """Before the question about another picture."""
        left = (self.place, self.scene, self.round) if self.round else self.left
        return replace(self, place=place, scene=Scene.READY, round=None, left=left, blank=False)

    def without(self, item: str) -> "Setting":
        """The same after one item was withdrawn; if the room was at it, it is before the next one now."""
        if item not in self.programme:
            return self
        gone = self.programme.index(item)
        left = self.programme[:gone] + self.programme[gone + 1 :]
        place = self.place - (gone < self.place)
        if gone == self.place:
            now = replace(self, programme=left).to_picture(min(place, max(0, len(left) - 1)))
            return replace(now, left=None)
        return replace(self, programme=left, place=place, left=None)


def forward(now: Setting, skipped: Collection[Scene] = ()) -> Setting:
    """One step on, past what is `skipped`. After the last scene of the last picture nothing moves."""
    if now.scene != Scene.ROOM:
        return now.at(next(one for one in SCENES[SCENES.index(now.scene) + 1 :] if one not in skipped))
    return replace(now, blank=False) if now.is_last else now.to_picture(now.place + 1)


def backward(now: Setting, asked: Round | None, skipped: Collection[Scene] = ()) -> Setting:
    """One step undone, past what is `skipped`; from before a question to what the room saw last.

    Where it saw nothing, to the picture before. Raises `VisitorError` where that would ask people who know
    the answer.
    """
    if now.scene == Scene.READY and now.left:
        place, scene, round_id = now.left
        return replace(now, place=place, scene=scene, round=round_id, left=None, blank=False)
    if now.scene == Scene.READY:
        return now.to_picture(max(0, now.place - 1))
    if now.scene == Scene.CLOSED and asked and asked.seen:
        raise VisitorError("host.seen")
    return now.at(next(one for one in SCENES[SCENES.index(now.scene) - 1 :: -1] if one not in skipped))


def told(now: Setting, asked: Round | None, count: Count, answers: int) -> dict[str, object]:
    """What everybody may know of the round: the body of `GET /api/round`, but for the picture's address.

    `count` is what is shown of `answers`. Truth and split have no key until the truth stands on the stage.
    """
    body: dict[str, object] = {
        "round": asked.id if asked else None,
        "state": now.state.value if asked else State.READY.value,
        "them": bool(asked and asked.informed),
        "knows": bool(asked and asked.asks_familiarity),
        "answers": answers,
        "closes_at": asked.closes_at.isoformat() if asked and asked.closes_at else None,
    }
    if asked and now.state == State.REVEALED:
        body["truth"] = asked.item.truth.value
        body |= split(count, asked.item.truth)
    return body


def split(count: Count, truth: Kind | None = None) -> dict[str, object]:
    """How the room answered; with a truth also the share that was right and its 95 % interval.

    A share needs ten answers; with fewer the keys are absent.
    """
    body: dict[str, object] = {"photograph": count.photograph, "generated": count.generated}
    if truth and count.answers >= FEWEST_ANSWERS:
        right = count.photograph if truth == Kind.PHOTOGRAPH else count.generated
        low, high = wilson(right, count.answers)
        body |= {"share": right / count.answers, "low": low, "high": high}
    return body
