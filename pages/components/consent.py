"""Native checkboxes for consent, never ticked in advance. Event: `input`.

The value is JSON, `{"agreed": bool, "minor": bool}`, and what arrives is the browser's word: the server
checks it again. Whenever the server sets the value, the boxes follow.
"""

import json
from html import escape
from pathlib import Path

import gradio as gr

from pages.components.template import literal

SCRIPT = Path(__file__).parent / "consent.js"
UNTICKED = json.dumps({"agreed": False, "minor": False})
TICKED = json.dumps({"agreed": True, "minor": False})  # what somebody ticked before, shown again


def consent(sentence: str, minor: str) -> gr.HTML:
    """The visitor's own sentence, and a grown-up's for the young."""
    return _ticks(_tick("agreed", sentence, "tick"), _tick("minor", minor, "tick second"))


def tick(sentence: str) -> gr.HTML:
    """One sentence to agree to."""
    return _ticks(_tick("agreed", sentence, "tick second"))


def ticked(ticks: str) -> bool:
    """Whether the box was ticked: exactly true, in JSON. Whatever else arrives is a no."""
    try:
        said = json.loads(ticks)
    except (TypeError, ValueError, RecursionError):
        return False
    return isinstance(said, dict) and said.get("agreed") is True


def _ticks(*boxes: str) -> gr.HTML:
    return gr.HTML(
        UNTICKED,
        html_template=literal(f'<div class="ticks">{"".join(boxes)}</div>'),
        js_on_load=SCRIPT.read_text(encoding="utf-8"),
        apply_default_css=False,
    )


def _tick(name: str, sentence: str, classes: str) -> str:
    return (
        f'<label class="{classes}"><input type="checkbox" name="{name}" autocomplete="off">'
        f"<span>{escape(sentence)}</span></label>"
    )
