"""One of a few: a native radio group, as frames of a contact sheet, one segmented row or stops on a line.

Its value is the chosen option's value, a string. Event: `input`. What arrives is the browser's word:
the handler looks it up.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Literal

import gradio as gr

from pages import markup
from pages.components.template import literal

HERE = Path(__file__).parent


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
    inside = "".join(_option(name, option, kind) for option in options)
    line = f'<div style="--stops:{len(options)}">' if kind == "dial" else "<div>"
    template = f'<fieldset class="{kind}"><legend>{escape(legend)}</legend>{line}{inside}</div></fieldset>'
    return gr.HTML(
        chosen,
        html_template=literal(template),
        js_on_load=(HERE / "choice.js").read_text(encoding="utf-8"),
        apply_default_css=False,
        visible=visible,
    )


def _option(name: str, option: Option, kind: str) -> str:
    ground = f"background:{escape(option.backdrop)};background-position:50% 20%"
    pic = f'<span class="pic" style="{ground}">{markup.ring()}</span>'
    return (
        f'<label><input type="radio" name="{escape(name)}" value="{escape(option.value)}">'
        f"{'' if kind in ('seg', 'dial') else pic}<span>{escape(option.title)}</span></label>"
    )
