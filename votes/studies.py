"""Published accuracies, to stand beside a room's own: `presets/studies.toml`, validated."""

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from presets import PRESETS, parse_table, read_table

STUDIES = PRESETS / "studies.toml"
Part = Annotated[float, Field(ge=0, le=1)]


class Study(BaseModel):
    """One published figure, as read in its paper."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(min_length=1, max_length=32, description="What was judged, in a few words")]
    authors: Annotated[str, Field(min_length=1)]
    year: Annotated[int, Field(ge=1990, le=2100)]
    people: Annotated[int, Field(ge=1)]
    answers: Annotated[int, Field(ge=1, description="All answers together")]
    right: Annotated[Part, Field(description="Share of right answers")]
    low: Annotated[Part | None, Field(description="95 % interval, where the paper gives one")] = None
    high: Part | None = None
    doi: Annotated[str, Field(pattern=r"^10\.\d{4,}/\S+$")]
    where: Annotated[str, Field(min_length=1, description="Where in the paper the figure stands")]

    @model_validator(mode="after")
    def interval_holds_the_share(self) -> "Study":
        """Both ends or none, around the share."""
        if (self.low is None) != (self.high is None):
            raise ValueError("low and high come together")
        if self.low is not None and self.high is not None and not self.low <= self.right <= self.high:
            raise ValueError("right lies between low and high")
        return self


class _StudyTable(BaseModel):
    model_config = ConfigDict(extra="forbid")

    study: list[Study]


def read_studies(file: Path = STUDIES) -> tuple[Study, ...]:
    """All of them, in their order. Raises `PresetError` naming file, key, value and rule."""
    return tuple(parse_table(read_table(file), _StudyTable, file.name).study)
