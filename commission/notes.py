"""What a commissioning has measured so far, on the disk: whoever was stopped goes on where they were.

One JSON file beside the report, gone once that is written. It belongs to one set, its weights, device,
software, grid and photos: of anything else it says nothing, and everything is measured anew. Photos are known
by one digest over all of this together; there is none of a photo alone.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from commission.grid import Cell
from commission.measure import PortraitRow
from commission.verdict import Timing

NAME = "so-far.json"
Write = Callable[[Path, dict[str, bytes]], None]


class Notes:
    """Rows by sitter and cell, and timings by batch; each is on the disk before the next is drawn."""

    def __init__(self, folder: Path, belongs_to: object, write: Write) -> None:
        self._folder, self._write = folder, write
        self._key = hashlib.sha256(repr(belongs_to).encode()).hexdigest()
        self._rows: dict[str, list[PortraitRow]] = {}
        self._timings: dict[int, Timing] = {}
        self._read()

    @property
    def rows(self) -> list[PortraitRow]:
        """All portraits, in the order in which they were measured."""
        return [row for rows in self._rows.values() for row in rows]

    @property
    def timings(self) -> list[Timing]:
        """The batches, the smallest first."""
        return [self._timings[batch] for batch in sorted(self._timings)]

    def has(self, sitter: str, cell: Cell) -> bool:
        """Whether these portraits were measured."""
        return _place(sitter, cell) in self._rows

    def keep(self, sitter: str, cell: Cell, rows: Sequence[PortraitRow]) -> None:
        """Raises `ChoiceError` where nothing can be written."""
        self._rows[_place(sitter, cell)] = list(rows)
        self._save()

    def has_timing(self, batch: int) -> bool:
        """Whether this batch was."""
        return batch in self._timings

    def keep_timing(self, timing: Timing) -> None:
        """Raises `ChoiceError` where nothing can be written."""
        self._timings[timing.batch] = timing
        self._save()

    def forget(self) -> None:
        """The report is written."""
        (self._folder / NAME).unlink(missing_ok=True)

    def _save(self) -> None:
        notes = {
            "belongs_to": self._key,
            "rows": {place: [asdict(row) for row in rows] for place, rows in self._rows.items()},
            "timings": [asdict(timing) for timing in self._timings.values()],
        }
        self._write(self._folder, {NAME: json.dumps(notes, indent=1).encode()})

    def _read(self) -> None:
        try:
            notes = json.loads((self._folder / NAME).read_text(encoding="utf-8"))
            if notes["belongs_to"] != self._key:
                return
            rows = {place: [PortraitRow(**row) for row in found] for place, found in notes["rows"].items()}
            timings = {row["batch"]: Timing(**row) for row in notes["timings"]}
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return  # none, or no longer readable: measured anew
        self._rows, self._timings = rows, timings


def _place(sitter: str, cell: Cell) -> str:
    return f"{sitter}: {cell.name}"
