"""What of an evening is still here, and its end: everything of its visitors goes, the votes only if asked."""

from dataclasses import dataclass

from booth.album import Album
from booth.visits import Visits
from votes.store import Store


@dataclass(frozen=True)
class Remains:
    """What would go."""

    visits: int  # open ones
    pictures: int  # files
    approved: int  # sittings that may still be shown
    megabytes: float
    votes: int  # which stay unless they are ticked


def count_remains(visits: Visits, album: Album, store: Store) -> Remains:
    """Of this booth's visitors, and of what is shown. Raises `OSError` or `StorageAway`."""
    pictures, size = album.sizes()
    return Remains(
        visits=visits.count_open(),
        pictures=pictures,
        approved=sum(offer.approved for offer in album.offers()),
        megabytes=size / 1e6,
        votes=store.count_guesses(),
    )


def end_day(visits: Visits, album: Album, store: Store, with_votes: bool) -> None:
    """Every visit ends, every picture goes, those that the host approved too."""
    visits.end_all()
    album.delete_all()
    if with_votes:
        store.forget_all()
