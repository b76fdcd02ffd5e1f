"""What a visitor chose, and what of it a model set can honour."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from errors import ChoiceError
from pipelines.draw.model_set import ModelSet
from pipelines.look import Expression, Look
from pipelines.plate.expression import lips_meet
from pipelines.plate.shot import Shot, shot
from pipelines.selfie.face import Face, best_of

LAST_SEED = 2**63 - 25  # torch takes 64 bits with a sign; eight portraits, drawn up to three times, count up


@dataclass(frozen=True, eq=False)
class Order:
    """What the visitor chose. None leaves the choice to the look or the model set."""

    look: Look
    expression: Expression | None = None
    variations: int = 4
    seed: int = 0
    identity: float | None = None  # identity adapter's scale, 0 to 1
    start: Literal["noise", "plate"] | None = None
    strength: float | None = None  # of a start from the plate, 0 to 1

    def prompt(self, model_set: ModelSet) -> str:
        """Whom the set is told to draw, then the look's words, then the expression's."""
        words = (model_set.subject, self.look.prompt, self.expression.prompt if self.expression else "")
        return ", ".join(filter(None, words))

    @property
    def negative_prompt(self) -> str:
        """What neither wants."""
        return ", ".join(part.negative_prompt for part in (self.look, self.expression) if part)

    @property
    def seeds(self) -> tuple[int, ...]:
        """One seed a portrait, counted up from the first."""
        return tuple(self.seed + i for i in range(self.variations))

    def identity_scale(self, model_set: ModelSet) -> float:
        """The adapter's scale: the visitor's, else what was commissioned for the set, else the look's."""
        asked = (self.identity, model_set.identity, self.look.identity)
        return next(scale for scale in asked if scale is not None)

    def shots(self, model_set: ModelSet) -> tuple[Shot, ...]:
        """Light and crop of each portrait; the first has the look's own."""
        framing = model_set.framing or self.look.framing
        return tuple(shot(self.look, framing, place, seed) for place, seed in enumerate(self.seeds))


def check_order(order: Order, model_set: ModelSet) -> None:
    """Refuse what the set cannot honour, before anything is made. Raises `ChoiceError`."""
    if order.identity is not None and "identity" not in model_set.capabilities:
        raise ChoiceError(
            f"{model_set.name} has no identity adapter. Leave --identity out, or choose another set."
        )
    if order.identity is not None and not 0 <= order.identity <= 1:
        raise ChoiceError(f"identity = {order.identity}. It should be between 0 and 1.")
    if not 1 <= order.variations <= 8:
        raise ChoiceError(f"variations = {order.variations}. It should be between 1 and 8.")
    if not 0 <= order.seed <= LAST_SEED:
        raise ChoiceError(f"seed = {order.seed}. It should be between 0 and {LAST_SEED}.")
    if order.expression and order.expression.name not in model_set.expressions:
        offered = ", ".join(sorted(model_set.expressions)) or "none"
        raise ChoiceError(f"{model_set.name} cannot do {order.expression.name}. It can do: {offered}.")
    model_set.course(order.start, order.strength)


def can_be_given(expression: Expression, face: Face, model_set: ModelSet) -> bool:
    """Whether this face can be given that expression: who only redraws a plate cannot close its open lips."""
    return not wants_closed_lips(expression, model_set) or lips_meet(face.landmarks)


def wants_closed_lips(expression: Expression, model_set: ModelSet) -> bool:
    """Whether the set can give it to closed lips only: it moves the plate's, where others have words."""
    return expression.smile < 0 and model_set.starts == ("plate",)


def within(order: Order, faces: Sequence[Face], model_set: ModelSet) -> Order:
    """The order without what this set cannot do, and without another set's start, strength and identity."""
    expression = order.expression
    if expression and (
        expression.name not in model_set.expressions
        or not can_be_given(expression, faces[best_of(faces)], model_set)
    ):
        expression = None
    return replace(order, identity=None, start=None, strength=None, expression=expression)
