"""Two pictures of one crop, and a line that wipes between them. No events: it is only looked at."""

from html import escape
from pathlib import Path

import gradio as gr

from pages.components.template import literal

SCRIPT = Path(__file__).parent / "wipe.js"
ARROWS = '<svg viewBox="0 0 32 32" aria-hidden="true"><path d="M12 9l-7 7 7 7M20 9l7 7-7 7" fill="none" \
stroke="currentColor" stroke-width="2.6"/></svg>'


def wipe(left: str, right: str, left_tag: str, right_tag: str, label: str, spoken: str) -> gr.HTML:
    """`left` and `right` are addresses; `spoken` says where the line is, with {p} for the left's share.

    It moves slowly by itself until somebody touches it. The left picture is shown alone until the right one
    is there, or where it never comes: the script asks again as long as the answer is 202.
    """
    tags = f'<span class="tag l">{escape(left_tag)}</span><span class="tag r">{escape(right_tag)}</span>'
    drawn = wiped(f'data-src="{left}"', f'data-src="{right}"', label, spoken, left_tag, tags)
    return gr.HTML(
        "",
        html_template=literal(drawn),
        js_on_load=SCRIPT.read_text(encoding="utf-8"),
        apply_default_css=False,
        elem_classes=["wipe-part"],
    )


def wiped(left: str, right: str, label: str, spoken: str, alone: str = "", tags: str = "") -> str:
    """The two pictures by their attributes, the line, and the range that moves it.

    `alone` says what the left picture is; it stands alone until the page's script takes that class away.
    """
    return (
        f'<div class="wipe alone" data-spoken="{escape(spoken)}"><img {left} alt="{escape(alone or label)}">'
        f'<img class="top" {right} alt="">{tags}<span class="bar-y"></span><span class="grip">{ARROWS}</span>'
        f'<input type="range" min="0" max="100" value="50" autocomplete="off" '
        f'aria-label="{escape(label)}"></div>'
    )
