"""The eleven screens of the booth: what each is made of. `layout` builds them, `views` fills them.

Every screen is a column of four parts: bar, see (pictures), say (words, choices, the main button) and
foot (quiet ways out). One is shown at a time; Gradio keeps the others out of the page.
"""

from dataclasses import dataclass, field
from typing import Any

import gradio as gr

from booth.visit import Stage
from votes.schema import Kind


@dataclass(eq=False, kw_only=True)
class Screen:
    """What every screen has: its column, a place for a notice, and quiet buttons below."""

    column: gr.Column
    notice: gr.HTML
    quiet: dict[str, gr.Button] = field(default_factory=dict)


@dataclass(eq=False, kw_only=True)
class Welcome(Screen):
    """A picture that wipes, one question, Start."""

    start: gr.Button


@dataclass(eq=False, kw_only=True)
class Consent(Screen):
    """The line of time, one tick, one more for the young."""

    ticks: gr.HTML
    go: gr.Button


@dataclass(eq=False, kw_only=True)
class Camera(Screen):
    """The component does it all."""

    camera: gr.HTML


@dataclass(eq=False, kw_only=True)
class Look(Screen):
    """Six frames, expression, number; a dial where the set has one, and what its place does."""

    look: gr.HTML
    expression: gr.HTML
    count: gr.HTML
    dial: gr.HTML
    told: gr.HTML
    runs: gr.HTML
    lent: gr.HTML
    go: gr.Button


@dataclass(eq=False, kw_only=True)
class Making(Screen):
    """Photograph, portrait in the making, what it sees, what it keeps; progress and Stop."""

    plate: gr.HTML
    preview: gr.HTML
    seen: gr.HTML
    pose: gr.HTML
    words: gr.HTML
    steps: gr.HTML
    stop: gr.Button


@dataclass(eq=False, kw_only=True)
class Result(Screen):
    """Plate and portrait to wipe between, what changed, and the consent to show them."""

    portraits: gr.HTML
    words: gr.HTML
    report: gr.HTML
    machine: gr.HTML
    ask: gr.Button
    show: gr.HTML
    misfire: gr.HTML
    code: gr.HTML
    guess: gr.Button
    take: gr.HTML


@dataclass(eq=False, kw_only=True)
class Ladder(Screen):
    """Photograph and one step to wipe between, what that step changed, and the consent to show them."""

    portraits: gr.HTML
    report: gr.HTML
    steps: gr.HTML
    allow: gr.Column
    show: gr.HTML
    code: gr.HTML


@dataclass(eq=False, kw_only=True)
class Vote(Screen):
    """One picture on the grey card, two answers of equal weight, then the truth."""

    picture: gr.HTML
    words: gr.HTML
    answers: gr.Row
    buttons: dict[Kind, gr.Button]
    next: gr.Button


@dataclass(eq=False, kw_only=True)
class Goodbye(Screen):
    """Thanks, what happens to the pictures, a skin tone if one likes, and room for the next visitor."""

    words: gr.HTML
    band: gr.HTML
    fair: gr.HTML
    done: gr.Button


@dataclass(eq=False, kw_only=True)
class Delete(Screen):
    """Ask once before everything goes."""

    yes: gr.Button
    no: gr.Button


@dataclass(eq=False, kw_only=True)
class Withdraw(Screen):
    """A code takes a portrait back."""

    code: gr.Textbox
    go: gr.Button
    back: gr.Button


@dataclass(frozen=True, eq=False)
class Screens:
    """All of them, by the stage of a visit."""

    idle: gr.Button
    welcome: Welcome
    consent: Consent
    camera: Camera
    look: Look
    making: Making
    result: Result
    ladder: Ladder
    vote: Vote
    goodbye: Goodbye
    delete: Delete
    withdraw: Withdraw

    def of(self, stage: Stage) -> Screen:
        """The screen of a stage."""
        screen: Screen = getattr(self, stage.value)
        return screen

    def components(self) -> list[Any]:
        """Everything that a handler may change."""
        parts = [part for stage in Stage for part in vars(self.of(stage)).values()]
        groups = [part.values() if isinstance(part, dict) else (part,) for part in parts]
        return [part for group in groups for part in group]
