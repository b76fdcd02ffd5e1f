"""One of a few: a native radio group, as frames of a contact sheet, one segmented row or stops on a line.

Its value is the chosen option's value, a string. Event: `input`. What arrives is the browser's word:
the handler looks it up.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import gradio as gr

from pages.components.template import component

ChoiceKind = Literal["frames", "seg", "swatches", "dial", "tongues"]


@dataclass(frozen=True)
class Option:
    """One of them."""

    value: str
    title: str
    backdrop: str = ""  # CSS background of a frame
    picture: str = ""  # address of what lies over it, as soon as that is drawn
    lang: str = ""  # of its title, where that is another than the page's


def choice(
    name: str,
    legend: str,
    options: Sequence[Option],
    chosen: str,
    kind: ChoiceKind,
    visible: bool = True,
) -> gr.HTML:
    """The component. `name` must be its own on the page; the names of a dial's -1 and 1 are not shown."""
    words = {"legend": legend} | {f"is {option.value}": option.title for option in options}
    return component("choice", chosen, words, visible, name=name, options=options, kind=kind)
