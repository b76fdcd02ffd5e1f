"""How far the room is, step by step, and who may see what when. Pure: nothing here reads a clock or a disk.

The stage goes through scenes; phones know only the state of the round that a scene stands for. One step on
or back is one call, so a clicker with two keys is enough.
"""

from collections.abc import Collection
from dataclasses import astuple, dataclass, replace
from enum import StrEnum
from typing import Any

from errors import VisitorError
from votes.schema import MOVED_BY_LENGTH, Count, Kind, Round, RoundId, State
from votes.tally import FEWEST_ANSWERS, wilson


class Scene(StrEnum):
    """What the stage shows, in this order for each picture, but for the last: that one is between two.

    All that is known of a scene stands here.

    Its value names what else it needs: the template `pages/templates/stage/<value>.html`, and on the host
    page the words `host.scene_<value>` and `host.do_<value>` (of the button that leads to it).
    """

    round_state: State  # what phones are told of the round while the stage shows this
    needs_ladder: bool  # stepped over where the picture has none

    READY = "ready", State.READY
    OPEN = "open", State.OPEN
    CLOSED = "closed", State.CLOSED
    SPLIT = "split", State.CLOSED  # no truth yet, so the round counts as closed
    TRUTH = "truth", State.REVEALED
    MADE = "made", State.REVEALED
    LADDER = "ladder", State.REVEALED, True
    ROOM = "room", State.REVEALED
    WITHDRAWN = "withdrawn", State.READY  # its sitter took the picture back that was on the stage

    # Defaults, because `Scene(value)` finds a scene by its value alone.
    def __new__(cls, value: str, round_state: State = State.READY, needs_ladder: bool = False) -> "Scene":
        """A member with its columns."""
        scene = str.__new__(cls, value)
        scene._value_, scene.round_state, scene.needs_ladder = value, round_state, needs_ladder
        return scene

    @property
    def is_split_known(self) -> bool:
        """Whether the room has seen how it answered, and so may not be asked again."""
        return self in SCENES[SCENES.index(Scene.SPLIT) :]

    @property
    def is_truth_known(self) -> bool:
        """Whether the room has seen what is true of the picture."""
        return self.round_state == State.REVEALED

    @property
    def is_last(self) -> bool:
        """Whether the next step is to another picture."""
        return self == SCENES[-1]


SCENES = tuple(scene for scene in Scene if scene != Scene.WITHDRAWN)  # those of a picture


@dataclass(frozen=True)
class Bookmark:
    """What the room saw before it went to another picture, to come back to."""

    place: int  # in the programme
    scene: Scene
    round_id: RoundId


@dataclass(frozen=True)
class RoomState:
    """Where the room is, and what the host has set. `programme` names the items in their order."""

    programme: tuple[str, ...] = ()
    place: int = 0  # in the programme
    scene: Scene = Scene.READY
    round_id: RoundId | None = None
    bookmark: Bookmark | None = None
    blank: bool = False
    rehearsing: bool = False
    informed: bool = False  # the sitter of the next rounds stands on the stage
    asks_familiarity: bool = False
    seconds: int = 0  # until a round closes by itself; 0: when the host closes it
    start: str = ""  # what portraits are drawn from, "noise" or "plate"; empty: the model set's own
    code: str = ""  # of the room, on the big screen: who types it is here
    event: str = ""
    moved_by: str = ""  # who did the last step, as far as they said
    version: int = 0

    @property
    def round_state(self) -> State:
        """How far the round is, as phones are told."""
        return self.scene.round_state

    @property
    def item(self) -> str | None:
        """Which item it is about; None where the programme is empty."""
        return self.programme[self.place] if self.place < len(self.programme) else None

    @property
    def position(self) -> str:
        """Where it is, to tell whether somebody else has moved it since."""
        return f"{self.place}.{self.scene.value}.{self.round_id or ''}.{int(self.blank)}"

    @property
    def is_last(self) -> bool:
        """Whether no picture follows."""
        return self.place + 1 >= len(self.programme)

    @property
    def is_over(self) -> bool:
        """Whether no step on is left."""
        is_after_all = self.scene == Scene.WITHDRAWN and self.item is None
        return is_after_all or (self.scene.is_last and self.is_last)

    def is_still_to_tell(self, item: str) -> bool:
        """Whether the room is to hear the truth of that item: it stands before it, or comes to it."""
        return item in self.programme[self.place + self.scene.is_truth_known :]

    def with_scene(self, scene: Scene) -> "RoomState":
        """The same picture at another scene; a stage that was blank shows it."""
        return replace(self, scene=scene, blank=False)

    def with_picture(self, place: int) -> "RoomState":
        """Before the question about another picture."""
        bookmark = Bookmark(self.place, self.scene, self.round_id) if self.round_id else self.bookmark
        return replace(self, place=place, scene=Scene.READY, round_id=None, bookmark=bookmark, blank=False)

    def with_mover(self, by: str = "") -> "RoomState":
        """The same, moved by somebody; empty: by nobody who said so, or by itself."""
        return replace(self, moved_by=by[:MOVED_BY_LENGTH])

    def with_programme(self, programme: tuple[str, ...]) -> "RoomState":
        """Another programme; at the same picture where it is still in it, else before the first question."""
        if self.item in programme:
            return replace(self, programme=programme, place=programme.index(self.item), bookmark=None)
        return replace(self.with_picture(0), programme=programme, bookmark=None)

    def without_item(self, item: str, tells: bool = False) -> "RoomState":
        """The same after one item was withdrawn; if the room was at it, it is before the next one now.

        `tells`: where people saw the picture, or hear already that one was taken back, they are told first.
        """
        if item not in self.programme:
            return self
        withdrawn = self.programme.index(item)
        remaining = self.programme[:withdrawn] + self.programme[withdrawn + 1 :]
        place = self.place - (withdrawn < self.place)
        room = replace(self, programme=remaining, place=place)
        if withdrawn == self.place:
            is_told = self.scene == Scene.WITHDRAWN or (tells and self.scene != Scene.READY)
            room = room.with_picture(place if is_told else min(place, max(0, len(remaining) - 1)))
            room = room.with_scene(Scene.WITHDRAWN) if is_told else room
        return replace(room, bookmark=None)


def room_row(room: RoomState) -> dict[str, object]:
    """The columns of the room; `left` is its bookmark, as a list of place, scene and round."""
    row = vars(room) | {"programme": list(room.programme)}
    round_id, bookmark = row.pop("round_id"), row.pop("bookmark")
    return row | {"round": round_id, "left": astuple(bookmark) if bookmark else None}


def room_of(row: dict[str, Any]) -> RoomState:
    """The room of its row."""
    del row["id"]
    round_id, bookmark = row.pop("round"), row.pop("left")
    if bookmark:
        place, scene, bookmarked = bookmark
        bookmark = Bookmark(place, Scene(scene), RoundId(bookmarked))
    row |= {"programme": tuple(row["programme"]), "scene": Scene(row["scene"])}
    return RoomState(**row, round_id=round_id, bookmark=bookmark)


def step_forward(room: RoomState, skipped: Collection[Scene] = ()) -> RoomState:
    """One step on, past what is `skipped`. After the last scene of the last picture nothing moves."""
    if room.scene == Scene.WITHDRAWN:
        return room.with_scene(Scene.READY) if room.item else room
    if not room.scene.is_last:
        following = SCENES[SCENES.index(room.scene) + 1 :]
        return room.with_scene(next(scene for scene in following if scene not in skipped))
    return replace(room, blank=False) if room.is_last else room.with_picture(room.place + 1)


def step_back(room: RoomState, round_: Round | None, skipped: Collection[Scene] = ()) -> RoomState:
    """One step undone, past what is `skipped`; from before a question to what the room saw last.

    Where it saw nothing, to the picture before. Raises `VisitorError` where that would ask people who know
    the answer.
    """
    if room.scene == Scene.READY and room.bookmark:
        mark = room.bookmark
        back = replace(room, place=mark.place, scene=mark.scene, round_id=mark.round_id)
        return replace(back, bookmark=None, blank=False)
    if room.scene in (Scene.READY, Scene.WITHDRAWN):
        return room.with_picture(max(0, room.place - 1))
    if room.scene == Scene.CLOSED and round_ and round_.seen:
        raise VisitorError("host.seen")
    earlier = SCENES[SCENES.index(room.scene) - 1 :: -1]
    return room.with_scene(next(scene for scene in earlier if scene not in skipped))


def public_round(room: RoomState, round_: Round | None, count: Count, answers: int) -> dict[str, object]:
    """What everybody may know of the round: the body of `GET /api/round`, but for the picture's address.

    `count` is what is shown of `answers`. Truth and split have no key until the truth stands on the stage.
    """
    body: dict[str, object] = {
        "round": round_.id if round_ else None,
        "state": room.round_state.value if round_ else State.READY.value,
        "withdrawn": room.scene == Scene.WITHDRAWN,
        "them": bool(round_ and round_.informed),
        "knows": bool(round_ and round_.asks_familiarity),
        "answers": answers,
        "rehearsing": room.rehearsing,  # then nobody gave them
        **countdown(room, round_),
    }
    if round_ and room.scene.is_truth_known:
        body["truth"] = round_.item.truth.value
        body |= split(count, round_.item.truth)
    return body


def countdown(room: RoomState, round_: Round | None) -> dict[str, object]:
    """When an open round closes by itself, an instant of the server's clock, and after how many seconds.

    Nothing here changes from second to second: whoever asks is answered the same bytes all the while.
    """
    closes_at = round_.closes_at if round_ and room.scene == Scene.OPEN else None
    return {
        "closes_at": closes_at.isoformat() if closes_at else None,
        "timer": room.seconds if closes_at else 0,
    }


def split(count: Count, truth: Kind | None = None) -> dict[str, object]:
    """How the room answered; with a truth also the share that was right and its 95 % interval.

    A share needs ten answers; with fewer the keys are absent.
    """
    body: dict[str, object] = {"photograph": count.photograph, "generated": count.generated}
    if truth and count.answers >= FEWEST_ANSWERS:
        right = count.of(truth)
        low, high = wilson(right, count.answers)
        body |= {"share": right / count.answers, "low": low, "high": high}
    return body
