"""What a portrait should look like: `presets/looks/*.toml` and `presets/expressions/*.toml`.

A look is one file; its name is the file's name. The classes below document the keys: TOML tables are
nested classes, shares are 0..1, colours are sRGB as "#rrggbb", angles are degrees. Unknown keys are
refused. No look knows a canvas: lengths are shares of it, or pupil distances of the sitter.
"""

from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError, field_validator

from errors import ChoiceError
from presets import PRESETS, Preset, Sentence, complaint, read_presets, rule

LOOKS = PRESETS / "looks"
EXPRESSIONS = PRESETS / "expressions"

# strict: TOML's true is not 1.0, and 3.0 is not a count
Share = Annotated[float, Field(strict=True, ge=0, le=1)]
Colour = Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{6}$")]
Colours = Annotated[tuple[Colour, ...], Field(min_length=1, max_length=8)]


class Framing(Preset):
    """Where the head stands on the canvas."""

    head_height: Annotated[
        float, Field(strict=True, ge=0.3, le=0.75, description="Crown to chin, share of the canvas height")
    ]
    eye_line: Annotated[
        float,
        Field(strict=True, ge=0.2, le=0.6, description="Pupils, share of the canvas height from the top"),
    ]


class Light(Preset):
    """The lamps. They change how bright a place is, never its hue."""

    key: Annotated[
        float,
        Field(
            strict=True, ge=-90, le=90, description="Where the key lamp stands: degrees to the camera's left"
        ),
    ]
    fill: Annotated[Share, Field(description="Light on the side away from the key, share of the key light")]
    rim: Annotated[
        Share, Field(description="Lamp behind the sitter: light on the outline, share of white")
    ] = 0.0
    wrap: Annotated[Share, Field(description="Backdrop light that bleeds round the outline, share of it")] = (
        0.35
    )


class Mottle(Preset):
    """Clouds of other colours on the backdrop: painted canvas, foliage."""

    colours: Annotated[Colours, Field(description="Colours of the clouds, one layer each")]
    size: Annotated[
        float, Field(strict=True, ge=0.01, le=1, description="Width of a cloud, share of the canvas width")
    ]
    strength: Annotated[Share, Field(description="How much a cloud covers")]


class Panes(Preset):
    """Bright upright stripes out of focus: windows behind the sitter."""

    colours: Annotated[Colours, Field(description="Colours of the panes, from left to right, repeated")]
    count: Annotated[int, Field(strict=True, ge=1, le=12, description="How many panes over the width")]
    gap: Annotated[float, Field(strict=True, ge=0, le=0.9, description="Share of a pane that is its post")]
    blur: Annotated[
        float,
        Field(strict=True, ge=0.005, le=0.2, description="Sigma of the blur, share of the canvas width"),
    ]
    strength: Annotated[Share, Field(description="How much the panes cover")]
    lowest: Annotated[Share, Field(description="Where the panes end, share of the height")] = 1.0


class Discs(Preset):
    """Points of light out of focus."""

    colours: Annotated[Colours, Field(description="Colours of the discs, drawn at random")]
    count: Annotated[int, Field(strict=True, ge=1, le=200, description="How many discs on the canvas")]
    size: Annotated[
        float, Field(strict=True, ge=0.01, le=0.3, description="Diameter of the largest, share of the width")
    ]
    strength: Annotated[Share, Field(description="How much the brightest disc covers")]
    lowest: Annotated[Share, Field(description="No disc below this share of the height")] = 1.0


class Backdrop(Preset):
    """What stands behind the sitter: a gradient, then the layers that are named, in this order."""

    centre: Annotated[Colour, Field(description="Behind the sitter's head")]
    edge: Annotated[Colour, Field(description="At the canvas corners")]
    upright: Annotated[
        bool, Field(strict=True, description="Gradient from the top (centre) down (edge), not round the head")
    ] = False
    mottle: Mottle | None = None
    panes: Panes | None = None
    discs: Discs | None = None
    shadow: Annotated[Share, Field(description="Darkness of the sitter's soft shadow on the backdrop")] = 0.0
    glow: Annotated[Share, Field(description="Lamp on the backdrop behind the sitter, share of white")] = 0.0


Degrees = Annotated[float, Field(strict=True, ge=-90, le=90)]
Crop = Annotated[float, Field(strict=True, ge=0.8, le=1.15)]


class Variation(Preset):
    """How far the portraits of one sitting may differ, lowest and highest; the first is the look's own."""

    key: Annotated[tuple[Degrees, Degrees], Field(description="Where the key lamp may stand, as light.key")]
    fill: Annotated[tuple[Share, Share], Field(description="How soft the light may be, as light.fill")]
    crop: Annotated[tuple[Crop, Crop], Field(description="Head height, times the framing's: below 1 wider")]

    @field_validator("key", "fill", "crop")
    @classmethod
    def _in_order(cls, pair: tuple[float, float]) -> tuple[float, float]:
        if pair[0] > pair[1]:
            raise rule("The lowest comes first")
        return pair


class Look(Preset):
    """One way to photograph a person."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$", description="The file's name without .toml")]
    title: Annotated[Sentence, Field(description="What people read")]
    prompt: Annotated[Sentence, Field(description="What the model reads")]
    negative_prompt: Annotated[str, Field(max_length=300, description="What the model should avoid")] = ""
    place: Annotated[
        int, Field(strict=True, ge=0, le=999, description="Where it stands among the looks; ties by name")
    ] = 100
    backdrop: Backdrop
    light: Light
    framing: Framing
    identity: Annotated[Share, Field(description="IP-Adapter scale: how much of the face comes from photos")]
    pose: Annotated[float, Field(strict=True, ge=0, le=1.5, description="ControlNet conditioning scale")]
    variation: Variation | None = None

    def relight(self, key: float | None = None, fill: float | None = None) -> "Look":
        """The same look under other light, all portraits alike. Raises `ChoiceError` for one out of range."""
        asked = {name: value for name, value in (("key", key), ("fill", fill)) if value is not None}
        ends = {name: (value, value) for name, value in asked.items()}
        try:
            light = Light.model_validate(self.light.model_dump() | asked)
        except ValidationError as error:
            raise ChoiceError(f"{complaint(error, 'light')}") from error
        ranges = self.variation.model_copy(update=ends) if self.variation else None
        return self.model_copy(update={"light": light, "variation": ranges})


class Expression(Preset):
    """One way to look into the lens."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$", description="The file's name without .toml")]
    title: Annotated[Sentence, Field(description="What people read")]
    prompt: Annotated[Sentence, Field(description="What the model reads after the look's prompt")]
    negative_prompt: Annotated[str, Field(max_length=300, description="What the model should avoid")] = ""
    smile: Annotated[
        float,
        Field(
            strict=True,
            ge=-1,
            le=1,
            description="How far a plate's mouth is moved: 1 a warm smile, below 0 serious",
        ),
    ] = 0.0
    place: Annotated[
        int, Field(strict=True, ge=0, le=999, description="Where it stands among them; ties by name")
    ] = 100


def read_looks(folder: Path = LOOKS) -> dict[str, Look]:
    """All looks of a folder by name, in the order of their places. Raises `PresetError`."""
    looks = read_presets(folder, Look)
    return dict(sorted(looks.items(), key=lambda item: (item[1].place, item[0])))


def read_expressions(folder: Path = EXPRESSIONS) -> dict[str, Expression]:
    """All expressions of a folder by name, in the order of their places. Raises `PresetError`."""
    expressions = read_presets(folder, Expression)
    return dict(sorted(expressions.items(), key=lambda item: (item[1].place, item[0])))
