"""What portraits must hold to go on stage: the `[bounds]` tables of `presets/model_sets/*.toml`.

Each bound is a table of its own with `least`, `most` or both, and the source of the figure: a measurement of
ours, a published one, or a judgement, which then says that it is one. `commission` measures against them.
"""

from typing import Annotated

from pydantic import Field, ValidationInfo, field_validator

from presets import Preset, Sentence, rule

End = Annotated[float, Field(strict=True, ge=0, le=10_000)]


class Bound(Preset):
    """From where to where a measure may lie, both ends included."""

    least: Annotated[End | None, Field(description="The smallest value that holds")] = None
    most: Annotated[End | None, Field(validate_default=True, description="The largest value that holds")] = (
        None
    )
    source: Annotated[Sentence, Field(description="Where the figure comes from, for whoever reads a report")]

    @field_validator("most")
    @classmethod
    def _two_ends(cls, most: float | None, info: ValidationInfo) -> float | None:
        least = info.data.get("least")
        if "least" in info.data and least is None and most is None:
            raise rule("A bound has least, most, or both")
        if least is not None and most is not None and least > most:
            raise rule("The least comes first")
        return most

    def holds(self, value: float) -> bool:
        """Whether a value lies within; what is not a number does not."""
        low = float("-inf") if self.least is None else self.least
        high = float("inf") if self.most is None else self.most
        return low <= value <= high

    @property
    def phrase(self) -> str:
        """For a sentence: `0.7 to 1.3`, `at most 2.5`."""
        if self.least is None:
            return f"at most {self.most:g}"
        return f"at least {self.least:g}" if self.most is None else f"{self.least:g} to {self.most:g}"


class Bounds(Preset):
    """Everything that is held against a portrait. All of it is needed: what has no bound is not checked."""

    frames: Annotated[
        Bound, Field(description="Standard deviation of the grey values of a drawn frame; a black one has 0")
    ]
    face: Annotated[Bound, Field(description="Share of portraits in which a face is found")]
    pose: Annotated[
        Bound, Field(description="How far nose, pupils and ears lie from the plate's, in pupil distances")
    ]
    skin: Annotated[
        Bound, Field(description="How much lighter or darker the skin came out, L*, in each lightness group")
    ]
    recognition: Annotated[
        Bound, Field(description="Distance between portrait and photograph by face recognition")
    ]
    sharpness: Annotated[
        Bound, Field(description="Fine detail in the face, as a share of the plate's; 1 is the plate's own")
    ]
    change: Annotated[
        Bound, Field(description="Mean change of the plate in the face, grey values; 0 is a copy of it")
    ]
    seconds: Annotated[Bound, Field(description="Seconds a portrait, at the plan's batch")]
    memory: Annotated[Bound, Field(description="Most memory in use, as a share of the card's")]
