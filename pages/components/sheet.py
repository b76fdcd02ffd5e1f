"""A contact sheet: one print a picture, the one on the stage ringed. Event: `input`, when a print is tapped.

The value is JSON: `{"frames": [{"id", "url", "name", "word", "on"}], "chosen": id}`. What arrives is the
browser's word: the handler looks the id up.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from html import escape
from pathlib import Path

import gradio as gr

from pages import markup
from pages.components.template import literal

SCRIPT = Path(__file__).parent / "sheet.js"


@dataclass(frozen=True)
class Frame:
    """One print."""

    id: str
    url: str
    name: str  # for who does not see it
    word: str  # below it
    on: bool = False  # ringed


def value_of(frames: Sequence[Frame]) -> str:
    """The component's value."""
    return json.dumps({"frames": [asdict(frame) for frame in frames], "chosen": ""})


def sheet(label: str) -> gr.HTML:
    """The component, empty."""
    one = (
        '<template><li><button type="button"><span class="pic"><img alt="" loading="lazy">'
        f'{markup.ring()}</span><span class="cap"><b></b><span class="word"></span></span></button></li>'
        "</template>"
    )
    return gr.HTML(
        value_of(()),
        html_template=literal(f'<div class="sheet"><ol aria-label="{escape(label)}"></ol>{one}</div>'),
        js_on_load=SCRIPT.read_text(encoding="utf-8"),
        apply_default_css=False,
    )
