"""A button that shows how the room answered only while it is held: host screens get mirrored.

It asks the route itself, so that the split is in no value of the page. No event.
"""

from html import escape
from pathlib import Path

import gradio as gr

from pages.components.template import literal

SCRIPT = Path(__file__).parent / "peek.js"


def peek(label: str, told: str, note: str) -> gr.HTML:
    """`told` has the marks {photograph} and {generated}."""
    button = (
        (
            f'<button type="button" class="btn peek" data-label="{escape(label)}" data-told="{escape(told)}">'
            f'{escape(label)}</button><p class="note">{escape(note)}</p>'
        )
        .replace("{", "&#123;")
        .replace("}", "&#125;")
    )
    return gr.HTML(
        "",
        html_template=literal(f'<div class="peeking">{button}</div>'),
        js_on_load=SCRIPT.read_text(encoding="utf-8"),
        apply_default_css=False,
    )
