"""One of a few: a native radio group, as frames of a contact sheet, one segmented row or stops on a line.

Its value is the chosen option's value, a string. Event: `input`. What arrives is the browser's word:
the handler looks it up.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import gradio as gr

from pages.components.template import component


@dataclass(frozen=True)
class Option:
    """One of them."""

    value: str
    title: str
    backdrop: str = ""  # CSS background of a frame


def choice(
    name: str,
    legend: str,
    options: Sequence[Option],
    chosen: str,
    kind: Literal["frames", "seg", "swatches", "dial"],
    visible: bool = True,
) -> gr.HTML:
    """The component. `name` must be its own on the page; the names of a dial's -1 and 1 are not shown."""
    return component("choice", chosen, visible, name=name, legend=legend, options=options, kind=kind)
