"""From measured portraits to a verdict: each check with value and bound, the best cell, ready or why not.

Pure functions. Portraits of a cell are judged by their median, skin by the median of each lightness group, so
that a set which lightens dark skin fails though most of its portraits do not. What was not measured does not
hold: a set that nobody could judge is not ready.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from commission.grid import Cell, Grid
from commission.measure import PortraitRow
from pipelines.draw.bounds import Bound, Bounds
from pipelines.draw.generate import Stage

# L* of the plate's skin below which a face counts as dark, and as mid. 23 of the 24 portraits of our test set
# fall into the group that the individual typology angle gives them with 10 and 38 degrees.
GROUPS = {"dark": 45.0, "mid": 60.0, "light": 101.0}
# Two portraits of one sitter at one setting are recognised 0.046 apart in the median (80 pairs, 16 sitters,
# the small set): a setting that is nearer by less is no reason to leave the set's own.
NO_NEARER = 0.05
STAGES: tuple[Stage, ...] = ("encode", "denoise", "decode")
# Of each check: what is measured, and the unit behind a value.
MEASURED = {
    "pose": ("pose error", " pupil distances"),
    "skin": ("skin drift", " L*"),
    "recognition": ("recognition distance", ""),
    "sharpness": ("sharpness", " of the plate's"),
    "change": ("change of the plate", " grey values"),
}


@dataclass(frozen=True)
class Check:
    """One bound, and what was found."""

    name: str
    holds: bool
    finding: str  # `recognition distance 0.38`
    bound: Bound
    allowed: str  # `at most 0.42`
    value: float | None = None

    @property
    def sentence(self) -> str:
        """For the last line of the terminal."""
        return f"{self.finding} ({self.allowed})"


@dataclass(frozen=True)
class Timing:
    """What a batch of portraits took, by stage."""

    batch: int  # portraits asked for together
    together: int  # that were drawn together: less where fewer are compiled for, or memory did not suffice
    seconds: Mapping[Stage, float]  # a portrait
    gigabytes: Mapping[Stage, float]  # the most in use; empty without a card


@dataclass(frozen=True)
class Machine:
    """What else a verdict needs to know."""

    gigabytes: float  # of the card
    refusal: str = ""  # why nobody was recognised
    too_much: bool = False  # whether a drawing ended for lack of memory


@dataclass(frozen=True)
class CommissionVerdict:
    """Whether the set may go on stage, and with which setting."""

    ready: bool
    cell: Cell  # the best; where none holds every bound, the one that misses the fewest
    checks: tuple[Check, ...]  # of that cell, then of the machine
    by_cell: Mapping[Cell, tuple[Check, ...]]

    @property
    def reasons(self) -> tuple[str, ...]:
        """What does not hold."""
        return tuple(check.sentence for check in self.checks if not check.holds)

    @property
    def last_line(self) -> str:
        """`ready`, or `not ready: ...`."""
        return "ready" if self.ready else f"not ready: {'; '.join(self.reasons)}"


def judge(
    rows: Sequence[PortraitRow], timings: Sequence[Timing], grid: Grid, bounds: Bounds, machine: Machine
) -> CommissionVerdict:
    """The verdict."""
    by_cell = {
        cell: cell_checks([row for row in rows if row.cell == cell.name], bounds, machine.refusal)
        for cell in grid.cells
    }
    cell = best(by_cell, rows, grid)
    whole = machine_checks(timings, bounds, machine.gigabytes, machine.too_much)
    checks = (*by_cell[cell], frames_check(rows, bounds.frames), *whole)
    return CommissionVerdict(all(check.holds for check in checks), cell, checks, by_cell)


def best(by_cell: Mapping[Cell, tuple[Check, ...]], rows: Sequence[PortraitRow], grid: Grid) -> Cell:
    """Of the cells that miss the fewest bounds the one nearest to its sitters.

    By recognition, then by what the portraits changed, then the grid's order; the set's own setting stays
    where another is hardly nearer. That it is no copy of the plate is a bound, `change`, as every other.
    """
    missed = {cell: sum(not check.holds for check in by_cell[cell]) for cell in grid.candidates}
    cells = [cell for cell in grid.candidates if missed[cell] == min(missed.values())]

    def measure(cell: Cell, name: str) -> float:
        value = middle([getattr(row, name) for row in rows if row.cell == cell.name])
        return float("inf") if value is None else round(value, 3)

    nearest = min(cells, key=lambda cell: (measure(cell, "recognition"), measure(cell, "likeness")))
    most = measure(nearest, "recognition") + NO_NEARER
    return grid.own if grid.own in cells and measure(grid.own, "recognition") <= most else nearest


def cell_checks(rows: Sequence[PortraitRow], bounds: Bounds, refusal: str = "") -> tuple[Check, ...]:
    """What the portraits of one cell must hold."""
    found = [row for row in rows if row.found]
    checks = [face_check(rows, bounds.face)]
    measures: dict[str, Callable[[], float | None]] = {
        "pose": lambda: middle([row.pose for row in found]),
        "skin": lambda: worst(drifts(found)),
        "recognition": lambda: middle([row.recognition for row in found]),
        "sharpness": lambda: middle([row.sharpness for row in found]),
        "change": lambda: middle([row.change for row in found]),
    }
    for name, measure in measures.items():
        why = refusal if name == "recognition" and found else "no face was measured"
        checks.append(value_check(name, measure(), getattr(bounds, name), why))
    return tuple(checks)


def value_check(name: str, value: float | None, bound: Bound, why: str) -> Check:
    """A median against its bound."""
    label, unit = MEASURED[name]
    if value is None:
        return Check(name, False, f"{label} not measured, {why}", bound, bound.phrase)
    return Check(name, bound.holds(value), f"{label} {value:.3g}{unit}", bound, bound.phrase, value)


def face_check(rows: Sequence[PortraitRow], bound: Bound) -> Check:
    """In how many portraits a face is found."""
    found = sum(row.found for row in rows)
    share = found / len(rows) if rows else 0.0
    allowed = "all" if bound.least == 1 else bound.phrase
    finding = f"a face found in {found} of {len(rows)} portraits"
    return Check("face", bound.holds(share), finding, bound, allowed, share)


def frames_check(rows: Sequence[PortraitRow], bound: Bound) -> Check:
    """Whether every frame of the grid shows something: black, grey and white ones, and what is no number."""
    least = bound.least or 0.0
    seen = Counter(row.emptiness(least) for row in rows)
    empty = [f"{count} {kind}" for kind, count in sorted(seen.items()) if kind != "a picture"]
    finding = f"empty frames: {', '.join(empty) or 'none'} of {len(rows)}"
    value = min((row.frame for row in rows), default=None)
    return Check("frames", bool(rows) and not empty, finding, bound, "none", value)


def machine_checks(
    timings: Sequence[Timing], bounds: Bounds, gigabytes: float, too_much: bool = False
) -> tuple[Check, ...]:
    """Seconds a portrait at the largest batch, and the most memory at any."""
    waiting, room = bounds.seconds, bounds.memory
    allowed = f"{room.phrase} of the card"
    spent = sum(timings[-1].seconds.values()) if timings else None
    finding = "seconds a portrait not measured" if spent is None else f"{spent:.3g} seconds a portrait"
    waited = Check(
        "seconds", spent is not None and waiting.holds(spent), finding, waiting, waiting.phrase, spent
    )
    taken = max((peak for timing in timings for peak in timing.gigabytes.values()), default=None)
    if too_much:
        return waited, Check("memory", False, "out of memory even with one portrait at a time", room, allowed)
    if taken is None:  # nothing is taken of a card that is not there
        return waited, Check("memory", True, "no card, so no memory of one", room, allowed)
    share = taken / gigabytes
    finding = f"{taken:.1f} of {gigabytes:.1f} GB of memory, a share of {share:.2f}"
    return waited, Check("memory", room.holds(share), finding, room, allowed, share)


def drifts(rows: Sequence[PortraitRow]) -> dict[str, list[float]]:
    """How much lighter skin came out, L*, by the lightness of the plate's skin; groups that were met."""
    found: dict[str, list[float]] = {}
    for row in rows:
        if row.skin is not None and row.lightness is not None:
            found.setdefault(group_of(row.lightness), []).append(row.skin)
    return {name: found[name] for name in GROUPS if name in found}


def group_of(lightness: float) -> str:
    """Of an L*."""
    return next(name for name, end in GROUPS.items() if lightness < end)


def worst(by_group: Mapping[str, Sequence[float]]) -> float | None:
    """The largest median drift of a group, either way: lighter once and darker once is drift too."""
    return max((median(map(abs, values)) for values in by_group.values()), default=None)


def middle(values: Sequence[float | None]) -> float | None:
    """The median of what was measured."""
    known = [value for value in values if value is not None]
    return median(known) if known else None
