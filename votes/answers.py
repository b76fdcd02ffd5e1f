"""Which answers of a room count, and how the room answered about one sitter's two pictures."""

from collections.abc import Mapping
from dataclasses import dataclass

from votes.schema import Count, Kind, Round, Source, State
from votes.store import Store


@dataclass(frozen=True)
class RoomAnswers:
    """How the room answered about a sitter's photograph and about their portrait.

    None: it was not asked about that one, its truth was not on the stage yet, or nobody answered.
    """

    photograph: Count | None = None
    generated: Count | None = None


def count_room(store: Store, round_: Round) -> tuple[Count, Source]:
    """The answers that the stage shows: phones, else raised hands. Never a mix.

    Of a round that asks again only those who knew, of any other only those who did not.
    """
    count = store.count(round_.id, round_.again, Source.PHONE)
    if not count.answers:
        hands = store.count(round_.id, round_.again, Source.HANDS)
        if hands.answers:
            return hands, Source.HANDS
    return count, Source.PHONE


def room_answers(store: Store, items: Mapping[Kind, str]) -> RoomAnswers:
    """What the room said of these items, once it was shown what is true of them. Made-up answers never count.

    Nor do those of phones that joined too fast, of who saw the making, of rounds that asked again, and of a
    round that was left before the room saw how it had answered: another may have asked the same people.
    """
    return RoomAnswers(**{kind.value: _told(store, item) for kind, item in items.items()})


def _told(store: Store, item: str) -> Count | None:
    rounds = store.room_rounds(item)
    if not any(round_.state == State.REVEALED for round_ in rounds):
        return None
    counts = [count_room(store, round_)[0] for round_ in rounds if round_.seen and not round_.again]
    count = Count(sum(each.photograph for each in counts), sum(each.generated for each in counts))
    return count if count.answers else None
