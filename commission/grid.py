"""The settings that commissioning tries with a model set, around the one that the set has."""

from dataclasses import dataclass
from itertools import product

from errors import ChoiceError
from pipelines.draw.model_set import DIAL_TURNS, ModelSet, Start
from pipelines.draw.plan import Plan
from pipelines.look import Look

LOWER_POSE = 0.5  # share of the look's ControlNet scale: does holding the pose less give a better face?
MOST_SEEDS = 2  # portraits of each face in each cell: two lights and crops of a sitting
FEWEST = 6  # of each face in all cells that may be offered: a set of one cell is not judged by one portrait


@dataclass(frozen=True)
class Cell:
    """One setting; None where the set has no such scale, or a start from noise no strength."""

    start: Start
    strength: float | None = None
    identity: float | None = None
    pose: float | None = None

    @property
    def name(self) -> str:
        """For a caption: `strength 0.25, pose 0.9`, `from noise, identity 0.7`."""
        scales = {"strength": self.strength, "identity": self.identity, "pose": self.pose}
        words = [f"{name} {value:.3g}" for name, value in scales.items() if value is not None]
        return ", ".join(["from noise", *words] if self.start == "noise" else words) or "from the plate"


@dataclass(frozen=True)
class Grid:
    """What is drawn: each cell with each face, then some batches for the clock."""

    cells: tuple[Cell, ...]  # the set's own start first
    own: Cell  # what the set's file says; one of them
    seeds: int  # portraits of a face in a cell, drawn together
    batches: tuple[int, ...]  # portraits drawn together, for seconds and memory

    @property
    def candidates(self) -> tuple[Cell, ...]:
        """What may be offered: a setting changes no start. The other cells are there to be compared."""
        return tuple(cell for cell in self.cells if cell.start == self.own.start)


def grid_of(model_set: ModelSet, plan: Plan, look: Look) -> Grid:
    """About twelve cells: strengths of the dial's places, twice the identity, twice the pose.

    A set that has a strength only gets all five places of its dial. One that may start from noise gets that
    too, at the full pose scale, to stand against the plate. With guidance a portrait takes several times as
    long: then pose is not varied, nor identity from noise, so that a card with 12 GB is done in ten minutes.
    """
    guided = model_set.guidance > 1
    middle = model_set.identity if model_set.identity is not None else look.identity
    full = model_set.pose if model_set.pose is not None else look.pose
    identities: tuple[float | None, ...] = (None,)
    if "identity" in model_set.capabilities:
        close = model_set.dial.close.identity if model_set.dial else None
        identities = _each(middle, middle if close is None else close)
    poses: tuple[float | None, ...] = (None,)
    if "pose" in model_set.capabilities:
        poses = _each(full, None if guided else round(LOWER_POSE * full, 3))
    strengths = strengths_of(model_set, look.identity)
    plate = (
        [Cell("plate", *strength) for strength in product(strengths, identities, poses)] if strengths else []
    )
    every = poses if model_set.start == "noise" else poses[:1]
    noise = [
        Cell("noise", None, *scales) for scales in product(identities[:1] if guided else identities, every)
    ]
    noise = noise if "noise" in model_set.starts else []
    own = Cell(model_set.start, model_set.strength, identities[0], poses[0])
    batches = tuple(sorted({1, min(2, plan.batch), plan.batch}))
    cells = (*plate, *noise) if model_set.start == "plate" else (*noise, *plate)
    rivals = sum(cell.start == own.start for cell in cells)
    return Grid(cells, own, max(min(MOST_SEEDS, plan.batch), -(-FEWEST // rivals)), batches)


def strengths_of(model_set: ModelSet, identity: float) -> tuple[float, ...]:
    """Strengths of a start from the plate at the places of the dial, ascending; none without such a start."""
    if model_set.start != "plate" or model_set.strength is None:
        return ()
    alone = "identity" not in model_set.capabilities
    turns = range(-DIAL_TURNS, DIAL_TURNS + 1) if alone else range(-1, 2)
    found = {model_set.strength}
    for turn in turns:
        try:
            strength = model_set.dial_at(turn, identity).strength
        except ChoiceError:  # no dial
            continue
        found |= {strength} if strength is not None else set()
    return tuple(sorted(found))


def _each(*values: float | None) -> tuple[float | None, ...]:
    """The values in their order, each once; None says that there is no more."""
    return tuple(dict.fromkeys(value for value in values if value is not None))
