"""A contact sheet: one print a picture, the one on the stage ringed. Event: `input`, when a print is tapped.

The value is JSON: `{"frames": [{"id", "url", "name", "word", "on"}], "chosen": id}`. What arrives is the
browser's word: the handler looks the id up.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import gradio as gr

from pages.components.template import component


@dataclass(frozen=True)
class SheetFrame:
    """One print."""

    id: str
    url: str
    name: str  # for who does not see it
    word: str  # below it
    on: bool = False  # ringed


def value_of(frames: Sequence[SheetFrame]) -> str:
    """The component's value."""
    return json.dumps({"frames": [asdict(frame) for frame in frames], "chosen": ""})


def sheet(label: str) -> gr.HTML:
    """The component, empty."""
    return component("sheet", value_of(()), label=label)
