"""The sittings of booths that share their pictures, as rows: whose they are, and what may be shown of them.

A row is changed by compare and set, as the room's is. Safe to share between threads; where the database is
away every call raises `SQLAlchemyError` within seconds.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime

import sqlalchemy as sql

from votes.changes import announce
from votes.schema import LEASES, SITTINGS


@dataclass(frozen=True)
class SittingRow:
    """One sitting, as every booth may know it."""

    id: str
    booth: str  # whose visitor it is; empty after the visit
    deadline: datetime
    until: datetime | None = None  # when the permission to show it ends; None: there is none
    code: str = ""
    approved: bool = False
    rejected: bool = False
    facts: str = ""
    names: Mapping[str, str] = field(default_factory=dict)  # pictures that others may ask for: id, file name
    shown: tuple[str, ...] = ()
    version: int = 0


class SittingTable:
    """Reads and changes the rows."""

    def __init__(self, engine: sql.Engine) -> None:
        self._engine = engine

    def rows(self) -> tuple[SittingRow, ...]:
        """All of them, in the order in which they began."""
        query = SITTINGS.select().order_by(SITTINGS.c.deadline, SITTINGS.c.id)
        with self._engine.connect() as connection:
            found = connection.execute(query).mappings().all()
        return tuple(SittingRow(**{**row, "shown": tuple(row["shown"])}) for row in found)

    def add(self, row: SittingRow) -> None:
        """A new one."""
        with self._engine.begin() as connection:
            announce(connection)
            connection.execute(SITTINGS.insert().values(**_columns(row)))

    def save(self, before: SittingRow, after: SittingRow) -> SittingRow | None:
        """`after` in the place of `before`, as it is kept; None where somebody changed it meanwhile."""
        kept = replace(after, version=before.version + 1)
        unchanged = sql.and_(SITTINGS.c.id == before.id, SITTINGS.c.version == before.version)
        with self._engine.begin() as connection:
            announce(connection)
            saved = connection.execute(SITTINGS.update().where(unchanged).values(**_columns(kept))).rowcount
        return kept if saved else None

    def end(self, row_id: str, at: datetime) -> None:
        """Nothing of it may be seen any more: its time was over `at`, whatever it was allowed."""
        over = SittingRow(row_id, "", at)
        values = _columns(over) | {"version": SITTINGS.c.version + 1}
        with self._engine.begin() as connection:
            announce(connection)
            connection.execute(SITTINGS.update().where(SITTINGS.c.id == row_id).values(**values))

    def remove(self, row_id: str) -> None:
        """Its pictures are gone, and so is the row."""
        with self._engine.begin() as connection:
            announce(connection)
            connection.execute(SITTINGS.delete().where(SITTINGS.c.id == row_id))

    def take_lease(self, name: str, now: datetime, until: datetime) -> bool:
        """Whether this process alone does what has that name, until then; whoever had it before has ended."""
        is_free = sql.and_(LEASES.c.name == name, LEASES.c.until <= now)
        with self._engine.begin() as connection:
            return connection.execute(LEASES.update().where(is_free).values(until=until)).rowcount == 1

    def end_lease(self, name: str, until: datetime) -> None:
        """Done; the next may from then on."""
        with self._engine.begin() as connection:
            connection.execute(LEASES.update().where(LEASES.c.name == name).values(until=until))


def _columns(row: SittingRow) -> dict[str, object]:
    return asdict(row) | {"names": dict(row.names), "shown": list(row.shown)}
