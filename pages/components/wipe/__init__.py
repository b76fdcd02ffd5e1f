"""Two pictures of one crop, and a line that wipes between them. No events: it is only looked at."""

from html import escape
from pathlib import Path

import gradio as gr

from pages.components import literal

SCRIPT = Path(__file__).parent / "wipe.js"
ARROWS = '<svg viewBox="0 0 32 32" aria-hidden="true"><path d="M12 9l-7 7 7 7M20 9l7 7-7 7" fill="none" \
stroke="currentColor" stroke-width="2.6"/></svg>'


def wipe(left: str, right: str, left_tag: str, right_tag: str, label: str, spoken: str) -> gr.HTML:
    """`left` and `right` are addresses; `spoken` says where the line is, with {p} for the left's share.

    It moves slowly by itself until somebody touches it. Where the right picture does not come, the left one
    is shown alone.
    """
    tags = f'<span class="tag l">{escape(left_tag)}</span><span class="tag r">{escape(right_tag)}</span>'
    return gr.HTML(
        "",
        html_template=literal(wiped(f'src="{left}"', f'src="{right}"', label, spoken, tags)),
        js_on_load=SCRIPT.read_text(encoding="utf-8"),
        apply_default_css=False,
        elem_classes=["wipe-part"],
    )


def wiped(left: str, right: str, label: str, spoken: str, tags: str = "") -> str:
    """The two pictures by their attributes, the line, and the range that moves it."""
    return (
        f'<div class="wipe" data-spoken="{escape(spoken)}"><img {left} alt="{escape(label)}">'
        f'<img class="top" {right} alt="">{tags}<span class="bar-y"></span><span class="grip">{ARROWS}</span>'
        f'<input type="range" min="0" max="100" value="50" autocomplete="off" '
        f'aria-label="{escape(label)}"></div>'
    )
