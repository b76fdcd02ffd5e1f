"""What of an evening is still here, and its end: everything of its visitors goes, the votes only if asked."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from booth.album import ID_PATTERN, Album, SittingId
from booth.visits import Visits
from votes.store import Store

SITTING = re.compile(ID_PATTERN)


@dataclass(frozen=True)
class Remains:
    """What would go."""

    visits: int  # open ones
    pictures: int  # files
    approved: int  # sittings that may still be shown
    megabytes: float
    votes: int  # which stay unless they are ticked


def count_remains(folder: Path, visits: Visits, album: Album, store: Store) -> Remains:
    """`folder` holds the album's sittings."""
    files = [file for sitting in _sittings(folder) for file in sitting.iterdir() if file.is_file()]
    return Remains(
        visits=visits.count_open(),
        pictures=sum(file.suffix == ".jpg" for file in files),
        approved=sum(offer.approved for offer in album.offers()),
        megabytes=sum(file.stat().st_size for file in files) / 1e6,
        votes=store.count_guesses(),
    )


def end_day(folder: Path, visits: Visits, album: Album, store: Store, with_votes: bool) -> None:
    """Every visit ends, every picture goes, those that the host approved too."""
    visits.end_all()
    for sitting in _sittings(folder):
        album.delete(SittingId(sitting.name))
    album.sweep()  # once more what resisted
    if with_votes:
        store.forget_all()


def _sittings(folder: Path) -> Iterator[Path]:
    yield from (path for path in sorted(folder.glob("*")) if path.is_dir() and SITTING.fullmatch(path.name))
